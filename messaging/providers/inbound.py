"""Mail that a provider takes for us and posts to our webhook: bounces, complaints and automatic replies.

It comes to the same address as the provider's own reports, proved by the same keys. Where the provider hands on the
mail as it came, that is read; where it takes it apart, django-anymail puts it together again.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable
from datetime import datetime
from io import BytesIO
from typing import Any, Final, NamedTuple

from anymail.inbound import AnymailInboundMessage
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from messaging.providers import anymail_bridge as bridge
from messaging.providers.base import ParsedReport, Raw, UnreadableError
from messaging.providers.mail.reports import parse_mail

FORMS: Final = ("multipart/form-data", "application/x-www-form-urlencoded")


class Mail(NamedTuple):
    """A mail as it came, the addresses to which it came, and when it did, if the provider says so."""

    body: bytes
    recipients: tuple[object, ...] = ()
    arrived_at: datetime | None = None


def parse_mails(items: Iterable[Any], mail_of: Callable[[Any], Mail], raw: Raw, first: int = 1) -> ParsedReport:
    """The events of the mails in a report; a damaged one becomes a problem.

    `first`: the number of the first of them in its report.
    """
    parsed = ParsedReport()
    for number, item in enumerate(items, first):
        try:
            mail = mail_of(item)
        except bridge.DAMAGE as error:
            parsed.problems.append(f"Mail {number}: {type(error).__name__}: {error}"[:300])
        else:
            recipients = [each for each in mail.recipients if isinstance(each, str)]
            parsed.add(parse_mail(mail.body, recipients, mail.arrived_at or raw.received_at))
    return parsed


def whole(mail: object, *, is_base64: bool = False) -> bytes:
    """A mail that was handed on as it came. Raises ValueError, TypeError."""
    if not isinstance(mail, str) or not mail:
        raise ValueError("no mail in it")
    return b64decode(mail) if is_base64 else mail.encode("utf-8", "surrogateescape")


def put_together(message: AnymailInboundMessage) -> bytes:
    """A mail that anymail has put together. Raises ValueError, LookupError, TypeError, AttributeError."""
    return bytes(message.as_bytes())


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in FORMS


def form_of(raw: Raw) -> HttpRequest:
    """The request again, with its POST and FILES. Raises UnreadableError."""
    request = WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": raw.content_type,
            "CONTENT_LENGTH": str(len(raw.body)),
            "wsgi.input": BytesIO(raw.body),
        }
    )
    try:
        request.body, request.POST  # noqa: B018 -- in this order, each is there for anymail
    except (MultiPartParserError, SuspiciousOperation, ValueError, OSError) as error:
        raise UnreadableError(f"Not a form: {error}"[:300]) from error
    return request
