"""The reports of SMS gateways that are described by configuration: one TOML file each in GATEWAYS_DIR, no code."""

import tomllib
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.gateway_file import (
    LINES,
    METHODS,
    PARTS,
    SLUG,
    ConfiguredGateway,
    check_names,
    gateway_in,
    text_in,
)
from messaging.providers.parsing import fields_of, json_of, message_of, object_of, since_1970, text_of, when, within
from messaging.providers.replies import e164_of, parse_reply
from messaging.providers.signatures import same
from messaging.providers.tables import of_a_part, report_of
from messaging.status.order import GIVES_UP_AFTER, Event, Kind, Submitted


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
        description = tomllib.loads(path.read_text(encoding="utf-8"))
        return _described(path.stem, description)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{path}: {error} See docs/providers/generic.md.") from error


def _described(slug: str, description: Mapping[str, Any]) -> Provider:
    if not SLUG.fullmatch(slug):
        raise ValueError("Name the file with 2 to 30 small letters, digits and underscores, such as my_gateway.toml.")
    check_names(description, LINES | PARTS, "")
    methods, answer = description.get("methods", ["POST"]), description.get("answer", 200)
    if not isinstance(methods, list) or not methods or not METHODS.issuperset(map(str, methods)):
        raise ValueError('methods must be ["POST"], ["GET"] or both.')
    if answer not in range(200, 300):
        raise ValueError("answer must be a number from 200 to 299.")
    gateway = gateway_in(slug, description)
    return Provider(
        slug,
        text_in(description, "label", slug),
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
    """The reports in the list that `reports` names ("." where the body is the list), or the one that the request is."""
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
    values = {name: _value(report, path) for name, path in gateway.fields.items()}
    status, code, message = values["status"], values.get("code", ""), values.get("message_id", "")
    state = gateway.statuses.get(status) or gateway.statuses.get(status.upper()) or gateway.statuses.get(status.lower())
    if state is None:
        raise UnreadableError(f"Unknown status {status!r}.")
    ours = message_of(raw, values.get("reference"))
    if ours is None and not message:
        raise UnreadableError("Neither a message_id nor a reference of ours.")
    event = Event(
        provider=gateway.slug,
        kind=Kind.ACCEPTED,
        occurred_at=_time(gateway, raw, values.get("time", "")),
        idempotency_key=values.get("event_id") or f"{message or ours} {status} {code}",
        message_id=ours,
        provider_message_id=message,
        provider_code=code,
        diagnostic=values.get("text", ""),
        said_by=values.get("recipient", ""),
        submitted=partial(_submitted, raw, values.get("recipient", "")) if gateway.is_anonymous else None,
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


def _time(gateway: ConfiguredGateway, raw: Raw, text: str) -> datetime:
    is_number = text.replace(".", "", 1).isdigit()
    return since_1970(text, raw) if is_number else when(text, raw, gateway.zone)
