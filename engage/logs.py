"""What is logged, and what of it is left out."""

from logging import LogRecord
from typing import Any, Final

# aiosmtpd (mail.log) and IMAPClient would write down addresses and whole mails.
QUIET: Final = ("celery.beat", "celery.worker.strategy", "celery.app.trace", "mail.log", "mail.debug", "imapclient")


def without_traces_of_refusals(record: LogRecord) -> bool:
    """For a CallbackFilter: the line stays; where a request was refused and nothing broke, without a stack trace."""
    status = getattr(record, "status_code", 500)
    if (record.name == "django.request" and status < 500) or record.name.startswith("django.security"):
        record.exc_info = record.exc_text = None
    return True


def logging_at(level: str) -> dict[str, Any]:
    """The settings of logging: lines for people, of this level and above."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
        "filters": {
            "refusals": {"()": "django.utils.log.CallbackFilter", "callback": without_traces_of_refusals},
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["refusals"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {name: {"level": "WARNING"} for name in QUIET},
    }
