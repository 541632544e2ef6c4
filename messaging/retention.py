"""Old raw reports and events go after a while; the status and the bounce details on the messages stay."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils import timezone

from messaging import sql

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
