"""SendGrid batches of the bench's mix, signed as SendGrid signs them, and a sender that posts them over HTTP."""

import http.client
import os
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.utils import timezone

from bench import events
from messaging.demo import sendgrid
from messaging.status.order import Event, Kind
from messaging.tracking.tokens import token_of

BATCH: Final = 100
CONNECTIONS: Final = 4
WORDS: Final = {
    Kind.DELIVERED: "delivered", Kind.OPENED: "open", Kind.CLICKED: "click",
    Kind.DEFERRED: "deferred", Kind.SOFT_BOUNCE: "bounce", Kind.HARD_BOUNCE: "bounce",
}  # fmt: skip


class Post(NamedTuple):
    body: bytes
    headers: dict[str, str]


def bodies(messages: int, *, seed: int) -> Iterator[bytes]:
    """Without end, each of BATCH events that nobody has told before; the same ones for the same seed."""
    told = (event for batch in events.batches(messages, seed=seed) for event in batch if event.provider == "sendgrid")
    while True:
        yield sendgrid.body_of([_item(event) for event in islice(told, BATCH)])


def _item(event: Event) -> dict[str, object]:
    said: dict[str, Any] = {}
    if event.kind in (Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE):
        said = {"type": "bounce", "reason": event.diagnostic, "status": event.status_code}
    elif event.kind in (Kind.DEFERRED, Kind.DELIVERED):
        said = {"response": event.diagnostic}
    elif event.kind == Kind.CLICKED:
        said = {"url": "https://shop.example/autumn"}
    made = sendgrid.event(
        WORDS[event.kind],
        to="somebody@example.com",
        at=event.occurred_at,
        token=token_of(event.message_id or 0),
        message_id=event.provider_message_id.removeprefix("sg."),
        **said,
    )
    return made | {"sg_event_id": event.idempotency_key}


def signed(many: Iterable[bytes]) -> list[Post]:
    """Now: a signature holds for a day."""
    private_key = Path(os.environ["DEMO_SENDGRID_KEY_FILE"]).read_text()
    now = timezone.now()
    return [Post(body, sendgrid.headers_of(body, private_key=private_key, signed_at=now)) for body in many]


def send(
    port: int, path: str, posts: list[Post], seconds: float = 1e9, rate: float = 1e9, *, again: bool = False
) -> tuple[int, float]:
    """Posts answered, and the seconds it took; ends with the posts or after so many seconds.

    `rate` is posts a second. Raises AssertionError where an answer is no 2xx; with `again` it merely does not count,
    for ways whose requests may dead-lock.
    """
    waiting, lock, done, errors = iter(enumerate(posts)), threading.Lock(), [0], list[str]()
    start = time.perf_counter()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() - start < seconds and not errors:
            with lock:
                number, post = next(waiting, (0, None))
            if post is None:
                break
            time.sleep(max(0.0, start + number / rate - time.perf_counter()))
            connection.request("POST", path, post.body, post.headers)
            answer = connection.getresponse()
            answer.read()
            is_taken = 200 <= answer.status < 300
            if not is_taken and not again:
                errors.append(f"{path} answered {answer.status}")
            with lock:
                done[0] += is_taken
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise AssertionError(errors[0])
    return done[0], time.perf_counter() - start
