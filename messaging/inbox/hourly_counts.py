"""Counting what arrives, by provider and hour (UTC), and the codes that our tables lack.

A batch counts its reports in the transaction that settles them, so each counts once, whoever is killed when.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from django.db import connection

from contacts.sql import columns
from messaging.ledger import sql
from messaging.providers.base import UnmappedCode

LONGEST_SPACE: Final = 40
LONGEST_CODE: Final = 60


@dataclass(frozen=True, slots=True)
class Counted:
    """What one report adds. A report that is looked at again adds nothing but, once, that it was set aside."""

    provider: str
    report_id: int
    received_at: datetime
    is_first: bool
    events: int = 0
    is_unreadable: bool = False
    is_unmatched: bool = False
    is_set_aside: bool = False
    unmapped: Sequence[UnmappedCode] = field(default_factory=tuple)

    @property
    def sums(self) -> tuple[int, int, int, int, int]:
        """Reports, events, unreadable ones, unmatched ones, ones set aside."""
        if not self.is_first:
            return 0, 0, 0, 0, int(self.is_set_aside)
        return 1, self.events, int(self.is_unreadable), int(self.is_unmatched), int(self.is_set_aside)


def count(counted: Sequence[Counted]) -> None:
    """Add these up. The last statements of a transaction: other workers wait for its rows."""
    with connection.cursor() as cursor:
        if by_hour := list(_by_hour(counted)):
            cursor.execute(sql.COUNT_REPORTS, columns(by_hour))
        if by_code := list(_by_code(counted)):
            cursor.execute(sql.COUNT_UNMAPPED, columns(by_code))


def count_refusal(provider: str) -> None:
    """One more report of this provider turned away in this hour."""
    with connection.cursor() as cursor:
        cursor.execute(sql.COUNT_REFUSAL, [provider])


def count_mail(*, dropped: int = 0, put_off: int = 0) -> None:
    """So many more mails in this hour: deleted before their time, or told to come again."""
    with connection.cursor() as cursor:
        cursor.execute(sql.COUNT_MAIL, ["mail", dropped, put_off])


def hour_of(moment: datetime) -> datetime:
    """The hour's start, UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _by_hour(counted: Iterable[Counted]) -> Iterator[tuple[object, ...]]:
    found: dict[tuple[str, datetime], tuple[list[int], datetime]] = {}
    for each in counted:
        if any(each.sums):
            key = each.provider, hour_of(each.received_at)
            sums, last_at = found.get(key, ([0] * len(each.sums), each.received_at))
            added = [one + other for one, other in zip(sums, each.sums, strict=True)]
            found[key] = added, max(last_at, each.received_at)
    return ((*key, *sums, last_at) for key, (sums, last_at) in found.items())


def _by_code(counted: Iterable[Counted]) -> Iterator[tuple[object, ...]]:
    found: dict[tuple[str, str, str], list[Counted]] = {}
    for each in counted:
        for space, code in each.unmapped if each.is_first else ():
            found.setdefault((each.provider, space[:LONGEST_SPACE], code[:LONGEST_CODE]), []).append(each)
    for key, said in found.items():
        times = [each.received_at for each in said]
        yield *key, len(said), min(times), max(times), max(each.report_id for each in said)
