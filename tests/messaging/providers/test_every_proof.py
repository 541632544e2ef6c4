"""What every provider with a webhook refuses; one that is added must say here how a request of its is made.

Each genuine request is made by hand from the provider's documentation. What a provider's scheme cannot prove stands in
a table with the reason; nothing else is excused.
"""

import hmac
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import md5, sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers import sns
from messaging.providers.base import UncheckedError
from messaging.providers.registry import check_keys, providers
from tests.messaging.providers import topics
from tests.messaging.providers.asking import FORM, JSON, OUR_ADDRESS, ago, basic, post, takes

SECRET = "a-secret"
PASSWORD = "user:password"
BODY = json.dumps({"said": "etwas", "status": "delivered"}).encode()
FIELDS = b"MessageSid=SM1&MessageStatus=delivered"
STANDARD = "whsec_" + b64encode(b"k" * 24).decode()
CURVE = ec.derive_private_key(7, ec.SECP256R1())
EDWARDS = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
AWS, SCALEWAY = "arn:aws:sns:eu-north-1:123456789012:engage", "arn:scw:sns:fr-par:project-1:engage"
AWS_CERTIFICATE = "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-01.pem"
SCALEWAY_CERTIFICATE = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns-signing.pem"
SCALEWAY_AUTHORITY = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns-trust-chain.pem"


@dataclass(frozen=True)
class Asked:
    """A request before it is posted; `needed`: the headers without which nothing is proved."""

    body: bytes
    headers: Mapping[str, str]
    content_type: str = JSON
    query: str = ""
    older: frozenset[str] = field(default_factory=frozenset)

    def to(self, slug: str) -> HttpRequest:
        return post(slug, self.body, self.headers, query=self.query, content_type=self.content_type)


Made = Callable[[str, int], Asked]


def b64(made: bytes) -> str:
    return b64encode(made).decode()


def address(slug: str, query: str = "") -> str:
    return f"{OUR_ADDRESS}/webhooks/{slug}/{query}"


def by_password(_key: str, _at: int) -> Asked:
    return Asked(BODY, basic(PASSWORD))


def sendgrid(_key: str, at: int) -> Asked:
    made = CURVE.sign(f"{at}".encode() + BODY, ec.ECDSA(hashes.SHA256()))
    name = "X-Twilio-Email-Event-Webhook"
    return Asked(BODY, {f"{name}-Signature": b64(made), f"{name}-Timestamp": str(at)})


def mailgun(key: str, at: int) -> Asked:
    made = hmac.digest(key.encode(), f"{at}token".encode(), "sha256").hex()
    said = {"signature": {"timestamp": str(at), "token": "token", "signature": made}, "event-data": {"event": "opened"}}
    return Asked(json.dumps(said).encode(), {})


def mandrill(key: str, _at: int) -> Asked:
    fields = {"mandrill_events": "[]"}
    made = hmac.digest(key.encode(), (address("mandrill") + "mandrill_events[]").encode(), "sha1")
    return Asked(urlencode(fields).encode(), {"X-Mandrill-Signature": b64(made)}, FORM)


def hexadecimal(header: str) -> Made:
    return lambda key, _at: Asked(BODY, {header: hmac.digest(key.encode(), BODY, "sha256").hex()})


def postal(_key: str, _at: int) -> Asked:
    signed = topics.key_of("postal").sign
    headers = {
        "X-Postal-Signature-256": b64(signed(BODY, padding.PKCS1v15(), hashes.SHA256())),
        "X-Postal-Signature": b64(signed(BODY, padding.PKCS1v15(), hashes.SHA1())),
    }
    return Asked(BODY, headers, older=frozenset({"X-Postal-Signature"}))


def standard(prefix: str) -> Made:
    def made(_key: str, at: int) -> Asked:
        signature = b64(hmac.digest(b"k" * 24, f"msg_1.{at}.".encode() + BODY, "sha256"))
        return Asked(
            BODY, {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(at), f"{prefix}-signature": f"v1,{signature}"}
        )

    return made


def unisender_go(key: str, _at: int) -> Asked:
    text = '{"auth":"%s","events_by_user":[]}'
    return Asked((text % md5((text % key).encode()).hexdigest()).encode(), {})


def topic(arn: str, certificate: str) -> Made:
    def made(_key: str, at: int) -> Asked:
        said = topics.notice(arn, certificate, Timestamp=topics.at(seconds=at - ago(seconds=0)))
        return Asked(json.dumps(topics.signed(said, "sns")).encode(), {}, "text/plain")

    return made


def twilio(key: str, _at: int) -> Asked:
    said = address("twilio", "?message=1") + "".join(
        f"{name}{value}" for name, value in sorted(parse_qsl(FIELDS.decode()))
    )
    return Asked(
        FIELDS, {"X-Twilio-Signature": b64(hmac.digest(key.encode(), said.encode(), "sha1"))}, FORM, "?message=1"
    )


def plivo(key: str, _at: int) -> Asked:
    said = f"{address('plivo')}?MessageSidSM1MessageStatusdelivered.nonce"
    headers = {
        "X-Plivo-Signature-V3": b64(hmac.digest(key.encode(), said.encode(), "sha256")),
        "X-Plivo-Signature-V3-Nonce": "nonce",
        "X-Plivo-Signature-V2": b64(hmac.digest(key.encode(), f"{address('plivo')}nonce".encode(), "sha256")),
        "X-Plivo-Signature-V2-Nonce": "nonce",
    }
    return Asked(FIELDS, headers, FORM, older=frozenset({"X-Plivo-Signature-V2", "X-Plivo-Signature-V2-Nonce"}))


def sinch(key: str, at: int) -> Asked:
    name = "x-sinch-webhook-signature"
    made = hmac.digest(key.encode(), BODY + f".nonce.{at}".encode(), "sha256")
    return Asked(BODY, {name: b64(made), f"{name}-nonce": "nonce", f"{name}-timestamp": str(at)})


def telnyx(_key: str, at: int) -> Asked:
    made = EDWARDS.sign(f"{at}|".encode() + BODY)
    return Asked(BODY, {"telnyx-signature-ed25519": b64(made), "telnyx-timestamp": str(at)})


def jwt(key: str, **claims: Any) -> str:
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "HS256"}, claims)]
    made = hmac.digest(key.encode(), ".".join(parts).encode(), "sha256")
    return ".".join([*parts, urlsafe_b64encode(made).decode().rstrip("=")])


def vonage(key: str, at: int) -> Asked:
    return Asked(BODY, {"Authorization": f"Bearer {jwt(key, iat=at, payload_hash=sha256(BODY).hexdigest())}"})


def messagebird(key: str, at: int) -> Asked:
    token = jwt(
        key, iss="MessageBird", nbf=at - 5, exp=at + 60, url_hash=sha256(address("messagebird").encode()).hexdigest(),
        payload_hash=sha256(BODY).hexdigest(),
    )  # fmt: skip
    return Asked(BODY, {"MessageBird-Signature-JWT": token})


# How each makes a request, and the key that is set for it.
GENUINE: dict[str, tuple[Made, str]] = {
    "amazon_ses": (topic(AWS, AWS_CERTIFICATE), AWS),
    "amazon_sms": (topic(AWS, AWS_CERTIFICATE), AWS),
    "bird": (standard("webhook"), STANDARD),
    "brevo": (by_password, PASSWORD),
    "elks": (by_password, PASSWORD),
    "infobip": (by_password, PASSWORD),
    "link_mobility": (by_password, PASSWORD),
    "mailersend": (hexadecimal("Signature"), SECRET),
    "mailgun": (mailgun, SECRET),
    "mailjet": (by_password, PASSWORD),
    "mailtrap": (hexadecimal("Mailtrap-Signature"), SECRET),
    "mandrill": (mandrill, SECRET),
    "messagebird": (messagebird, SECRET),
    "plivo": (plivo, SECRET),
    "postal": (
        postal,
        b64(
            topics.key_of("postal")
            .public_key()
            .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        ),
    ),
    "postmark": (by_password, PASSWORD),
    "resend": (standard("svix"), STANDARD),
    "scaleway": (topic(SCALEWAY, SCALEWAY_CERTIFICATE), SCALEWAY),
    "sendgrid": (
        sendgrid,
        b64(
            CURVE.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        ),
    ),
    "sinch": (sinch, SECRET),
    "sparkpost": (by_password, PASSWORD),
    "telnyx": (telnyx, b64(EDWARDS.public_key().public_bytes_raw())),
    "twilio": (twilio, SECRET),
    "unisender_go": (unisender_go, SECRET),
    "vonage": (vonage, SECRET),
}
NO_SIGNATURE = "signs nothing: user and password travel with each request, so TLS alone keeps the body as it was"
# Whose proof does not cover the body.
BODY_IS_NOT_SIGNED = {
    **dict.fromkeys(("brevo", "elks", "infobip", "link_mobility", "mailjet", "postmark", "sparkpost"), NO_SIGNATURE),
    "mailgun": "signs a time and a token in the body, and not the event beside them (Securing webhooks)",
}
# Whose proof has no time in it, so that nothing is too old. A report that comes twice changes nothing.
TIME_IS_NOT_SIGNED = {
    **dict.fromkeys(("brevo", "elks", "infobip", "link_mobility", "mailjet", "postmark", "sparkpost"), NO_SIGNATURE),
    "mailersend": "signs the body alone",
    "mailtrap": "signs the body alone",
    "mandrill": "signs the address and the fields, and no time",
    "plivo": "signs the address, the fields and a nonce, and no time",
    "postal": "signs the body alone; the time in it is that of queueing, and a queue may have stood",
    "twilio": "signs the address and the fields, and no time",
    "unisender_go": "hashes the body with the key, and no time",
}
# Keys that are none, and that somebody may have set by mistake.
NO_KEYS = {
    **{slug: ["whsec_", "whsec_====", "whsec_!!!!", "whsec_ "] for slug in ("bird", "resend")},
    **{
        slug: [":", "user:", ":password", "user"]
        for slug in ("brevo", "elks", "infobip", "mailjet", "postmark", "sparkpost")
    },
    "link_mobility": [":", "user:", ":password"],
    **{slug: ["arn:", "arn:aws:sns:", "engage"] for slug in ("amazon_ses", "amazon_sms", "scaleway")},
    **{slug: ["====", "AAAA", "no key"] for slug in ("postal", "sendgrid", "telnyx")},
}
WEBHOOKS = sorted(slug for slug, provider in providers().items() if provider.methods)
LONG_AGO = ago(days=7)


@pytest.fixture(autouse=True)
def world(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.WEBHOOK_KEYS = {slug: [key] for slug, (_made, key) in GENUINE.items()}
    settings.WEBHOOK_OLD_SIGNATURES = frozenset()
    settings.PUBLIC_URL = OUR_ADDRESS
    files = {
        AWS_CERTIFICATE: topics.certificate("sns"),
        SCALEWAY_CERTIFICATE: topics.certificate("sns", by="authority"),
        SCALEWAY_AUTHORITY: topics.certificate("authority"),
    }
    monkeypatch.setattr(sns, "fetch", topics.Internet(files).fetch)
    sns.certificate_at.cache_clear()
    yield
    sns.certificate_at.cache_clear()


def genuine(slug: str, at: int | None = None, key: str | None = None) -> Asked:
    made, own_key = GENUINE[slug]
    return made(own_key if key is None else key, ago(seconds=1) if at is None else at)


def test_every_provider_is_tried_here() -> None:
    assert sorted(GENUINE) == WEBHOOKS


@pytest.mark.parametrize("slug", sorted(set(providers()) - set(WEBHOOKS)))
def test_what_has_no_webhook_takes_nothing(slug: str) -> None:
    assert not takes(slug, post(slug, BODY, basic(PASSWORD)))


@pytest.mark.parametrize("slug", WEBHOOKS)
def test_what_is_genuine_is_taken(slug: str) -> None:
    assert takes(slug, genuine(slug).to(slug))


@pytest.mark.parametrize("slug", WEBHOOKS)
def test_a_body_of_which_one_byte_was_changed_is_refused(slug: str) -> None:
    asked = genuine(slug)
    # Every byte that is part of what is said; whitespace and the signature itself are others' business.
    places = [place for place, byte in enumerate(asked.body) if bytes([byte]).isalnum()]
    taken = [place for place in places if _passes(slug, replace(asked, body=_changed(asked.body, place)))]

    if slug in BODY_IS_NOT_SIGNED:
        assert taken, f"{slug}: this is refused by now, so it need not be excused"
    else:
        assert taken == [] or _is_outside(asked, taken)


def _changed(body: bytes, place: int) -> bytes:
    return body[:place] + (b"1" if body[place : place + 1] != b"1" else b"2") + body[place + 1 :]


def _passes(slug: str, asked: Asked) -> bool:
    """Not where the certificate that it names is not to be had: it is neither taken nor kept."""
    try:
        return takes(slug, asked.to(slug))
    except UncheckedError:
        return False


def _is_outside(asked: Asked, taken: list[int]) -> bool:
    """Of SNS's envelope only the fields that it names are signed, and nothing else is read."""
    outside = re.search(rb'"UnsubscribeURL": "[^"]*"', asked.body)
    return outside is not None and all(place in range(*outside.span()) for place in taken)


@pytest.mark.parametrize("slug", WEBHOOKS)
def test_a_request_that_lacks_a_header_of_its_proof_is_refused(slug: str) -> None:
    asked = genuine(slug)
    for name in asked.headers.keys() - asked.older:
        headers = {other: value for other, value in asked.headers.items() if other != name}
        assert not takes(slug, replace(asked, headers=headers).to(slug)), name
    assert not asked.headers or not takes(slug, replace(asked, headers={}).to(slug))


@pytest.mark.parametrize("slug", WEBHOOKS)
def test_a_replay_is_refused(slug: str) -> None:
    is_taken = takes(slug, genuine(slug, at=LONG_AGO).to(slug))

    assert is_taken == (slug in TIME_IS_NOT_SIGNED)


@pytest.mark.parametrize("slug", WEBHOOKS)
def test_an_empty_key_proves_nothing(slug: str, settings: Settings) -> None:
    for empty in ([], [""], [" "]):
        settings.WEBHOOK_KEYS = {slug: empty}
        assert not takes(slug, genuine(slug, key="").to(slug))
        assert not takes(slug, genuine(slug).to(slug))
        assert not providers()[slug].is_set_up()


@pytest.mark.parametrize(("slug", "key"), [(slug, key) for slug, keys in NO_KEYS.items() for key in keys])
def test_a_key_that_is_none_stops_the_start_and_proves_nothing(slug: str, key: str, settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {slug: [GENUINE[slug][1], key]}
    with pytest.raises(
        ImproperlyConfigured, match=f"{slug.upper()}_WEBHOOK_KEYS, number 2: .* See docs/providers/{slug}"
    ):
        check_keys()

    settings.WEBHOOK_KEYS = {slug: [key]}
    assert not takes(slug, genuine(slug).to(slug))
    assert not takes(slug, genuine(slug, key=key).to(slug))
    assert not takes(slug, replace(genuine(slug), headers=basic(key)).to(slug))


def test_the_prefix_of_a_bird_secret_is_no_key_of_its_other_api_either(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"bird": ["whsec_"]}
    at = ago(seconds=1)
    said = f"{at}\n{address('bird')}\n".encode() + sha256(BODY).digest()
    made = b64(hmac.digest(b"whsec_", said, "sha256"))

    assert not takes(
        "bird", post("bird", BODY, {"messagebird-signature": made, "messagebird-request-timestamp": str(at)})
    )


def test_good_keys_do_not_stop_the_start() -> None:
    check_keys()


@pytest.mark.parametrize("slug", ["vonage", "sinch", "telnyx", "bird", "amazon_sms"])
def test_who_does_not_sign_the_address_says_nothing_by_it(slug: str) -> None:
    """Or whoever saw one signed report could say it of another message."""
    asked = genuine(slug)
    assert takes(slug, replace(asked, query="?message=4711-abc").to(slug))


def test_a_jwt_of_vonage_without_a_body_proves_nothing_of_the_query() -> None:
    headers = {"Authorization": f"Bearer {jwt(SECRET, iat=ago(seconds=1), payload_hash=sha256(b'').hexdigest())}"}

    assert not takes("vonage", post("vonage", b"", headers, query="?msisdn=46701740605&text=STOP"))
