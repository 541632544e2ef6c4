"""What follows from recorded events for addresses and consent: blocks, their ends, engagement, consent, outages.

Rows are locked in one order by every worker: after the messages and events of messaging.ledger.record addresses by id,
then contacts by id.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Q

from contacts.blocks.record import ARRIVED, Engagement, Evidence, causes_of, doubt_life, lock, reword, settle, withdraw
from contacts.consent import ConsentChange
from contacts.models import Block, Cause, Channel
from contacts.sql import array
from messaging.bounces.certainty import Certainty
from messaging.ledger import record as ledger
from messaging.ledger import sql
from messaging.ledger.batch import DECISIVE, FAILURES, SIGNS
from messaging.ledger.consent_changes import ConsentEvent, answers_of, consent_changes_of
from messaging.ledger.record import NewEvent, Recorded, Revised, Revision, SourcedEvent, StoredEvent, Target, record
from messaging.models import DeliveryEvent
from messaging.status.order import CONSENTS, UNPROVEN, Caveat, Event, Kind, is_consent_change
from messaging.suppression import outages, soft_runs, speakers
from messaging.suppression.soft_runs import StatusChange
from messaging.tracking import bursts

# Stored hard bounces that may not block by themselves.
NEEDS_ANOTHER: Final = Q(caveat=Caveat.NAMED) | Q(certainty=Certainty.GUESS)


def apply(events: Sequence[SourcedEvent]) -> Sequence[SourcedEvent]:
    """Record these events and let everything follow from them. Returns those that match no message of ours.

    Call it in a transaction, and once in it: a second call would take locks out of order.
    """
    recorded = record(events)
    follow(recorded)
    return recorded.unmatched


def follow(recorded: Recorded) -> None:
    """Block, end blocks of soft bounces, change consent: for the addresses that this is about, locked in one go.

    What somebody answered by SMS counts at once for the number, even where it matches no message.
    """
    new_events, late = recorded.new_events, bursts.late(recorded.events)
    hard = [each for each in new_events if _is_hard(each)]
    changes = _consent_changes(new_events, recorded.unmatched)
    blocked = {each.target.address_id: each.cause for each in new_events if each.cause is not None}
    reached = {each.target.id: each.target for each in new_events if _may_clear(each)}
    runs = soft_runs.asked(_status_changes(new_events, reached, blocked))
    failed = {each.target.address_id for each in hard}
    engagements = _engagements(new_events, blocked.keys() | failed, late)
    if hard or changes or runs or engagements or late:
        spoken_for = {pk for change in changes for pk in change.address_ids}
        engaged = {each.address_id for each in engagements} | {each.address_id for each in late}
        held = lock(failed.union(spoken_for, engaged, *(run.addresses for run in runs)), spoken_for)
        if reached:
            _clear(reached)
        rule = outages.thresholds() if hard else outages.DEFAULTS
        evidence = _evidence(hard, rule)
        if late:
            doubt_life({each.message_id for each in late}, {each.address_id for each in late})
        settle(evidence, changes, soft_runs.verdicts(runs), engagements, held)
        if evidence:
            outages.look_at(evidence, rule)
    bursts.settle(late)


def revise(revisions: Sequence[Revision]) -> None:
    """Let stored events of emails say something else, and everything follow from that: status, blocks, history.

    As if they had said so from the beginning; but what people decided since (a lift, an outage) stands. Call it in a
    transaction, and once in it.
    """
    if revisions:
        _follow_revision(ledger.revise(revisions))


def believe(message_id: int, key: UUID) -> None:
    """Take a hard bounce that only named its message for proven, and let everything follow: who said it may speak for
    the address. Call it in a transaction, and once in it."""
    proven = ledger.prove(message_id, key)
    if not proven.events:
        return
    lock({target.address_id for target in proven.targets.values()})
    rule = outages.thresholds()
    found = _stored_proofs(proven.events.values(), proven.targets, rule)
    if found:
        evidence = outages.with_signs_of_life(found, rule)
        settle(evidence, [])
        outages.look_at(evidence, rule)


def _is_hard(each: NewEvent) -> bool:
    return each.event.kind == Kind.HARD_BOUNCE and not each.has_arrived and each.event.caveat != Caveat.GUESSED


def _consent_changes(new_events: Iterable[NewEvent], unmatched: Iterable[SourcedEvent]) -> list[ConsentChange]:
    """Of the messages that were found; and of who answered an SMS that was not, which is about the number."""
    asking = [
        ConsentEvent(each.event, each.key, *each.target)
        for each in new_events
        if each.event.kind in CONSENTS and is_consent_change(each.target.channel, each.event.caveat)
    ]
    return [*consent_changes_of(asking), *answers_of(each.event for each in unmatched)]


def _status_changes(
    new_events: Iterable[NewEvent], reached: Mapping[int, Target], blocked: Mapping[int, str]
) -> list[StatusChange]:
    """What the rules for soft bounces in a row are to look at."""
    failed = [each.target for each in new_events if _is_for_soft_rule(each, blocked)]
    return [_status_change(target, blocked) for target in (*failed, *reached.values())]


def _engagements(new_events: Iterable[NewEvent], watched: Set[int], late: Collection[bursts.Late]) -> list[Engagement]:
    """The signs of life of the addresses that are watched: that of one that is not blocked says nothing new. What is
    `late` is no sign of a person."""
    not_a_persons = {(each.message_id, each.key) for each in late}
    return [
        _engagement(each, is_late=(each.target.id, each.key) in not_a_persons)
        for each in new_events
        if each.event.kind in SIGNS
        and (each.event.caveat not in UNPROVEN or each.event.kind in CONSENTS)
        and is_consent_change(each.target.channel, each.event.caveat)
        and each.target.address_id in watched
    ]


def _evidence(hard: Sequence[NewEvent], rule: outages.Thresholds) -> Sequence[Evidence]:
    """What blocks now by these hard bounces. The addresses must be locked."""
    alone, others = list[NewEvent](), list[NewEvent]()
    for each in hard:
        (others if _needs_another(each.event, each.target, rule) else alone).append(each)
    proven = [_new_evidence(each) for each in alone]
    if others:
        proven += _agreed([each.target for each in others], proven)
        speakers.ask([_claim(each) for each in others if each.event.caveat in UNPROVEN and each.event.peer])
    return outages.with_signs_of_life(proven, rule) if proven else []


def _follow_revision(revised: Revised) -> None:
    targets = revised.targets
    addresses = {target.address_id for target in targets.values()}
    if not addresses:
        return
    lock(addresses)
    soft = [each.key for each in revised.revisions if each.kind != Kind.HARD_BOUNCE]
    if soft:
        _withdraw(soft, addresses, targets.keys())
    rule = outages.thresholds()
    evidence = _revised_evidence(revised, addresses, rule)
    blocked = causes_of(addresses)
    runs = soft_runs.asked([_status_change(target, blocked) for target in targets.values()])
    settle(evidence, [], soft_runs.verdicts(runs))
    outages.look_at(evidence, rule)


def _revised_evidence(revised: Revised, addresses: Set[int], rule: outages.Thresholds) -> Sequence[Evidence]:
    """What blocks now by the events that are hard bounces from now on; blocks that they prove get their reason."""
    hard = [each for each in revised.revisions if each.kind == Kind.HARD_BOUNCE]
    events = [revised.events[each.message_id, each.key] for each in hard]
    evidence = _stored_proofs(events, revised.targets, rule)
    if not evidence:
        return []
    reword({each.key: each.reason for each in hard}, addresses)
    return outages.with_signs_of_life(evidence, rule)


def _needs_another(event: Event | StoredEvent, target: Target, rule: outages.Thresholds) -> bool:
    """Whether a hard bounce blocks only where another one agrees: of another message, where it is not proven; from
    another day, where it is a guess what the server's words mean."""
    is_guess = event.certainty == Certainty.GUESS and target.channel == Channel.EMAIL
    return event.caveat in UNPROVEN or (is_guess and rule.needs_second)


def _stored_proofs(
    events: Iterable[StoredEvent], targets: Mapping[int, Target], rule: outages.Thresholds
) -> list[Evidence]:
    """What blocks by these stored hard bounces. The addresses must be locked."""
    alone, others = list[Evidence](), list[Target]()
    for event in events:
        target = targets[event.message_id]
        if not _needs_another(event, target, rule):
            alone.append(_stored_evidence(event, target.address_id))
        elif event.caveat != Caveat.GUESSED:
            others.append(target)
    return alone + _agreed(others, alone)


def _withdraw(keys: Sequence[UUID], addresses: Set[int], messages: Collection[int]) -> None:
    """End the blocks of what is no hard bounce any more, and of what had counted only because of it."""
    blocks = Block.objects.filter(address_id__in=addresses, ended_at=None, cause=Cause.ONE_HARD_BOUNCE)
    proofs = {key: pk for key, pk in blocks.values_list("event_key", "message_id") if key and pk}
    left = outages.hard_bounces(addresses, {*messages, *proofs.values()})
    weak = DeliveryEvent.objects.filter(NEEDS_ANOTHER, message_id__in=proofs.values(), key__in=proofs)
    alone = set(weak.values_list("key", flat=True)) - {each.event_key for each in left}
    withdraw([*keys, *alone], addresses, left)


def _may_clear(each: NewEvent) -> bool:
    """Whether (a part of) an SMS arrived at a number that a hard bounce blocks, perhaps one of the same SMS."""
    is_arrival = each.event.kind in (Kind.PART_ARRIVED, Kind.DELIVERED)
    return is_arrival and each.target.channel == Channel.SMS and each.cause == Cause.ONE_HARD_BOUNCE


def _clear(reached: Mapping[int, Target]) -> None:
    """End the blocks that a hard bounce of one of these SMS proves, of which something arrived after all. The addresses
    must be locked."""
    with connection.cursor() as cursor:
        cursor.execute(sql.KEYS_OF_HARD, [array(reached)])
        keys = [key for (key,) in cursor.fetchall()]
    if keys:
        addresses = {target.address_id for target in reached.values()}
        withdraw(keys, addresses, outages.hard_bounces(addresses, reached.keys()), ARRIVED)


def _agreed(named: Sequence[Target], known: Sequence[Evidence]) -> list[Evidence]:
    """The further hard bounces of these addresses that count, now that these messages are known as bounced: what only
    names its message waits for a report about another message, a guess for one from another day. The addresses must be
    locked."""
    if not named:
        return []
    keys = {evidence.event_key for evidence in known}
    found = outages.hard_bounces({each.address_id for each in named}, {each.id for each in named})
    return [evidence for evidence in found if evidence.event_key not in keys]


def _claim(each: NewEvent) -> speakers.NamedBounce:
    return speakers.NamedBounce(each.target.id, each.key, each.event.peer)


def _is_for_soft_rule(each: NewEvent, blocked: Mapping[int, str]) -> bool:
    """A failure can make a run long enough; whatever is final can end one that was."""
    if blocked.get(each.target.address_id) == Cause.SOFT_BOUNCES:
        return each.event.kind in DECISIVE
    return each.event.kind in FAILURES


def _status_change(target: Target, blocked: Mapping[int, str]) -> StatusChange:
    is_blocked = blocked.get(target.address_id) == Cause.SOFT_BOUNCES
    return StatusChange(target.id, target.address_id, target.channel, is_blocked)


def _new_evidence(each: NewEvent) -> Evidence:
    event, target = each.event, each.target
    return Evidence(
        target.address_id, event.occurred_at, UUID(hex=each.key), target.id, Cause.ONE_HARD_BOUNCE,
        event.reason, event.code, event.diagnostic,
    )  # fmt: skip


def _stored_evidence(event: StoredEvent, address_id: int) -> Evidence:
    return Evidence(
        address_id, event.occurred_at, event.key, event.message_id, Cause.ONE_HARD_BOUNCE, event.reason, event.code,
        event.diagnostic,
    )  # fmt: skip


def _engagement(each: NewEvent, *, is_late: bool) -> Engagement:
    event, target = each.event, each.target
    return Engagement(target.address_id, event.occurred_at, SIGNS[event.kind], event.is_automatic or is_late, target.id)
