"""SMS by the HTTP APIs of gateways, against a real HTTP server on loopback: what arrives there, and what comes of it.

None of them was tried against the gateway itself.
"""

import json
import re
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
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from contacts.models import Block, Channel
from messaging.delivery import dispatcher, transport_factory
from messaging.delivery.sms_routes import sms_route_of
from messaging.delivery.transports import configured_gateway, http_sms
from messaging.inbox import reports
from messaging.inbox.reports import Kept
from messaging.ledger.record import SourcedEvent
from messaging.models import Message, Part, SendOut
from messaging.providers.base import Raw
from messaging.providers.generic import gateways
from messaging.providers.http_route import HttpRoute
from messaging.providers.registry import providers
from messaging.providers.sending import gateway_of, senders
from messaging.suppression.follow import apply
from messaging.tracking.tokens import message_id_of, token_of
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
        settings.SMS_ROUTE = HttpRoute(slug, "user1", "secret1", base, options=OPTIONS.get(slug, {}), **fields)

    return use


def sent(text: str = "Hej [[firstName]]", *, names: tuple[str, ...] = ("Anna",), **fields: Any) -> SendOut:
    for number, name in enumerate(names):
        make_contact(first_name=name, mobile=f"+4670123456{number}")
    made = make_send_out(Channel.SMS, **{"sender": "Engage", **fields})
    assert made.content is not None
    made.content.text = text
    made.content.save()
    run(made)
    while dispatcher.hand_over(made.pk):
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
    "bird": (
        {"id": "sms_1", "status": "accepted"},
        "/v1/sms/messages",
        {"to": "+46701234560", "from": "Engage", "text": "Hej Anna", "category": "marketing"},
        "sms_1",
    ),
    "messagebird": (
        {"id": "mb1", "direction": "mt", "recipients": {"totalCount": 1}},
        "/messages",
        {"recipients": ["46701234560"], "originator": "Engage", "body": "Hej Anna", "datacoding": "auto"},
        "mb1",
    ),
    "link_mobility": (
        {"messageId": "Dcs1", "resultCode": 1005, "description": "Queued"},
        "/sms/send",
        {
            "destination": "+46701234560", "source": "Engage", "sourceTON": "ALPHANUMERIC", "userData": "Hej Anna",
            "platformId": "COMMON_API", "platformPartnerId": "17", "deliveryReportGates": ["gate1"],
            "useDeliveryReport": True, "ignoreResponse": False,
        },
        "Dcs1",
    ),
    "amazon_sms": (
        {"MessageId": "a1"},
        "/",
        {
            "DestinationPhoneNumber": "+46701234560", "OriginationIdentity": "Engage", "MessageBody": "Hej Anna",
            "MessageType": "PROMOTIONAL", "ConfigurationSetName": "engage",
        },
        "a1",
    ),
}  # fmt: skip
# Their own options, and where our token stands with those that report to an address that is set up beforehand.
OPTIONS = {
    "link_mobility": {"platform": "COMMON_API", "partner": "17", "gate": "gate1"},
    "amazon_sms": {"region": "eu-north-1", "set": "engage"},
}
TOKENS: dict[str, tuple[str, ...]] = {
    "bird": ("metadata", "engage"), "link_mobility": ("refId",), "amazon_sms": ("Context", "engage"),
    "messagebird": ("reference",), "vonage": ("client-ref",), "sinch": ("client_reference",),
}  # fmt: skip
SPENT = "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT"
HAVE_NO_CALLBACK = {"bird", "link_mobility", "amazon_sms"}


def test_every_gateway_of_the_setting_is_described_and_tried() -> None:
    assert set(senders("sms")) == set(TAKES)
    assert all(gateway_of(slug).slug == slug for slug in TAKES)


@pytest.mark.parametrize("slug", TAKES)
def test_what_it_takes_is_unknown_until_it_reports(slug: str, api: Api, use: Use) -> None:
    answer, path, fields, name = TAKES[slug]
    use(slug, answer, 201)
    message = Message.objects.get(send_out=sent())

    assert (message.status, message.provider, message.provider_message_id) == ("unknown", slug, name)
    ((asked_path, headers, said),) = api.asked
    assert asked_path == path
    assert {key: said[key] for key in fields} == fields
    assert shows_secret(headers["authorization"])
    for name in TOKENS.get(slug, ()):
        said = said[name]
    if slug in TOKENS:
        assert message_id_of(said) == message.pk
    if slug in HAVE_NO_CALLBACK:
        return
    said = api.asked[0][2]
    callback = next(value for value in texts(said) if value.startswith("https://") and f"/webhooks/{slug}/" in value)
    assert message_id_of(callback.partition("?message=")[2]) == message.pk
    assert callback.startswith("https://us:pw@engage.example/" if slug in ("elks", "infobip") else "https://engage.ex")


def shows_secret(authorization: str) -> bool:
    """As itself, by basic authentication, or by a signature (that which: test_sigv4.py)."""
    scheme, _, said = authorization.partition(" ")
    if scheme == "AWS4-HMAC-SHA256":
        return said.startswith("Credential=user1/") and "secret1" not in said
    return "secret1" in (said if scheme in ("Bearer", "App", "AccessKey") else b64decode(said).decode())


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
    for slug, name, second in (
        ("messagebird", "validity", 1), ("amazon_sms", "TimeToLive", 1), ("link_mobility", "relativeValidityTime", 1000)
    ):  # fmt: skip
        use(slug, TAKES[slug][0])
        sent()
        assert 172_700 * second <= api.asked[-1][2][name] <= 172_800 * second


@pytest.mark.parametrize(
    ("slug", "name", "kind"), [("bird", "category", "transactional"), ("amazon_sms", "MessageType", "TRANSACTIONAL")]
)
def test_a_transactional_send_out_is_no_promotion(slug: str, name: str, kind: str, api: Api, use: Use) -> None:
    use(slug, TAKES[slug][0])
    sent(is_transactional=True)

    assert api.asked[-1][2][name] == kind


@pytest.mark.parametrize(
    ("sender", "kind"), [("Engage", "ALPHANUMERIC"), ("72456", "SHORTNUMBER"), ("+46701234500", "MSISDN")]
)
def test_link_mobility_is_told_what_kind_of_sender_it_is(sender: str, kind: str, api: Api, use: Use) -> None:
    use("link_mobility", TAKES["link_mobility"][0])
    sent(sender=sender)

    assert (api.asked[-1][2]["source"], api.asked[-1][2]["sourceTON"]) == (sender, kind)


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
        ("bird", 422, {"error": {"code": "E1", "name": "SMSSenderNotConfigured"}}, ("failed", "sender_rejected")),
        ("bird", 422, {"error": {"code": "E2", "name": "SMSInvalidRecipient"}}, ("failed", "unknown")),
        (
            "messagebird",
            422,
            {"errors": [{"code": 10, "description": "originator is invalid", "parameter": "originator"}]},
            ("failed", "protocol_error"),
        ),
        (
            "link_mobility",
            200,
            {"messageId": "D1", "resultCode": 2104, "description": "Unknown subscriber"},
            ("hard_bounce", "user_unknown"),
        ),
        ("link_mobility", 400, {"resultCode": 4711, "description": "What is this?"}, ("failed", "unknown")),
        (
            "amazon_sms",
            400,
            {"__type": "a.b#ValidationException", "Message": "no", "Reason": "SENDER_ID_NOT_REGISTERED"},
            ("failed", "sender_rejected"),
        ),
        (
            "amazon_sms",
            400,
            {"__type": "ConflictException", "Reason": "DESTINATION_PHONE_NUMBER_OPTED_OUT"},
            ("failed", "suppressed"),
        ),
        ("amazon_sms", 400, {"__type": "ValidationException", "Reason": "INVALID_PARAMETER"}, ("failed", "unknown")),
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
        ("vonage", 200, {"messages": [{"status": "1", "error-text": "Throttled"}]}),
        ("messagebird", 422, {"errors": [{"code": 25, "description": "Not enough balance"}]}),
        ("link_mobility", 400, {"status": 106201, "description": "Invalid platformPartnerId"}),
        ("link_mobility", 200, {"resultCode": 3, "description": "Max throttling exceeded"}),
        ("amazon_sms", 400, {"__type": "com.amazonaws.pinpointsmsvoicev2#ThrottlingException"}),
        ("amazon_sms", 400, {"__type": "UnrecognizedClientException", "message": "The token is invalid."}),
        ("amazon_sms", 400, {"__type": "X#ServiceQuotaExceededException", "Reason": SPENT}),
    ],
)
def test_too_fast_or_an_account_without_credit_puts_it_off(
    slug: str, status: int, answer: Any, api: Api, use: Use
) -> None:
    use(slug, answer, status)
    message = Message.objects.get(send_out=sent())
    assert (message.status, message.provider_message_id) == ("unknown", None)
    assert message.next_attempt_at is not None

    use(slug, TAKES[slug][0], 200)
    Message.objects.update(next_attempt_at=timezone.now())
    assert dispatcher.try_again() == 1
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


def test_hanging_up_after_the_request_is_in_doubt_and_without_anybody_there_it_waits(
    api: Api, use: Use, settings: Settings
) -> None:
    use("twilio", None)
    api.hangs_up = True
    message = Message.objects.get(send_out=sent())
    assert (message.events.get().caveat, message.next_attempt_at) == ("in_doubt", None)
    assert len(api.asked) == 1

    use("twilio", None, base="http://127.0.0.1:1")
    other = Message.objects.get(send_out=sent())
    assert (other.status, other.attempts, other.events.count()) == ("waiting", 0, 0)


def test_connections_are_used_again(api: Api, use: Use) -> None:
    use("twilio", TAKES["twilio"][0], at_once=2)
    sent(names=tuple(f"P{number}" for number in range(9)))

    assert len(api.asked) == 9
    assert len(api.connections) <= 2


@pytest.mark.parametrize(
    ("slug", "answer"),
    [
        ("twilio", {"code": 21610, "message": "Attempt to send to unsubscribed recipient"}),
        ("telnyx", {"errors": [{"code": "40300", "detail": "Blocked due to STOP message"}]}),
        ("amazon_sms", {"__type": "ConflictException", "Reason": "DESTINATION_PHONE_NUMBER_OPTED_OUT"}),
    ],
)
def test_a_refusal_as_the_person_answered_stop_unsubscribes_them(slug: str, answer: Any, api: Api, use: Use) -> None:
    use(slug, answer, 400)
    message = Message.objects.select_related("contact").get(send_out=sent())

    assert message.contact is not None
    assert (message.status, message.contact.accepts_sms) == ("failed", False)
    assert message.contact.changes.get(kind="opted_out").why == "unsubscribe"


def test_one_in_doubt_is_settled_by_our_token(api: Api, use: Use) -> None:
    use("elks", None)
    api.hangs_up = True
    message = Message.objects.get(send_out=sent())
    assert (message.provider_message_id, message.reason) == (None, "in_doubt")

    path = http_sms.callback_of(gateway_of("elks"), token_of(message.pk)).partition("engage.example")[2]
    reports.keep_all([Kept("elks", b"id=s1&status=delivered", "application/x-www-form-urlencoded", path, {})])
    reports.apply_pending()

    message.refresh_from_db()
    assert (message.status, message.events.get(kind="delivered").caveat) == ("delivered", "")


def test_its_report_finds_the_message_by_our_token(api: Api, use: Use) -> None:
    use("twilio", TAKES["twilio"][0])
    message = Message.objects.get(send_out=sent())
    path = http_sms.callback_of(gateway_of("twilio"), token_of(message.pk)).removeprefix("https://engage.example")
    body = b"MessageSid=SM9&MessageStatus=delivered&To=%2B46701234560"
    raw = Raw(body, "application/x-www-form-urlencoded", path, timezone.now())
    assert providers()["twilio"].parse(raw).events[0].message_id == message.pk

    reports.keep_all([Kept("twilio", body, raw.content_type, path, {})])
    reports.apply_pending()
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("", None),
        ("twilio://AC1:to%2Fken@", HttpRoute("twilio", "AC1", "to/ken")),
        (
            "sinch://plan:t@us.sms.api.sinch.com?rate=20&at_once=4",
            HttpRoute("sinch", "plan", "t", "https://us.sms.api.sinch.com", 20, 4),
        ),
        (
            "amazon_sms://AKIA1:a%2Fb+c@?region=eu-north-1&set=engage&rate=5",
            HttpRoute("amazon_sms", "AKIA1", "a/b+c", rate=5, options=OPTIONS["amazon_sms"]),
        ),
        (
            "link_mobility://us:pw@c-eu.linkmobility.io?platform=COMMON_API&partner=17&gate=gate1",
            HttpRoute("link_mobility", "us", "pw", "https://c-eu.linkmobility.io", options=OPTIONS["link_mobility"]),
        ),
    ],
)
def test_a_route_is_read_from_the_setting(url: str, route: HttpRoute | None) -> None:
    assert sms_route_of(url, []) == route


@pytest.mark.parametrize(
    "url",
    [
        "smpp:", "smpp:nobody", "carrier-pigeon://a:s3cret@", "twilio:", "twilio://s3cret@", "twilio://a:s3cret@/?x=1",
        "amazon_sms://a:s3cret@?set=engage", "link_mobility://a:s3cret@?platform=1&partner=2",
    ],
)  # fmt: skip
def test_a_wrong_route_stops_the_start_and_keeps_the_secret(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SMS_ROUTE") as wrong:
        sms_route_of(url, [])
    assert "s3cret" not in str(wrong.value)
    with suppress(ImproperlyConfigured):
        assert "s3cret" not in repr(sms_route_of("twilio://a:s3cret@", []))


def test_what_a_gateway_needs_besides_is_said_by_the_error() -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape("link_mobility://user:password@?platform=…&partner=…")):
        sms_route_of("link_mobility://a:s3cret@", [])


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("bird://key:bk_us1_abc@", "https://us1.platform.bird.com"),
        ("bird://key:abc@", "https://eu1.platform.bird.com"),
        ("bird://key:bk_us1_abc@other.example", "https://other.example"),
        ("amazon_sms://a:b@?region=eu-north-1&set=engage", "https://sms-voice.eu-north-1.amazonaws.com"),
        ("vonage://a:b@", "https://rest.nexmo.com"),
    ],
)
def test_where_a_gateway_is_follows_from_the_route(url: str, base: str) -> None:
    route = sms_route_of(url, [])
    assert isinstance(route, HttpRoute)

    assert gateway_of(route.slug).base_of(route) == base


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
    configured_gateway.gateway_of.cache_clear()
    yield path
    configured_gateway.gateway_of.cache_clear()


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


@pytest.mark.parametrize(("is_anonymous", "unmatched"), [(True, 0), (False, 1)])
def test_one_in_doubt_is_settled_by_number_and_time_where_it_cannot_bring_our_token_back(
    is_anonymous: bool, unmatched: int, api: Api, ours: Path
) -> None:
    text = ours.read_text().replace('reference = "ref"', 'message_id = "id"\nrecipient = "to"')
    if is_anonymous:
        text = text.replace('ref = "{token}"', "").replace('report = "{callback}"', "")
    ours.write_text(text)
    api.hangs_up = True
    message = Message.objects.get(send_out=sent())

    gateway = gateways(ours.parent, [])["ours"]
    raw = Raw(b"id=o7&state=ok&to=46701234560", "", "/webhooks/ours/", timezone.now())
    with transaction.atomic():
        assert len(apply([SourcedEvent(event) for event in gateway.parse(raw).events])) == unmatched

    message.refresh_from_db()
    assert message.status == ("delivered" if is_anonymous else "unknown")


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
        transport_factory.check()
    assert says in str(wrong.value)
    assert "ours.toml" in str(wrong.value)
