"""A gateway described by configuration: the documented example works, and a fault in a file is said at the start."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from engage.local.bootstrap import BASE_DIR
from messaging.providers.base import ForgedError, Provider, Raw, UnreadableError
from messaging.providers.generic import gateways
from messaging.providers.registry import providers
from messaging.status.order import Kind
from messaging.tracking.tokens import token_of
from tests.messaging.providers.asking import FORM, JSON, basic, get, post

RECEIVED_AT = datetime(2026, 11, 3, 12, tzinfo=UTC)
PAGE = (BASE_DIR / "docs/providers/generic.md").read_text()
EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
EXAMPLE_REPORT = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0]
SMALL = """
[authentication]
in = "basic"
[fields]
status = "status"
message_id = "id"
code = "code"
time = "time"
[statuses]
ok = ["delivered"]
FAILED = ["failed", "unknown"]
"""


def gateway(folder: Path, text: str, slug: str = "my_gateway") -> Provider:
    (folder / f"{slug}.toml").write_text(text)
    return gateways(folder, taken=["twilio"])[slug]


def raw(body: str, *, query: str = "", content_type: str = JSON) -> Raw:
    return Raw(body.encode(), content_type, f"/webhooks/my_gateway/{query}", RECEIVED_AT)


def test_the_documented_example_reads_the_documented_report(tmp_path: Path) -> None:
    found = gateway(tmp_path, EXAMPLE)

    (event,) = found.parse(raw(EXAMPLE_REPORT.replace("4711-…", token_of(4711)))).events

    assert (found.label, found.methods, found.answer) == ("My gateway", ("POST",), 200)
    assert (event.kind, event.reason, event.provider_code) == (Kind.HARD_BOUNCE, "user_unknown", "900")
    assert (event.provider, event.message_id, event.provider_message_id) == ("my_gateway", 4711, "g-1")
    assert (event.idempotency_key, event.diagnostic, event.said_by) == ("e-1", "no such number", "+46701234567")
    assert event.occurred_at == datetime(2026, 11, 3, 11, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "code", "kinds"),
    [
        ("ENROUTE", "", [Kind.DEFERRED]),
        ("DELIVERED", "900", [Kind.DELIVERED]),
        ("FAILED", "27", [Kind.SOFT_BOUNCE]),
        ("FAILED", "027", [Kind.SOFT_BOUNCE]),
        ("FAILED", "4242", [Kind.FAILED]),
        ("FAILED", "", [Kind.FAILED]),
        ("FAILED", "901", [Kind.FAILED, Kind.UNSUBSCRIBED]),
        ("NO_REPORT", "1", [Kind.UNTRACEABLE]),
    ],
)
def test_a_state_with_a_code_says_more_than_the_state(tmp_path: Path, state: str, code: str, kinds: list[Kind]) -> None:
    report = {"results": [{"id": "g-1", "dlr": {"state": state, "err": code}}]}

    assert [event.kind for event in gateway(tmp_path, EXAMPLE).parse(raw(json.dumps(report))).events] == kinds


def test_the_good_reports_of_a_batch_are_read_and_the_bad_ones_said(tmp_path: Path) -> None:
    good, new = ({"id": "g", "dlr": {"state": state}} for state in ("delivered", "MOON"))
    nobodys = {"dlr": {"state": "FAILED"}}

    reading = gateway(tmp_path, EXAMPLE).parse(raw(json.dumps({"results": [good, new, nobodys, 7]})))

    assert [event.kind for event in reading.events] == [Kind.DELIVERED]
    assert [problem[:9] for problem in reading.problems] == ["Report 2:", "Report 3:", "Report 4:"]


@pytest.mark.parametrize(
    "found",
    [
        raw(urlencode({"id": "1", "status": "ok"}), content_type=FORM),
        raw("", query="?id=1&status=OK"),
        raw('{"id": 1, "status": "ok"}'),
    ],
)
def test_json_a_form_and_a_query_read_the_same(tmp_path: Path, found: Raw) -> None:
    (event,) = gateway(tmp_path, SMALL).parse(found).events

    assert (event.kind, event.provider_message_id, event.occurred_at) == (Kind.DELIVERED, "1", RECEIVED_AT)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-03T10:00:00+01:00", datetime(2026, 11, 3, 9, tzinfo=UTC)),
        (str(int(datetime(2026, 11, 3, 9, tzinfo=UTC).timestamp())), datetime(2026, 11, 3, 9, tzinfo=UTC)),
        (f"{int(datetime(2026, 11, 3, 9, tzinfo=UTC).timestamp())}000", datetime(2026, 11, 3, 9, tzinfo=UTC)),
        ("2026-11-03 10:00:00", RECEIVED_AT),
        ("yesterday", RECEIVED_AT),
        ("²", RECEIVED_AT),
        ("9" * 40, RECEIVED_AT),
    ],
)
def test_a_time_without_a_zone_is_not_used(tmp_path: Path, said: str, meant: datetime) -> None:
    (event,) = gateway(tmp_path, SMALL).parse(raw(json.dumps({"id": "1", "status": "ok", "time": said}))).events

    assert event.occurred_at == meant


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "null", "[" * 100_000, '{"status": "ok"}', '{"id": "1", "status": "?"}']
)
@pytest.mark.parametrize("text", [EXAMPLE, SMALL])
def test_nonsense_is_unreadable(tmp_path: Path, text: str, body: str) -> None:
    with pytest.raises(UnreadableError):
        gateway(tmp_path, text).parse(raw(body))


def placed(where: str, name: str = "") -> str:
    return SMALL.replace('in = "basic"', f'in = "{where}"\nname = "{name}"' if name else f'in = "{where}"')


def asked(provider: Provider, request: HttpRequest) -> bool:
    try:
        provider.verify(request)
    except ForgedError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "request_", "is_good"),
    [
        (placed("header", "X-Key"), post("my_gateway", b"", {"X-Key": "user:s3cret"}), True),
        (placed("header", "X-Key"), post("my_gateway", b"", {"X-Key": "n3w:s3cret"}), True),
        (placed("header", "X-Key"), post("my_gateway", b"", {"X-Key": "other"}), False),
        (placed("header", "X-Key"), post("my_gateway", b"", {}), False),
        (placed("address", "key"), get("my_gateway", "key=user:s3cret&id=1", {}), True),
        (placed("address", "key"), get("my_gateway", "key=other&id=1", {}), False),
        (placed("address", "key"), get("my_gateway", "id=1", {}), False),
        (placed("basic"), post("my_gateway", b"", basic("user:s3cret")), True),
        (placed("basic"), post("my_gateway", b"", basic("user:other")), False),
        (placed("basic"), post("my_gateway", b"", {}), False),
    ],
)
def test_the_secret_stands_where_the_file_says(
    tmp_path: Path, settings: Settings, text: str, request_: HttpRequest, is_good: bool
) -> None:
    settings.WEBHOOK_KEYS = {"my_gateway": ["user:s3cret", "n3w:s3cret"]}
    found = gateway(tmp_path, text)
    assert found.is_set_up()
    assert asked(found, request_) == is_good

    settings.WEBHOOK_KEYS = {}
    assert not found.is_set_up()
    assert not asked(found, request_)


def test_a_secret_in_the_address_is_not_kept(tmp_path: Path) -> None:
    assert gateway(tmp_path, placed("address", "key")).secrets == ("key",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("label = ", "Invalid value"),
        (SMALL.replace("[statuses]", "[states]"), "states means nothing here"),
        (SMALL.replace('in = "basic"', 'in = "cookie"'), "one of: basic, header, address"),
        (SMALL.replace('in = "basic"', 'in = "header"'), "needs name = the header"),
        (SMALL.replace('in = "basic"', ""), "[authentication] is missing or empty"),
        (SMALL.replace('status = "status"', ""), "must name the field of the status"),
        (SMALL.replace('message_id = "id"', ""), "message_id or of reference"),
        (SMALL.replace('code = "code"', 'codes = "code"'), "fields.codes means nothing here"),
        (SMALL.replace('code = "code"', "code = 7"), "code must be a text in quotes, not 7"),
        (SMALL.replace('"delivered"', '"arrived"'), "'arrived' is no kind. Kinds are: accepted"),
        (SMALL.replace('"delivered"', '"complained"'), "'complained' is no kind"),
        (SMALL.replace('"unknown"', '"bad luck"'), "'bad luck' is no reason"),
        (SMALL.replace('"failed", "unknown"', '"hard_bounce", "spam_suspected"'), "a hard bounce needs one of"),
        (SMALL.replace('"failed", "unknown"', '"hard_bounce"'), "a hard bounce needs one of"),
        (SMALL.replace('"unknown"', '"unknown", "married"'), "must be one of: unsubscribed"),
        (SMALL.replace('["delivered"]', '"delivered"'), 'ok must be ["kind", "reason"]'),
        ('methods = "POST"\n' + SMALL, "methods must be"),
        ('methods = ["PUT"]\n' + SMALL, "methods must be"),
        ("answer = 404\n" + SMALL, "answer must be a number from 200 to 299"),
        ('time_zone = "Mars"\n' + SMALL, "There is no time zone 'Mars'"),
        ('codes_like = "twilio"\n' + SMALL, "codes_like must be one of: map"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ImproperlyConfigured) as told:
        gateway(tmp_path, text)

    assert says in str(told.value)
    assert str(tmp_path / "my_gateway.toml") in str(told.value)


@pytest.mark.parametrize(("slug", "says"), [("My-Gateway", "Name the file"), ("twilio", "Rename the file")])
def test_the_name_of_a_file_must_be_free_and_plain(tmp_path: Path, slug: str, says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=says):
        gateway(tmp_path, SMALL, slug)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="there is no folder"):
        gateways(tmp_path / "missing", taken=[])


def test_a_gateway_stands_beside_the_built_in_providers(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "my_gateway.toml").write_text(SMALL)
    settings.GATEWAYS_DIR = str(tmp_path)
    providers.cache_clear()
    try:
        assert {"twilio", "my_gateway"} <= set(providers())
    finally:
        providers.cache_clear()


def test_a_file_with_a_fault_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "my_gateway.toml").write_text(SMALL.replace('"delivered"', '"arrived"'))
    command = [sys.executable, "manage.py", "check"]
    environment = os.environ | {"GATEWAYS_DIR": str(tmp_path)}

    done = subprocess.run(command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert f"{tmp_path}/my_gateway.toml: ok: 'arrived' is no kind." in done.stderr
