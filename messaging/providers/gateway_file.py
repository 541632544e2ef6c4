"""What a file in GATEWAYS_DIR says of an SMS gateway, checked (docs/providers/generic.md).

What is wrong in it is said at the start, all of it that matters to the reader of the message: which file, what, and
what to write instead.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from messaging.providers.parsing import within
from messaging.providers.tables import Table, gsm_tables, table_of

# It is the name of a variable in the environment, too, and of a column of 30 characters.
SLUG: Final = re.compile(r"[a-z][a-z0-9_]{1,29}")
METHODS: Final = frozenset({"GET", "POST"})
PLACES: Final = ("basic", "header", "address")
FIELDS: Final = frozenset({"status", "message_id", "reference", "event_id", "code", "text", "time", "recipient"})
LINES: Final = frozenset({"label", "methods", "answer", "reports", "time_zone", "codes_like", "about"})
# What one report is about.
ABOUT: Final = ("messages", "parts")
PARTS: Final = frozenset({"authentication", "fields", "statuses", "codes", "replies", "send"})
REPLIES: Final = frozenset({"from", "text"})


@dataclass(frozen=True, slots=True)
class ConfiguredGateway:
    """One file, checked. `place` and `name`: where the secret stands; `reports`: the list in JSON that holds them.

    `is_anonymous`: Engage sends by it, and its reports cannot bring our token back.
    """

    slug: str
    place: str
    name: str
    fields: Mapping[str, str]
    statuses: Table
    codes: Table = field(default_factory=dict)
    reports: str = ""
    zone: ZoneInfo | None = None
    is_about_parts: bool = False
    replies: Mapping[str, str] = field(default_factory=dict)
    is_anonymous: bool = False


def gateway_in(slug: str, description: Mapping[str, Any]) -> ConfiguredGateway:
    """The gateway that a file describes. Raises ValueError with what to write instead."""
    place, name = _authentication(_part(description, "authentication"))
    named = check_names(_part(description, "fields"), FIELDS, "fields.")
    fields = {each: text_in(named, each, "") for each in named}
    if not fields.get("status") or not (fields.get("message_id") or fields.get("reference")):
        raise ValueError("[fields] must name the field of the status, and that of message_id or of reference.")
    statuses, about = table_of(_part(description, "statuses")), text_in(description, "about", ABOUT[0])
    if about not in ABOUT:
        raise ValueError(f"about must be one of: {', '.join(ABOUT)}.")
    return ConfiguredGateway(
        slug, place, name, fields, statuses, codes_in(description),
        text_in(description, "reports", ""), _zone(description), is_about_parts=about == "parts",
        replies=_replies(description), is_anonymous=_is_anonymous(description.get("send")),
    )  # fmt: skip


def _is_anonymous(send: object) -> bool:
    """Whether Engage sends by it without our token. What [send] may say: delivery/transports/configured_gateway.py."""
    parts = [within(send, "fields"), within(send, "headers")]
    values = [str(value) for part in parts if isinstance(part, dict) for value in part.values()]
    return bool(values) and not any("{token}" in value or "{callback}" in value for value in values)


def _replies(description: Mapping[str, Any]) -> dict[str, str]:
    """Where an SMS that somebody sent us says from whom it is and what it says; empty where none are posted here."""
    if "replies" not in description:
        return {}
    found = check_names(_part(description, "replies"), REPLIES, "replies.")
    if set(found) != REPLIES:
        raise ValueError("[replies] must name the fields from and text.")
    return {name: text_in(found, name, "") for name in found}


def _authentication(part: Mapping[str, Any]) -> tuple[str, str]:
    check_names(part, {"in", "name"}, "authentication.")
    place, name = text_in(part, "in", ""), text_in(part, "name", "")
    if place not in PLACES:
        raise ValueError(f"[authentication] needs in = one of: {', '.join(PLACES)}.")
    if place != "basic" and not name:
        raise ValueError(f"[authentication] needs name = the {'header' if place == 'header' else 'query parameter'}.")
    return place, name


def codes_in(description: Mapping[str, Any]) -> Table:
    """The gateway's own rows, on top of those of a code space that it shares. Raises ValueError with what to write."""
    spaces, like = gsm_tables(), text_in(description, "codes_like", "")
    if like and like not in spaces:
        raise ValueError(f"codes_like must be one of: {', '.join(spaces)}.")
    return (spaces[like] if like else {}) | (table_of(_part(description, "codes")) if "codes" in description else {})


def _zone(description: Mapping[str, Any]) -> ZoneInfo | None:
    name = text_in(description, "time_zone", "")
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"There is no time zone {name!r}; write one such as Europe/Stockholm.") from error


def _part(description: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = description.get(name)
    if not isinstance(found, dict) or not found:
        raise ValueError(f"[{name}] is missing or empty.")
    return found


def text_in(part: Mapping[str, Any], name: str, default: str) -> str:
    """A text of the file. Raises ValueError where it is none."""
    found = part.get(name, default)
    if not isinstance(found, str):
        raise ValueError(f"{name} must be a text in quotes, not {found!r}.")
    return found


def check_names(part: Mapping[str, Any], names: Collection[str], where: str) -> Mapping[str, Any]:
    """The part itself, all of whose names are known. Raises ValueError."""
    for name in part:
        if name not in names:
            raise ValueError(f"{where}{name} means nothing here. Known are: {', '.join(sorted(names))}.")
    return part
