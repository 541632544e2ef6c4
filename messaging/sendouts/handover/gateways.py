"""SMS gateways with an HTTP API: what each is asked, where its answer has the ids, and what a refusal means. Pure.

One description for each, from its own documentation; by_gateway.py does the asking. A refusal is classified by the same
tables as its reports, and what no table knows is Failed, never a Hard bounce.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import dumps
from typing import Any, Final
from urllib.parse import quote, urlencode

from messaging.providers.tables import Outcome, Table, tables
from messaging.sendouts.sms import UCS_2, alphabet_of, parts_of
from messaging.statuses import Kind

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
# Nothing is wrong with the message: too fast, no credit left, a wrong password. It is tried again.
TOO_FAST: Final = Outcome(Kind.DEFERRED, "rate_limited")
NOT_NOW: Final = Outcome(Kind.DEFERRED, "server_error")


@dataclass(frozen=True, slots=True)
class Sms:
    """What is asked for. `number` and `sender` as they are: E.164 with its plus; `valid`: for how long from `at`."""

    number: str
    sender: str
    text: str
    token: str
    callback: str
    valid: timedelta
    at: datetime

    @property
    def seconds(self) -> int:
        return int(self.valid.total_seconds())

    @property
    def digits(self) -> str:
        return self.number.lstrip("+")

    @property
    def until(self) -> str:
        return (self.at + self.valid).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: always a POST."""

    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: the ids of what was taken, one for each part that is reported by itself; and the first refusal."""

    ids: tuple[str, ...] = ()
    code: str = ""
    words: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """`base`: scheme and host. `ask(sms, user, password)`; `read(answer)` of one that says "taken" (2xx), and
    `error(answer)` of any other.

    `codes`: what the codes of its refusals mean. `is_about_parts`: each part has an id and a report of its own.
    """

    slug: str
    base: str
    ask: Callable[[Sms, str, str], Asked]
    read: Callable[[Any], Told]
    error: Callable[[Any], tuple[str, str]]
    codes: Table = field(default_factory=dict)
    is_about_parts: bool = False

    def count_of(self, text: str) -> int:
        return len(parts_of(text)) if self.is_about_parts else 1


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def _form(path: str, fields: Mapping[str, object], headers: Mapping[str, str]) -> Asked:
    said = {name: value for name, value in fields.items() if value not in ("", None)}
    return Asked(path, urlencode(said).encode(), {"Content-Type": FORM, **headers})


def _json(path: str, fields: Mapping[str, object], headers: Mapping[str, str]) -> Asked:
    said = {name: value for name, value in fields.items() if value not in ("", None)}
    return Asked(path, dumps(said).encode(), {"Content-Type": JSON, **headers})


def _at(found: Any, *path: str | int) -> Any:
    """What stands there, or None."""
    for step in path:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and len(found) > step:
            found = found[step]
        else:
            return None
    return found


def _text(found: Any, *path: str | int) -> str:
    value = _at(found, *path)
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _one(*path: str | int) -> Callable[[Any], Told]:
    """The id stands there."""

    def read(answer: Any) -> Told:
        found = _text(answer, *path)
        return Told((found,) if found else ())

    return read


def _error(code: Sequence[str | int], words: Sequence[str | int]) -> Callable[[Any], tuple[str, str]]:
    return lambda answer: (_text(answer, *code), _text(answer, *words))


# Twilio: "Messages resource". ValidityPeriod is at most ten hours (error 90007): Twilio gives up after that.
def _ask_twilio(sms: Sms, user: str, password: str) -> Asked:
    is_service = sms.sender.startswith("MG")
    fields = {
        "To": sms.number, "MessagingServiceSid" if is_service else "From": sms.sender, "Body": sms.text,
        "StatusCallback": sms.callback, "ValidityPeriod": max(1, min(36_000, sms.seconds)),
    }  # fmt: skip
    return _form(f"/2010-04-01/Accounts/{quote(user)}/Messages.json", fields, _basic(user, password))


# Vonage: "SMS API", "Send an SMS"; ttl in milliseconds, from 20,000.
def _ask_vonage(sms: Sms, user: str, password: str) -> Asked:
    fields = {
        "from": sms.sender.lstrip("+"), "to": sms.digits, "text": sms.text, "client-ref": sms.token,
        "type": "unicode" if alphabet_of(sms.text) == UCS_2 else "text", "callback": sms.callback,
        "status-report-req": "true", "ttl": max(20_000, sms.seconds * 1000),
    }  # fmt: skip
    return _form("/sms/json", fields, _basic(user, password))


def _read_vonage(answer: Any) -> Told:
    """Refusals, too, come with 200, for each part by itself."""
    found = _at(answer, "messages")
    parts = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    ids = tuple(_text(each, "message-id") for each in parts if _text(each, "status") == "0")
    bad = next((each for each in parts if _text(each, "status") != "0"), None)
    if bad is None:
        return Told(ids)
    return Told(ids, _text(bad, "status"), _text(bad, "error-text"), is_refused=True)


VONAGE_STATUSES: Final = {
    "1": TOO_FAST,  # throttled
    "4": NOT_NOW,  # invalid credentials
    "5": NOT_NOW,  # internal error
    "7": Outcome(Kind.FAILED, "recipient_refuses"),  # number barred
    "8": NOT_NOW,  # account barred
    "9": NOT_NOW,  # no credit
    "10": TOO_FAST,  # too many connections
    "15": Outcome(Kind.FAILED, "sender_rejected"),
    "22": Outcome(Kind.FAILED, "sender_rejected"),
}


# 46elks: "Send SMS". It has no validity period.
def _ask_elks(sms: Sms, user: str, password: str) -> Asked:
    fields = {"from": sms.sender, "to": sms.number, "message": sms.text, "whendelivered": sms.callback}
    return _form("/a1/sms", fields, _basic(user, password))


# Infobip: "Send SMS messages", version 3; an API key is the password, the user is not used.
def _ask_infobip(sms: Sms, _user: str, password: str) -> Asked:
    message = {
        "sender": sms.sender.lstrip("+"),
        "destinations": [{"to": sms.digits}],
        "content": {"text": sms.text},
        "options": {"validityPeriod": {"amount": max(1, sms.seconds // 60), "timeUnit": "MINUTES"}},
        "webhooks": {"delivery": {"url": sms.callback}, "contentType": JSON, "callbackData": sms.token},
    }
    return _json("/sms/3/messages", {"messages": [message]}, {"Authorization": f"App {password}", "Accept": JSON})


def _read_infobip(answer: Any) -> Told:
    message, group = _text(answer, "messages", 0, "messageId"), _text(answer, "messages", 0, "status", "groupName")
    if group == "REJECTED":
        status = _at(answer, "messages", 0, "status")
        return Told((message,) if message else (), _text(status, "id"), _text(status, "description"), is_refused=True)
    return Told((message,) if message else ())


# Sinch: "SMS", "Batches", "Send"; the user is the service plan.
def _ask_sinch(sms: Sms, user: str, password: str) -> Asked:
    fields = {
        "from": sms.sender, "to": [sms.digits], "body": sms.text, "delivery_report": "per_recipient",
        "expire_at": sms.until, "callback_url": sms.callback, "client_reference": sms.token,
    }  # fmt: skip
    return _json(f"/xms/v1/{quote(user)}/batches", fields, {"Authorization": f"Bearer {password}"})


# Telnyx: "Send a message"; a sender that is a name belongs to a messaging profile, which is the user.
def _ask_telnyx(sms: Sms, user: str, password: str) -> Asked:
    fields = {
        "from": sms.sender, "to": sms.number, "text": sms.text, "webhook_url": sms.callback, "tags": [sms.token],
        "messaging_profile_id": user,
    }  # fmt: skip
    return _json("/v2/messages", fields, {"Authorization": f"Bearer {password}"})


# Plivo: "Send a message". It has no validity period that goes as far.
def _ask_plivo(sms: Sms, user: str, password: str) -> Asked:
    fields = {
        "src": sms.sender.lstrip("+"), "dst": sms.digits, "text": sms.text, "url": sms.callback, "method": "POST"
    }  # fmt: skip
    return _json(f"/v1/Account/{quote(user)}/Message/", fields, _basic(user, password))


GATEWAYS: Final = {
    each.slug: each
    for each in (
        Gateway(
            "twilio", "https://api.twilio.com", _ask_twilio, _one("sid"), _error(["code"], ["message"]),
            {**tables("twilio")["codes"], "20003": NOT_NOW, "20429": TOO_FAST},
        ),
        Gateway(
            "vonage", "https://rest.nexmo.com", _ask_vonage, _read_vonage, _error(["type"], ["detail"]),
            VONAGE_STATUSES, is_about_parts=True,
        ),
        Gateway("elks", "https://api.46elks.com", _ask_elks, _one("id"), lambda answer: ("", _text(answer))),
        Gateway(
            "infobip", "https://api.infobip.com", _ask_infobip, _read_infobip,
            _error(["requestError", "serviceException", "messageId"], ["requestError", "serviceException", "text"]),
            tables("infobip")["statuses"],
        ),
        Gateway("sinch", "https://eu.sms.api.sinch.com", _ask_sinch, _one("id"), _error(["code"], ["text"])),
        Gateway(
            "telnyx", "https://api.telnyx.com", _ask_telnyx, _one("data", "id"),
            _error(["errors", 0, "code"], ["errors", 0, "detail"]), tables("telnyx")["codes"],
        ),
        Gateway(
            "plivo", "https://api.plivo.com", _ask_plivo, _one("message_uuid", 0), _error(["error_code"], ["error"])
        ),
    )
}  # fmt: skip
