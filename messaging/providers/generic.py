"""SMS gateways described by configuration: one TOML file each in GATEWAYS_DIR, no code (docs/providers/generic.md).

What is wrong in a file is said at the start, all of it that matters to the reader of the message: which file, what, and
what to write instead.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.parsing import fields_of, json_of, message_of, object_of, since_1970, text_of, when, within
from messaging.providers.replies import e164_of, parse_reply
from messaging.providers.signatures import same
from messaging.providers.tables import Table, gsm_tables, of_a_part, report_of, table_of
from messaging.status.order import GIVES_UP_AFTER, Event, Kind, Submitted

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


def gateways(folder: Path, taken: Collection[str]) -> dict[str, Provider]:
    """The providers in the files of `folder`, by slug. Raises ImproperlyConfigured with what to do."""
    if not folder.is_dir():
        raise ImproperlyConfigured(f"GATEWAYS_DIR: there is no folder {folder}. Make it, or unset GATEWAYS_DIR.")
    found = {path.stem: _provider(path) for path in sorted(folder.glob("*.toml"))}
    for slug in found:
        if slug in taken:
            raise ImproperlyConfigured(f"{folder / slug}.toml: there is a provider {slug!r} already. Rename the file.")
    return found


def _provider(path: Path) -> Provider:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        return _described(path.stem, said)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{path}: {error} See docs/providers/generic.md.") from error


def _described(slug: str, said: Mapping[str, Any]) -> Provider:
    if not SLUG.fullmatch(slug):
        raise ValueError("Name the file with 2 to 30 small letters, digits and underscores, such as my_gateway.toml.")
    _known(said, LINES | PARTS, "")
    methods, answer = said.get("methods", ["POST"]), said.get("answer", 200)
    if not isinstance(methods, list) or not methods or not METHODS.issuperset(map(str, methods)):
        raise ValueError('methods must be ["POST"], ["GET"] or both.')
    if answer not in range(200, 300):
        raise ValueError("answer must be a number from 200 to 299.")
    gateway = _gateway(slug, said)
    return Provider(
        slug,
        _text(said, "label", slug),
        Channel.SMS,
        partial(proof.has_passwords if gateway.place == "basic" else proof.has_keys, slug),
        partial(verify, gateway),
        partial(parse, gateway),
        methods=tuple(methods),
        answer=answer,
        key=proof.password_in if gateway.place == "basic" else str,
        secrets=(gateway.name,) if gateway.place == "address" else (),
        sign=partial(sign, gateway),
        is_built_in=False,
    )


def _gateway(slug: str, said: Mapping[str, Any]) -> ConfiguredGateway:
    place, name = _authentication(_part(said, "authentication"))
    fields = {each: _text(_part(said, "fields"), each, "") for each in _known(_part(said, "fields"), FIELDS, "fields.")}
    if not fields.get("status") or not (fields.get("message_id") or fields.get("reference")):
        raise ValueError("[fields] must name the field of the status, and that of message_id or of reference.")
    statuses, about = table_of(_part(said, "statuses")), _text(said, "about", ABOUT[0])
    if about not in ABOUT:
        raise ValueError(f"about must be one of: {', '.join(ABOUT)}.")
    return ConfiguredGateway(
        slug, place, name, fields, statuses, codes_in(said), _text(said, "reports", ""), _zone(said),
        is_about_parts=about == "parts", replies=_replies(said), is_anonymous=_is_anonymous(said.get("send")),
    )  # fmt: skip


def _is_anonymous(send: object) -> bool:
    """Its checks: delivery/transports/configured_gateway.py."""
    parts = [within(send, "fields"), within(send, "headers")]
    told = [str(value) for part in parts if isinstance(part, dict) for value in part.values()]
    return bool(told) and not any("{token}" in value or "{callback}" in value for value in told)


def _replies(said: Mapping[str, Any]) -> dict[str, str]:
    """Where an SMS that somebody sent us says from whom it is and what it says; empty where none are posted here."""
    if "replies" not in said:
        return {}
    found = _known(_part(said, "replies"), REPLIES, "replies.")
    if set(found) != REPLIES:
        raise ValueError("[replies] must name the fields from and text.")
    return {name: _text(found, name, "") for name in found}


def _authentication(said: Mapping[str, Any]) -> tuple[str, str]:
    _known(said, {"in", "name"}, "authentication.")
    place, name = _text(said, "in", ""), _text(said, "name", "")
    if place not in PLACES:
        raise ValueError(f"[authentication] needs in = one of: {', '.join(PLACES)}.")
    if place != "basic" and not name:
        raise ValueError(f"[authentication] needs name = the {'header' if place == 'header' else 'query parameter'}.")
    return place, name


def codes_in(said: Mapping[str, Any]) -> Table:
    """The gateway's own rows, on top of those of a code space that it shares. Raises ValueError with what to write."""
    spaces, like = gsm_tables(), _text(said, "codes_like", "")
    if like and like not in spaces:
        raise ValueError(f"codes_like must be one of: {', '.join(spaces)}.")
    return (spaces[like] if like else {}) | (table_of(_part(said, "codes")) if "codes" in said else {})


def _zone(said: Mapping[str, Any]) -> ZoneInfo | None:
    name = _text(said, "time_zone", "")
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"There is no time zone {name!r}; write one such as Europe/Stockholm.") from error


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    if not isinstance(found, dict) or not found:
        raise ValueError(f"[{name}] is missing or empty.")
    return found


def _text(said: Mapping[str, Any], name: str, default: str) -> str:
    found = said.get(name, default)
    if not isinstance(found, str):
        raise ValueError(f"{name} must be a text in quotes, not {found!r}.")
    return found


def _known(said: Mapping[str, Any], names: Collection[str], where: str) -> Mapping[str, Any]:
    for name in said:
        if name not in names:
            raise ValueError(f"{where}{name} means nothing here. Known are: {', '.join(sorted(names))}.")
    return said


def verify(gateway: ConfiguredGateway, request: HttpRequest) -> None:
    """Raises ForgedError unless the request brings one of the gateway's keys."""
    if gateway.place == "basic":
        proof.check_password(request, gateway.slug)
        return
    given = (request.headers if gateway.place == "header" else request.GET).get(gateway.name) or ""
    proof.check_signature(gateway.slug, lambda key: same(given, key))


def sign(gateway: ConfiguredGateway, url: str) -> Probe:
    if gateway.place == "basic":
        return proof.sign_with_password(gateway.slug, url)
    key = proof.keys_of(gateway.slug)[0]
    if gateway.place == "header":
        return Probe(url, {gateway.name: key})
    return Probe(f"{url}?{urlencode({gateway.name: key})}")


def parse(gateway: ConfiguredGateway, raw: Raw) -> ParsedReport:
    """The events of one request. Raises UnreadableError where nothing in it can be read."""
    reports = _reports(gateway, raw)
    parsed = ParsedReport()
    for number, report in enumerate(reports, 1):
        try:
            parsed.add(_events(gateway, raw, report))
        except UnreadableError as error:
            parsed.problems.append(f"Report {number}: {error}")
    if not parsed.events and parsed.problems:
        raise UnreadableError("\n".join(parsed.problems))
    return parsed


def _reports(gateway: ConfiguredGateway, raw: Raw) -> list[Any]:
    """Those in the list that `reports` names ("." where the body is the list), or the one that the request is."""
    if not gateway.reports:
        is_json = raw.body.lstrip()[:1] == b"{"
        return [object_of(raw.body) if is_json else fields_of(raw.body, raw.path)]
    found = json_of(raw.body)
    listed = found if gateway.reports == "." else within(found, *gateway.reports.split("."))
    if not isinstance(listed, list):
        raise UnreadableError(f"No list at {gateway.reports!r}.")
    return listed


def _events(gateway: ConfiguredGateway, raw: Raw, report: Any) -> ParsedReport:
    reply = {name: _value(report, path) for name, path in gateway.replies.items()}
    if reply.get("from") and reply.get("text") and not _value(report, gateway.fields["status"]):
        return parse_reply(gateway.slug, reply["from"], reply["text"], raw.received_at)
    said = {name: _value(report, path) for name, path in gateway.fields.items()}
    status, code, message = said["status"], said.get("code", ""), said.get("message_id", "")
    state = gateway.statuses.get(status) or gateway.statuses.get(status.upper()) or gateway.statuses.get(status.lower())
    if state is None:
        raise UnreadableError(f"Unknown status {status!r}.")
    ours = message_of(raw, said.get("reference"))
    if ours is None and not message:
        raise UnreadableError("Neither a message_id nor a reference of ours.")
    event = Event(
        provider=gateway.slug,
        kind=Kind.ACCEPTED,
        occurred_at=_time(gateway, raw, said.get("time", "")),
        idempotency_key=said.get("event_id") or f"{message or ours} {status} {code}",
        message_id=ours,
        provider_message_id=message,
        provider_code=code,
        diagnostic=said.get("text", ""),
        said_by=said.get("recipient", ""),
        submitted=partial(_submitted, raw, said.get("recipient", "")) if gateway.is_anonymous else None,
    )
    found = gateway.codes.get(code) or gateway.codes.get(code.lstrip("0"))
    parsed = report_of(state, event, "codes", code, found)
    return of_a_part(parsed) if gateway.is_about_parts else parsed


def _submitted(raw: Raw, recipient: str) -> Submitted | None:
    number = e164_of(recipient)
    since = raw.received_at - GIVES_UP_AFTER[Channel.SMS]
    return Submitted(number, "", since, raw.received_at) if number else None


def _value(report: Any, path: str) -> str:
    """A field by its name, or by the names down to it with points between."""
    whole = within(report, path)
    return text_of(whole if whole is not None else within(report, *path.split(".")))


def _time(gateway: ConfiguredGateway, raw: Raw, said: str) -> datetime:
    is_number = said.replace(".", "", 1).isdigit()
    return since_1970(said, raw) if is_number else when(said, raw, gateway.zone)
