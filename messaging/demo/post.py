"""Plays the providers over HTTP: posts what they say of our messages, signed, to the webhooks of a running Engage."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from contacts.models import Channel
from messaging.demo import sendgrid, twilio
from messaging.demo.script import Line
from messaging.demo.stage import Part
from messaging.tokens import token_of

# SendGrid gathers what happened and posts it together; here what happened to so many messages.
BATCH: Final = 60
KEPT, FORBIDDEN = 204, 403


class UnexpectedAnswerError(Exception):
    """The webhook answered otherwise than the documentation of the product says."""


class Keys(NamedTuple):
    """What the providers sign with: SendGrid's private key (PEM), and Twilio's token."""

    sendgrid: str
    twilio: str


class Said(NamedTuple):
    """One line of a plot about one message, at its time."""

    at: datetime
    part: Part
    number: int
    line: Line


def said_of(parts: Sequence[Part], channel: Channel, now: datetime, *, later: bool) -> list[Said]:
    """What the provider says in this act, in the order of the messages; nothing lies in the future."""
    return [
        Said(min(scene.told_at(line), now), part, number, line)
        for part in parts
        if (scene := part.scene).plot.channel == channel
        for number, line in enumerate(scene.plot.lines)
        if line.is_later == later
    ]


def event_of(said: Said) -> dict[str, Any]:
    """As SendGrid says it."""
    message, fields = said.part.message, dict(said.line.said)
    to = message.address.value
    known = {"email": to, "domain": to.rpartition("@")[2]}
    for name in ("response", "reason"):
        if name in fields:
            fields[name] = fields[name].format(**known)
    return sendgrid.event(
        fields.pop("event"), to=to, at=said.at, token=token_of(message.pk),
        message_id=str(message.provider_message_id), number=said.number, **fields,
    )  # fmt: skip


def callback_of(said: Said) -> dict[str, str]:
    """As Twilio says it."""
    message, fields = said.part.message, dict(said.line.said)
    return twilio.callback(
        fields.pop("status"), sid=str(message.provider_message_id), to=message.address.value, at=said.at, **fields
    )


class Providers:
    """SendGrid and Twilio, as seen from the webhooks at `url`. Twilio signs `public_url`, where it was told to post."""

    def __init__(self, url: str, public_url: str, keys: Keys) -> None:
        self.url, self.public_url, self.keys = url, public_url, keys
        self.posted = 0
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy of the environment cannot know about us
        # A report that was posted twice counts once, so whatever breaks off is simply posted again.
        self.session.mount(url, HTTPAdapter(max_retries=Retry(3, allowed_methods=None, backoff_factor=0.1)))

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
        """A report about a message that nobody knows, and one that breaks off in the middle."""
        now, unknown = timezone.now(), sendgrid.new_id("a message of another system")
        event = sendgrid.event(
            "delivered", to="somebody.else@example.com", at=now, token="1-of-another-system", message_id=unknown,  # noqa: S106
            response="250 2.0.0 OK",
        )  # fmt: skip
        self.post_batch([event])
        self.post_raw_batch(b'[{"email":"somebody.else@example.com","timestamp":1793700000,"event":"deliv')

    def _post(self, path: str, body: bytes, headers: dict[str, str], expected: int) -> None:
        answer = self.session.post(self.url + path, data=body, headers=headers, timeout=30, allow_redirects=False)
        if answer.status_code != expected:
            raise UnexpectedAnswerError(
                f"POST {self.url}{path.partition('?')[0]} was answered {answer.status_code} instead of {expected}."
            )
        self.posted += expected == KEPT


def tell(providers: Providers, parts: Sequence[Part], now: datetime, *, later: bool) -> Iterator[int]:
    """Post everything that the providers say in one act; yields how many reports they posted so far."""
    twice = [part for part in parts if part.scene.plot.is_said_twice]
    for batch in (*batches(parts), twice):
        if said := said_of(batch, Channel.EMAIL, now, later=later):
            providers.post_batch([event_of(each) for each in sorted(said, key=lambda each: each.at)])
            yield providers.posted
    for each in said_of([*parts, *twice], Channel.SMS, now, later=later):
        providers.post_callback(token_of(each.part.message.pk), callback_of(each))
        yield providers.posted


def batches(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """What is said of one message stays together: between a deferral and the delivery nobody is to give up on it."""
    for start in range(0, len(parts), BATCH):
        yield parts[start : start + BATCH]


def _new_private_key() -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*form).decode()
