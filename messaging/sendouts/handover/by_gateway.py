"""SMS by the HTTP API of a gateway (gateways.py): several requests at once, over connections that are used again."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Channel
from messaging.bounces.reasons import IN_DOUBT
from messaging.providers.reading import OUR_PARAMETER
from messaging.providers.tables import UNKNOWN, wishes_of
from messaging.providers.tables import Outcome as Verdict
from messaging.sendouts.handover import described
from messaging.sendouts.handover.answers import SMS_SCHEDULE
from messaging.sendouts.handover.gateway import NOT_NOW, TOO_FAST, Asked, Gateway, Sms, Told
from messaging.sendouts.handover.gateways import GATEWAYS
from messaging.sendouts.handover.sms_routes import Http
from messaging.sendouts.handover.ways import Outcome, Ready
from messaging.smpp.window import Pace
from messaging.statuses import Caveat, Event, Kind

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
# No more is read of an answer.
LONGEST_ANSWER: Final = 1_000_000
LONGEST_CODE, LONGEST_WORDS = 40, 2_000
# A wrong password, an empty account, too many at once: whoever runs Engage mends it, and what waits goes out then.
HOLDS_ALL: Final = {401: NOT_NOW, 402: NOT_NOW, 403: NOT_NOW, 429: TOO_FAST, 503: NOT_NOW}
# The gateway's own basic auth for its callbacks: its webhook takes a user and a password (docs/providers/).
KNOCKS_WITH_PASSWORD: Final = frozenset({"elks", "infobip"})


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: 0 where nothing did. `has_left` False: the request never reached anybody."""

    status: int
    body: bytes = b""
    trouble: str = ""
    has_left: bool = True


class ByGateway:
    """A Way (ways.py)."""

    channel: Final = Channel.SMS
    schedule: Final = SMS_SCHEDULE

    def __init__(self, route: Http) -> None:
        self._gateway = gateway_of(route.slug)
        self._route = replace(route, base=self._gateway.base_of(route))
        self.slug = route.slug
        self.slice = max(1, min(50, int(route.rate) or 50))
        self._pace = Pace(route.rate)
        self._pool = urllib3.PoolManager(
            maxsize=route.at_once, retries=False, timeout=urllib3.Timeout(CONNECT_SECONDS, ANSWER_SECONDS)
        )

    def __enter__(self) -> "ByGateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def parts_of(self, message: Ready) -> int:
        return self._gateway.count_of(message.sms)

    def send_all(self, messages: Sequence[Ready]) -> Iterator[Outcome]:
        with ThreadPoolExecutor(self._route.at_once) as threads:
            asked: dict[Future[Heard], Ready] = {}
            for each in messages:
                request = self._gateway.ask(self._sms(each), self._route)
                time.sleep(self._pace.wait(time.monotonic()))
                self._pace.spend(1, time.monotonic())
                asked[threads.submit(self._heard, request)] = each
            for done in as_completed(asked):
                yield outcome_of(self._gateway, asked[done], done.result())

    def _sms(self, message: Ready) -> Sms:
        return Sms(
            message.address, message.send_out.sender, message.sms, message.token,
            callback_of(self.slug, message.token), message.time_left, timezone.now(),
            is_promotional=not message.send_out.is_transactional,
        )  # fmt: skip

    def _heard(self, asked: Asked) -> Heard:
        """In a thread of its own: without a database."""
        try:
            answer = self._pool.request(
                "POST", self._route.base + asked.path, body=asked.body, headers=asked.headers, redirect=False,
                preload_content=False,
            )  # fmt: skip
            try:
                body = answer.read(LONGEST_ANSWER, decode_content=True)
            finally:
                answer.release_conn()
            return Heard(answer.status, body)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            return Heard(0, trouble=type(error).__name__, has_left=False)
        except urllib3.exceptions.SSLError as error:
            return Heard(0, trouble=f"TLS: {error}", has_left=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Heard(0, trouble=type(error).__name__)


def gateway_of(slug: str) -> Gateway:
    """Raises ImproperlyConfigured where a file describes it, and wrongly."""
    return GATEWAYS.get(slug) or described.gateway_of(slug)


def callback_of(slug: str, token: str) -> str:
    """Where its reports go, with our token in it."""
    parts = urlsplit(str(settings.PUBLIC_URL))
    keys = settings.WEBHOOK_KEYS.get(slug) or [""]
    knock = f"{keys[0]}@" if slug in KNOCKS_WITH_PASSWORD and keys[0] else ""
    return f"{parts.scheme}://{knock}{parts.netloc}{parts.path}/webhooks/{slug}/?{urlencode({OUR_PARAMETER: token})}"


def outcome_of(gateway: Gateway, message: Ready, heard: Heard) -> Outcome:
    """What an answer comes to. Where nobody knows whether it was taken, it is in doubt, and never sent again."""
    if not heard.has_left:
        return Outcome(_event(gateway, message, NOT_NOW, words=_("The gateway could not be reached.")))
    if heard.status in HOLDS_ALL:
        code, words = gateway.error(_json_of(heard.body))
        return Outcome(_event(gateway, message, HOLDS_ALL[heard.status], code or str(heard.status), words))
    if heard.status == 0 or heard.status >= 500:
        return Outcome(_in_doubt(gateway, message, heard))
    answer = _json_of(heard.body)
    if heard.status < 300:
        return _of_answer(gateway, message, heard, gateway.read(answer))
    code, words = gateway.error(answer)
    return _refused(gateway, message, Told(code=code, words=words, is_refused=True), code or str(heard.status))


def _of_answer(gateway: Gateway, message: Ready, heard: Heard, told: Told) -> Outcome:
    """Of one that says by its status that all is well."""
    if told.is_refused:
        return _refused(gateway, message, told, told.code)
    if not told.ids:
        return Outcome(_in_doubt(gateway, message, heard))
    return Outcome(_event(gateway, message, Verdict(Kind.ACCEPTED)), told.ids)


def _refused(gateway: Gateway, message: Ready, told: Told, code: str) -> Outcome:
    verdict = _verdict(gateway, told)
    event = _event(gateway, message, verdict, code, told.words)
    return Outcome(event, told.ids, wishes=tuple(wishes_of(verdict, event)))


def _verdict(gateway: Gateway, told: Told) -> Verdict:
    """A message of which a part was taken is not begun anew. A state that says no more than "sent" is no refusal."""
    found = gateway.codes.get(told.code, UNKNOWN)
    if found.kind in (Kind.ACCEPTED, Kind.DELIVERED, Kind.UNTRACEABLE) or (told.ids and found.kind == Kind.DEFERRED):
        return Verdict(Kind.FAILED, found.reason or "unknown")
    return found


def _event(gateway: Gateway, message: Ready, verdict: Verdict, code: str = "", words: str = "") -> Event:
    return Event(
        gateway.slug, verdict.kind, timezone.now(), message.repeat_id, message.id,
        reason=verdict.reason, provider_code=code[:LONGEST_CODE], diagnostic=words[:LONGEST_WORDS],
    )  # fmt: skip


def _in_doubt(gateway: Gateway, message: Ready, heard: Heard) -> Event:
    said = f"HTTP {heard.status}" if heard.status else heard.trouble
    return Event(
        gateway.slug, Kind.ACCEPTED, timezone.now(), message.repeat_id, message.id, reason=IN_DOUBT,
        diagnostic=_("It was sent, and no clear answer came: %(said)s") % {"said": said}, caveat=Caveat.IN_DOUBT,
    )  # fmt: skip


def _json_of(body: bytes) -> Any:
    """The JSON, or the text where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace").strip()
