"""Old raw reports and events go after a while; the status and the bounce details on the messages stay."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from messaging.inbox import hourly_counts
from messaging.incoming.room import ROW_BYTES
from messaging.ledger import sql

CHUNK: Final = 2_000


def prune() -> dict[str, int]:
    """Delete what is older than REPORT_RETENTION_DAYS and EVENT_RETENTION_DAYS; 0 keeps it for ever.

    A chunk a statement, each its own transaction, past rows that a worker holds: no long lock. Reports that are still
    to be applied stay. Returns how many rows of each went.
    """
    return {
        "reports": _prune(sql.PRUNE_REPORTS, settings.REPORT_RETENTION_DAYS),
        "events": _prune(sql.PRUNE_EVENTS, settings.EVENT_RETENTION_DAYS),
    }


def drop_mail() -> int:
    """Delete the mail that is beyond what is kept of it (BOUNCE_KEPT_MAX_BYTES), strangers' first (BOUNCE_OTHER_MAX and
    BOUNCE_OTHER_MAX_BYTES). What is not read yet stays. Returns how many, which the tallies count, too.
    """
    most = [settings.BOUNCE_OTHER_MAX, settings.BOUNCE_OTHER_MAX_BYTES, settings.BOUNCE_KEPT_MAX_BYTES]
    total = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.DROP_MAIL, [ROW_BYTES, *most, CHUNK])
            gone = int(cursor.rowcount)
            if gone:
                hourly_counts.count_mail(dropped=gone)
        total += gone
        if gone < CHUNK:
            return total


def _prune(statement: str, days: int) -> int:
    if not days:
        return 0
    limit, total = timezone.now() - timedelta(days=days), 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [limit, CHUNK])
            gone = int(cursor.rowcount)
        total += gone
        if gone < CHUNK:
            return total
