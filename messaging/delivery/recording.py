"""What became of attempts: events, the provider's ids, and when what was put off is tried again."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from contacts.sql import array, columns
from messaging.bounces.reasons import OUTCOME_UNKNOWN
from messaging.delivery import sql
from messaging.delivery.answers import next_attempt
from messaging.delivery.preparation import Loaded
from messaging.delivery.statements import execute
from messaging.delivery.transport import DeliveryOutcome, Transport
from messaging.ledger.record import OURSELVES, SourcedEvent
from messaging.ledger.sql import LOCK_MESSAGES
from messaging.status.order import GIVES_UP_AFTER, Caveat, Event, Kind, hex_key_of
from messaging.suppression.follow import apply

log = logging.getLogger(__name__)


def record(outcomes: Sequence[DeliveryOutcome], by_id: Mapping[int, Loaded], way: Transport) -> None:
    """The events, what the provider calls the messages, and when to try again what was put off: one transaction."""
    plans = [(each.event, _again(each, by_id, way)) for each in outcomes]
    # Of a first attempt that has an outcome, nothing is on the list.
    needed = [
        (event.message_id, at, hex_key_of(event))
        for event, at in plans
        if event.message_id is not None and (at or by_id[event.message_id].is_on_list)
    ]
    named = [each for each in outcomes if each.ids]
    with transaction.atomic():
        if named or needed:
            # What is not raised by its event is locked here, in the order in which everybody does.
            execute(LOCK_MESSAGES, [array(by_id)])
        if named:
            _name(named)
        apply([SourcedEvent(event) for each in outcomes for event in (each.event, *each.consent_changes)])
        if needed:
            execute(sql.PLAN, columns(needed))


def _name(outcomes: Sequence[DeliveryOutcome]) -> None:
    """By the provider's ids its reports find the messages: the first is the message's own, further ones its parts'."""
    execute(sql.NAME, columns((each.event.message_id, each.ids[0]) for each in outcomes))
    further = [(each.event.message_id, each.event.provider, name) for each in outcomes for name in each.ids[1:]]
    if further:
        execute(sql.NAME_PARTS, columns(further))


def _again(outcome: DeliveryOutcome, by_id: Mapping[int, Loaded], way: Transport) -> datetime | None:
    event = outcome.event
    if event.kind != Kind.DEFERRED or event.message_id is None:
        return None
    of = by_id[event.message_id]
    return next_attempt(of.attempt, of.first_at, event.occurred_at, GIVES_UP_AFTER[way.channel], way.schedule)


def leave_outcome_unknown(doubtful: Collection[int], accepted: Kind = Kind.ACCEPTED) -> None:
    """Messages that may have left are not sent again; what becomes of them is the provider's to say."""
    if not doubtful:
        return
    log.warning("A worker died with %d messages in hand.", len(doubtful))
    now = timezone.now()
    with transaction.atomic():
        apply([
            SourcedEvent(Event(
                OURSELVES, accepted, now, f"{pk} in doubt", pk, reason=OUTCOME_UNKNOWN, caveat=Caveat.OUTCOME_UNKNOWN
            ))
            for pk in doubtful
        ])  # fmt: skip
        execute(sql.PLAN, columns((pk, None, None) for pk in doubtful))
