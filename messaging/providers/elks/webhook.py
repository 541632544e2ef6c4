"""46elks' delivery reports.

Fields and authentication (user and password in the callback's URL): 46elks.com/docs/sms-delivery-reports. A file and
a variable cannot begin with a digit, hence the name.
"""

from datetime import UTC
from functools import partial
from typing import Final

from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import proof
from messaging.providers.base import ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.parsing import fields_of, message_of, when
from messaging.providers.replies import parse_reply
from messaging.providers.tables import events_of, tables
from messaging.status.order import Event, Kind

SLUG: Final = "elks"


def verify(request: HttpRequest) -> None:
    """Raises ForgedError unless the request has one of the keys, each user:password."""
    proof.check_password(request, SLUG)


def parse(raw: Raw) -> ParsedReport:
    """The event of one report, or the wish in an SMS that somebody sent us ("Receive SMS"). Raises UnreadableError."""
    fields = fields_of(raw.body, raw.path)
    if "message" in fields and fields.get("direction", "") == "incoming":
        return parse_reply(SLUG, fields.get("from", ""), fields["message"], raw.received_at)
    message, status = fields.get("id", ""), fields.get("status", "").lower()
    state = tables(SLUG)["statuses"].get(status)
    if state is None or not message:
        raise UnreadableError(f"No id, or unknown status {status!r}: not a delivery report.")
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        # "The delivery time in UTC", without saying so.
        occurred_at=when(fields.get("delivered"), raw, zone=UTC),
        idempotency_key=f"{message} {status}",
        message_id=message_of(raw),
        provider_message_id=message,
    )
    return ParsedReport(events_of(state, event))


provider = Provider(
    SLUG,
    "46elks",
    Channel.SMS,
    partial(proof.has_passwords, SLUG),
    verify,
    parse,
    key=proof.password_in,
    sign=partial(proof.sign_with_password, SLUG),
)
