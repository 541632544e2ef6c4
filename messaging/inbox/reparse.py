"""What a kept report says if it is read now, and what of that is recorded. Changes nothing.

Events have no index on their report. But a report that is read again names the same messages, and those lead to them.
"""

import json
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from messaging.inbox import claims
from messaging.ledger.correlation import named
from messaging.models import DeliveryEvent, Report
from messaging.providers.base import ParsedReport, Raw, UnreadableError
from messaging.providers.parsing import json_of
from messaging.providers.registry import providers
from messaging.status.order import Event, key_of, of_message

log = logging.getLogger(__name__)

MOST: Final = 200
# Reading takes about a millisecond for four facts, and a page should not take longer than a second.
LONGEST_READ: Final = 300_000


@dataclass(frozen=True, slots=True)
class ReparsedEvent:
    """An event as the report tells it now, and as it is recorded; either may be missing, not both."""

    event: Event | None
    recorded: DeliveryEvent | None

    @property
    def _known(self) -> Event | DeliveryEvent:
        known = self.event or self.recorded
        if known is None:
            raise ValueError("neither told nor recorded")
        return known

    @property
    def kind(self) -> str:
        return self._known.kind

    @property
    def reason(self) -> str:
        return self._known.reason

    @property
    def code(self) -> str:
        known = self._known
        return " ".join(filter(None, (known.reply_code, known.status_code, known.provider_code)))

    @property
    def occurred_at(self) -> datetime:
        return (self.recorded or self._known).occurred_at

    @property
    def message_id(self) -> int | None:
        return (self.recorded or self._known).message_id


@dataclass(slots=True)
class Contents:
    """What the first facts of a report say; `is_whole` is off where it has more."""

    told: list[ReparsedEvent] = field(default_factory=list)
    is_whole: bool = True
    problems: list[str] = field(default_factory=list)


def contents_of(report: Report) -> Contents:
    if report.error.startswith(claims.TOOK_DOWN):
        return Contents(problems=[_("It is not read here, since it would take down this page, too.")])
    body = bytes(report.body)
    beginning = body if len(body) <= LONGEST_READ else _beginning(body)
    if beginning is None:
        return Contents(is_whole=False)
    reading = _parse(report, beginning)
    by_key = {key_of(event): event for event in reading.events[:MOST]}
    recorded = _recorded(report, by_key)
    told = [
        ReparsedEvent(event, recorded.pop(key, None) or recorded.pop(_key_of_whole(event), None))
        for key, event in by_key.items()
    ]
    # Recorded from this report, but today it reads otherwise: the rules have changed since.
    told += [ReparsedEvent(None, event) for event in recorded.values() if event.report_id == report.pk]
    is_whole = beginning is body and len(reading.events) <= MOST
    return Contents(told, is_whole, reading.problems)


def _key_of_whole(event: Event) -> UUID:
    """The key by which the event was recorded if its message has but one part (ledger/record.py)."""
    return key_of(of_message(event, 1))


def _beginning(body: bytes) -> bytes | None:
    """Of a long list of facts a short one; None where it is no list, and so cannot be cut."""
    try:
        facts = json_of(body)
    except UnreadableError:
        return None
    return json.dumps(facts[:MOST]).encode() if isinstance(facts, list) else None


def _parse(report: Report, body: bytes) -> ParsedReport:
    provider = providers().get(report.provider)
    if provider is None:
        return ParsedReport(problems=["No such provider."])
    raw = Raw(body, report.content_type, report.path, report.received_at, report.headers)
    try:
        return provider.parse(raw)
    except UnreadableError as error:
        return ParsedReport(problems=[str(error)])
    except Exception as error:  # noqa: BLE001 -- a fault of the adapter is what the page is to show
        log.warning("Report %s of %s cannot be read: %s", report.pk, report.provider, type(error).__name__)
        return ParsedReport(problems=[f"{type(error).__name__}: {error}"])


def _recorded(report: Report, by_key: dict[UUID, Event]) -> dict[UUID, DeliveryEvent]:
    _events, numbers = named(list(by_key.values()), settles=False)
    wanted = Q(key__in={*by_key, *map(_key_of_whole, by_key.values())})
    if len(by_key) < MOST:
        wanted |= Q(report_id=report.pk)
    found = DeliveryEvent.objects.filter(wanted, message_id__in={number for number in numbers if number})
    return {event.key: event for event in found.order_by("recorded_at")[: 2 * MOST]}
