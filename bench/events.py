"""The mix of events that is applied: what providers tell of the messages of a send-out, each for the first time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, md5
from random import Random
from typing import Final, NamedTuple

from bench.data import UNSETTLED, per_send_out
from messaging.status.order import Event, Kind

BATCH: Final = 1_000
# Of yesterday, and each a second later than the one before.
START: Final = datetime.now(UTC) - timedelta(days=20)


class Mixed(NamedTuple):
    """How many of a hundred events are of this kind, and what they say."""

    share: int
    kind: Kind
    reason: str = ""
    reply_code: str = ""
    status_code: str = ""
    diagnostic: str = ""


EMAIL: Final = (
    Mixed(60, Kind.DELIVERED, diagnostic="250 2.0.0 OK  1763900000 a640c23a62f3a-b4a9bd1 gsmtp"),
    Mixed(25, Kind.OPENED),
    Mixed(4, Kind.CLICKED),
    Mixed(5, Kind.DEFERRED, "greylisted", "450", "4.2.0", "450 4.2.0 Greylisted, please try again in 300 seconds"),
    Mixed(3, Kind.SOFT_BOUNCE, "mailbox_full", "552", "5.2.2", "552 5.2.2 The recipient's inbox is out of storage."),
    Mixed(3, Kind.HARD_BOUNCE, "user_unknown", "550", "5.1.1", "550 5.1.1 The email account does not exist."),
)
SMS: Final = tuple(mixed for mixed in EMAIL if mixed.kind not in (Kind.OPENED, Kind.CLICKED))


def batches(messages: int, *, seed: int) -> Iterator[list[Event]]:
    """Without end; the same ones for the same seed. About messages all over the table that wait for their events."""
    random, number = Random(seed), 0
    while True:
        batch = []
        for _ in range(BATCH):
            number += 1
            message_id = random.randrange(messages // 10) * 10 + random.randint(1, UNSETTLED)
            batch.append(_event(random, messages, message_id, f"{seed}.{number}", START + timedelta(seconds=number)))
        yield batch


def _event(random: Random, messages: int, message_id: int, name: str, at: datetime) -> Event:
    is_sms = (1 + (message_id - 1) // per_send_out(messages)) % 5 == 0
    mix = SMS if is_sms else EMAIL
    said = random.choices(mix, [mixed.share for mixed in mix])[0]
    return Event(
        provider="twilio" if is_sms else "sendgrid",
        kind=said.kind,
        occurred_at=at,
        # Random to the index, as a provider's ids are.
        idempotency_key=blake2b(name.encode(), digest_size=11).hexdigest(),
        message_id=message_id,
        provider_message_id=("SM" if is_sms else "sg.") + md5(f"{message_id}x".encode()).hexdigest()[:22],
        reason=said.reason,
        reply_code=said.reply_code,
        status_code=said.status_code,
        diagnostic=said.diagnostic,
        said_by="mx1.example.net" if said.diagnostic else "",
    )
