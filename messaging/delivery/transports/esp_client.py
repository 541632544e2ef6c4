"""Emails by the HTTP API of a provider, by way of django-anymail, which knows their formats.

What is said is what SMTP would say: the mail that we made is read, and its parts are handed on. Our token travels as
metadata, so that the provider's reports find their message (messaging/providers/anymail_bridge.py).
"""

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from functools import partial
from importlib import import_module
from threading import Event, local
from time import monotonic
from typing import Any, Final

from anymail.exceptions import AnymailError, AnymailNotSupportedWarning
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives

from messaging.delivery.answers import MailAnswer
from messaging.delivery.email_routes import Esp
from messaging.delivery.transports import esp_answers
from messaging.delivery.transports.smtp_pipeline import Outgoing
from messaging.providers.anymail_bridge import OUR_METADATA, plain_id
from messaging.providers.registry import label_of
from messaging.providers.sending import esp_of
from messaging.status.order import Kind
from messaging.tracking.tokens import token_of

# Requests at a time: each waits for most of its time.
LINES: Final = 8
# What has not begun by then goes on waiting, so that Pause takes effect.
TURN_SECONDS: Final = 240.0
# What the provider makes itself.
ITS_OWN: Final = frozenset({"from", "to", "subject", "date", "mime-version", "dkim-signature"})
UNTRIED: Final = MailAnswer(0, "", is_untried=True)
# With so many refused for a reason that we do not know, and none taken, it is not the recipients' fault.
ENOUGH_REFUSED: Final = 3


class EspPost:
    """Sends mails by one provider, over several connections that are used again. Close it, or they linger."""

    def __init__(self, route: Esp) -> None:
        """Raises ImproperlyConfigured where a package is missing."""
        self.slug = route.slug
        self._route = route
        self._backends: list[Any] = []
        self._lines = ThreadPoolExecutor(LINES, thread_name_prefix="esp")
        self._mine = local()
        _backend_class(route.slug)

    def __enter__(self) -> "EspPost":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.shutdown()
        for backend in self._backends:
            backend.close()
        self._backends.clear()

    def send_all(self, mails: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, MailAnswer]]:
        """An answer for each mail. Once the provider is away, is too busy or refuses us, the others are not tried."""
        is_over, until = Event(), monotonic() + TURN_SECONDS
        answers = list(self._lines.map(partial(self._send, is_over=is_over, until=until), mails))
        yield from zip(mails, _judged(answers), strict=True)

    def _send(self, mail: Outgoing, *, is_over: Event, until: float) -> MailAnswer:
        if is_over.is_set() or monotonic() > until:
            return UNTRIED
        answer = self.send(mail)
        if esp_answers.ends_the_turn(answer):
            is_over.set()
        return answer

    def send(self, mail: Outgoing) -> MailAnswer:
        message = message_for(mail, self._route)
        try:
            self._backend().send_messages([message])
        except AnymailError as error:
            return esp_answers.answer_of(error, message, mail.recipient, label_of(self.slug))
        status = message.anymail_status
        if status.status == {"failed"}:
            return esp_answers.failed(status.esp_response, message, mail.recipient, label_of(self.slug))
        its_id = self._its_id(status)
        return MailAnswer(0, "", label_of(self.slug), kind=Kind.ACCEPTED, provider_message_id=its_id)

    def _its_id(self, status: Any) -> str:
        """As its reports name the message."""
        headers = getattr(status.esp_response, "headers", None) or {}
        header = esp_of(self.slug).id_header
        return plain_id(headers.get(header) if header else status.message_id)[:255]

    def _backend(self) -> Any:
        """This thread's own, with its connection."""
        found = getattr(self._mine, "backend", None)
        if found is None:
            found = self._mine.backend = backend_of(self._route)
            self._backends.append(found)
        return found


def _judged(answers: Sequence[MailAnswer]) -> list[MailAnswer]:
    """Where all that were tried were refused for a reason that we do not know, we take it to mean us."""
    refused = [each for each in answers if each.kind == Kind.SOFT_BOUNCE and each.reason == esp_answers.UNKNOWN]
    tried = [each for each in answers if not each.is_untried]
    if len(refused) < ENOUGH_REFUSED or len(refused) < len(tried):
        return list(answers)
    return [esp_answers.refusing_us(each.text, each.said_by) if each in refused else each for each in answers]


def backend_of(route: Esp) -> Any:
    """anymail's own sender for this provider, with its connection open."""
    settings = esp_of(route.slug).backend_settings(dict(route.settings))
    # Else anymail makes up an id that no report of theirs names otherwise.
    settings["generate_message_id"] = False
    with warnings.catch_warnings():
        # It lost its SendGrid test account (its issue 432), not the feature; our tests stand in.
        warnings.simplefilter("ignore", AnymailNotSupportedWarning)
        backend = _backend_class(route.slug)(**settings)
    backend.open()
    return backend


def _backend_class(slug: str) -> Any:
    try:
        return import_module(f"anymail.backends.{slug}").EmailBackend
    except ImportError as error:
        raise ImproperlyConfigured(f"EMAIL_ROUTE anymail:{slug} needs a package more: {error}") from error


def message_for(mail: Outgoing, route: Esp) -> Any:
    """The mail as anymail takes it: the same subject, bodies and headers, and our token."""
    written, esp = message_from_bytes(mail.mail, policy=default), esp_of(route.slug)
    without = ITS_OWN | esp.refused | route.without
    headers = {
        name: str(value)
        for name, value in written.items()
        if name.lower() not in without and not name.lower().startswith("content-")
    }
    message: Any = EmailMultiAlternatives(
        str(written["Subject"]), _body(written, "plain"), _mailbox(written["From"]), [mail.recipient],
        headers=headers | dict(esp.added),
    )  # fmt: skip
    if written.get_body(("html",)) is not None:
        message.attach_alternative(_body(written, "html"), "text/html")
    token = token_of(mail.message_id)
    if esp.is_tagged:
        message.tags = [token]
    else:
        message.metadata = {OUR_METADATA: token}
    return message


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def _mailbox(header: Any) -> str:
    """With a quoted name: it may hold a comma."""
    found: Address = header.addresses[0]
    name = found.display_name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{found.addr_spec}>' if name else found.addr_spec
