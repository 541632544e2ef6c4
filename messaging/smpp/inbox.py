"""Where an SMSC's PDUs go: into the inbox of reports, all that wait in one transaction."""

from collections.abc import Sequence

from messaging.inbox import writer
from messaging.inbox.reports import Kept
from messaging.providers.smpp.reports import CONNECTION, SLUG
from messaging.smpp.pdus import CONTENT_TYPE


class PduWriter(writer.ReportWriter):
    """Writes down the PDUs of one connection."""

    def __init__(self, name: str) -> None:
        super().__init__(f"SMPP {name}")
        self._connection = name

    def keep(self, pdus: Sequence[bytes]) -> bool:
        """Whether they are committed now. If not, none of them is, and the SMSC has to send them again."""
        headers = {CONNECTION: self._connection}
        return self.keep_all(Kept(SLUG, pdu, CONTENT_TYPE, f"/{self._connection}", headers) for pdu in pdus)
