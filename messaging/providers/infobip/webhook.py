"""Infobip's SMS delivery reports.

Fields: Infobip API reference, "Receive outbound SMS message reports" (results[]); authentication: user and password,
in the notify URL or as the BASIC setting of a subscription.
"""

from functools import partial
from typing import Any, Final

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Provider, Raw, UnmappedCode, UnreadableError
from messaging.providers.parsing import message_of, object_of, text_of, when, within
from messaging.providers.replies import parse_reply
from messaging.providers.tables import CodeMeaning, report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "infobip"
OK: Final = "0"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless the request has one of the keys, each user:password."""
    proof.check_password(request, SLUG)


def parse(raw: Raw) -> ParsedReport:
    """The events of one batch of reports. Raises UnreadableError where it is none."""
    results = object_of(raw.body).get("results")
    if not isinstance(results, list):
        raise UnreadableError("No results: not a batch of delivery reports.")
    parsed = ParsedReport()
    for number, result in enumerate(results, 1):
        if within(result, "text") is not None and within(result, "status") is None:
            # "Receive SMS": an SMS that somebody sent us.
            sender, text = text_of(within(result, "from")), text_of(within(result, "text"))
            parsed.add(parse_reply(SLUG, sender, text, raw.received_at))
            continue
        try:
            parsed.add(_events(raw, result))
        except UnreadableError as error:
            parsed.problems.append(f"Report {number}: {error}")
    return parsed


def _events(raw: Raw, result: Any) -> ParsedReport:
    status, error = text_of(within(result, "status", "id")), text_of(within(result, "error", "id"))
    message = text_of(within(result, "messageId"))
    if not message:
        raise UnreadableError("No messageId.")
    code = "/".join(filter(None, (status, error if error != OK else "")))
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=when(within(result, "doneAt"), raw),
        idempotency_key=f"{message} {status} {error}",
        message_id=message_of(raw, within(result, "callbackData")),
        provider_message_id=message,
        provider_code=code,
        diagnostic=text_of(within(result, "error" if error not in ("", OK) else "status", "description")),
        said_by=text_of(within(result, "to")),
    )
    parsed = report_with_code(_state(result, status), event, "errors", tables(SLUG)["errors"], error)
    if status not in tables(SLUG)["statuses"]:
        parsed.unmapped.append(UnmappedCode("statuses", status))
    return parsed


def _state(result: Any, status: str) -> CodeMeaning:
    """By the status, or by its group, which Infobip keeps stable."""
    group = text_of(within(result, "status", "groupName")).upper()
    found = tables(SLUG)["statuses"].get(status) or tables(SLUG)["status_groups"].get(group)
    if found is None:
        raise UnreadableError(f"Unknown status {status!r} of group {group!r}.")
    return found


provider = Provider(
    SLUG,
    "Infobip",
    Channel.SMS,
    partial(proof.has_passwords, SLUG),
    verify,
    parse,
    key=proof.password_in,
    answer=200,
    sign=partial(proof.sign_with_password, SLUG),
)
