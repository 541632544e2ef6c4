"""What follows where a database was restored from a backup: nothing leaves until an administrator has decided.

What it thinks waits may have left since the backup was made; sent again, people would get it twice. So what was at work
is paused, and for each send-out somebody says whether those that wait are sent to or count as sent. What was decided is
carried out in the background while still nothing leaves; only then does sending go on.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Channel
from contacts.sql import array
from messaging.bounces.reasons import OUTCOME_UNKNOWN
from messaging.delivery import installation, transport_factory
from messaging.delivery.installation import InstallationState, Outside, RestoreTrace
from messaging.ledger.record import OURSELVES, SourcedEvent
from messaging.ledger.sql import LOCK_MESSAGES
from messaging.models import Batch, Installation, Progress, Report, Restore, SendOut
from messaging.sendouts import lifecycle
from messaging.sendouts.lifecycle import WrongStateError
from messaging.sendouts.models import State
from messaging.sendouts.totals import totals_of
from messaging.status.order import Caveat, Event, Kind, Status
from messaging.suppression.follow import apply

log = logging.getLogger(__name__)

# Numbers of messages that the lost part of the history may have given out: none of them is given out again, as reports
# name messages by their number. Where it is known how far they went, that was seconds ago.
MARGIN: Final = 100_000
WIDE_MARGIN: Final = 10_000_000
# So many are counted as sent in one transaction, and for so long a task goes on with it.
CHUNK: Final = 2_000
SECONDS_IN_A_ROW: Final = 4.0
# What the choice for single messages, and for those that were put off, goes by.
AGAIN: Final = "again"
MOST_COUNTED: Final = 10_000

HOLD: Final = """
UPDATE messaging_installation SET held_at = statement_timestamp(), mark = GREATEST(mark, %s) + 1
WHERE held_at IS NULL AND history = %s AND mark = %s RETURNING held_at
"""
PAUSE: Final = """
WITH before AS (
  SELECT id, state FROM messaging_sendout WHERE state IN ('sending', 'scheduled') ORDER BY id FOR NO KEY UPDATE
), moved AS (
  UPDATE messaging_sendout s SET state = 'paused', state_at = now() FROM before WHERE s.id = before.id
), told AS (
  INSERT INTO messaging_sendoutchange (send_out_id, kind, detail) SELECT id, 'paused', %s FROM before
)
SELECT id, state FROM before ORDER BY id
"""
SKIP_NUMBERS: Final = "SELECT setval('messaging_message_id_seq', GREATEST(%s, %s))"
# What is to be tried at its time, of the time before: single messages, and what was put off.
PLANNED: Final = """
SELECT m.id FROM messaging_message m
WHERE m.next_attempt_at IS NOT NULL AND m.id <= %(last)s AND m.status IN ('waiting', 'deferred', 'unknown')
  AND NOT (m.status = 'waiting' AND COALESCE(m.send_out_id = ANY(%(at_work)s::bigint[]), false))
LIMIT %(limit)s
"""
# Of a send-out, what its database thinks has not left.
UNSENT: Final = """
SELECT id FROM messaging_message
WHERE send_out_id = %(send_out)s AND id BETWEEN %(first)s AND %(until)s AND status = 'waiting'
ORDER BY id LIMIT %(limit)s
"""
COUNT_AS_SENT: Final = """
UPDATE messaging_message SET attempts = GREATEST(attempts, 1), sent_at = COALESCE(sent_at, %s), next_attempt_at = NULL,
  provider = COALESCE(NULLIF(provider, ''), CASE channel WHEN 'email' THEN %s ELSE %s END)
WHERE id = ANY(%s::bigint[])
"""
TAKE_DECISION: Final = """
SELECT 1 FROM messaging_restore WHERE id = %s AND decided_at IS NOT NULL AND ended_at IS NULL
FOR NO KEY UPDATE SKIP LOCKED
"""
LET_GO: Final = """
UPDATE messaging_installation SET held_at = NULL, mark = GREATEST(mark, %s) + 1, place = %s,
  marked_at = statement_timestamp()
WHERE held_at IS NOT NULL
"""
# Never sent, says the database, and yet somebody reported about it: it left after the backup was made.
PROVEN: Final = """
SELECT send_out_id, count(*) FROM messaging_message
WHERE send_out_id = ANY(%s::bigint[]) AND attempts = 0 AND status NOT IN ('waiting', 'control_group')
GROUP BY send_out_id
"""


class Choice(models.TextChoices):
    """What becomes of a send-out."""

    COUNT = "count", gettext_lazy("Count them as sent")
    GO_ON = "go_on", gettext_lazy("Go on")
    CANCEL = "cancel", gettext_lazy("End it here")
    LATER = "later", gettext_lazy("Decide later")


@dataclass(frozen=True, slots=True)
class AtWork:
    """A send-out that the restore found under way (`was` sending) or planned (scheduled)."""

    send_out: SendOut
    was: State
    # How many were waiting by what the backup knows, how many of those wait still, how many reports prove sent, and how
    # many had left after the backup at least, by what is kept outside of the database; 0 where that is not known.
    waited: int
    waiting: int
    proven: int
    left: int
    handed_over: int
    sent_to: int
    choice: Choice
    is_overdue: bool

    @property
    def is_planned(self) -> bool:
        return self.was == State.SCHEDULED

    @property
    def may_have_left(self) -> bool:
        return self.is_overdue if self.is_planned else bool(self.waited)

    @property
    def least(self) -> int:
        """How many had left after the backup for certain."""
        return max(self.proven, self.left)


def hold(sign: RestoreTrace, seen: InstallationState, outside: Sequence[Outside]) -> bool:
    """Let nothing leave, pause what is at work, and ask. Returns whether that happened here, and not before."""
    ours = [each for each in outside if each.history == seen.history]
    furthest = max((each.last_message for each in ours), default=None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD, [max((each.mark for each in ours), default=0), seen.history, seen.mark])
        if cursor.fetchone() is None:
            return False
        cursor.execute(PAUSE, [_("The database was restored from a backup: an administrator decides how it goes on.")])
        before = dict(cursor.fetchall())
        cursor.execute(SKIP_NUMBERS, [
            seen.last_message + (WIDE_MARGIN if furthest is None else MARGIN), (furthest or 0) + MARGIN,
        ])  # fmt: skip
        totals, left = totals_of(list(before)), installation.left_of(seen.history)
        found = {
            "send_outs": {
                str(pk): {
                    "was": was,
                    "waited": totals[pk][Status.WAITING],
                    "left": max(0, left.get(pk, 0) - totals[pk].handed_over),
                }
                for pk, was in before.items()
            },
            AGAIN: len(_planned(seen.last_message, list(before), MOST_COUNTED)),
        }
        as_of = seen.marked_at if seen.mark else None
        Restore.objects.create(sign=sign, as_of=as_of, last_message=seen.last_message, found=found)
    log.critical("This database was restored from a backup (%s). Nothing leaves until an administrator decides.", sign)
    return True


def advance() -> int | None:
    """Raise the installation's mark: call it before anything may leave, and after.

    Returns the mark; None where nothing may leave. A database that turns out to be restored is held from here on.
    """
    while True:
        # Outside first: what is there was in the database before, so another worker's step is no sign.
        outside = installation.kept()
        seen = installation.look()
        if seen.is_held:
            return None
        sign = installation.sign_of(seen, outside)
        if sign is not None:
            hold(sign, seen, outside)
            return None
        if (mark := installation.step(seen)) is not None:
            return mark


def hold_by_hand() -> bool:
    """Hold what a restore may have undone, since somebody says so who knows it."""
    return hold(RestoreTrace.SAID, installation.look(), installation.kept())


def current() -> Restore | None:
    """The one that waits for a decision, or whose decision is being carried out."""
    return Restore.objects.select_related("decided_by").filter(ended_at=None).first()


def is_held() -> bool:
    return Installation.objects.filter(held_at__isnull=False).exists()


def who_may_decide() -> list[User]:
    users = get_user_model().objects.with_perm("messaging.decide_restore", backend="engage.permissions.Backend")
    return list(users.filter(is_active=True).order_by("username")[:10])


def at_work(restore: Restore, now: datetime | None = None) -> list[AtWork]:
    """What was at work when the restore was noticed, with what speaks for its having left since."""
    told: dict[str, Any] = restore.found.get("send_outs", {})
    send_outs = SendOut.objects.in_bulk([int(pk) for pk in told])
    totals, proven = totals_of(list(send_outs)), _proven(list(send_outs))
    found = list[AtWork]()
    for pk, send_out in sorted(send_outs.items()):
        of, figures = told[str(pk)], totals[pk]
        was = State(of["was"])
        at = send_out.scheduled_at or restore.noticed_at
        is_overdue = was == State.SCHEDULED and (at <= (now or timezone.now()) or bool(of.get("left")))
        default = usual_choice(was, is_overdue=is_overdue)
        found.append(
            AtWork(
                send_out, was, of["waited"], figures[Status.WAITING], proven.get(pk, 0), of.get("left", 0),
                figures.handed_over, figures.sent_to, Choice(restore.choices.get(str(pk), default)), is_overdue,
            )
        )  # fmt: skip
    return found


def usual_choice(was: State, *, is_overdue: bool) -> Choice:
    """The cautious one: nobody gets anything twice."""
    if was == State.SCHEDULED:
        return Choice.CANCEL if is_overdue else Choice.GO_ON
    return Choice.COUNT


def choices_for(each: AtWork) -> list[Choice]:
    if each.is_planned:
        return [Choice.GO_ON, Choice.CANCEL, Choice.LATER]
    return [Choice.COUNT, Choice.GO_ON, Choice.CANCEL, Choice.LATER]


def again_choice(restore: Restore) -> Choice:
    return Choice(restore.choices.get(AGAIN, Choice.COUNT))


def again_left(restore: Restore) -> int:
    """How many single messages and such that were put off wait, MOST_COUNTED at most."""
    return len(_planned(restore.last_message or 0, _paused_ids(restore), MOST_COUNTED))


def strangers(restore: Restore) -> int:
    """Reports since then about messages that this database does not know, MOST_COUNTED at most."""
    states = (Report.State.UNMATCHED, Report.State.SET_ASIDE)
    found = Report.objects.filter(state__in=states, received_at__gte=restore.noticed_at).values("pk")[:MOST_COUNTED]
    return len(found)


def decide(restore_id: int, choices: dict[str, str], why: str, actor_id: int) -> bool:
    """Write down what is to become of each send-out, and of what is tried again. Returns False where somebody was
    faster. It is carried out in the background; nothing leaves before that is done."""
    found = Restore.objects.filter(pk=restore_id, decided_at=None, ended_at=None)
    return bool(
        found.update(choices=choices, why=why[:500], decided_at=timezone.now(), decided_by_id=actor_id)
    )  # fmt: skip


def carry_out(seconds: float = SECONDS_IN_A_ROW) -> bool:
    """Go on with what was decided, for about so long, and let messages leave once it is done. Returns whether it is.

    Harmless twice, and at once; what a crash cuts short is gone on with.
    """
    restore = Restore.objects.filter(decided_at__isnull=False, ended_at=None).first()
    if restore is None:
        return False
    until = time.monotonic() + seconds
    for each in at_work(restore):
        if each.send_out.state == State.PAUSED and not _carried_out(restore, each, until):
            return False
    if again_choice(restore) == Choice.COUNT:
        while planned := _planned(restore.last_message or 0, _paused_ids(restore), CHUNK):
            if not _count_as_sent(restore, planned, Kind.TAKEN) or time.monotonic() >= until:
                return False
    return _let_go(restore)


def _carried_out(restore: Restore, each: AtWork, until: float) -> bool:
    pk, actor = each.send_out.pk, restore.decided_by_id or 0
    detail = _("decided after the restore: %(choice)s") % {"choice": each.choice.label}
    try:
        if each.choice == Choice.CANCEL:
            lifecycle.cancel(pk, actor)
        elif each.choice == Choice.GO_ON and each.is_planned:
            lifecycle.reschedule_restored(pk, actor, detail)
        elif each.choice == Choice.GO_ON:
            lifecycle.resume_restored(pk, actor, detail)
        elif each.choice == Choice.COUNT and not each.is_planned:
            if not _all_counted(restore, pk, until):
                return False
            lifecycle.resume_restored(pk, actor, detail)
            lifecycle.finish(pk)
    except WrongStateError:  # somebody cancelled it meanwhile
        return True
    return True


def _all_counted(restore: Restore, send_out_id: int, until: float) -> bool:
    """Whether all that waited in a send-out count as sent. Those whose rows were not made yet get none."""
    progress = Progress.objects.filter(pk=send_out_id).first()
    if progress is None:
        return True
    Progress.objects.filter(pk=send_out_id, rows_done_at=None).update(rows_done_at=timezone.now())
    first, last = progress.first_message or 0, progress.last_message or 0
    while True:
        with connection.cursor() as cursor:
            of = {"send_out": send_out_id, "first": first, "until": last, "limit": CHUNK}
            cursor.execute(UNSENT, of)
            unsent = [pk for (pk,) in cursor.fetchall()]
        if not unsent:
            Batch.objects.filter(send_out=send_out_id, done_at=None).update(done_at=timezone.now())
            return True
        if not _count_as_sent(restore, unsent, Kind.ACCEPTED) or time.monotonic() >= until:
            return False
        first = unsent[-1] + 1


def _count_as_sent(restore: Restore, ids: Sequence[int], kind: Kind) -> bool:
    """They show Unknown, as nobody knows, until a report says more. Returns False where another worker is at it."""
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE_DECISION, [restore.pk])
        if cursor.fetchone() is None:
            return False
        cursor.execute(LOCK_MESSAGES, [array(ids)])
        at, slugs = restore.as_of or restore.noticed_at, [transport_factory.slug_of(channel) for channel in Channel]
        cursor.execute(COUNT_AS_SENT, [at, *slugs, array(ids)])
        diagnostic = _("Counted as sent after the database was restored from a backup: nobody knows whether it left.")
        apply([
            SourcedEvent(Event(
                OURSELVES, kind, now, f"{pk} restored {restore.pk}", pk, reason=OUTCOME_UNKNOWN, diagnostic=diagnostic,
                caveat=Caveat.OUTCOME_UNKNOWN,
            ))
            for pk in ids
        ])  # fmt: skip
    return True


def _let_go(restore: Restore) -> bool:
    seen, outside = installation.look(), installation.kept()
    furthest = max((each.mark for each in outside if each.history == seen.history), default=0)
    with transaction.atomic(), connection.cursor() as cursor:
        if not Restore.objects.filter(pk=restore.pk, ended_at=None).update(ended_at=timezone.now()):
            return False
        cursor.execute(LET_GO, [furthest, seen.is_at])
    log.warning("What was decided after the restore is carried out. Messages leave again.")
    advance()
    return True


def _planned(last: int, send_outs: list[int], limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(PLANNED, {"last": last, "at_work": array(send_outs), "limit": limit})
        return sorted(pk for (pk,) in cursor.fetchall())


def _paused_ids(restore: Restore) -> list[int]:
    return [int(pk) for pk in restore.found.get("send_outs", {})]


def _proven(send_outs: list[int]) -> dict[int, int]:
    if not send_outs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(PROVEN, [array(send_outs)])
        return dict(cursor.fetchall())
