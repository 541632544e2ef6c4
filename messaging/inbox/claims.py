"""Which worker reads which reports, and what becomes of those whose worker died.

A claim is a row that is committed before its reports are read, and goes in the transaction that settles them. So the
claim of a worker that is killed stays, and nobody holds it. Its reports are then tried one by one, and one that takes
down every worker that tries it is given up: the others get through.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from django.db import Error, connection, transaction

from engage.database import commit_without_waiting
from messaging.ledger import sql
from messaging.models import Claim

# A claim takes reports up to this many bytes together (a SendGrid event is about 500), but at least one.
CLAIM_BYTES: Final = 1_000_000
CLAIM_REPORTS: Final = 200
# How the error of a report begins that was given up.
TOOK_DOWN: Final = "Reading it took down its worker"
# So many workers a report may take down, the first together with others. A worker or its database that is killed for
# another reason counts as well: with three, one of some hundred reports in the chaos test was given up by mere chance.
MOST_DEATHS: Final = 5
# Between a claim and its lock lie milliseconds; who takes longer finds it taken, which does no harm.
UNHELD_SECONDS: Final = 5


class ClaimResult(NamedTuple):
    """The number of a claim; None where nothing was due. `is_any_left`: there may be some that nobody holds."""

    number: int | None
    is_any_left: bool


class Left(NamedTuple):
    """A claim of a worker that died: its number, its reports that are still due, and how many workers died of it."""

    number: int
    reports: list[int]
    deaths: int

    @property
    def is_hopeless(self) -> bool:
        return self.deaths >= MOST_DEATHS


def claim() -> ClaimResult:
    """Claim what is due, and commit that."""
    with transaction.atomic(), connection.cursor() as cursor:
        # A machine that crashes takes the work back with the claim, so this need not wait for the disk either.
        commit_without_waiting()
        cursor.execute(sql.CLAIM_REPORTS, [CLAIM_REPORTS, CLAIM_BYTES, UNHELD_SECONDS])
        return ClaimResult(*cursor.fetchone())


def claim_left() -> Left | None:
    """Claim a single report of a worker that died, and commit that it is tried again; None where there is none."""
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.LEFT_BEHIND, [UNHELD_SECONDS])
            found = cursor.fetchone()
            if not found:
                return None
            number, deaths, is_waiting, reports = found
            # What waits has been counted as it was taken apart.
            deaths += not is_waiting
            claims = Claim.objects.filter(pk=number)
            if len(reports) == 1:
                cursor.execute(sql.RETAKE_CLAIM, [deaths, number])
                return Left(number, reports, deaths)
            # None is due any more, or each is to have a claim of its own.
            claims.delete()
            cursor.execute(sql.ONE_BY_ONE, [deaths, reports])


def hold(number: int) -> list[int]:
    """Lock the claim and those of its reports that are due until this transaction ends, which ends the claim, too."""
    with connection.cursor() as cursor:
        cursor.execute(sql.HOLD_CLAIM, [number])
        return [row[0] for row in cursor.fetchall()]


@contextmanager
def released(number: int) -> Iterator[None]:
    """Give the claim back where the work on it ends by an exception: its worker did not die."""
    try:
        yield
    except BaseException:
        with suppress(Error):
            Claim.objects.filter(pk=number).delete()
        raise
