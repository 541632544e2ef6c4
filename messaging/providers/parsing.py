"""Parsing what SMS providers send: JSON or a form, times, and our token. Pure; raises UnreadableError alone."""

import json
import re
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl

from messaging.providers.base import Raw, UnreadableError
from messaging.tracking.tokens import message_id_of

# The query parameter of a callback's address that carries our token.
OUR_PARAMETER: Final = "message"
MOST_FIELDS: Final = 500
MOST_VALUES: Final = 1_000_000
NUMBER: Final = re.compile(r"[0-9]{9,20}(\.[0-9]{0,12})?|[0-9]\.[0-9]{1,20}e\+?[0-9]{1,2}", re.ASCII)
# From here on a number of seconds since 1970 (the year 5138) is one of thousandths, millionths or billionths (of 1973).
PARTS_OF_SECONDS: Final = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


def json_of(body: bytes | str) -> Any:
    """What the JSON says. Raises UnreadableError, also where it has more than MOST_VALUES."""
    check_values(body)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"Not JSON: {error}"[:300]) from error


def check_values(body: bytes | str) -> None:
    """Raises UnreadableError where this JSON has more than MOST_VALUES: each may take a hundred times its length."""
    marks: tuple[Any, ...] = (b",", b":", b"[", b"{") if isinstance(body, bytes) else (",", ":", "[", "{")
    if len(body) > MOST_VALUES and sum(map(body.count, marks)) > MOST_VALUES:
        raise UnreadableError(f"More than {MOST_VALUES:,} values.")


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object that the body is."""
    found = json_of(body)
    if not isinstance(found, dict):
        raise UnreadableError("Not a JSON object.")
    return found


def fields_of(body: bytes, path: str) -> dict[str, str]:
    """The fields of a flat report, however it came: JSON or a form in the body, or the query of a GET."""
    query = dict(pairs_of(query_of(path)))
    if body.lstrip()[:1] in (b"{", b"["):
        return query | {name: text_of(value) for name, value in object_of(body).items()}
    return query | dict(pairs_of(body.decode("utf-8", "replace")))


def query_of(path: str) -> str:
    return path.partition("?")[2]


def pairs_of(form: str) -> list[tuple[str, str]]:
    """The fields of a form or query, in their order, empty ones too."""
    try:
        return parse_qsl(form, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise UnreadableError(f"More than {MOST_FIELDS} fields.") from error


def text_of(value: object) -> str:
    """A JSON value as the text that a form would hold; nothing for null, and for what is no single value."""
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def within(found: object, *names: str) -> Any:
    """What stands under these names, one in the other; None where there is no such thing."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def when(value: object, raw: Raw, zone: tzinfo | None = None) -> datetime:
    """The time that was said (ISO 8601), or that of receipt where it is none, or neither it nor `zone` names a zone."""
    try:
        if (number := seconds_in(value)) is not None:
            return datetime.fromtimestamp(number, UTC)
        found = datetime.fromisoformat(text_of(value).strip())
        if found.tzinfo is None and zone is None:
            return raw.received_at
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return raw.received_at


def since_1970(value: object, raw: Raw) -> datetime:
    """The time that was said as a number since 1970 (`seconds_in`), or that of receipt."""
    return moment_since_1970(value) or raw.received_at


def moment_since_1970(value: object) -> datetime | None:
    """The time that was said as a number since 1970 (`seconds_in`), aware UTC; None where it is none."""
    number = seconds_in(value)
    try:
        return None if number is None else datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def seconds_in(value: object) -> float | None:
    """Seconds since 1970, from a number or text: seconds, milliseconds, microseconds or nanoseconds, as its size tells.

    None where it is no number, or as small as one of a calendar (20261130).
    """
    text = text_of(value).strip()
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number / next((part for least, part in PARTS_OF_SECONDS if number >= least), 1)


def message_of(raw: Raw, *references: object) -> int | None:
    """The message of ours that a client reference, or else the callback's own address, names.

    For who signs the address, or nothing at all: else whoever saw one report could say it of another message.
    """
    return message_named(*references, *parse_qs(query_of(raw.path)).get(OUR_PARAMETER, []))


def message_named(*references: object) -> int | None:
    """The message of ours that the first client reference which is a token of ours names."""
    return next(filter(None, (message_id_of(text_of(token)) for token in references)), None)
