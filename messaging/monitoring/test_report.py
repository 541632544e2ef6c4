"""A test report that we send to ourselves, by way of the address that the outside world uses.

It goes to PUBLIC_URL and nowhere else, follows no redirect, and carries a token of ours: so the webhook knows it, says
whether it would have taken it, and neither keeps nor counts it. What comes back is signed: nobody else can give it.
"""

import logging
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum
from http import HTTPStatus
from secrets import token_urlsafe
from typing import IO, Final
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from django.conf import settings
from django.core.signing import BadSignature, Signer, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from messaging.providers.base import ForgedError, Probe, Provider, UncheckedError

log = logging.getLogger(__name__)

HEADER: Final = "X-Engage-Probe"
ASKS: Final = TimestampSigner(salt="messaging.monitoring.test_report.asks")
ANSWERS: Final = Signer(salt="messaging.monitoring.test_report.answers")
VALID_SECONDS: Final = 60
TIMEOUT_SECONDS: Final = 8
LONGEST_ANSWER: Final = 500
TAKEN: Final = "taken"
REFUSED: Final = "refused"


class ProbeOutcome(StrEnum):
    PROVED = "proved"  # our webhook answered, and took the signature that we made
    REACHED = "reached"  # our webhook answered, and refused a report without a signature, as it must
    REFUSED = "refused"  # our webhook answered, and refused the signature that we made
    ELSEWHERE = "elsewhere"  # something else answered
    UNREACHABLE = "unreachable"  # nothing answered


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What became of a test report; `detail` is the status code or the error, for a person."""

    outcome: ProbeOutcome
    detail: str = ""


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917 -- urllib's
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """A webhook that redirects does not work for providers either."""


def url_of(provider: Provider) -> str:
    """The address to paste at the provider."""
    return f"{settings.PUBLIC_URL}{reverse('messaging:webhook', args=[provider.slug])}"


def send(provider: Provider) -> ProbeResult:
    """Send one, signed where we can sign as the provider does. Takes eight seconds at most."""
    try:
        probe = provider.sign(url_of(provider)) if provider.sign else Probe(url_of(provider))
    except ValueError as error:  # a key that is none, by which the provider's own reports are refused as well
        return ProbeResult(ProbeOutcome.REFUSED, str(error))
    nonce = token_urlsafe(16)
    headers = {**probe.headers, HEADER: ASKS.sign(nonce), "User-Agent": "Engage"}
    method = provider.methods[0]
    request = Request(probe.url, b"" if method == "POST" else None, headers, method=method)  # noqa: S310 -- PUBLIC_URL is http
    try:
        with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as response:
            return _result(response.read(LONGEST_ANSWER), nonce, response.status, is_signed=bool(provider.sign))
    except HTTPError as error:
        return ProbeResult(ProbeOutcome.ELSEWHERE, _status_words(error.code))
    except (OSError, ValueError) as error:
        log.warning("The test report of %s did not get through: %s", provider.slug, error)
        return ProbeResult(ProbeOutcome.UNREACHABLE, str(getattr(error, "reason", error)))


def is_ours(request: HttpRequest) -> bool:
    """Whether the request is a test report that we have just sent."""
    asked = request.headers.get(HEADER)
    if asked is None:
        return False
    try:
        ASKS.unsign(asked, max_age=VALID_SECONDS)
    except BadSignature:
        return False
    return True


def answer(provider: Provider, request: HttpRequest) -> HttpResponse:
    """Whether the report would have been taken, for nobody but ourselves."""
    try:
        provider.verify(request)
        said = TAKEN
    except (ForgedError, UncheckedError):
        said = REFUSED
    nonce = ASKS.unsign(request.headers[HEADER])
    return HttpResponse(ANSWERS.sign(f"{nonce} {said}"), content_type="text/plain; charset=utf-8")


def _result(body: bytes, nonce: str, status: int, *, is_signed: bool) -> ProbeResult:
    try:
        of, _, said = ANSWERS.unsign(body.decode("utf-8", "replace")).partition(" ")
    except BadSignature:
        return ProbeResult(ProbeOutcome.ELSEWHERE, _status_words(status))
    if of != nonce:
        return ProbeResult(ProbeOutcome.ELSEWHERE, _status_words(status))
    if said == TAKEN:
        return ProbeResult(ProbeOutcome.PROVED)
    return ProbeResult(ProbeOutcome.REFUSED if is_signed else ProbeOutcome.REACHED)


def _status_words(code: int) -> str:
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"HTTP {code} {known.get(code, '')}".strip()
