"""Emails by the HTTP API of a provider (esp_client.py)."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.utils import timezone

from contacts.models import Channel
from messaging.delivery.answers import SCHEDULE, event_of
from messaging.delivery.away import Away, AwayCause
from messaging.delivery.email_routes import Esp
from messaging.delivery.transport import DeliveryOutcome, Held, Ready
from messaging.delivery.transports.esp_client import EspPost
from messaging.delivery.transports.smtp import written
from messaging.status.order import Kind


class ByEsp:
    """A Transport (transport.py)."""

    channel: Final = Channel.EMAIL
    slice: Final = 50
    schedule: Final = SCHEDULE

    def __init__(self, route: Esp) -> None:
        self._post = EspPost(route)
        self.slug = route.slug

    def __enter__(self) -> "ByEsp":
        self._post.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._post.__exit__()

    def parts_of(self, _message: Ready) -> int:
        return 1

    def send_all(self, messages: Sequence[Ready]) -> Iterator[DeliveryOutcome | Held]:
        by_id = {each.id: each for each in messages}
        mails, unwritten = written(messages, self.slug)
        yield from unwritten
        answers = list(self._post.send_all(mails))
        is_any_taken = any(answer.kind == Kind.ACCEPTED for _mail, answer in answers)
        for mail, answer in answers:
            # That it fails with one email while it takes others is that one's own.
            if answer.cause and not (is_any_taken and answer.cause == AwayCause.UNWILLING):
                yield Held(by_id[mail.message_id], away=Away(answer.cause, f"{answer.said_by}: {answer.text}"))
            elif answer.is_untried:
                said_by = f"{answer.said_by}: " if answer.said_by else ""
                yield Held(by_id[mail.message_id], refusal=f"{said_by}{answer.text}" if answer.refuses_us else "")
            else:
                event = event_of(answer, mail.message_id, mail.attempt, self.slug, timezone.now())
                yield DeliveryOutcome(event, tuple(filter(None, [answer.provider_message_id])), answer.wait)
