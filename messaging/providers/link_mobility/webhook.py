"""LINK Mobility's delivery reports (SMS REST API, the "Common" platform).

Fields and codes: LINK Mobility, "SMS REST API: MT and Delivery Reports", 0.9. Reports are not signed: the address that
LINK's support sets up carries user and password, or a key. LINK insists on 200, and can send JSON or a form.
"""

from functools import partial
from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Probe, Provider, Raw, UnreadableError
from messaging.providers.parsing import fields_of, message_of, object_of, text_of, when, within
from messaging.providers.replies import parse_reply
from messaging.providers.signatures import same
from messaging.providers.tables import UNKNOWN, report_with_code, tables
from messaging.status.order import Event, Kind

SLUG: Final = "link_mobility"
# The query parameter of the address that may carry a key instead of user and password.
KEY: Final = "key"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless the request has one of the keys, as user:password or in its address."""
    given = request.GET.get(KEY)
    if given is None:
        proof.check_password(request, SLUG)
    else:
        proof.check_signature(SLUG, lambda key: same(given, _key_in(key)))


def _key_in(key: str) -> str:
    return proof.password_in(key) if ":" in key else key


def sign(url: str) -> Probe:
    if proof.has_passwords(SLUG):
        return proof.sign_with_password(SLUG, url)
    return Probe(f"{url}?{urlencode({KEY: proof.keys_of(SLUG)[0]})}")


def parse(raw: Raw) -> ParsedReport:
    """The event of one report, or the wish in an SMS that somebody sent us ("MO messages"). Raises UnreadableError."""
    if raw.body.lstrip()[:1] == b"{" and (content := object_of(raw.body).get("content")) is not None:
        sender = text_of(object_of(raw.body).get("source"))
        return parse_reply(SLUG, sender, text_of(within(content, "userData")), raw.received_at)
    fields = fields_of(raw.body, raw.path)
    message, code = fields.get("id", ""), fields.get("resultCode", "")
    if not message or not code:
        raise UnreadableError("No id or no resultCode: not a delivery report.")
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=when(fields.get("timestamp"), raw),
        idempotency_key=f"{message} {code}",
        message_id=message_of(raw, fields.get("refId")),
        provider_message_id=message,
        provider_code=code,
        diagnostic=fields.get("operatorResultCode", ""),
        said_by=fields.get("operator", ""),
    )
    return report_with_code(UNKNOWN, event, "codes", tables(SLUG)["codes"])


provider = Provider(
    SLUG,
    "LINK Mobility",
    Channel.SMS,
    partial(proof.has_keys, SLUG),
    verify,
    parse,
    methods=("GET", "POST"),
    answer=200,
    key=_key_in,
    secrets=(KEY,),
    sign=sign,
)
