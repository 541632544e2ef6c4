"""What the description of an SMS gateway is made of: what it is asked, and what it answers. Pure.

Each gateway's own is in its folder (send.py); delivery/transports/ sends by it, and by those that a file describes.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import dumps
from typing import Any, Final
from urllib.parse import urlencode

from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import CodeMeaning, Table
from messaging.smpp.alphabet import parts_of
from messaging.status.order import Kind

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
# Nothing is wrong with the message: too fast, no credit left, a wrong password. It is tried again.
TOO_FAST: Final = CodeMeaning(Kind.DEFERRED, "rate_limited")
NOT_NOW: Final = CodeMeaning(Kind.DEFERRED, "server_error")


@dataclass(frozen=True, slots=True)
class Sms:
    """What is asked for. `number` and `sender` as they are: E.164 with its plus; `valid`: for how long from `at`.

    `is_promotional`: the send-out is not a transactional one.
    """

    number: str
    sender: str
    text: str
    token: str
    callback: str
    valid: timedelta
    at: datetime
    is_promotional: bool = True

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
class GatewayRequest:
    """A request: always a POST."""

    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """An answer: the ids of what was taken, one for each part that is reported by itself; and the first refusal."""

    ids: tuple[str, ...] = ()
    code: str = ""
    words: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Gateway:
    """`base`: scheme and host, or what makes them of the route. `request(sms, route)`, whose `base` is the one used.

    `parse_answer` of one that says "taken" (2xx), and `parse_error` of any other: its code and words.

    `codes`: what the codes of its refusals mean. `is_about_parts`: each part has an id and a report of its own.
    `has_password_in_callback`: it calls back with the user and password that stand in the address.
    """

    slug: str
    base: str | Callable[[HttpRoute], str]
    request: Callable[[Sms, HttpRoute], GatewayRequest]
    parse_answer: Callable[[Any], GatewayAnswer]
    parse_error: Callable[[Any], tuple[str, str]]
    codes: Table = field(default_factory=dict)
    is_about_parts: bool = False
    has_password_in_callback: bool = False

    def base_of(self, route: HttpRoute) -> str:
        return route.base or (self.base if isinstance(self.base, str) else self.base(route))

    def count_of(self, text: str) -> int:
        return len(parts_of(text)) if self.is_about_parts else 1


def basic(route: HttpRoute) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{route.user}:{route.password}'.encode()).decode()}"}


def form(path: str, fields: Mapping[str, object], headers: Mapping[str, str]) -> GatewayRequest:
    filled = {name: value for name, value in fields.items() if value not in ("", None)}
    return GatewayRequest(path, urlencode(filled).encode(), {"Content-Type": FORM, **headers})


def json_body(path: str, fields: Mapping[str, object], headers: Mapping[str, str]) -> GatewayRequest:
    filled = {name: value for name, value in fields.items() if value not in ("", None)}
    return GatewayRequest(path, dumps(filled).encode(), {"Content-Type": JSON, **headers})


def at(found: Any, *path: str | int) -> Any:
    """What stands there, or None."""
    for step in path:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and len(found) > step:
            found = found[step]
        else:
            return None
    return found


def text_at(found: Any, *path: str | int) -> str:
    value = at(found, *path)
    return "" if value is None or isinstance(value, dict | list) else str(value)


def one_id(*path: str | int) -> Callable[[Any], GatewayAnswer]:
    """The id stands there."""

    def parse(answer: Any) -> GatewayAnswer:
        found = text_at(answer, *path)
        return GatewayAnswer((found,) if found else ())

    return parse


def error_at(code: Sequence[str | int], words: Sequence[str | int]) -> Callable[[Any], tuple[str, str]]:
    return lambda answer: (text_at(answer, *code), text_at(answer, *words))
