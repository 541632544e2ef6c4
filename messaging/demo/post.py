"""Plays SendGrid and Twilio: posts what they say of our messages, signed, to the webhooks of a running Engage.

The messages left by other ways. It is for what those do not bring about: reports that come late, in disorder or twice,
that are forged or garbled, or about somebody else's message.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from contacts.models import Channel
from messaging.demo import sendgrid, twilio
from messaging.demo.script import ScriptedReport
from messaging.models import Message
from messaging.tracking.tokens import token_of

KEPT, FORBIDDEN = 204, 403


class UnexpectedAnswerError(Exception):
    """The webhook answered otherwise than the documentation of the product says."""


class Keys(NamedTuple):
    """What the providers sign with: SendGrid's private key (PEM), and Twilio's token."""

    sendgrid: str
    twilio: str


class PlotLine(NamedTuple):
    """One line of a plot about one message, at its time. `number` is its place in the plot."""

    at: datetime
    message: Message
    number: int
    line: ScriptedReport


def event_of(said: PlotLine) -> dict[str, Any]:
    """As SendGrid says it."""
    message, fields = said.message, dict(said.line.said)
    to = message.address.value
    for name in ("response", "reason"):
        if name in fields:
            fields[name] = fields[name].format(email=to, domain=to.rpartition("@")[2])
    return sendgrid.event(
        fields.pop("event"), to=to, at=said.at, token=token_of(message.pk),
        message_id=sendgrid.new_id(token_of(message.pk)), number=said.number, **fields,
    )  # fmt: skip


def callback_of(said: PlotLine) -> dict[str, str]:
    """As Twilio says it."""
    message, fields = said.message, dict(said.line.said)
    sid = twilio.new_sid(token_of(message.pk))
    return twilio.callback(fields.pop("status"), sid=sid, to=message.address.value, at=said.at, **fields)


class Providers:
    """SendGrid and Twilio, as seen from the webhooks at `url`. Twilio signs `public_url`, where it was told to post."""

    def __init__(self, url: str, public_url: str, keys: Keys) -> None:
        self.url, self.public_url, self.keys = url, public_url, keys
        self.posted = 0
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy of the environment cannot know about us
        # A report that was posted twice counts once, so whatever breaks off is simply posted again.
        self.session.mount(url, HTTPAdapter(max_retries=Retry(3, allowed_methods=None, backoff_factor=0.1)))

    def tell(self, said: Sequence[PlotLine]) -> None:
        """What SendGrid gathered, as one report; each of Twilio's by itself. What is said twice is posted once more."""
        for each in (said, [each for each in said if each.line.is_said_twice]):
            if emails := [one for one in each if one.message.channel == Channel.EMAIL]:
                self.post_batch([event_of(one) for one in emails])
            for one in each:
                if one.message.channel == Channel.SMS:
                    self.post_callback(token_of(one.message.pk), callback_of(one))

    def post_batch(self, events: Sequence[dict[str, Any]]) -> None:
        self.post_raw_batch(sendgrid.body_of(events))

    def post_raw_batch(self, body: bytes) -> None:
        headers = sendgrid.headers_of(body, private_key=self.keys.sendgrid, signed_at=timezone.now())
        self._post(sendgrid.PATH, body, headers, KEPT)

    def post_callback(self, token: str, form: dict[str, str]) -> None:
        path = twilio.path_of(token)
        headers = twilio.headers_of(self.public_url + path, form, auth_token=self.keys.twilio)
        self._post(path, twilio.body_of(form), headers, KEPT)

    def post_forgeries(self) -> None:
        """Signed with keys that are not the providers': both must be turned away."""
        body = sendgrid.body_of([{"email": "anybody@example.com", "event": "delivered", "timestamp": 1}])
        headers = sendgrid.headers_of(body, private_key=_new_private_key(), signed_at=timezone.now())
        self._post(sendgrid.PATH, body, headers, FORBIDDEN)
        form = twilio.callback("delivered", sid=twilio.new_sid("forged"), to="+447700900999", at=timezone.now())
        path = twilio.path_of("1-forged")
        headers = twilio.headers_of(self.public_url + path, form, auth_token="not the token")  # noqa: S106
        self._post(path, twilio.body_of(form), headers, FORBIDDEN)

    def post_strange(self) -> None:
        """Reports about messages that nobody knows, and one that breaks off in the middle."""
        now, unknown = timezone.now(), sendgrid.new_id("a message of another system")
        event = sendgrid.event(
            "delivered", to="somebody.else@example.com", at=now, token="1-of-another-system", message_id=unknown,  # noqa: S106
            response="250 2.0.0 OK",
        )  # fmt: skip
        self.post_batch([event])
        self.post_raw_batch(b'[{"email":"somebody.else@example.com","timestamp":1793700000,"event":"deliv')
        form = twilio.callback("delivered", sid=twilio.new_sid("of another system"), to="+447700900999", at=now)
        self.post_callback("1-of-another-system", form)

    def _post(self, path: str, body: bytes, headers: dict[str, str], expected: int) -> None:
        answer = self.session.post(self.url + path, data=body, headers=headers, timeout=30, allow_redirects=False)
        if answer.status_code != expected:
            raise UnexpectedAnswerError(
                f"POST {self.url}{path.partition('?')[0]} was answered {answer.status_code} instead of {expected}."
            )
        self.posted += expected == KEPT


def _new_private_key() -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*form).decode()
