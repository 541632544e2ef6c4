"""The states of a send-out: each move is one conditional statement that also writes who did it, or does nothing.

draft -> scheduled -> sending <-> paused;  draft -> sending
scheduled -> draft;  scheduled, sending, paused -> cancelled;  sending -> done
After a restore also scheduled -> paused -> scheduled or draft (restored.py).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from django.db import connection, transaction
from django.utils import timezone
from django.utils.formats import date_format

from messaging.sendouts import making, sql
from messaging.sendouts.control_group import current_master
from messaging.sendouts.models import Installation, Progress, SendOut, SendOutChange, State

Kind = SendOutChange.Kind
CANCELLABLE: Final = (State.SCHEDULED, State.SENDING, State.PAUSED)


class WrongStateError(Exception):
    """The send-out is in a state from which this cannot be done: somebody else was first. `state` is what it is in."""

    def __init__(self, state: State) -> None:
        super().__init__(f"The send-out is {state}.")
        self.state = state


def schedule(send_out_id: int, at: datetime, actor_id: int) -> None:
    """Have a draft start at `at`. Raises WrongStateError, as all of these do; a draft without content cannot start."""
    _move(
        send_out_id, [State.DRAFT], State.SCHEDULED, Kind.SCHEDULED, actor_id,
        also=", scheduled_at = %(at)s", only=" AND content_id IS NOT NULL", parameters={"at": at},
        detail=date_format(timezone.localtime(at), "j M Y, H:i"),
    )  # fmt: skip


def unschedule(send_out_id: int, actor_id: int) -> None:
    """Take a scheduled send-out back, to edit it."""
    of = [State.SCHEDULED, State.PAUSED]  # paused before it started: by a restore
    only, also = " AND started_at IS NULL", ", scheduled_at = NULL"
    _move(send_out_id, of, State.DRAFT, Kind.UNSCHEDULED, actor_id, only=only, also=also)


def start(send_out_id: int, actor_id: int | None = None) -> None:
    """Begin now. From here on the audience is fixed: contacts that are added later are no part of it."""
    _move(
        send_out_id, [State.DRAFT, State.SCHEDULED], State.SENDING, Kind.STARTED, actor_id,
        also=", started_at = now()", only=" AND content_id IS NOT NULL", then=sql.THEN_PROGRESS,
        parameters={"master": json.dumps(current_master().as_json())},
    )  # fmt: skip
    transaction.on_commit(lambda: making.wake_worker(send_out_id))


def pause(send_out_id: int, actor_id: int | None, detail: str = "", waits_for: str = "") -> None:
    """Make no more rows and hand nothing more over, until it is resumed. Without an actor Engage itself does so.

    `waits_for`: the way out for whose sake it does, and at whose return it goes on by itself.
    """
    _move(
        send_out_id, [State.SENDING], State.PAUSED, Kind.PAUSED, actor_id,
        also=", waits_for = %(waits_for)s", detail=detail[:200], parameters={"waits_for": waits_for},
    )  # fmt: skip


def resume(send_out_id: int, actor_id: int | None) -> None:
    """Go on with what was paused; without an actor Engage itself does.

    Not while an administrator is still to decide what leaves (restored.py).
    """
    _go_on(send_out_id, actor_id, only=f"{sql.ONLY_STARTED} AND {sql.NOT_HELD}")


def resume_restored(send_out_id: int, actor_id: int, detail: str) -> None:
    """Resume the send-out by an administrator's decision after a restore."""
    _go_on(send_out_id, actor_id, only=sql.ONLY_STARTED, detail=detail)


def reschedule_restored(send_out_id: int, actor_id: int, detail: str) -> None:
    """Have one that was scheduled when the database was restored start as planned."""
    only = " AND started_at IS NULL AND scheduled_at IS NOT NULL"
    _move(send_out_id, [State.PAUSED], State.SCHEDULED, Kind.SCHEDULED, actor_id, only=only, detail=detail[:200])


def _go_on(send_out_id: int, actor_id: int | None, *, only: str, detail: str = "") -> None:
    _move(
        send_out_id, [State.PAUSED], State.SENDING, Kind.RESUMED, actor_id,
        only=only, then=sql.THEN_FORGET_MARKS, detail=detail[:200],
    )  # fmt: skip
    transaction.on_commit(lambda: making.wake_worker(send_out_id))


def cancel(send_out_id: int, actor_id: int) -> None:
    """End it for good. What was handed over stays; messages that still wait will never be."""
    _move(send_out_id, CANCELLABLE, State.CANCELLED, Kind.CANCELLED, actor_id)


def finish(send_out_id: int) -> bool:
    """End it if all rows are made and none waits. Returns whether it ended now."""
    try:
        _move(send_out_id, [State.SENDING], State.DONE, Kind.DONE, None, only=sql.ONLY_DONE)
    except WrongStateError:
        return False
    return True


def start_due() -> int:
    """Start what is scheduled for now. Returns how many were started here."""
    if Installation.objects.filter(held_at__isnull=False).exists():
        return 0
    due = SendOut.objects.filter(state=State.SCHEDULED, scheduled_at__lte=timezone.now()).values_list("pk", flat=True)
    return sum(_started(pk) for pk in due)


def go_on() -> int:
    """Have workers go on with rows that are not all made, and end what is through. Returns how many are at work."""
    at_work = list(SendOut.objects.filter(state=State.SENDING).values_list("pk", flat=True))
    unmade = Progress.objects.filter(pk__in=at_work, rows_done_at=None).values_list("pk", flat=True)
    for pk in unmade:
        making.wake_worker(pk)
    return sum(not finish(pk) for pk in at_work)


def _started(send_out_id: int) -> bool:
    try:
        start(send_out_id)
    except WrongStateError:  # somebody cancelled it, or another beat was first
        return False
    return True


def _move(
    send_out_id: int,
    of: Sequence[State],
    to: State,
    kind: SendOutChange.Kind,
    actor_id: int | None,
    *,
    also: str = "",
    only: str = "",
    then: str = "",
    detail: str = "",
    parameters: dict[str, Any] | None = None,
) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            sql.MOVE.format(also=also, only=only, then=then),
            cast("dict[str, Any]", {
                "id": send_out_id, "of": [str(each) for each in of], "to": str(to), "kind": str(kind),
                "detail": detail, "actor": actor_id,
            }
            | (parameters or {})),
        )  # fmt: skip
        if cursor.fetchone() is None:
            raise WrongStateError(State(SendOut.objects.values_list("state", flat=True).get(pk=send_out_id)))
