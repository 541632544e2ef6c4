"""Receipts of the SMSCs in SMPP_URLS, which `manage.py smpp` has put into the inbox, one PDU each (messaging/smpp/).

No webhook: nothing may be posted here. SMPP 3.4 issue 1.2: 5.2.12 (esm_class), 5.2.28 (message_state), 5.3.2.31
(network_error_code), appendix B (the text of a receipt).
"""

import tomllib
from functools import cache, partial
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts.models import Channel
from messaging.providers.base import ForgedError, ParsedReport, Provider, Raw, UnreadableError
from messaging.providers.gateway_file import codes_in
from messaging.providers.replies import e164_of, parse_reply
from messaging.providers.tables import UNTROUBLED, CodeMeaning, Table, gsm_tables, of_a_part, report_of, tables
from messaging.smpp.connections import ON, UNMARKED, Connection
from messaging.smpp.pdus import Delivery, delivery_of
from messaging.smpp.receipts import (
    NetworkError,
    Receipt,
    counts_at,
    is_receipt,
    looks_like_one,
    receipt_of,
    submitted_between,
)
from messaging.status.order import Event, Kind, Submitted

SLUG: Final = "smpp"
# The header of a kept report that names the connection over which it came.
CONNECTION: Final = "connection"
# 5.3.2.31; from 4 on: SMPP 5.0, 4.8.4.42. The code of any other network is kept, but decides nothing.
NETWORKS: Final = {1: "ansi136", 2: "is95", 3: "gsm", 8: "smsc"}
CODES_OF_NETWORK: Final = {"gsm": "map"}
# The SMSC's own codes, as those in the text of a receipt are.
OWN: Final = "smsc"
# A try failed, and the SMSC goes on trying.
STILL_TRYING: Final = CodeMeaning(Kind.DEFERRED)


def verify(_request: HttpRequest) -> None:
    """Raises ForgedError: receipts come over SMPP, never over HTTP."""
    raise ForgedError("SMPP has no webhook.")


def parse(raw: Raw) -> ParsedReport:
    """The event of one receipt, or the wish in an SMS that somebody sent us. Raises UnreadableError."""
    try:
        delivery = delivery_of(raw.body)
    except ValueError as error:
        raise UnreadableError(f"Not a PDU that delivers something: {error}.") from error
    connection = _connection(raw)
    if is_receipt(delivery, even_unmarked=connection.receipts == UNMARKED):
        return _parse_receipt(raw, connection, delivery, receipt_of(delivery))
    if looks_like_one(delivery):
        raise UnreadableError(
            "It reads like a receipt, but esm_class says that it is an SMS, which anybody can write. If this SMSC does "
            f"not mark its receipts, set receipts={UNMARKED} for it in SMPP_URLS and replay this."
        )
    return parse_reply(SLUG, delivery.source, delivery.words, raw.received_at)


def _connection(raw: Raw) -> Connection:
    """One that has been taken out of SMPP_URLS is read without what was set for it."""
    name = raw.headers.get(CONNECTION, "")
    found = settings.SMPP_CONNECTIONS.get(name)
    return found if isinstance(found, Connection) else Connection(name)


def _parse_receipt(raw: Raw, connection: Connection, delivery: Delivery, receipt: Receipt) -> ParsedReport:
    message = connection.receipted_id(receipt.id_in_text, receipt.id_in_tlv)
    if not message:
        raise UnreadableError("No id: neither in the text nor as receipted_message_id.")
    state, outcome = _state(receipt)
    network, number = _code(receipt)
    codes = _codes_of(network, connection)
    event = Event(
        provider=SLUG,
        kind=Kind.ACCEPTED,
        occurred_at=counts_at(receipt, connection.zone, raw.received_at),
        idempotency_key=f"{message} {state} {network}-{number}",
        provider_message_id=message,
        provider_code="/".join(filter(None, (state, number if network == OWN else f"{network}-{number}"))),
        diagnostic=receipt.words,
        said_by=connection.name,
        submitted=partial(_submitted, raw, connection, delivery, receipt),
    )
    space = connection.name if network == OWN else network
    found = codes.get(number) or codes.get(number.lstrip("0"))
    # Each submit_sm is one part of a long message, and has its own receipt.
    return of_a_part(report_of(outcome, event, space, number, found))


def _submitted(raw: Raw, connection: Connection, delivery: Delivery, receipt: Receipt) -> Submitted | None:
    """Of a receipt, source_addr is whom the SMS went to, and destination_addr who sent it (5.2.12, 4.6.1)."""
    number = e164_of(delivery.source)
    if not number:
        return None
    since, until = submitted_between(receipt, connection.zone, raw.received_at)
    reference = receipt.reference if connection.reference == ON else 0
    other_id = connection.other_id(receipt.id_in_text, receipt.id_in_tlv)
    return Submitted(number, delivery.destination, since, until, reference, other_id)


def _state(receipt: Receipt) -> tuple[str, CodeMeaning]:
    """What was said, and what it means: the TLV where we know its state, or else the text."""
    states = gsm_tables()["smpp_state"] | tables(SLUG)["states"]
    in_text = states.get(receipt.state_in_text)
    in_tlv = states.get(receipt.state_in_tlv)
    found = in_tlv or in_text
    if found is None:
        raise UnreadableError(f"Unknown state: message_state {receipt.state_in_tlv!r}, stat {receipt.state_in_text!r}.")
    word = receipt.state_in_text if found == in_text else receipt.state_in_tlv
    return word, STILL_TRYING if receipt.is_intermediate and found.kind not in UNTROUBLED else found


def _code(receipt: Receipt) -> tuple[str, str]:
    """The network that it was said of, and the code: the TLV's, unless that says nothing, or else the text's."""
    error = receipt.network_error
    if error is not None and error.code:
        return _network(error), str(error.code)
    return OWN, receipt.error


def _network(error: NetworkError) -> str:
    return NETWORKS.get(error.network, f"network{error.network}")


def _codes_of(network: str, connection: Connection) -> Table:
    if network in CODES_OF_NETWORK:
        return gsm_tables()[CODES_OF_NETWORK[network]]
    return _codes(connection.codes) if network == OWN else {}


@cache
def _codes(named: str) -> Table:
    """A code space of gsm.toml, or a file of one's own. Raises ValueError or OSError."""
    if named.endswith(".toml"):
        return codes_in(tomllib.loads(Path(named).read_text(encoding="utf-8")))
    return codes_in({"codes_like": named} if named else {})


def check_codes() -> None:
    """What is wrong with a connection's codes stops the start, instead of making every receipt say less."""
    for connection in settings.SMPP_CONNECTIONS.values():
        try:
            _codes(connection.codes)
        except (ValueError, OSError) as error:
            raise ImproperlyConfigured(
                f"SMPP_URLS, {connection.name}: codes={connection.codes}: {error} See docs/providers/smpp.md."
            ) from error


check_codes()
provider = Provider(
    SLUG, "SMPP", Channel.SMS, lambda: bool(settings.SMPP_CONNECTIONS), verify, parse,
    headers=(CONNECTION,), methods=(),
    comes=_("Its reports come over a line that Engage opens itself, so there is no webhook and nothing to paste."),
)  # fmt: skip
