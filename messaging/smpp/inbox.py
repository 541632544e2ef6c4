"""Where an SMSC's PDUs go: into the inbox of reports, all that wait in one transaction."""

import logging
from collections.abc import Sequence
from typing import Final

from django.db import Error, close_old_connections, connection

from messaging import reports
from messaging.providers.smpp import CONNECTION, SLUG
from messaging.reports import Kept
from messaging.smpp.pdus import CONTENT_TYPE

log: Final = logging.getLogger(__name__)


class Inbox:
    """That of one connection."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_well = True

    def keep(self, pdus: Sequence[bytes]) -> bool:
        """Whether they are committed now. If not, none of them is, and the SMSC has to send them again."""
        close_old_connections()
        try:
            reports.keep_all(Kept(SLUG, pdu, CONTENT_TYPE, f"/{self._name}", {CONNECTION: self._name}) for pdu in pdus)
        except Error as error:
            # By name alone: PostgreSQL's own words quote what was to be stored.
            self._tell(is_well=False, why=type(error).__name__)
            connection.close()
            return False
        self._tell(is_well=True)
        return True

    def nudge(self) -> None:
        reports.nudge()

    def _tell(self, *, is_well: bool, why: str = "") -> None:
        """Once when it begins and once when it is over, not for each of a million receipts."""
        if self._is_well and not is_well:
            log.error("SMPP %s: PostgreSQL takes no reports (%s); the SMSC is to send them again.", self._name, why)
        if is_well and not self._is_well:
            log.info("SMPP %s: PostgreSQL takes reports again.", self._name)
        self._is_well = is_well
