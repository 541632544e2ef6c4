"""What of a log's lines is left out."""

from logging import LogRecord


def without_traces_of_refusals(record: LogRecord) -> bool:
    """For a CallbackFilter: the line stays; where a request was refused and nothing broke, without a stack trace."""
    status = getattr(record, "status_code", 500)
    if (record.name == "django.request" and status < 500) or record.name.startswith("django.security"):
        record.exc_info = record.exc_text = None
    return True
