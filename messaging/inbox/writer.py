"""Where those put reports who stay connected to somebody: all that wait in one transaction, and no error escapes."""

import logging
from collections.abc import Iterable
from typing import Final

from django.db import Error, close_old_connections, connection

from messaging.inbox import reports
from messaging.inbox.reports import Kept

log: Final = logging.getLogger(__name__)


class ReportWriter:
    """Writes the reports of one sender, whose `name` the log tells."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_well = True

    def keep_all(self, kept: Iterable[Kept]) -> bool:
        """Whether they are committed now. If not, none of them is, and the sender has to send them again."""
        close_old_connections()
        try:
            reports.keep_all(kept)
        except Error as error:
            # By name alone: PostgreSQL's own words quote what was to be stored.
            self._tell(is_well=False, why=type(error).__name__)
            connection.close()
            return False
        self._tell(is_well=True)
        return True

    def wake_worker(self) -> None:
        reports.wake_worker()

    def _tell(self, *, is_well: bool, why: str = "") -> None:
        """Once when it begins and once when it is over, not for each of a million reports."""
        if self._is_well and not is_well:
            log.error("%s: PostgreSQL takes no reports (%s); they are to be sent again.", self._name, why)
        if is_well and not self._is_well:
            log.info("%s: PostgreSQL takes reports again.", self._name)
        self._is_well = is_well
