"""SMS by the HTTP API of a gateway (providers/): several requests at once, over connections that are used again."""

import json
import threading
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
from messaging.bounces.reasons import OUTCOME_UNKNOWN
from messaging.delivery.answers import SMS_SCHEDULE
from messaging.delivery.away import Away, AwayCause
from messaging.delivery.transport import DeliveryOutcome, Held, Ready
from messaging.delivery.transports import configured_gateway
from messaging.delivery.transports.esp_answers import unheard
from messaging.providers.gateway import NOT_NOW, TOO_FAST, Gateway, GatewayAnswer, GatewayRequest, Sms
from messaging.providers.http_route import HttpRoute
from messaging.providers.parsing import OUR_PARAMETER
from messaging.providers.sending import gateway_of as built_in_gateway
from messaging.providers.sending import senders
from messaging.providers.tables import UNKNOWN, consent_changes_of
from messaging.providers.tables import CodeMeaning as Verdict
from messaging.smpp.window import TokenBucket
from messaging.status.order import Caveat, Event, Kind

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
# No more is read of an answer.
LONGEST_ANSWER: Final = 1_000_000
LONGEST_CODE, LONGEST_WORDS = 40, 2_000
# A wrong password, an empty account, a gateway that is out of order: what waits goes out once that is mended.
AWAY: Final = {401: AwayCause.LOGIN, 402: AwayCause.ACCOUNT, 403: AwayCause.LOGIN, 503: AwayCause.UNWILLING}
TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back: 0 where nothing did. `cause`: why the request never reached anybody; or it was not tried."""

    status: int
    body: bytes = b""
    trouble: str = ""
    cause: AwayCause | None = None
    is_tried: bool = True


UNTRIED: Final = HttpAnswer(0, is_tried=False)


class ByGateway:
    """A Transport (transport.py)."""

    channel: Final = Channel.SMS
    schedule: Final = SMS_SCHEDULE

    def __init__(self, route: HttpRoute) -> None:
        self._gateway = gateway_of(route.slug)
        self._route = replace(route, base=self._gateway.base_of(route))
        self.slug = route.slug
        self.slice = max(1, min(50, int(route.rate) or 50))
        self._pace = TokenBucket(route.rate)
        self._pool = urllib3.PoolManager(
            maxsize=route.at_once, retries=False, timeout=urllib3.Timeout(CONNECT_SECONDS, ANSWER_SECONDS)
        )

    def __enter__(self) -> "ByGateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def parts_of(self, message: Ready) -> int:
        return self._gateway.count_of(message.sms)

    def send_all(self, messages: Sequence[Ready]) -> Iterator[DeliveryOutcome | Held]:
        """Once the gateway is away, the others are not tried."""
        is_over = threading.Event()
        with ThreadPoolExecutor(self._route.at_once) as threads:
            requests: dict[Future[HttpAnswer], Ready] = {}
            for each in messages:
                if is_over.is_set():
                    yield Held(each)
                    continue
                request = self._gateway.request(self._sms(each), self._route)
                time.sleep(self._pace.wait(time.monotonic()))
                self._pace.spend(1, time.monotonic())
                requests[threads.submit(self._answer_to, request, is_over)] = each
            answers = [(requests[done], done.result()) for done in as_completed(requests)]
        is_any_taken = any(200 <= answer.status < 300 for _message, answer in answers)
        for message, answer in answers:
            yield outcome_of(self._gateway, message, answer, is_any_taken=is_any_taken)

    def _sms(self, message: Ready) -> Sms:
        return Sms(
            message.address, message.send_out.sender, message.sms, message.token,
            callback_of(self._gateway, message.token), message.time_left, timezone.now(),
            is_promotional=not message.send_out.is_transactional,
        )  # fmt: skip

    def _answer_to(self, request: GatewayRequest, is_over: threading.Event) -> HttpAnswer:
        """In a thread of its own: without a database."""
        if is_over.is_set():
            return UNTRIED
        answer = self._post(request)
        if answer.cause or answer.status in AWAY:
            is_over.set()
        return answer

    def _post(self, request: GatewayRequest) -> HttpAnswer:
        try:
            answer = self._pool.request(
                "POST", self._route.base + request.path, body=request.body, headers=request.headers, redirect=False,
                preload_content=False,
            )  # fmt: skip
            try:
                body = answer.read(LONGEST_ANSWER, decode_content=True)
            finally:
                answer.release_conn()
            return HttpAnswer(answer.status, body)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            return HttpAnswer(0, trouble=str(error), cause=unheard({type(error).__name__}, ""))
        except urllib3.exceptions.SSLError as error:
            return HttpAnswer(0, trouble=f"TLS: {error}", cause=unheard({"SSLError"}, str(error)))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return HttpAnswer(0, trouble=type(error).__name__)


def gateway_of(slug: str) -> Gateway:
    """Raises ImproperlyConfigured where a file describes it, and wrongly."""
    return built_in_gateway(slug) if slug in senders(Channel.SMS) else configured_gateway.gateway_of(slug)


def callback_of(gateway: Gateway, token: str) -> str:
    """Where its reports go, with our token in it."""
    parts = urlsplit(str(settings.PUBLIC_URL))
    keys = settings.WEBHOOK_KEYS.get(gateway.slug) or [""]
    knock = f"{keys[0]}@" if gateway.has_password_in_callback and keys[0] else ""
    webhook = f"{knock}{parts.netloc}{parts.path}/webhooks/{gateway.slug}/"
    return f"{parts.scheme}://{webhook}?{urlencode({OUR_PARAMETER: token})}"


def outcome_of(
    gateway: Gateway, message: Ready, answer: HttpAnswer, *, is_any_taken: bool = False
) -> DeliveryOutcome | Held:
    """What an answer comes to. Where nobody knows whether it was parsed, it is in doubt, and never sent again.

    `is_any_taken`: of others, meanwhile; so that it was out of order is this message's own.
    """
    if not answer.is_tried:
        return Held(message)
    cause = answer.cause or AWAY.get(answer.status)
    if cause and not (is_any_taken and cause == AwayCause.UNWILLING):
        return Held(message, away=Away(cause, _words_of(gateway, answer)))
    if answer.status in (TOO_MANY, *AWAY):
        code, words = gateway.parse_error(_json_of(answer.body))
        verdict = TOO_FAST if answer.status == TOO_MANY else NOT_NOW
        return DeliveryOutcome(_event(gateway, message, verdict, code or str(answer.status), words))
    if answer.status == 0 or answer.status >= 500:
        return DeliveryOutcome(_outcome_unknown(gateway, message, answer))
    body = _json_of(answer.body)
    if answer.status < 300:
        return _of_answer(gateway, message, answer, gateway.parse_answer(body))
    code, words = gateway.parse_error(body)
    return _refused(
        gateway, message, GatewayAnswer(code=code, words=words, is_refused=True), code or str(answer.status)
    )


def _words_of(gateway: Gateway, answer: HttpAnswer) -> str:
    code, words = gateway.parse_error(_json_of(answer.body)) if answer.status else ("", answer.trouble)
    status = f"HTTP {answer.status}" if answer.status else ""
    return f"{gateway.slug}: {' '.join(filter(None, [status, code, words]))}"


def _of_answer(gateway: Gateway, message: Ready, answer: HttpAnswer, parsed: GatewayAnswer) -> DeliveryOutcome:
    """Of one that says by its status that all is well."""
    if parsed.is_refused:
        return _refused(gateway, message, parsed, parsed.code)
    if not parsed.ids:
        return DeliveryOutcome(_outcome_unknown(gateway, message, answer))
    return DeliveryOutcome(_event(gateway, message, Verdict(Kind.ACCEPTED)), parsed.ids)


def _refused(gateway: Gateway, message: Ready, parsed: GatewayAnswer, code: str) -> DeliveryOutcome:
    verdict = _verdict(gateway, parsed)
    event = _event(gateway, message, verdict, code, parsed.words)
    return DeliveryOutcome(event, parsed.ids, consent_changes=tuple(consent_changes_of(verdict, event)))


def _verdict(gateway: Gateway, parsed: GatewayAnswer) -> Verdict:
    """A message of which a part was taken is not begun anew. A state that says no more than "sent" is no refusal."""
    found = gateway.codes.get(parsed.code, UNKNOWN)
    if found.kind in (Kind.ACCEPTED, Kind.DELIVERED, Kind.UNTRACEABLE) or (parsed.ids and found.kind == Kind.DEFERRED):
        return Verdict(Kind.FAILED, found.reason or "unknown")
    return found


def _event(gateway: Gateway, message: Ready, verdict: Verdict, code: str = "", words: str = "") -> Event:
    return Event(
        gateway.slug, verdict.kind, timezone.now(), message.idempotency_key, message.id,
        reason=verdict.reason, provider_code=code[:LONGEST_CODE], diagnostic=words[:LONGEST_WORDS],
    )  # fmt: skip


def _outcome_unknown(gateway: Gateway, message: Ready, answer: HttpAnswer) -> Event:
    text = f"HTTP {answer.status}" if answer.status else answer.trouble
    return Event(
        gateway.slug, Kind.ACCEPTED, timezone.now(), message.idempotency_key, message.id, reason=OUTCOME_UNKNOWN,
        diagnostic=_("It was sent, and no clear answer came: %(said)s") % {"said": text}, caveat=Caveat.OUTCOME_UNKNOWN,
    )  # fmt: skip


def _json_of(body: bytes) -> Any:
    """The JSON, or the text where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace").strip()
