"""Amazon SNS and what speaks like it: the signed envelope in which reports come, and confirming a subscription.

Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" and "Message and JSON formats". Amazon
signs the topics of all its customers with the same keys: what makes a message ours is its topic, one of those in the
provider's settings.WEBHOOK_KEYS.
"""

import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http.client import HTTPException
from re import Pattern
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from django.http import HttpRequest

from messaging.providers import proof
from messaging.providers.base import ForgedError, UncheckedError, UnreadableError
from messaging.providers.parsing import json_of

# What only checking takes is loaded there: a worker reads.
if TYPE_CHECKING:
    from cryptography import x509

log = logging.getLogger(__name__)

NOTIFICATION: Final = "Notification"
CONFIRMATION: Final = "SubscriptionConfirmation"
_OF_SUBSCRIPTIONS: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
# What is signed, in this order.
SIGNED: Final = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: _OF_SUBSCRIPTIONS,
    "UnsubscribeConfirmation": _OF_SUBSCRIPTIONS,
}
HASHES: Final[dict[str, hashes.HashAlgorithm]] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 -- SNS's default
# SNS tries for at most an hour ("Message delivery retries"), but a throttled topic may begin late.
OLDEST_MESSAGE: Final = timedelta(hours=24)
SECONDS_FOR_A_FETCH: Final = 5
LONGEST_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class House:
    """Who runs the topics: where its certificates lie (the whole address: on a host of many, others may put files),
    which hosts take confirmations, and who must have issued the certificate of a topic (an address of PEM certificates;
    None: whatever its own host holds)."""

    certificate: Pattern[str]
    confirmation_host: Pattern[str]
    authority_of: Callable[[str], str] | None = None


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _get(url: str) -> bytes:
    try:
        with build_opener(_NoRedirects).open(url, timeout=SECONDS_FOR_A_FETCH) as answer:
            return bytes(answer.read(LONGEST_ANSWER))
    except (HTTPException, ValueError) as error:
        raise OSError(f"No answer by HTTP: {error}") from error


# How this file reaches the outside world: a GET of an https address, its body, or OSError. Tests put theirs here.
fetch: Callable[[str], bytes] = _get


def verify(request: HttpRequest, slug: str, house: House) -> None:
    """Raises ForgedError unless the house signed the message, lately, for one of the topics in our settings.

    A subscription to such a topic is confirmed on the spot: it is a rare, single GET with a short time-out. If it
    fails, the message is kept all the same, and its SubscribeURL can be opened by hand.
    """
    message = _message(request.body)
    if message["TopicArn"] not in proof.keys_of(slug):
        raise ForgedError("Of a topic that is not in our settings.")
    proof.check_age(_moment(message["Timestamp"]), OLDEST_MESSAGE)
    _check_signature(message, house)
    if message["Type"] == CONFIRMATION:
        _confirm(message, house)


def _message(body: bytes) -> dict[str, str]:
    """The envelope's fields. Raises ForgedError where those that are signed are not all there, and texts."""
    try:
        envelope = json_of(body)
        needed = {*SIGNED[envelope["Type"]], "Signature", "SignatureVersion", "SigningCertURL"} - {"Subject"}
        message = {name: value for name, value in envelope.items() if isinstance(value, str)}
    except (UnreadableError, LookupError, TypeError, AttributeError) as error:
        raise ForgedError("No SNS message.") from error
    if not needed <= message.keys():
        raise ForgedError("No signed SNS message.")
    return message


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ForgedError("The message's timestamp is no time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _check_signature(message: dict[str, str], house: House) -> None:
    url, topic = message["SigningCertURL"], message["TopicArn"]
    if not house.certificate.fullmatch(url):
        raise ForgedError("The certificate is not where this house keeps it.")
    try:
        certificate = certificate_at(url, house.authority_of(topic) if house.authority_of else None)
    except OSError as error:
        raise UncheckedError(f"The certificate cannot be fetched: {error}") from error
    except (ValueError, TypeError, InvalidSignature) as error:
        raise ForgedError("The certificate is none, or nobody we trust has issued it.") from error
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise ForgedError("The certificate is not valid at this time.")
    try:
        _check_with(certificate, message)
    except (InvalidSignature, LookupError, ValueError, TypeError) as error:
        raise ForgedError("The signature is not that of this message.") from error


def _check_with(certificate: "x509.Certificate", message: dict[str, str]) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("SNS signs with RSA.")
    signature = base64.b64decode(message["Signature"], validate=True)
    if base64.b64encode(signature).decode() != message["Signature"]:
        # RFC 4648 3.5: bits that say nothing must be 0, so that one signature has one spelling.
        raise ValueError("The signature is not in canonical base64.")
    key.verify(signature, signed_text(message), padding.PKCS1v15(), HASHES[message["SignatureVersion"]])


def signed_text(message: dict[str, str]) -> bytes:
    """What the signature of a message is over: names and values, each on a line of its own."""
    names = [name for name in SIGNED[message["Type"]] if name in message]
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()


@lru_cache(maxsize=32)
def certificate_at(url: str, authority: str | None) -> "x509.Certificate":
    """The certificate at `url`, issued by one of those at `authority` if given. Raises OSError, ValueError,
    TypeError, InvalidSignature. Kept, since every message names it."""
    from cryptography import x509  # noqa: PLC0415

    certificate = x509.load_pem_x509_certificate(fetch(url))
    if authority is not None:
        issuers = x509.load_pem_x509_certificates(fetch(authority))
        certificate.verify_directly_issued_by(_issuer(certificate, issuers))
    return certificate


def _issuer(certificate: "x509.Certificate", issuers: "list[x509.Certificate]") -> "x509.Certificate":
    found = [each for each in issuers if each.subject == certificate.issuer]
    if not found:
        raise ValueError("issued by somebody else")
    return found[0]


def _confirm(message: dict[str, str], house: House) -> None:
    url = message["SubscribeURL"]
    if not _is_at(house.confirmation_host, url):
        log.warning(
            "Not confirmed: the subscription to %s, whose address is not one of this house.", message["TopicArn"]
        )
        return
    try:
        fetch(url)
    except OSError as error:
        log.warning("Could not confirm the subscription to %s: %s", message["TopicArn"], error)
        return
    log.info("Confirmed the subscription to %s.", message["TopicArn"])


def _is_at(host: Pattern[str], url: str) -> bool:
    """https, that host, and neither user nor port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and host.fullmatch(parts.netloc) is not None
