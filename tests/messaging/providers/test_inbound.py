"""Bounce mail that a provider takes and posts to our webhook, in the shapes in which the providers' pages describe it."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.http import HttpRequest
from django.test import Client
from pytest_django.fixtures import Settings

from messaging.inbox import reports
from messaging.incoming.addresses import return_path
from messaging.models import Report
from messaging.providers.base import Raw, UnreadableError
from messaging.providers.mail import reports as mail
from messaging.providers.registry import providers
from messaging.status.order import Kind
from tests.messaging.conftest import make_message
from tests.messaging.incoming.letters import DOMAIN, bounce_of, letter
from tests.messaging.providers.asking import FORM, JSON, KEY, OTHER_KEY, ago, post, takes

RECEIVED_AT = datetime(2026, 11, 3, 12, tzinfo=UTC)
MULTIPART = "multipart/form-data; boundary=xYzZY"
# What a server says where it says it in a text alone, as a provider hands it on that takes mails apart.
WORDS = (
    "This is the mail system at host mx.example.org.\n\n"
    "<anna@example.net>: host mail.example.net[192.0.2.25] said: 550 5.1.1\n"
    "    <anna@example.net>: Recipient address rejected: User unknown in local\n"
    "    recipient table (in reply to RCPT TO command)\n"
)
STATUS = (
    "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; anna@example.net\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n"
)
HEADERS = {
    "From": "MAILER-DAEMON@mx.example.org (Mail Delivery System)",
    "Subject": "Undelivered Mail Returned to Sender",
    "Message-Id": "<20261103113002.4F1A@mx.example.org>",
    "Auto-Submitted": "auto-replied",
    "Content-Type": 'multipart/report; report-type=delivery-status; boundary="x"',
}


@pytest.fixture(autouse=True)
def bounce_domain(settings: Settings) -> None:
    settings.BOUNCE_DOMAIN = DOMAIN


def whole(to: str) -> str:
    return letter("postfix_user_unknown", to=to).decode()


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def form(*fields: tuple[str, str], file: tuple[str, str] | None = None) -> bytes:
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields]
    if file is not None:
        name, content = file
        head = f'Content-Disposition: form-data; name="{name}"; filename="details.txt"\r\n'
        parts.append(f"{head}Content-Type: message/delivery-status\r\n\r\n{content}")
    return "".join(f"--xYzZY\r\n{each}\r\n" for each in parts).encode() + b"--xYzZY--\r\n"


def amazon_ses(to: str, encoding: str = "BASE64") -> bytes:
    content = coded(whole(to)) if encoding == "BASE64" else whole(to)
    receipt = {"recipients": [to], "action": {"type": "SNS", "encoding": encoding}}
    said = {
        "notificationType": "Received", "receipt": receipt, "content": content,
        "mail": {"timestamp": "2026-11-03T11:31:00.000Z", "source": ""},
    }  # fmt: skip
    return json.dumps({"Type": "Notification", "Message": json.dumps(said)}).encode()


def brevo(to: str) -> bytes:
    item = {
        "Uuid": ["1"], "Recipients": [to], "Headers": HEADERS | {"To": to}, "RawTextBody": WORDS,
        "Attachments": [{"Name": "details.txt", "ContentType": "message/delivery-status", "DownloadToken": "t"}],
    }  # fmt: skip
    return json.dumps({"items": [item]}).encode()


def mailersend(to: str) -> bytes:
    said = {
        "id": "1",
        "created_at": "2026-11-03T11:31:00.000000Z",
        "raw": whole(to),
        "recipients": {"rcptTo": [{"email": to}]},
    }
    return json.dumps({"type": "inbound.message", "data": said}).encode()


def mailgun(to: str) -> bytes:
    return form(("recipient", to), ("sender", ""), ("timestamp", "1793705460"), ("body-mime", whole(to)))


def mailgun_in_parts(to: str) -> bytes:
    return form(
        ("recipient", to), ("sender", ""), ("timestamp", "1793705460"), ("attachment-count", "1"),
        ("message-headers", json.dumps(list(HEADERS.items()))), ("body-plain", WORDS),
        file=("attachment-1", STATUS),
    )  # fmt: skip


def mailjet(to: str) -> bytes:
    part = {"Headers": {"Content-Type": "message/delivery-status"}, "ContentRef": "Attachment1"}
    said = {
        "Sender": "", "Recipient": to, "Headers": HEADERS | {"To": to}, "Text-part": WORDS, "Parts": [part],
        "Attachment1": coded(STATUS),
    }  # fmt: skip
    return json.dumps(said).encode()


def mandrill(to: str) -> bytes:
    event = {"event": "inbound", "ts": 1793705460, "msg": {"raw_msg": whole(to), "email": to}}
    return urlencode({"mandrill_events": json.dumps([event])}).encode()


def postal(to: str) -> bytes:
    said = {"id": 1, "rcpt_to": to, "mail_from": "", "message": coded(whole(to)), "base64": True, "size": 1}
    return json.dumps(said).encode()


def postmark(to: str) -> bytes:
    return json.dumps({"OriginalRecipient": to, "FromFull": {}, "Headers": [], "RawEmail": whole(to)}).encode()


def postmark_in_parts(to: str) -> bytes:
    said = {
        "OriginalRecipient": to, "FromFull": {"Email": "MAILER-DAEMON@mx.example.org", "Name": ""},
        "ToFull": [{"Email": to, "Name": ""}], "Subject": HEADERS["Subject"], "TextBody": WORDS,
        "Headers": [{"Name": "Auto-Submitted", "Value": "auto-replied"}],
        "Attachments": [{"Name": "x", "ContentType": "message/delivery-status", "Content": coded(STATUS)}],
    }  # fmt: skip
    return json.dumps(said).encode()


def sendgrid(to: str) -> bytes:
    return form(("email", whole(to)), ("envelope", json.dumps({"to": [to], "from": ""})))


def sendgrid_in_parts(to: str) -> bytes:
    headers = "".join(f"{name}: {value}\n" for name, value in HEADERS.items())
    return form(
        ("headers", headers), ("text", WORDS), ("envelope", json.dumps({"to": [to], "from": ""})),
        ("attachment-info", json.dumps({"attachment1": {"filename": "details.txt"}})), file=("attachment1", STATUS),
    )  # fmt: skip


def sparkpost(to: str) -> bytes:
    content = {"email_rfc822": coded(whole(to)), "email_rfc822_is_base64": True}
    return json.dumps([{"msys": {"relay_message": {"content": content, "rcpt_to": to, "protocol": "smtp"}}}]).encode()


MADE: dict[str, tuple[Callable[[str], bytes], str]] = {
    "amazon_ses": (amazon_ses, "text/plain; charset=UTF-8"),
    "brevo": (brevo, JSON),
    "mailersend": (mailersend, JSON),
    "mailgun": (mailgun, MULTIPART),
    "mailgun in parts": (mailgun_in_parts, MULTIPART),
    "mailjet": (mailjet, JSON),
    "mandrill": (mandrill, FORM),
    "postal": (postal, JSON),
    "postmark": (postmark, JSON),
    "postmark in parts": (postmark_in_parts, JSON),
    "sendgrid": (sendgrid, MULTIPART),
    "sendgrid in parts": (sendgrid_in_parts, MULTIPART),
    "sparkpost": (sparkpost, JSON),
}


def raw_of(case: str, to: str) -> Raw:
    make, content_type = MADE[case]
    return Raw(make(to), content_type, "/webhooks/", RECEIVED_AT)


@pytest.mark.parametrize("case", MADE)
def test_a_bounce_finds_its_message(case: str) -> None:
    reading = providers()[case.partition(" ")[0]].parse(raw_of(case, return_path(4711)))

    assert reading.problems == []
    (event,) = reading.events
    assert (event.kind, event.reason, event.message_id) == (Kind.HARD_BOUNCE, "user_unknown", 4711)
    assert (event.provider, event.recipient, event.status_code) == (mail.SLUG, "anna@example.net", "5.1.1")


@pytest.mark.parametrize("case", MADE)
def test_a_truncated_one_is_unreadable_or_a_problem_but_never_a_fault(case: str) -> None:
    raw = raw_of(case, return_path(4711))
    for end in range(0, len(raw.body), max(1, len(raw.body) // 40)):
        cut = Raw(raw.body[:end], raw.content_type, raw.path, raw.received_at)
        try:
            providers()[case.partition(" ")[0]].parse(cut)
        except UnreadableError:
            continue


def test_amazon_may_send_the_mail_as_text() -> None:
    raw = Raw(amazon_ses(return_path(4711), "UTF8"), JSON, "/webhooks/", RECEIVED_AT)

    assert [event.message_id for event in providers()["amazon_ses"].parse(raw).events] == [4711]


def test_a_mail_that_amazon_put_elsewhere_is_unreadable_and_says_what_to_set() -> None:
    said = {"notificationType": "Received", "mail": {}, "receipt": {"action": {"type": "S3"}}}
    body = json.dumps({"Type": "Notification", "Message": json.dumps(said)}).encode()

    with pytest.raises(UnreadableError, match="action SNS, not S3"):
        providers()["amazon_ses"].parse(Raw(body, JSON, "/webhooks/", RECEIVED_AT))


def test_the_same_mail_by_two_ways_is_one_fact() -> None:
    ways = [providers()[slug].parse(raw_of(slug, return_path(4711))).events[0] for slug in ("mailgun", "postal")]

    assert ways[0].idempotency_key == ways[1].idempotency_key


def mailgun_request(key: str, at: int, **more: str) -> HttpRequest:
    token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    made = hmac.digest(key.encode(), f"{at}{token}".encode(), "sha256").hex()
    fields = {"recipient": return_path(4711), "timestamp": str(at), "token": token, "signature": made, "body-mime": "x"}
    return post("mailgun", form(*(fields | more).items()), {}, content_type=MULTIPART)


def test_only_mail_that_mailgun_signed_lately_is_taken(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"mailgun": [KEY]}

    assert takes("mailgun", mailgun_request(KEY, ago(minutes=1)))
    assert not takes("mailgun", mailgun_request(OTHER_KEY, ago(minutes=1)))
    assert not takes("mailgun", mailgun_request(KEY, ago(hours=13)))
    # A webhook of the old kind, whose fields are anybody's.
    assert not takes("mailgun", mailgun_request(KEY, ago(minutes=1), event="bounced"))
    assert not takes("mailgun", post("mailgun", b"--nonsense", {}, content_type=MULTIPART))


@pytest.mark.django_db(transaction=True)
def test_from_the_webhook_to_the_status(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"postmark": ["engage:s3cret"]}
    message = make_message()
    body = json.dumps({"OriginalRecipient": return_path(message.pk), "RawEmail": bounce_of(message).decode()})
    address = "/webhooks/postmark/"

    refused = Client().post(address, body, content_type=JSON)
    taken = Client().post(
        address, body, content_type=JSON, headers={"Authorization": f"Basic {coded('engage:s3cret')}"}
    )
    reports.apply_pending()

    message.refresh_from_db()
    assert (refused.status_code, taken.status_code) == (403, 200)
    assert (message.status, message.reason) == ("hard_bounce", "user_unknown")
    assert Report.objects.get().provider == "postmark"


@pytest.mark.django_db(transaction=True)
def test_a_form_is_kept_whole(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"mailgun": [KEY]}
    message = make_message()
    request = mailgun_request(
        KEY, ago(minutes=1), recipient=return_path(message.pk), **{"body-mime": bounce_of(message).decode()}
    )

    answer = Client().post("/webhooks/mailgun/", request.body, content_type=MULTIPART)
    reports.apply_pending()

    message.refresh_from_db()
    assert (answer.status_code, message.status) == (200, "hard_bounce")
