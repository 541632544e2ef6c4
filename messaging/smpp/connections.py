"""The SMSCs that are set in SMPP_URLS, and what each means by its message ids.

Pure; messaging/apps.py has them read at the start.

What is wrong is said without the URL itself: it holds a password.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured

EXAMPLE: Final = "smpp://user:password@host:2775/name"
# 2775 is registered for SMPP, 3550 for SMPP in TLS.
PORTS: Final = {"smpp": 2775, "smpps": 3550}
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,29}")
TEXT, HEX, DECIMAL = "text", "hex", "decimal"
DIGITS: Final = {HEX: re.compile(r"[0-9a-f]{1,64}", re.IGNORECASE), DECIMAL: re.compile(r"[0-9]{1,64}")}
BASE: Final = {HEX: 16, DECIMAL: 10}
OPTIONS: Final = (
    "system_type", "address_range", "ids", "receipt_ids", "receipts", "codes", "time_zone", "ca", "window", "rate",
    "long", "reference",
)  # fmt: skip
MARKED, UNMARKED = "marked", "unmarked"
ON, OFF = "on", "off"
# How the parts of a long SMS belong together (submits.py).
UDH, SAR, PAYLOAD = "udh", "sar", "payload"
# So many submit_sm are on their way at once, unless told otherwise: enough to hide a round trip of 50 ms at 1,000/s.
WINDOW: Final = 50


@dataclass(frozen=True, slots=True)
class Connection:
    """One SMSC.

    `ids` and `receipt_ids`: how it writes message ids in submit_sm_resp and in receipts. `receipts`: whether it marks
    them in esm_class. `codes`: what its `err:` numbers mean (messaging/providers/smpp/). `zone`: that of its dates.
    `window`: how many submit_sm may be on their way; `rate`: how many it takes in a second, 0 for as many as it can.
    `reference`: whether each says its user_message_reference.
    """

    name: str
    host: str = ""
    port: int = PORTS["smpp"]
    user: str = ""
    password: str = field(default="", repr=False)
    is_encrypted: bool = False
    ca: str = ""
    system_type: str = ""
    address_range: str = ""
    ids: str = TEXT
    receipt_ids: str = TEXT
    receipts: str = MARKED
    codes: str = ""
    zone: ZoneInfo | None = None
    window: int = WINDOW
    rate: float = 0
    long: str = UDH
    reference: str = ON

    def submitted_id(self, said: str) -> str:
        """What a message's `provider_message_id` is for the id in its submit_sm_resp."""
        return self._id(said, self.ids)

    def receipted_id(self, in_text: str, in_tlv: str) -> str:
        """The id of a message by a receipt's text and its receipted_message_id; "" where it has neither.

        That TLV repeats the id of submit_sm_resp (5.3.2.12), but some SMSCs write there what they write in the text.
        """
        if in_tlv and in_tlv != in_text:
            return self._id(in_tlv, self.ids)
        return self._id(in_text, self.receipt_ids) if in_text else ""

    def other_id(self, in_text: str, in_tlv: str) -> str:
        """What the same may be if the receipt has but the TLV, and the SMSC writes there what it would in the text; ""
        where that is the same, or no such number."""
        if in_text or self.ids == self.receipt_ids or not DIGITS[self.receipt_ids].fullmatch(in_tlv):
            return ""
        return self._id(in_tlv, self.receipt_ids)

    def _id(self, said: str, form: str) -> str:
        """Numbers in decimal and without leading zeros, and all with the name: two SMSCs may give out the same id."""
        is_number = form in DIGITS and DIGITS[form].fullmatch(said)
        return f"{self.name}/{int(said, BASE[form]) if is_number else said}"


def connections_of(urls: Iterable[str]) -> dict[str, Connection]:
    """The connections by name. Raises ImproperlyConfigured with what to do."""
    found: dict[str, Connection] = {}
    for number, url in enumerate(filter(None, map(str.strip, urls)), 1):
        try:
            connection = _connection(url)
            _require(connection.name not in found, f"there are two of the name {connection.name!r}")
        except _WrongConnectionError as error:
            # Not chained, as what is below may quote the password.
            raise ImproperlyConfigured(f"SMPP_URLS, number {number}: {error}. See docs/providers/smpp.md.") from None
        found[connection.name] = connection
    return found


class _WrongConnectionError(Exception):
    """What is wrong, without quoting what may be a secret."""


def _require(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise _WrongConnectionError(otherwise)


def _connection(url: str) -> Connection:
    try:
        parts = urlsplit(url)
        port, host, name = parts.port, parts.hostname or "", parts.path.strip("/")
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _WrongConnectionError(
            f"it must look like {EXAMPLE}; signs such as @ : / ? # % and , in user or password are written as %40 …"
        ) from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    _require(parts.scheme in PORTS, "it must begin with smpp:// or, with TLS, smpps://")
    _require(host and user and not parts.fragment, f"it must look like {EXAMPLE}")
    _require(NAME.fullmatch(name), "the name after the port must be small letters, digits, - and _, at most 30")
    # 4.1.5: 16, 9, 13 and 41 octets with the closing NUL.
    for what, value, most in (
        ("user", user, 15),
        ("password", password, 8),
        ("system_type", options.get("system_type", ""), 12),
        ("address_range", options.get("address_range", ""), 40),
    ):
        _require(len(value) <= most and value.isascii(), f"SMPP takes at most {most} ASCII signs as {what}")
    return Connection(
        name, host, port or PORTS[parts.scheme], user, password, parts.scheme == "smpps", **_options(options)
    )


def _options(said: dict[str, str]) -> dict[str, Any]:
    for option in said:
        _require(option in OPTIONS, f"there is no option {option!r}, but {', '.join(OPTIONS)}")
    ids = said.get("ids", TEXT)
    receipt_ids, receipts, ca = said.get("receipt_ids", ids), said.get("receipts", MARKED), said.get("ca", "")
    _require({ids, receipt_ids} <= {TEXT, HEX, DECIMAL}, "ids and receipt_ids must be text, hex or decimal")
    _require((ids == TEXT) == (receipt_ids == TEXT), "ids and receipt_ids must both be numbers, hex or decimal")
    _require(receipts in (MARKED, UNMARKED), f"receipts must be {MARKED} or {UNMARKED}")
    _require(not ca or Path(ca).is_file(), f"there is no file {ca!r} with the certificate to trust")
    long = said.get("long", UDH)
    _require(long in (UDH, SAR, PAYLOAD), f"long must be {UDH}, {SAR} or {PAYLOAD}")
    reference = said.get("reference", ON)
    _require(reference in (ON, OFF), f"reference must be {ON} or {OFF}")
    window, rate = _number(said, "window", WINDOW, 1), _number(said, "rate", 0, 0)
    plain = {name: said[name] for name in ("system_type", "address_range", "codes") if name in said}
    return plain | {
        "ids": ids, "receipt_ids": receipt_ids, "receipts": receipts, "ca": ca, "zone": _zone(said),
        "window": int(window), "rate": rate, "long": long,
        "reference": reference,
    }  # fmt: skip


def _number(said: dict[str, str], name: str, otherwise: float, least: float) -> float:
    try:
        found = float(said.get(name, otherwise))
    except ValueError:
        found = -1.0
    _require(least <= found <= 10_000, f"{name} must be a number from {least:g} to 10,000")
    return found


def _zone(said: dict[str, str]) -> ZoneInfo | None:
    name = said.get("time_zone", "")
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        raise _WrongConnectionError(f"there is no time zone {name!r}; write one such as Europe/Stockholm") from None
