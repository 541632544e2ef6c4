"""SMS by the HTTP APIs of gateways, against a real HTTP server on loopback: what arrives there, and what comes of it.

None of them was tried against the gateway itself.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from pytest_django import Settings

from contacts.models import Block, Channel
from messaging import reports
from messaging.models import Message, Part, SendOut
from messaging.providers import providers
from messaging.providers.base import Raw
from messaging.reports import Kept
from messaging.sendouts.handover import by_gateway, chosen, described, work
from messaging.sendouts.handover.gateways import GATEWAYS
from messaging.sendouts.handover.sms_routes import HTTP, Http, sms_route_of
from messaging.tokens import message_id_of, token_of
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.people import make_send_out, run

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Api:
    """What the gateway answers, and what it was asked."""

    port: int = 0
    status: int = 200
    answer: Any = None
    hangs_up: bool = False
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)


@pytest.fixture
def api() -> Iterator[Api]:
    told = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            said = json.loads(body) if "json" in self.headers["Content-Type"] else dict(parse_qsl(body))
            told.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, said))
            told.connections.add(self.client_address[1])
            if told.hangs_up:
                self.close_connection = True
                return
            answer = json.dumps(told.answer).encode()
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


Use = Callable[..., None]


@pytest.fixture
def use(api: Api, settings: Settings) -> Use:
    def use(slug: str, answer: Any, status: int = 200, **fields: Any) -> None:
        api.answer, api.status = answer, status
        base = fields.pop("base", f"http://127.0.0.1:{api.port}")
        settings.PUBLIC_URL = "https://engage.example"
        settings.WEBHOOK_KEYS = {"elks": ["us:pw"], "infobip": ["us:pw"]}
        settings.SMS_ROUTE = Http(slug, "user1", "secret1", base, **fields)

    return use


def sent(text: str = "Hej [[firstName]]", *, names: tuple[str, ...] = ("Anna",)) -> SendOut:
    for number, name in enumerate(names):
        make_contact(first_name=name, mobile=f"+4670123456{number}")
    made = make_send_out(Channel.SMS, sender="Engage")
    assert made.content is not None
    made.content.text = text
    made.content.save()
    run(made)
    while work.hand_over(made.pk):
        pass
    return made


# What each says when it has taken an SMS; the path; the fields that must arrive; and its id.
TAKES: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "twilio": (
        {"sid": "SM1", "status": "queued"},
        "/2010-04-01/Accounts/user1/Messages.json",
        {"To": "+46701234560", "From": "Engage", "Body": "Hej Anna", "ValidityPeriod": "36000"},
        "SM1",
    ),
    "vonage": (
        {"message-count": "1", "messages": [{"to": "46701234560", "message-id": "0C1", "status": "0"}]},
        "/sms/json",
        {"to": "46701234560", "from": "Engage", "text": "Hej Anna", "type": "text", "status-report-req": "true"},
        "0C1",
    ),
    "elks": (
        {"id": "s1", "status": "created", "direction": "outgoing"},
        "/a1/sms",
        {"to": "+46701234560", "from": "Engage", "message": "Hej Anna"},
        "s1",
    ),
    "infobip": (
        {"messages": [{"messageId": "m1", "status": {"groupName": "PENDING", "id": 26}}]},
        "/sms/3/messages",
        {},
        "m1",
    ),
    "sinch": (
        {"id": "b1", "type": "mt_text"},
        "/xms/v1/user1/batches",
        {"to": ["46701234560"], "from": "Engage", "body": "Hej Anna", "delivery_report": "per_recipient"},
        "b1",
    ),
    "telnyx": (
        {"data": {"id": "t1", "to": [{"status": "queued"}]}},
        "/v2/messages",
        {"to": "+46701234560", "from": "Engage", "text": "Hej Anna", "messaging_profile_id": "user1"},
        "t1",
    ),
    "plivo": (
        {"message": "message(s) queued", "message_uuid": ["p1"]},
        "/v1/Account/user1/Message/",
        {"dst": "46701234560", "src": "Engage", "text": "Hej Anna", "method": "POST"},
        "p1",
    ),
}


def test_every_gateway_of_the_setting_is_described_and_tried() -> None:
    assert set(HTTP) == set(GATEWAYS) == set(TAKES)


@pytest.mark.parametrize("slug", TAKES)
def test_what_it_takes_is_unknown_until_it_reports(slug: str, api: Api, use: Use) -> None:
    answer, path, fields, name = TAKES[slug]
    use(slug, answer, 201)
    message = Message.objects.get(send_out=sent())

    assert (message.status, message.provider, message.provider_message_id) == ("unknown", slug, name)
    ((asked_path, headers, said),) = api.asked
    assert asked_path == path
    assert {key: said[key] for key in fields} == fields
    assert "secret1" in b64decode(headers["authorization"].split()[1] + "==").decode("latin-1") or headers[
        "authorization"
    ] in ("Bearer secret1", "App secret1")
    callback = next(value for value in texts(said) if value.startswith("https://") and f"/webhooks/{slug}/" in value)
    assert message_id_of(callback.partition("?message=")[2]) == message.pk
    assert callback.startswith("https://us:pw@engage.example/" if slug in ("elks", "infobip") else "https://engage.ex")


def texts(found: Any) -> Iterator[str]:
    if isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from texts(each)
    elif isinstance(found, str):
        yield found


def test_the_validity_of_48_hours_is_said_where_the_gateway_has_one(api: Api, use: Use) -> None:
    use("infobip", TAKES["infobip"][0])
    sent()
    message = api.asked[-1][2]["messages"][0]
    assert message["destinations"] == [{"to": "46701234560"}]
    assert message["content"] == {"text": "Hej Anna"}
    assert 2875 <= message["options"]["validityPeriod"]["amount"] <= 2880
    assert message["options"]["validityPeriod"]["timeUnit"] == "MINUTES"
    use("vonage", TAKES["vonage"][0])
    sent()
    assert 172_700_000 <= int(api.asked[-1][2]["ttl"]) <= 172_800_000


def test_the_parts_that_vonage_reports_by_themselves_are_counted_and_named(api: Api, use: Use) -> None:
    use("vonage", {"messages": [{"message-id": "a", "status": "0"}, {"message-id": "b", "status": "0"}]})
    message = Message.objects.get(send_out=sent("Z" * 200))

    assert (message.parts, message.provider_message_id) == (2, "a")
    assert Part.objects.get().provider_message_id == "b"


@pytest.mark.parametrize(
    ("slug", "status", "answer", "expected"),
    [
        ("twilio", 400, {"code": 21211, "message": "The 'To' number is not valid"}, ("hard_bounce", "user_unknown")),
        ("twilio", 400, {"code": 4711, "message": "What is this?"}, ("failed", "unknown")),
        ("telnyx", 422, {"errors": [{"code": "40310", "detail": "Invalid 'to'"}]}, ("hard_bounce", "user_unknown")),
        ("sinch", 400, {"code": "syntax_invalid_parameter_format", "text": "no"}, ("failed", "unknown")),
        ("plivo", 400, {"error": "no"}, ("failed", "unknown")),
        ("elks", 400, "Invalid to number", ("failed", "unknown")),
        ("vonage", 200, {"messages": [{"status": "7", "error-text": "Barred"}]}, ("failed", "recipient_refuses")),
        (
            "infobip",
            200,
            {"messages": [{"status": {"groupName": "REJECTED", "id": 52}}]},
            ("hard_bounce", "user_unknown"),
        ),
        ("twilio", 302, {}, ("failed", "unknown")),
    ],
)
def test_a_refusal_is_classified_by_the_gateways_own_codes(
    slug: str, status: int, answer: Any, expected: tuple[str, str], api: Api, use: Use
) -> None:
    use(slug, answer, status)
    message = Message.objects.get(send_out=sent())

    assert (message.status, message.reason) == expected
    assert Block.objects.filter(address=message.address).exists() == (expected[0] == "hard_bounce")
    assert message.next_attempt_at is None


@pytest.mark.parametrize(
    ("slug", "status", "answer"),
    [
        ("twilio", 429, {"code": 20429, "message": "Too many"}),
        ("twilio", 401, {"code": 20003, "message": "Authenticate"}),
        ("telnyx", 503, {}),
        ("vonage", 200, {"messages": [{"status": "1", "error-text": "Throttled"}]}),
    ],
)
def test_too_fast_or_a_wrong_password_puts_it_off(slug: str, status: int, answer: Any, api: Api, use: Use) -> None:
    use(slug, answer, status)
    message = Message.objects.get(send_out=sent())
    assert (message.status, message.provider_message_id) == ("unknown", None)
    assert message.next_attempt_at is not None

    use(slug, TAKES[slug][0], 200)
    Message.objects.update(next_attempt_at=timezone.now())
    assert work.try_again() == 1
    again = Message.objects.get(pk=message.pk)
    assert (again.attempts, again.next_attempt_at, again.provider_message_id) == (2, None, TAKES[slug][3])
    assert len(api.asked) == 2


@pytest.mark.parametrize("status", [500, 504, 200])
def test_where_nobody_knows_whether_it_was_taken_it_is_in_doubt_and_never_sent_again(
    status: int, api: Api, use: Use
) -> None:
    use("twilio", {"unexpected": "answer"}, status)
    message = Message.objects.get(send_out=sent())

    assert (message.status, message.next_attempt_at) == ("unknown", None)
    assert message.events.get().caveat == "in_doubt"
    assert f"HTTP {status}" in message.diagnostic


def test_hanging_up_after_the_request_is_in_doubt_and_nobody_there_is_tried_again(
    api: Api, use: Use, settings: Settings
) -> None:
    use("twilio", None)
    api.hangs_up = True
    message = Message.objects.get(send_out=sent())
    assert (message.events.get().caveat, message.next_attempt_at) == ("in_doubt", None)
    assert len(api.asked) == 1

    use("twilio", None, base="http://127.0.0.1:1")
    other = Message.objects.get(send_out=sent())
    assert (other.status, other.events.get().kind) == ("unknown", "deferred")
    assert other.next_attempt_at is not None


def test_connections_are_used_again(api: Api, use: Use) -> None:
    use("twilio", TAKES["twilio"][0], at_once=2)
    sent(names=tuple(f"P{number}" for number in range(9)))

    assert len(api.asked) == 9
    assert len(api.connections) <= 2


def test_its_report_finds_the_message_by_our_token(api: Api, use: Use) -> None:
    use("twilio", TAKES["twilio"][0])
    message = Message.objects.get(send_out=sent())
    path = by_gateway.callback_of("twilio", token_of(message.pk)).removeprefix("https://engage.example")
    body = b"MessageSid=SM9&MessageStatus=delivered&To=%2B46701234560"
    raw = Raw(body, "application/x-www-form-urlencoded", path, timezone.now())
    assert providers()["twilio"].read(raw).events[0].message_id == message.pk

    reports.keep_all([Kept("twilio", body, raw.content_type, path, {})])
    reports.apply_pending()
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("", None),
        ("twilio://AC1:to%2Fken@", Http("twilio", "AC1", "to/ken")),
        (
            "sinch://plan:t@us.sms.api.sinch.com?rate=20&at_once=4",
            Http("sinch", "plan", "t", "https://us.sms.api.sinch.com", 20, 4),
        ),
    ],
)
def test_a_route_is_read_from_the_setting(url: str, route: Http | None) -> None:
    assert sms_route_of(url, []) == route


@pytest.mark.parametrize(
    "url",
    ["smpp:", "smpp:nobody", "carrier-pigeon://a:s3cret@", "twilio:", "twilio://s3cret@", "twilio://a:s3cret@/?x=1"],
)
def test_a_wrong_route_stops_the_start_and_keeps_the_secret(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SMS_ROUTE") as wrong:
        sms_route_of(url, [])
    assert "s3cret" not in str(wrong.value)
    with suppress(ImproperlyConfigured):
        assert "s3cret" not in repr(sms_route_of("twilio://a:s3cret@", []))


OURS = """
label = "Ours"
[authentication]
in = "header"
name = "X-Key"
[fields]
status = "state"
reference = "ref"
[statuses]
ok = ["delivered"]
[codes]
17 = ["hard_bounce", "user_unknown"]
[send]
address = "{base}/sms?v=2"
id = "messages.0.id"
code = "error.code"
text = "error.says"
[send.headers]
Authorization = "Bearer {{password}}"
[send.fields]
"to.number" = "{{number}}"
from = "{{sender}}"
text = "{{text}}"
ref = "{{token}}"
report = "{{callback}}"
"options.validity" = "{{minutes}}"
"""


@pytest.fixture
def ours(api: Api, settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """A gateway that a file describes."""
    path = tmp_path / "ours.toml"
    path.write_text(OURS.format(base=f"http://127.0.0.1:{api.port}"))
    settings.GATEWAYS_DIR = str(tmp_path)
    settings.SMS_ROUTE = sms_route_of("ours://us:s3cret@", [], str(tmp_path))
    described.gateway_of.cache_clear()
    yield path
    described.gateway_of.cache_clear()


def test_a_gateway_that_a_file_describes_sends(api: Api, ours: Path) -> None:
    api.answer = {"messages": [{"id": "o1"}]}
    message = Message.objects.get(send_out=sent("Hej [[firstName]] é"))

    assert (message.status, message.provider, message.provider_message_id) == ("unknown", "ours", "o1")
    ((path, headers, said),) = api.asked
    assert (path, headers["authorization"]) == ("/sms?v=2", "Bearer s3cret")
    assert said["to"] == {"number": "+46701234560"}
    assert (said["from"], said["text"], message_id_of(said["ref"])) == ("Engage", "Hej Anna é", message.pk)
    assert 2875 <= said["options"]["validity"] <= 2880


def test_its_refusals_are_classified_by_the_files_codes(api: Api, ours: Path) -> None:
    api.answer, api.status = {"error": {"code": 17, "says": "no such number"}}, 400
    message = Message.objects.get(send_out=sent())

    assert (message.status, message.reason, message.diagnostic) == ("hard_bounce", "user_unknown", "no such number")


@pytest.mark.parametrize(
    ("instead_of", "write", "says"),
    [
        ('id = "messages.0.id"', "", "send.id must say"),
        ("{text}", "{words}", "there is no {words}. There are: {number}"),
        ("address", "adress", "send.adress means nothing here"),
        ("http://", "ftp://", "send.address must be like"),
        ("[send", "[sent", "SMS_ROUTE names this gateway"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_at_the_start(instead_of: str, write: str, says: str, ours: Path) -> None:
    ours.write_text(ours.read_text().replace(instead_of, write))

    with pytest.raises(ImproperlyConfigured) as wrong:
        chosen.check()
    assert says in str(wrong.value)
    assert "ours.toml" in str(wrong.value)
