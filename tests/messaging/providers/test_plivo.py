"""Plivo: HMAC-SHA256 over the address without its query (V2), or over the fields as well (V3)."""

import hmac
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from messaging.providers.plivo.webhook import signed_by_v3
from messaging.providers.registry import providers
from tests.messaging.providers.asking import FORM, KEY, NEW_KEY, OTHER_KEY, OUR_ADDRESS, get, post, takes

FIELDS = {"Status": "delivered", "MessageUUID": "8b5b2f36", "To": "46701234567"}
BODY = urlencode(FIELDS).encode()
QUERY = "?message=4711-abc"
NONCE = "05429567804466091622"
ADDRESS = OUR_ADDRESS + "/webhooks/plivo/"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"plivo": [KEY, NEW_KEY]}
    settings.PUBLIC_URL = OUR_ADDRESS
    settings.WEBHOOK_OLD_SIGNATURES = {"plivo"}


def made(said: str, key: str = KEY) -> str:
    return b64encode(hmac.digest(key.encode(), said.encode(), "sha256")).decode()


def by_v2(key: str = KEY, *, header: str = "X-Plivo-Signature-V2", nonce: str = NONCE) -> dict[str, str]:
    return {header: made(ADDRESS + NONCE, key), "X-Plivo-Signature-V2-Nonce": nonce}


def by_v3(key: str = KEY) -> dict[str, str]:
    said = f"{ADDRESS}?message=4711-abc.MessageUUID8b5b2f36StatusdeliveredTo46701234567.{NONCE}"
    return {"X-Plivo-Signature-V3": f"bogus, {made(said, key)}", "X-Plivo-Signature-V3-Nonce": NONCE}


def posted(headers: dict[str, str], body: bytes = BODY) -> HttpRequest:
    return post("plivo", body, headers, query=QUERY, content_type=FORM)


@pytest.mark.parametrize(
    ("request_", "is_good"),
    [
        (posted(by_v2()), True),
        (posted(by_v2(NEW_KEY)), True),
        (posted(by_v2(header="X-Plivo-Signature-Ma-V2")), True),
        (posted(by_v2(OTHER_KEY)), False),
        (posted(by_v2(nonce="1")), False),
        (posted({"X-Plivo-Signature-V2-Nonce": NONCE}), False),
        (posted({}), False),
        (posted(by_v3()), True),
        (posted(by_v3(NEW_KEY)), True),
        (posted(by_v3(OTHER_KEY)), False),
        (posted(by_v3(), body=BODY.replace(b"delivered", b"failed")), False),
        (posted(by_v2() | by_v3(), body=BODY.replace(b"delivered", b"failed")), False),
    ],
)
def test_only_what_one_of_our_tokens_signed_is_taken(request_: HttpRequest, is_good: bool) -> None:
    assert takes("plivo", request_) == is_good


def test_v2_which_covers_nothing_of_what_is_said_is_refused_unless_the_operator_wants_it(settings: Settings) -> None:
    settings.WEBHOOK_OLD_SIGNATURES = set()

    assert not takes("plivo", posted(by_v2()))
    assert not takes("plivo", posted(by_v2(header="X-Plivo-Signature-Ma-V2")))
    assert takes("plivo", posted(by_v3()))
    assert takes("plivo", posted(by_v2() | by_v3()))


def test_a_callback_by_get_is_signed_with_its_sorted_query() -> None:
    said = f"{ADDRESS}?MessageUUID=8b5b2f36&Status=delivered&To=46701234567&message=4711-abc.{NONCE}"
    headers = {"X-Plivo-Signature-V3": made(said), "X-Plivo-Signature-V3-Nonce": NONCE}
    query = urlencode(FIELDS | {"message": "4711-abc"})

    assert takes("plivo", get("plivo", query, headers))
    assert not takes("plivo", get("plivo", query.replace("delivered", "failed"), headers))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("", "https://e/w/?a=1&b=2"),
        ("y=2&x=1&x=0", "https://e/w/?a=1&b=2.x0x1y2"),
    ],
)
def test_what_is_signed_is_put_together_as_plivo_does(form: str, said: str) -> None:
    assert signed_by_v3("https://e/w/?b=2&a=1", form, is_post=True) == said


def test_without_a_query_the_question_mark_stays() -> None:
    """As Plivo's own SDK has it."""
    assert signed_by_v3("https://e/w/", "x=1", is_post=True) == "https://e/w/?x1"


def test_without_a_key_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not providers()["plivo"].is_set_up()
    assert not takes("plivo", posted(by_v2("")))
