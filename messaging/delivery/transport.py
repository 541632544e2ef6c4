"""What the dispatcher asks of a transport, and what one gets and gives. A channel has one by transport_factory.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol, Self

from django.utils import timezone

from contacts.models import Channel
from messaging.delivery.away import Away
from messaging.models import Content, SendOut
from messaging.sendouts import contents
from messaging.sendouts.contents import Person
from messaging.status.order import GIVES_UP_AFTER, Event
from messaging.tracking.tokens import token_of


@dataclass(frozen=True)
class Ready:
    """A message that is to leave now: it is marked, and blocks and consent were asked once more.

    `attempt` counts from 1, and `first_at` is when it was first tried (aware UTC). `is_planned`: it was on the list of
    what is tried at its time. `is_single`: a test, or sent again; its send-out is only that of its content.
    """

    id: int
    attempt: int
    address: str
    send_out: SendOut
    content: Content
    person: Person
    is_planned: bool = False
    is_single: bool = False
    first_at: datetime = field(default_factory=timezone.now)

    @cached_property
    def token(self) -> str:
        return token_of(self.id)

    @cached_property
    def sms(self) -> str:
        """The text of an SMS."""
        return contents.sms_of(self.content, contents.values_of(self.person, self.id))

    @property
    def time_left(self) -> timedelta:
        """Until we give up on it: for so long, and no longer, whoever takes it may try."""
        longest = GIVES_UP_AFTER[Channel(self.send_out.channel)]
        return max(timedelta(0), self.first_at + longest - timezone.now())

    @property
    def idempotency_key(self) -> str:
        """What the event of this attempt must go by: who finds none knows that its worker died (work.try_again)."""
        return idempotency_key(self.id, self.attempt)


def idempotency_key(message_id: int, attempt: int) -> str:
    return f"{message_id} {attempt}"


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What became of the attempt to hand one message over. `ids`: its provider's, of an SMS one for each part.

    The event is accepted (with Caveat.OUTCOME_UNKNOWN where nobody knows: it is never sent again), deferred (tried
    again), or final. `wait`: for how long the other side wants to be left alone, seconds, where it said so.
    `consent_changes`: what a refusal says that the person wants.
    """

    event: Event
    ids: tuple[str, ...] = ()
    wait: float = 0
    consent_changes: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A message that did not leave after all: it goes on waiting, and no attempt is counted.

    `until`: when it is tried; None as soon as its batch is taken up again. `refusal`: we are refused, whomever we write
    to, in these words; its send-out is paused. `away`: so is the way out itself; all that is to leave by it waits.
    """

    message: Ready
    until: datetime | None = None
    refusal: str = ""
    away: Away | None = None


class Transport(Protocol):
    """A way out. Used as a context manager, within which its connections are kept; by one thread."""

    @property
    def slug(self) -> str:
        """What stands in Message.provider, and is the provider of its events."""
        ...

    @property
    def channel(self) -> Channel: ...

    @property
    def slice(self) -> int:
        """So many leave between two looks at whether somebody pressed Pause, and share a transaction."""
        ...

    @property
    def schedule(self) -> Sequence[timedelta]:
        """How long after each attempt that was put off the next follows; the last repeats (answers.next_attempt)."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def parts_of(self, message: Ready) -> int:
        """In how many parts it travels: committed before it leaves, as receipts are of parts."""
        ...

    def send_all(self, messages: Sequence[Ready]) -> Iterator[DeliveryOutcome | Held]:
        """One of them for each message, as they come. Raises nothing that is the fault of a message or a server."""
        ...
