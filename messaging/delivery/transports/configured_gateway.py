"""SMS by a gateway that a file in GATEWAYS_DIR describes, in its part [send] (docs/providers/generic.md).

What is wrong in it stops the start, and says which file, what, and what to write instead.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from json import dumps
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from messaging.providers.gateway import FORM, JSON, Gateway, GatewayAnswer, GatewayRequest, Sms
from messaging.providers.gateway_file import ABOUT, codes_in
from messaging.providers.http_route import HttpRoute

LINES: Final = frozenset({"address", "format", "id", "code", "text", "headers", "fields"})
# What may stand in {} in a field or a header.
PLACES: Final[Mapping[str, Callable[[Sms], object]]] = {
    "number": lambda sms: sms.number,
    "digits": lambda sms: sms.digits,
    "sender": lambda sms: sms.sender,
    "text": lambda sms: sms.text,
    "token": lambda sms: sms.token,
    "callback": lambda sms: sms.callback,
    "seconds": lambda sms: sms.seconds,
    "minutes": lambda sms: sms.seconds // 60,
    "hours": lambda sms: max(1, sms.seconds // 3600),
    "until": lambda sms: sms.until,
}
SECRETS: Final = frozenset({"user", "password"})
_PLACE: Final = re.compile(r"\{([a-z]+)\}")


@cache
def gateway_of(slug: str) -> Gateway:
    """Raises ImproperlyConfigured."""
    path = Path(settings.GATEWAYS_DIR) / f"{slug}.toml"
    try:
        description = tomllib.loads(path.read_text(encoding="utf-8"))
        return _gateway(slug, description)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{path}: {error} See docs/providers/generic.md.") from error


def _gateway(slug: str, description: Mapping[str, Any]) -> Gateway:
    send = description.get("send")
    if not isinstance(send, dict):
        raise ValueError("SMS_ROUTE names this gateway, so [send] must say how to send by it.")
    for name in send:
        if name not in LINES:
            raise ValueError(f"send.{name} means nothing here. Known are: {', '.join(sorted(LINES))}.")
    address, form = urlsplit(_text(send, "address")), _text(send, "format") or "json"
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError('send.address must be like "https://api.gateway.example/sms".')
    if form not in ("json", "form"):
        raise ValueError('send.format must be "json" or "form".')
    if not _text(send, "id"):
        raise ValueError("send.id must say where the answer has the gateway's id of the message.")
    fields, headers = _texts(send, "fields"), _texts(send, "headers")
    target = address.path + (f"?{address.query}" if address.query else "")
    return Gateway(
        slug,
        f"{address.scheme}://{address.netloc}",
        partial(_request, RequestRecipe(target, form == "form", fields, headers)),
        partial(_parse_answer, _text(send, "id").split(".")),
        partial(_parse_error, _text(send, "code").split("."), _text(send, "text").split(".")),
        codes_in(description), is_about_parts=description.get("about") == ABOUT[1],
    )  # fmt: skip


def _text(description: Mapping[str, Any], name: str) -> str:
    found = description.get(name, "")
    if not isinstance(found, str):
        raise ValueError(f"send.{name} must be a text in quotes, not {found!r}.")
    return found


def _texts(send: Mapping[str, Any], name: str) -> dict[str, str]:
    """A table of texts, with places that there are."""
    found = send.get(name, {})
    if not isinstance(found, dict) or (name == "fields" and not found):
        raise ValueError(f"[send.{name}] is missing or empty.")
    for key, value in found.items():
        if not isinstance(value, str):
            raise ValueError(f"send.{name}.{key} must be a text in quotes, not {value!r}.")
        for place in _PLACE.findall(value):
            if place not in PLACES and place not in SECRETS:
                known = ", ".join(f"{{{each}}}" for each in (*PLACES, *sorted(SECRETS)))
                raise ValueError(f"send.{name}.{key}: there is no {{{place}}}. There are: {known}.")
    return dict(found)


@dataclass(frozen=True, slots=True)
class RequestRecipe:
    """Of a request."""

    target: str
    is_form: bool
    fields: Mapping[str, str]
    headers: Mapping[str, str]


def _request(recipe: RequestRecipe, sms: Sms, route: HttpRoute) -> GatewayRequest:
    secrets = {"user": route.user, "password": route.password}

    def value_of(place: str) -> object:
        return secrets[place] if place in secrets else PLACES[place](sms)

    def filled(text: str) -> object:
        """A place alone keeps its type: a number stays one in JSON."""
        alone = _PLACE.fullmatch(text)
        return value_of(alone[1]) if alone else _PLACE.sub(lambda found: str(value_of(found[1])), text)

    values = {name: filled(text) for name, text in recipe.fields.items()}
    sent = {name: str(filled(text)) for name, text in recipe.headers.items()}
    if recipe.is_form:
        return GatewayRequest(recipe.target, urlencode(values).encode(), {"Content-Type": FORM, **sent})
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        inner = nested
        for each in above:
            inner = inner.setdefault(each, {})
        inner[last] = value
    return GatewayRequest(recipe.target, dumps(nested).encode(), {"Content-Type": JSON, **sent})


def _parse_answer(path: list[str], answer: Any) -> GatewayAnswer:
    found = _at(answer, path)
    return GatewayAnswer((found,) if found else ())


def _parse_error(code: list[str], words: list[str], answer: Any) -> tuple[str, str]:
    return _at(answer, code), _at(answer, words) or (answer if isinstance(answer, str) else "")


def _at(found: Any, path: list[str]) -> str:
    """What stands there; a number in the path counts in a list, from 0."""
    for step in path:
        if isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return "" if found is None or isinstance(found, dict | list) else str(found)
