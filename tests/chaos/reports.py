"""What SendGrid tells of some thousand messages, and the one who posts it until it is answered."""

import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from messaging.demo import sendgrid
from messaging.providers.base import Raw
from messaging.providers.registry import providers
from messaging.status.order import READS, Event, Kind
from messaging.tracking.tokens import token_of
from tests.messaging.killing import WORDS

EVENTS = int(os.environ.get("CHAOS_EVENTS", "200000"))
EVENTS_A_MESSAGE = 10
MESSAGES_A_CONTACT = 2
SHARE_POSTED_TWICE = 0.15
POSTERS = 4
# So many batches may wait for their answer before the killer waits for the posters.
BACKLOG = 20
POST_SECONDS = 20
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=22)
LATEST = timedelta(hours=20)
LATEST_STEP = int(LATEST.total_seconds()) // EVENTS_A_MESSAGE - 1


class Mixed(NamedTuple):
    """How many of a hundred events are of this kind; in SendGrid's words, and in ours."""

    share: int
    word: str
    kind: Kind
    said: dict[str, str] = {}


MIX = (
    Mixed(20, "deferred", Kind.DEFERRED, {"response": "450 4.2.0 Greylisted, please try again in 300 seconds"}),
    Mixed(45, "delivered", Kind.DELIVERED, {"response": "250 2.0.0 OK"}),
    Mixed(25, "open", Kind.OPENED),
    Mixed(5, "bounce", Kind.SOFT_BOUNCE, {"type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 Listed"}),
    Mixed(3, "dropped", Kind.SOFT_BOUNCE, {"reason": "Spam Content"}),
    Mixed(
        2, "bounce", Kind.HARD_BOUNCE,
        {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 The email account does not exist."},
    ),
)  # fmt: skip


class Fact(NamedTuple):
    """One event before it is put into words; its number is unlike any other's."""

    number: int
    message_id: int
    mixed: Mixed
    at: datetime

    def posted(self) -> dict[str, Any]:
        """As SendGrid puts it."""
        contact, theirs = self.message_id % contacts() or contacts(), sendgrid.new_id(str(self.message_id))
        return sendgrid.event(
            self.mixed.word,
            to=f"c{contact}@chaos.test",
            at=self.at,
            token=token_of(self.message_id),
            message_id=theirs,
            number=self.number,
            **self.mixed.said,
        )

    def event(self) -> Event:
        """As we are to understand it."""
        posted = self.posted()
        idempotency_key = _read_out_of(posted) if self.mixed.kind in READS else posted["sg_event_id"]
        return Event("sendgrid", self.mixed.kind, self.at, idempotency_key, self.message_id)


def _read_out_of(posted: dict[str, Any]) -> str:
    """What an open is known by: SendGrid may give each copy of one an id of its own."""
    body = json.dumps([posted]).encode()
    (event,) = providers()["sendgrid"].parse(Raw(body, "application/json", "", datetime.now(UTC))).events
    return event.idempotency_key


def messages() -> int:
    return EVENTS // EVENTS_A_MESSAGE


def contacts() -> int:
    return messages() // MESSAGES_A_CONTACT


def facts(chance: random.Random) -> list[Fact]:
    shares = [mixed.share for mixed in MIX]
    return [
        Fact(
            number,
            number % messages() + 1,
            chance.choices(MIX, shares)[0],
            # No two of one message at the same second: two opens would be one.
            START + timedelta(seconds=chance.randrange(LATEST_STEP) * EVENTS_A_MESSAGE + number // messages()),
        )
        for number in range(EVENTS)
    ]


def batches(said: Sequence[Fact], chance: random.Random) -> list[list[Fact]]:
    """Of 100 to 500 events, shuffled, some of them in two batches."""
    arriving = [*said, *chance.sample(said, int(len(said) * SHARE_POSTED_TWICE))]
    chance.shuffle(arriving)
    found, first = [], 0
    while first < len(arriving):
        size = chance.randint(100, 500)
        found.append(arriving[first : first + size])
        first += size
    return found


@dataclass
class Provider:
    """Posts batches until each is answered; only so many as were released, so that they last as long as the kills."""

    port: int
    private_key: str
    waiting: list[list[Fact]]
    released: int = 0
    taken: int = 0
    answered: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    moved: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self.work, daemon=True) for _ in range(POSTERS)]
        for thread in threads:
            thread.start()
        return threads

    def post_killer(self) -> None:
        """One report that kills whoever reads it, until it is answered."""
        body = sendgrid.body_of([{"event": "processed", "said": WORDS.decode()}])
        while not self.post_body(body):
            time.sleep(0.2)

    def release(self, share: float) -> None:
        with self.moved:
            self.released = round(len(self.waiting) * min(share, 1))
            self.moved.notify_all()

    def wait_for_answers(self, seconds: float) -> None:
        with self.moved:
            self.moved.wait_for(lambda: self.released - self.answered <= BACKLOG, seconds)

    def work(self) -> None:
        while (batch := self.take()) is not None:
            while not self.post(batch):
                time.sleep(0.2)
            with self.moved:
                self.answered += 1
                self.moved.notify_all()

    def take(self) -> list[Fact] | None:
        with self.moved:
            self.moved.wait_for(lambda: self.taken < self.released or self.taken == len(self.waiting))
            if self.taken == len(self.waiting):
                return None
            self.taken += 1
            return self.waiting[self.taken - 1]

    def post(self, batch: list[Fact]) -> bool:
        return self.post_body(sendgrid.body_of([fact.posted() for fact in batch]))

    def post_body(self, body: bytes) -> bool:
        headers = sendgrid.headers_of(body, private_key=self.private_key, signed_at=datetime.now(UTC))
        answer = self.answer_to(body, headers)
        with self.moved:
            self.answers[answer] += 1
        return answer.startswith("2")

    def answer_to(self, body: bytes, headers: dict[str, str]) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=POST_SECONDS)
        try:
            connection.request("POST", sendgrid.PATH, body, headers)
            return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()
