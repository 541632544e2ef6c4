"""The story's people, as the try-out receivers meet them: what comes of a message that the story tells of.

They live in the time of their messages: who opens a mail two hours after it was sent does so once the product has it
that two hours have passed, whether those really went by or the demo has moved the time on (clock.py).
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Final

from django.db import DatabaseError, close_old_connections, connection, connections

from contacts.addresses import normalise_email, normalise_mobile
from contacts.models import Channel
from engage.domains import in_ascii
from messaging.demo.script import CastMember, Fate, story

LOOK_SECONDS: Final = 0.1
AGES: Final = """
SELECT id, statement_timestamp() - sent_at FROM messaging_message WHERE id = ANY(%s) AND sent_at IS NOT NULL
"""
# The SMS that somebody has just been sent; an SMS carries no number of ours.
NEWEST_SMS: Final = """
SELECT max(m.id) FROM contacts_address a JOIN contacts_contact c ON c.mobile_address_id = a.id
JOIN messaging_message m ON m.contact_id = c.id AND m.channel = a.channel AND m.sent_at IS NOT NULL
WHERE a.channel = 'sms' AND a.value = %s
"""


def of_email(address: str, subject: str) -> Fate | None:
    """What the story has come of a mail with this subject; None where it tells nothing of it."""
    return _emails().get((address.lower(), subject))


def of_sms(number: str, text: str) -> Fate | None:
    return _sms().get((f"+{number.lstrip('+')}", text))


@cache
def _emails() -> Mapping[tuple[str, str], Fate]:
    found: dict[tuple[str, str], Fate] = {}
    for person in story().cast.values():
        for address in _addresses(person):
            for plan in story().plans:
                if plan.channel == Channel.EMAIL and (fate := story().fate(person, plan)):
                    found.setdefault((address, plan.subject), fate)
    return found


def _addresses(person: CastMember) -> list[str]:
    card = story().cards.get(person.name)
    corrected = card.meanwhile.to if card and card.meanwhile else ""
    return [in_ascii(normalise_email(typed)) for typed in (person.email, corrected) if typed]


@cache
def _sms() -> Mapping[tuple[str, str], Fate]:
    return {
        (normalise_mobile(person.mobile, person.country), plan.text): fate
        for person in story().cast.values()
        for plan in story().plans
        if plan.channel == Channel.SMS and (fate := story().fate(person, plan))
    }


class Calendar:
    """Tells when messages have reached an age. For one event loop; it asks only while somebody waits."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], tuple[int, timedelta]] = {}
        self._asking: asyncio.Task[None] | None = None
        # One thread, so one connection to the database.
        self._thread = ThreadPoolExecutor(1, "calendar")

    async def until(self, message_id: int, age: timedelta) -> None:
        """Returns once the message was sent that long ago; never, if it is gone by then."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[reached] = message_id, age
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            await reached
        finally:
            self._waiting.pop(reached, None)

    async def newest_sms(self, number: str) -> int | None:
        """The one that was sent to the number last."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _newest_sms, f"+{number.lstrip('+')}")

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
        await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
        self._thread.shutdown()

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            numbers = sorted({message_id for message_id, _age in self._waiting.values()})
            with suppress(DatabaseError):  # it may be away for a moment
                ages = await loop.run_in_executor(self._thread, _ages, numbers)
                for reached, (message_id, age) in list(self._waiting.items()):
                    if message_id in ages and ages[message_id] >= age and not reached.done():
                        reached.set_result(None)
            await asyncio.sleep(LOOK_SECONDS)


def _ages(message_ids: list[int]) -> dict[int, timedelta]:
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute(AGES, [message_ids])
        return dict(cursor.fetchall())


def _newest_sms(number: str) -> int | None:
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_SMS, [number])
        found: tuple[int | None] | None = cursor.fetchone()
        return found[0] if found else None
