"""What it means when a provider does not take an email: who is at fault, and what follows. Pure.

429 and "too many": it wants to be left alone. 5xx, nobody there, and 401 and words about our key or account: it is away
for us (away.py). Cut off after the request left, or a gateway that gave up waiting: in doubt. 403, 404, and words about
our sender: we are refused, and whoever looks after Engage has to know. The rest is about this one email.
"""

import json
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from anymail.exceptions import AnymailError, AnymailInvalidAddress, AnymailRecipientsRefused, AnymailUnsupportedFeature

from messaging.bounces.classify import classify
from messaging.delivery.answers import MailAnswer
from messaging.delivery.away import AwayCause
from messaging.status.order import Kind

UNKNOWN: Final = "unknown"
RATE_LIMITED: Final = "rate_limited"
# 420: SparkPost's own, "Exceed Sending Limit".
TOO_MANY: Final = frozenset({420, 429})
# Unauthorised, payment required, forbidden, and an address of the API that is not there.
REFUSING_US: Final = frozenset({401, 402, 403, 404, 405})
# Somebody in between gave up on the answer to a request that it had passed on (RFC 9110 15.6.5), or cannot read it.
OUTCOME_UNKNOWN: Final = frozenset({502, 504})
# Said with any number: of us, whomever we write to.
OURS: Final = re.compile(
    r"sender|\bfrom\b|verif|unverified|authori[sz]|authenticat|credential|api.?key|access.?denied|permission"
    r"|signature|unsigned|suspend|not enough.credit|payment|test-mode|account"
    r"|configuration.?set|sandbox|domain not found",
    re.IGNORECASE,
)
# Of those, what is about our key or account, and so about every sender.
OF_ALL: Final = re.compile(
    r"api.?key|credential|authenticat|authori[sz]ation|access.?denied|permission|not enough.credit|suspend"
    r"|unrecognizedclient|security token",
    re.IGNORECASE,
)
OF_SENDER: Final = re.compile(r"sender|\bfrom\b|verif|domain", re.IGNORECASE)
THROTTLING: Final = re.compile(
    r"throttl|too.?many.?requests|rate.?limit|limit.?exceeded|maximum sending rate", re.IGNORECASE
)
# Of the recipient's address, as the fields of their APIs are called.
THEIRS: Final = re.compile(
    r"""recipient|["'`]to["'`]|\bto(?:\.\d+|\[\d+\])|\bto address|\bin to\b|parameter is not a valid address""",
    re.IGNORECASE,
)  # fmt: skip
# Errors of a connection that was never made, by the names of their classes.
NEVER_LEFT: Final = frozenset({
    "NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "ProxyError", "SSLError",  # urllib3
    "EndpointConnectionError", "ConnectTimeout", "ProxyConnectionError", "NoCredentialsError",  # botocore, requests
    "PartialCredentialsError", "NoRegionError",
})  # fmt: skip
LONGEST: Final = 1000


def ends_the_turn(answer: MailAnswer) -> bool:
    """Whether what comes after it had better not be tried now."""
    is_away = answer.kind == Kind.DEFERRED or answer.is_outcome_unknown
    return answer.refuses_us or is_away


def refusing_us(text: str, said_by: str, code: int = 0) -> MailAnswer:
    return MailAnswer(0, text, said_by, is_untried=True, refuses_us=True, cause=_cause_of_refusal(text, code))


def _cause_of_refusal(text: str, code: int) -> AwayCause | None:
    """None where another sender, or another send-out, may not be refused."""
    if code == 402:
        return AwayCause.ACCOUNT
    is_of_all = code == 401 or (OF_ALL.search(text) and not OF_SENDER.search(text))
    return AwayCause.LOGIN if is_of_all else None


def answer_of(error: AnymailError, message: Any, recipient: str, said_by: str) -> MailAnswer:
    """`message`: what was to be sent, with anymail's status, where there is one."""
    response = error.response
    if isinstance(error, AnymailRecipientsRefused) and response is not None:
        return _refused(_words(response), message, recipient, said_by)
    if isinstance(error, AnymailInvalidAddress | AnymailUnsupportedFeature):
        return MailAnswer(0, _cut(error), said_by, kind=Kind.SOFT_BOUNCE, reason="protocol_error")
    if response is None:
        return _not_heard(error, said_by)
    return _http(_code(response), _words(response), _wait(response), recipient, said_by)


def failed(response: Any, message: Any, recipient: str, said_by: str) -> MailAnswer:
    """Of what anymail takes for an answer like any other (Mailjet's 400)."""
    if _code(response) >= 400:
        return _http(_code(response), _words(response), _wait(response), recipient, said_by)
    return _refused(_words(response), message, recipient, said_by)


def _http(code: int, words: str, wait: float, recipient: str, said_by: str) -> MailAnswer:
    text = f"HTTP {code}: {words}" if words else f"HTTP {code}"
    # What it cites of the address says nothing.
    about = words.replace(recipient, "@")
    if code in TOO_MANY or (code < 500 and THROTTLING.search(about)):
        return MailAnswer(0, text, said_by, kind=Kind.DEFERRED, reason=RATE_LIMITED, wait=wait)
    if code in OUTCOME_UNKNOWN:
        return MailAnswer(0, text, said_by, is_outcome_unknown=True)
    if code >= 500:
        return MailAnswer(
            0, text, said_by, kind=Kind.DEFERRED, reason="server_error", wait=wait, cause=AwayCause.UNWILLING
        )  # fmt: skip
    if code in REFUSING_US or OURS.search(about):
        return refusing_us(text, said_by, code)
    reason = _reason(about) if THEIRS.search(about) else UNKNOWN
    return MailAnswer(0, text, said_by, kind=Kind.SOFT_BOUNCE, reason=reason)


def _refused(words: str, message: Any, recipient: str, said_by: str) -> MailAnswer:
    """It says that it did not take it, and its HTTP code says nothing."""
    about = words.replace(recipient, "@")
    if OURS.search(about) and not THEIRS.search(about):
        return refusing_us(words, said_by)
    is_invalid = "invalid" in (message.anymail_status.status or ())
    # "rejected": it stands on the provider's own list, for something earlier.
    reason = _reason(about) if is_invalid else "suppressed"
    return MailAnswer(0, words, said_by, kind=Kind.SOFT_BOUNCE, reason=reason)


def _reason(words: str) -> str:
    """What the words tell. Of a recipient that the provider does not like, no more is known than that."""
    found = classify(words)
    return "recipient_refuses" if found.reason == UNKNOWN or found.is_hard else found.reason


def _not_heard(error: AnymailError, said_by: str) -> MailAnswer:
    names = {type(each).__name__ for each in _causes(error)}
    is_wrong = names & {"NoCredentialsError", "PartialCredentialsError", "NoRegionError"}
    if is_wrong:
        return MailAnswer(0, _cut(error), said_by, is_untried=True, refuses_us=True, cause=AwayCause.LOGIN)
    if names & NEVER_LEFT and not any(isinstance(each, requests.ReadTimeout) for each in _causes(error)):
        cause = unheard(names, str(error))
        return MailAnswer(0, _cut(error), said_by, kind=Kind.DEFERRED, reason="network", cause=cause)
    return MailAnswer(0, _cut(error), said_by, is_outcome_unknown=True)


def unheard(names: Collection[str], text: str) -> AwayCause:
    """Why no connection came about: by the names of the errors' classes, and their words."""
    if "NameResolutionError" in names or "gaierror" in names:
        return AwayCause.UNRESOLVED
    if "SSLError" in names:
        return AwayCause.UNTRUSTED if "CERTIFICATE_VERIFY_FAILED" in text else AwayCause.NO_TLS
    return AwayCause.UNREACHABLE


def _causes(error: BaseException) -> Iterator[BaseException]:
    """It, what it came from, and what urllib3 wraps in it."""
    seen: list[BaseException] = []
    open_ = [error]
    while open_:
        each = open_.pop()
        if any(each is other for other in seen):
            continue
        seen.append(each)
        more = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        open_ += [other for other in more if isinstance(other, BaseException)]
        yield each


def _code(response: Any) -> int:
    """Of requests' response, or of boto3's dictionary."""
    if isinstance(response, dict):
        return int((response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0)
    return int(response.status_code)


def _words(response: Any) -> str:
    if isinstance(response, dict):
        error = response.get("Error") or {}
        return _cut(f"{error.get('Code', '')}: {error.get('Message', '')}".strip(": "))
    try:
        return _cut(json.dumps(response.json(), ensure_ascii=False))
    except ValueError:
        return _cut(response.text)


def _wait(response: Any) -> float:
    """What Retry-After says (RFC 9110 10.2.3), seconds; 0 where it says nothing."""
    headers = {} if isinstance(response, dict) else response.headers
    value = str(headers.get("Retry-After") or "").strip()
    if value.isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return 0
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _cut(text: object) -> str:
    return " ".join(str(text).split())[:LONGEST]
