"""Blocks of addresses, and what reports lead to: set-based, each change once, each with its history.

Locks are taken in one order by everybody (addresses by id, then contacts by id), so two workers cannot deadlock.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts import consent, sql
from contacts.consent import ConsentChange
from contacts.models import Address, Block, Life
from engage.database import prepared

# What stops a sending; a held block does not.
IN_FORCE: Final = Q(ended_at=None, held_at=None)
RUN_OVER: Final = _(
    "By the rule: so many soft bounces in a row there are no longer. Something arrived, or the rule changed."
)
NOT_HARD: Final = _("By a better rule: what the mail server said does not mean that the address is dead.")

ARRIVED: Final = _("A part of the same SMS arrived, so the number exists.")


class AlreadyLiftedError(Exception):
    """Somebody else removed the block first; `block` says who, when and why, where it is known."""

    def __init__(self, block: Block | None) -> None:
        super().__init__("The block was removed already.")
        self.block = block


class Evidence(NamedTuple):
    """A proof for a block: an event that says that this address is dead. (The columns of sql.BLOCK, in order.)"""

    address_id: int
    occurred_at: datetime
    event_key: UUID
    message_id: int
    cause: str
    reason: str
    code: str
    diagnostic: str
    # When the address last took a message before a hard bounce, if that was lately.
    alive_at: datetime | None = None


class Engagement(NamedTuple):
    """A sign that an address is alive. (The columns of sql.NOTE_LIFE, in order.)"""

    address_id: int
    at: datetime
    life: Life
    is_automatic: bool
    message_id: int


def settle(
    grounds: Sequence[Evidence],
    consent_changes: Sequence[ConsentChange],
    soft: Mapping[int, Evidence | None] | None = None,
    signs: Sequence[Engagement] = (),
    held: Collection[int] = (),
) -> None:
    """Block the addresses of `grounds`, let `consent_changes` change the consent of whoever has them now, and note
    `signs` of life at addresses that are blocked.

    Must run in a transaction that has locked the addresses already; `held` are the contacts that are locked, too.

    `soft` has what the rule for soft bounces in a row says of some addresses now: the ground for a block, or None,
    which ends one that the rule had made. The earliest proof since the last lift is the one a block keeps, and of
    several wishes the latest counts: so the outcome is the same in any order of arrival.
    """
    runs = [evidence for evidence in (soft or {}).values() if evidence is not None]
    if over := [address_id for address_id, evidence in (soft or {}).items() if evidence is None]:
        with prepared() as cursor:
            cursor.execute(sql.END_SOFT, {"ids": sql.array(over), "why": str(RUN_OVER)})
    if runs:
        with prepared() as cursor:
            cursor.execute(sql.MOVE_SOFT, sql.columns(runs))
    if grounds or runs:
        with prepared() as cursor:
            cursor.execute(sql.BLOCK, sql.columns([*grounds, *runs]))
            made = {address_id for (address_id,) in cursor.fetchall()}
        # A block that is new has no proof after the one that made it, unless there are several in here.
        if later := _besides_the_first(grounds, made):
            note_proofs(later)
    if signs:
        note_life(signs)
    consent.record_consent_changes(consent_changes, held)


def withdraw(
    keys: Collection[UUID], address_ids: Collection[int], others: Sequence[Evidence], why: Promise = NOT_HARD
) -> None:
    """End the blocks of these addresses that one of these events proved, and that is no hard bounce after all.

    Not where `others`, the hard bounces that are left, prove it as well. The addresses must be locked.
    """
    with connection.cursor() as cursor:
        if others:
            cursor.execute(sql.MOVE_HARD, [*sql.columns(others), sql.array(keys)])
        asked = {"keys": sql.array(keys), "ids": sql.array(address_ids), "why": str(why)}
        cursor.execute(sql.END_UNPROVEN, asked)


def reword(reasons: Mapping[UUID, str], address_ids: Collection[int]) -> None:
    """Blocks that these events prove get the reason that the events have now."""
    with connection.cursor() as cursor:
        cursor.execute(sql.REWORD, [*sql.columns(reasons.items()), sql.array(address_ids)])


def lift(block_id: int, *, actor_id: int, reason: str) -> Block:
    """End a block for good reason; the caller has checked the permission. Returns the ended block.

    Of several administrators at once one succeeds, the others get AlreadyLiftedError.
    """
    with transaction.atomic():
        address_id = Block.objects.filter(pk=block_id).values_list("address_id", flat=True).first()
        if address_id is None:
            raise AlreadyLiftedError(None)
        lock([address_id])
        now = timezone.now()
        is_mine = Block.objects.filter(pk=block_id, ended_at=None).update(
            ended_at=now, ended_by_id=actor_id, end_reason=reason
        )
        ended = Block.objects.select_related("address", "ended_by").get(pk=block_id)
        if not is_mine:
            raise AlreadyLiftedError(ended)
        Address.objects.filter(pk=address_id).update(lifted_at=now)
        with connection.cursor() as cursor:
            cursor.execute(sql.HISTORY_OF_LIFT, {"address": address_id, "at": now, "actor": actor_id, "why": reason})
    return ended


def open_blocks(address_ids: Sequence[int | None]) -> dict[int, Block]:
    """The blocks in force of these addresses, by address."""
    return {pk: found for pk, found in unended_blocks(address_ids).items() if not found.is_held}


def unended_blocks(address_ids: Sequence[int | None]) -> dict[int, Block]:
    """The blocks of these addresses that are in force or held for review, by address; an address has at most one."""
    wanted = [pk for pk in address_ids if pk is not None]
    return {found.address_id: found for found in Block.objects.filter(address_id__in=wanted, ended_at=None)}


def lock(address_ids: Iterable[int], consents_of: Iterable[int] | None = None) -> set[int]:
    """Keep everybody else from blocking, lifting and noting at these addresses until the transaction ends, and from
    changing the consent of those who have them: only of those who have the addresses `consents_of`, where it is given.
    Returns the numbers of these contacts.
    """
    ids = sql.numbers(address_ids)
    held = ids if consents_of is None else sql.numbers(consents_of)
    with prepared() as cursor:
        cursor.execute(sql.LOCK_ADDRESSES, [ids])
        if held == "{}":
            return set()
        cursor.execute(sql.LOCK_HOLDERS, [held, held])
        return {pk for (pk,) in cursor.fetchall()}


def note_proofs(proofs: Sequence[tuple[int, datetime]]) -> None:
    """Note the latest bounce of each (address, time) where the address is blocked. The addresses must be locked."""
    with prepared() as cursor:
        cursor.execute(sql.NOTE_PROOFS, sql.columns(proofs))


def note_life(signs: Sequence[Engagement]) -> None:
    """Note the best sign since the last proof of each block in force. The addresses must be locked."""
    with prepared() as cursor:
        cursor.execute(sql.NOTE_LIFE, sql.columns(signs))


def doubt_life(message_ids: Collection[int], address_ids: Collection[int]) -> None:
    """Take the signs of life at these addresses that a person's click or open of these messages gave for a program's;
    what a person did besides is sought again (messaging/suppression/engagement_after_block.py). The addresses must be
    locked."""
    with prepared() as cursor:
        cursor.execute(sql.DOUBT_LIFE, [sql.array(address_ids), sql.array(message_ids)])


def causes_of(address_ids: Collection[int]) -> dict[int, str]:
    """The addresses that have a block without an end, a held one too, each with its cause: one look at an index."""
    if not address_ids:
        return {}
    with prepared() as cursor:
        cursor.execute(sql.BLOCKED_AMONG, [sql.array(address_ids)])
        return dict(cursor.fetchall())


def _besides_the_first(grounds: Sequence[Evidence], made: Set[int]) -> list[tuple[int, datetime]]:
    """(address, time) of the proofs, without the only one of an address whose block is new."""
    times = Counter(evidence.address_id for evidence in grounds)
    return [
        (evidence.address_id, evidence.occurred_at)
        for evidence in grounds
        if evidence.address_id not in made or times[evidence.address_id] > 1
    ]
