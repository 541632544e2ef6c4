"""The raw inbox: keep a report, claim a batch, read it, apply it, and settle what became of each report.

A claim is committed first (claims.py); apply and settle are one transaction. So a worker killed at any line leaves the
reports as they were, and says of which of them it died.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from psycopg import Cursor

from contacts.sql import columns
from engage.database import commit_without_waiting, prepared
from engage.wake import Waker, send, wake
from messaging.inbox import claims, hourly_counts
from messaging.inbox.budget import within_budget
from messaging.ledger import sql
from messaging.ledger.record import SourcedEvent, record
from messaging.models import Report
from messaging.providers.base import Provider, Raw, UnmappedCode, UnreadableError
from messaging.providers.registry import providers
from messaging.status.order import Event, not_later_than
from messaging.suppression.follow import follow
from messaging.tracking import tokens

log = logging.getLogger(__name__)

BATCHES_IN_A_ROW: Final = 50
# As long as their columns; a diagnostic is shown to people, and the whole of it stays in the raw report.
LONGEST: Final = (
    ("provider_message_id", 255), ("reply_code", 3), ("status_code", 11), ("provider_code", 40),
    ("diagnostic", 2_000), ("said_by", 255),
)  # fmt: skip
# How long a report without a message waits for the next try, seconds; the last one repeats.
BACK_OFF: Final = (5, 15, 60, 300, 900, 3600)
WOKEN: Final = "messaging.inbox.reports.woken"
APPLY: Final = "messaging.tasks.apply_reports"
HELP_SECONDS: Final = 5
FORM: Final = "application/x-www-form-urlencoded"


class ClaimedReport(NamedTuple):
    """A report as it was claimed; the fields are those of Report."""

    id: int
    provider: str
    received_at: datetime
    path: str
    content_type: str
    headers: dict[str, str]
    state: str
    tries: int
    is_counted: bool
    body: bytes


@dataclass(slots=True)
class ReadReport:
    """What a claimed report said, and what became of it."""

    report: ClaimedReport
    said: list[SourcedEvent] = field(default_factory=list)
    unmatched: int = 0
    problems: list[str] = field(default_factory=list)
    unmapped: list[UnmappedCode] = field(default_factory=list)


class Kept(NamedTuple):
    """A report as it is to be kept; the fields are those of Report."""

    provider: str
    body: bytes
    content_type: str
    path: str
    headers: Mapping[str, str]


def keep(provider: Provider, request: HttpRequest) -> None:
    """Commit the raw report, then have a worker woken. Once this returns, the report cannot be lost."""
    headers = {name: request.headers[name] for name in provider.headers if name in request.headers}
    path, body = _without(provider.secrets, request.get_full_path()), request.body
    content_type = request.headers.get("Content-Type", "")
    if request.method == "GET":
        # Whole, since the path is cut where its column ends.
        body, content_type = path.partition("?")[2].encode(), FORM
    keep_one(Kept(provider.slug, body, content_type, path, headers))
    _waker.ask()


def keep_one(kept: Kept) -> None:
    """Commit this one, by one statement. Once this returns, it cannot be lost; a worker is still to be woken."""
    connection.ensure_connection()
    # Not Django's own cursor: that writes the body into the statement, in hexadecimal.
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(sql.KEEP_REPORT, _row(kept))


def keep_all(kept: Iterable[Kept]) -> None:
    """Commit these in one transaction. Once this returns, they cannot be lost; a worker is still to be woken."""
    # Its own cursor, as in `keep_one`.
    with transaction.atomic(), connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.executemany(sql.KEEP_REPORT, map(_row, kept))


def _row(kept: Kept) -> tuple[str | bytes, ...]:
    headers = _clean(json.dumps(dict(kept.headers)))
    return kept.provider, kept.body, _clean(kept.content_type)[:200], _clean(kept.path)[:500], headers


def _without(secrets: tuple[str, ...], path: str) -> str:
    """The path without those parameters of its query."""
    base, _, query = path.partition("?")
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in secrets]
    return "?".join(filter(None, (base, "&".join(kept))))


def wake_worker() -> None:
    """Have a worker look into the inbox soon. Without a broker the report waits for the beat; that loses nothing."""
    try:
        # One waiting task is enough for any number of reports.
        if cache.add(WOKEN, 1, timeout=2):
            send(APPLY)
    except Exception as error:  # noqa: BLE001 -- whatever ails the broker, the report is safe
        log.warning("The broker cannot be reached (%s); the beat will pick the report up.", type(error).__name__)


# The pause is far below what anybody sees, and most calls of a burst fall into it.
_waker: Final = Waker(wake_worker, pause=0.02)


def _call_for_help() -> None:
    """Have another worker join in, if one is free within some seconds: there is more than one does at once."""
    wake(APPLY, expires=HELP_SECONDS)


def apply_pending() -> int:
    """Apply what is due in the inbox, batch by batch. Returns the number of reports looked at.

    Safe with any number of workers at once: each claims reports that no other has.
    """
    try:
        cache.delete(WOKEN)
    except Exception as error:  # noqa: BLE001 -- as above
        log.warning("The broker cannot be reached (%s).", type(error).__name__)
    total = 0
    for number in range(BATCHES_IN_A_ROW):
        done = apply_batch()
        if not done:
            return total
        total += done
        if number == 1:
            _call_for_help()
    # A long burst leaves room for other tasks in between.
    wake_worker()
    return total


def apply_batch() -> int:
    """Claim, read, apply and settle one batch, and after it one report that a worker has died of, if there is any.

    Returns how many reports that were.
    """
    number, is_any_left = claims.claim()
    done = _apply_claimed(number) if number else 0
    return done + _apply_left() if is_any_left else done


def _apply_claimed(number: int) -> int:
    with claims.released(number), transaction.atomic():
        ids = claims.hold(number)
        results = [_read(report) for report in _claimed(ids)]
        if results:
            # The reports are safe since they were answered; what a crash takes back is still in the inbox.
            commit_without_waiting()
            _settle(_applied(results))
    # One that nobody could hold is no empty inbox.
    return len(results) or 1


def _apply_left() -> int:
    left = claims.claim_left()
    if left is None:
        return 0
    if not left.is_hopeless:
        return _apply_claimed(left.number)
    with transaction.atomic():
        reports = list(_claimed(claims.hold(left.number), is_whole=False))
        for report in reports:
            log.error("Report %s of %s took down %s workers: set aside.", report.id, report.provider, left.deaths)
        words = f"{claims.TOOK_DOWN} {left.deaths} times, at last when it was read alone."
        _settle([ReadReport(report, problems=[words]) for report in reports])
    return 1


def _applied(results: list[ReadReport]) -> list[ReadReport]:
    try:
        with transaction.atomic():
            _apply(results)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # noqa: BLE001 -- named where it is found
        # One report in the batch holds what PostgreSQL does not take: find it, and let the others through.
        return [_apply_alone(result) for result in results]
    return results


def replay(chosen: QuerySet[Report]) -> int:
    """Have these reports read and applied again; what was recorded once drops out. Returns how many."""
    queued = chosen.update(state=Report.State.NEW, next_at=timezone.now(), tries=0, error="")
    transaction.on_commit(wake_worker)
    return queued


def _claimed(ids: list[int], *, is_whole: bool = True) -> Iterator[ClaimedReport]:
    """One after the other, as their bodies are by far the most of a batch. Meanwhile nothing else may be asked."""
    tokens.old()
    if ids:
        # Not Django's own cursor: that would have all of them at once, in hexadecimal.
        with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
            yield from map(ClaimedReport._make, cursor.stream(sql.CLAIMED_REPORTS, [is_whole, ids], binary=True))


def _read(report: ClaimedReport) -> ReadReport:
    result = ReadReport(report)
    result.said.extend(SourcedEvent(_storable(event, report.received_at), report.id) for event in _events_of(result))
    result.report = report._replace(body=b"")
    return result


def _events_of(result: ReadReport) -> list[Event]:
    report = result.report
    provider = providers().get(report.provider)
    if provider is None:
        result.problems.append("No such provider.")
        return []
    if len(report.body) > settings.REPORT_MAX_BYTES:
        result.problems.append(f"{len(report.body)} bytes are more than REPORT_MAX_BYTES: raise it and replay.")
        return []
    try:
        with within_budget(len(report.body)):
            parsed = provider.parse(_raw(report))
            if len(parsed.events) > settings.REPORT_MAX_EVENTS:
                raise UnreadableError(f"{len(parsed.events)} events are more than REPORT_MAX_EVENTS.")
    except UnreadableError as error:
        result.problems.append(str(error))
        return []
    except Exception as error:
        # A fault of the adapter must not stop the others' reports; it is kept, and can be replayed after a fix.
        log.exception("Report %s of %s could not be read.", report.id, report.provider)
        result.problems.append(f"{type(error).__name__}: {error}")
        return []
    result.problems.extend(parsed.problems)
    result.unmapped.extend(parsed.unmapped)
    return parsed.events


def _raw(report: ClaimedReport) -> Raw:
    return Raw(report.body, report.content_type, report.path, report.received_at, report.headers)


def _storable(event: Event, received_at: datetime) -> Event:
    """The event without what PostgreSQL does not take or the columns have no room for, and not from the future."""
    # Nearly always nothing is to be changed, and a copy costs more than to look.
    changed: dict[str, Any] = {
        name: kept for name, longest in LONGEST if (kept := _clean(text := getattr(event, name))[:longest]) != text
    }
    occurred_at = not_later_than(received_at, event.occurred_at)
    if occurred_at is not event.occurred_at:
        changed["occurred_at"] = occurred_at
    return replace(event, **changed) if changed else event


def _clean(text: str) -> str:
    """Without NUL characters and lone surrogates, which PostgreSQL's text cannot hold."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _apply(results: Sequence[ReadReport]) -> None:
    by_report = {result.report.id: result for result in results}
    recorded = record([said for result in results for said in result.said])
    follow(recorded)
    for unmatched in recorded.unmatched:
        by_report[unmatched.report_id or 0].unmatched += 1


def _apply_alone(result: ReadReport) -> ReadReport:
    report = result.report
    try:
        with transaction.atomic():
            _apply([result])
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        # What a database says may hold an address.
        told = not isinstance(error, DatabaseError)
        log.warning(
            "Report %s of %s cannot be stored: %s", report.id, report.provider, type(error).__name__, exc_info=told
        )
        return ReadReport(report, problems=[f"{type(error).__name__}: {error}"])
    return result


def _settle(results: Sequence[ReadReport]) -> None:
    now = timezone.now()
    settled = [_settled(result, now) for result in results]
    with prepared() as cursor:
        cursor.execute(sql.SETTLE_REPORTS, columns(settled))
    hourly_counts.count([_counted(result, each[1]) for result, each in zip(results, settled, strict=True)])


def _settled(result: ReadReport, now: datetime) -> tuple[int, str, datetime | None, int, int, str]:
    report = result.report
    state, next_at = Report.State.APPLIED, None
    if result.unmatched:
        wait = timedelta(seconds=BACK_OFF[min(report.tries, len(BACK_OFF) - 1)])
        is_over = now + wait > report.received_at + timedelta(seconds=settings.UNMATCHED_RETRY_SECONDS)
        state, next_at = (Report.State.SET_ASIDE, None) if is_over else (Report.State.UNMATCHED, now + wait)
    elif result.problems:
        state = Report.State.UNREADABLE
    return report.id, state, next_at, len(result.said), result.unmatched, _clean("\n".join(result.problems))[:5000]


def _counted(result: ReadReport, state: str) -> hourly_counts.Counted:
    report = result.report
    is_first = not report.is_counted
    return hourly_counts.Counted(
        report.provider,
        report.id,
        report.received_at,
        is_first,
        events=len(result.said),
        is_unreadable=bool(result.problems),
        is_unmatched=bool(result.unmatched),
        # A report that was replayed had been set aside before.
        is_set_aside=state == Report.State.SET_ASIDE and (is_first or report.state == Report.State.UNMATCHED),
        unmapped=result.unmapped,
    )
