"""Sending by providers' HTTP APIs: anymail's real backends post to a real server, and what arrived is read back."""

from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from pytest_django import Settings

from contacts.models import Block
from messaging.delivery import dispatcher
from messaging.delivery.email_routes import Esp, route_of
from messaging.delivery.transport import DeliveryOutcome, Ready
from messaging.delivery.transports import esp_answers
from messaging.delivery.transports.esp import ByEsp
from messaging.delivery.transports.esp_client import LINES
from messaging.delivery.transports.smtp import mail_of
from messaging.models import Message, Pace, SendOut
from messaging.providers.sending import esp_of, senders
from messaging.sendouts import single
from messaging.sendouts.contents import Person
from messaging.tracking.tokens import message_id_of
from tests.factories import make_user
from tests.messaging.conftest import make_contact
from tests.messaging.delivery.test_handover import handed_over, sent_to
from tests.messaging.sendouts.clock import hours_later
from tests.messaging.sendouts.esp_server import READ, Answer, provider
from tests.messaging.sendouts.people import make_send_out, run

pytestmark = pytest.mark.django_db(transaction=True)

HTML = "<p>Grüß Gott, [[firstName,you]]!</p>\n<p><a href='https://shop.example/?a=1&amp;b=2'>Angebote</a></p>"
NO_KEY: Answer = (
    401,
    {},
    {"errors": [{"message": "The provided authorization grant is invalid, expired, or revoked"}]},
)


@pytest.fixture(autouse=True)
def _amazon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "given")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "given")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def ready(text: str = "Hello [[firstName,you]] – 100 €\n.\nBye") -> Ready:
    """A message as hand-over gives it to a way."""
    contact = make_contact(first_name="Zoë", email="zoe@there.example")
    made = make_send_out(sender="news@engage.example", sender_name='Ängage, "AB"')
    assert made.content is not None
    made.content.text, made.content.html, made.content.subject = text, HTML, "Frühling, [[firstName]]: 50 % – now"
    made.content.save()
    run(made)
    person = Person(contact.first_name, "", contact.email, "", "", "")
    return Ready(Message.objects.get().pk, 1, contact.email, made, made.content, person)


@pytest.mark.parametrize("slug", senders("email"))
def test_each_provider_gets_what_a_mail_server_would_get(slug: str) -> None:
    message = ready()
    by_smtp = message_from_bytes(mail_of(message).mail, policy=default)
    with provider(slug) as found, ByEsp(found.route) as way:
        (outcome,) = way.send_all([message])

    arrived = READ[slug](found.asked[0])
    assert isinstance(outcome, DeliveryOutcome)
    assert (outcome.event.kind, outcome.event.provider, outcome.ids) == ("accepted", slug, ("its-id",))
    assert arrived.subject == by_smtp["Subject"] == "Frühling, Zoë: 50 % – now"
    assert lines(arrived.text) == lines(said_in(by_smtp, "plain"))
    assert lines(arrived.html) == lines(said_in(by_smtp, "html"))
    assert arrived.sender == ('Ängage, "AB"', "news@engage.example")
    assert arrived.recipient == "zoe@there.example"
    assert message_id_of(arrived.token) == message.id
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "Precedence", "Message-ID"):
        if name.lower() not in esp_of(slug).refused:
            assert arrived.headers[name.lower()] == by_smtp[name]


def lines(text: str) -> list[str]:
    return text.splitlines()


def said_in(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_header_that_the_account_may_not_set_can_be_left_out() -> None:
    with provider("resend") as found:
        route = Esp("resend", found.route.settings, frozenset({"message-id", "feedback-id"}))
        with ByEsp(route) as way:
            list(way.send_all([ready()]))

    assert {"message-id", "feedback-id"}.isdisjoint(READ["resend"](found.asked[0]).headers)


def test_postmark_is_told_to_keep_our_message_id() -> None:
    with provider("postmark") as found, ByEsp(found.route) as way:
        list(way.send_all([ready()]))

    assert READ["postmark"](found.asked[0]).headers["x-pm-keepid"] == "true"


def test_it_shows_unknown_until_the_provider_reports_and_is_found_by_the_providers_number(settings: Settings) -> None:
    with provider("sendgrid") as found:
        settings.EMAIL_ROUTE = found.route
        anna = handed_over(sent_to("anna"))["anna"]

    assert (anna.status, anna.provider, anna.provider_message_id) == ("unknown", "sendgrid", "its-id")


def test_connections_are_used_again(settings: Settings) -> None:
    with provider("sendgrid") as found:
        settings.EMAIL_ROUTE = found.route
        handed_over(sent_to(*(f"p{number}" for number in range(60))))

    assert len(found.asked) == 60
    # Two slices, in one task: each line opens one connection, and opens it once.
    assert found.connections <= LINES


def paused(send_out: SendOut) -> str:
    send_out.refresh_from_db()
    assert send_out.state == "paused"
    return send_out.changes.latest("pk").detail


@pytest.mark.parametrize(
    ("slug", "answer"),
    [
        ("sendgrid", NO_KEY),
        ("sendgrid", (403, {}, {"errors": [{"message": "The from address does not match a verified Sender Identity."}]})),
        ("postmark", (422, {}, {"ErrorCode": 400, "Message": "The 'From' address is not a Sender Signature."})),
        ("postmark", (422, {}, {"ErrorCode": 412, "Message": "Your account is pending approval."})),
        ("mailgun", (404, {}, {"message": "Domain not found: engage.example"})),
        ("mailersend", (422, {}, {"message": "The from.email domain must be verified to send emails. #MS42207"})),
        ("brevo", (400, {}, {"code": "invalid_parameter", "message": "Sending has been rejected: sender not valid"})),
        ("brevo", (402, {}, {"code": "not_enough_credits", "message": "Not enough credits"})),
        ("resend", (403, {}, {"name": "validation_error", "message": "The engage.example domain is not verified."})),
        ("mandrill", (200, {}, [{"email": "p0@there.example", "status": "rejected", "reject_reason": "unsigned"}])),
        ("postal", (200, {}, {"status": "error", "data": {"code": "UnauthenticatedFromAddress", "message": "No."}})),
        ("sparkpost", (400, {}, {"errors": [{"message": "Invalid domain", "description": "Unconfigured Sending Domain"}]})),
        ("amazon_ses", (400, {"x-amzn-ErrorType": "MessageRejected"}, {"message": "Email address is not verified."})),
        ("mailjet", (400, {}, {"Messages": [{"Status": "error", "Errors": [
            {"ErrorMessage": "\"news@engage.example\" is not an authorized sender email address for your account."},
        ]}]})),
        ("scaleway", (403, {}, {"type": "permissions_denied", "message": "insufficient permissions"})),
    ],
)  # fmt: skip
def test_a_refusal_of_us_pauses_the_send_out_and_burns_no_message(
    settings: Settings, slug: str, answer: Answer
) -> None:
    with provider(slug, answer) as found:
        settings.EMAIL_ROUTE = found.route
        send_out = sent_to("p0", "p1", "p2")
        messages = handed_over(send_out)

    assert "Nothing can leave: " in paused(send_out)
    assert {(each.status, each.attempts, each.sent_at) for each in messages.values()} == {("waiting", 0, None)}
    assert not Block.objects.exists()


@pytest.mark.usefixtures("groups")
def test_once_the_key_is_right_the_send_out_goes_on_where_it_stopped(settings: Settings) -> None:
    with provider("sendgrid", NO_KEY) as found:
        settings.EMAIL_ROUTE = found.route
        send_out = sent_to("p0", "p1", "p2")
        handed_over(send_out)
        found.answers.clear()
        SendOut.objects.filter(pk=send_out.pk).update(state="sending")

        assert {each.status for each in handed_over(send_out).values()} == {"unknown"}


@pytest.mark.usefixtures("groups")
def test_a_test_to_oneself_tells_of_a_sender_that_is_refused(settings: Settings) -> None:
    not_verified: Answer = (403, {}, {"errors": [{"message": "The from address does not match a verified Sender."}]})
    me = make_user()
    me.email = "me@engage.example"
    with provider("sendgrid", not_verified) as found:
        settings.EMAIL_ROUTE = found.route
        sent = single.send_test(make_send_out(sender="news@engage.example"), me)
        dispatcher.try_again()

    sent.refresh_from_db()
    assert (sent.status, sent.reason) == ("soft_bounce", "sender_rejected")
    assert "does not match a verified Sender" in sent.diagnostic


@pytest.mark.usefixtures("groups")
def test_a_test_to_oneself_waits_while_the_key_is_refused(settings: Settings) -> None:
    me = make_user()
    me.email = "me@engage.example"
    with provider("sendgrid", NO_KEY) as found:
        settings.EMAIL_ROUTE = found.route
        sent = single.send_test(make_send_out(sender="news@engage.example"), me)
        dispatcher.try_again()
        sent.refresh_from_db()
        assert (sent.status, sent.attempts, sent.events.count()) == ("waiting", 0, 0)

        found.answers.clear()
        dispatcher.try_again()
    sent.refresh_from_db()
    assert sent.status == "unknown"


@pytest.mark.parametrize(
    ("slug", "answer", "reason"),
    [
        ("sendgrid", (400, {}, {"errors": [{"message": "Does not contain a valid address.",
                                            "field": "personalizations.0.to.0.email"}]}), "recipient_refuses"),
        ("postmark", (422, {}, {"ErrorCode": 300, "Message": "Invalid 'To' address: 'p0@there.example'."}),
         "recipient_refuses"),
        ("postmark", (422, {}, {"ErrorCode": 406, "Message": "You tried to send to a recipient that has been marked as "
                                "inactive.\n Found inactive addresses: p0@there.example.\n Inactive recipients are ones "
                                "that have generated a hard bounce or a spam complaint."}), "suppressed"),
        ("mailgun", (400, {}, {"message": "to parameter is not a valid address. please check documentation"}),
         "recipient_refuses"),
        ("mailersend", (202, {}, {"warnings": [{"type": "ALL_SUPPRESSED", "recipients": [
            {"email": "p0@there.example", "reasons": ["blocklisted"]}]}]}), "suppressed"),
        ("mandrill", (200, {}, [{"email": "p0@there.example", "status": "rejected", "reject_reason": "hard-bounce"}]),
         "suppressed"),
        ("unisender_go", (200, {}, {"status": "success", "job_id": "j", "emails": [], "failed_emails":
                                    {"p0@there.example": "unsubscribed"}}), "suppressed"),
    ],
)  # fmt: skip
def test_a_recipient_that_the_provider_does_not_take_is_no_proof_against_the_address(
    settings: Settings, slug: str, answer: Answer, reason: str
) -> None:
    with provider(slug, answer) as found:
        settings.EMAIL_ROUTE = found.route
        send_out = sent_to("p0")
        message = handed_over(send_out)["p0"]

    send_out.refresh_from_db()
    assert (message.status, message.reason, send_out.state) == ("soft_bounce", reason, "sending")
    assert not Block.objects.exists()


def test_a_refusal_in_unknown_words_is_the_messages_own_while_others_are_taken(settings: Settings) -> None:
    odd: Answer = (400, {}, {"message": "Something is odd"})
    with provider("sendgrid", odd, (202, {"X-Message-Id": "its-id"}, "")) as found:
        settings.EMAIL_ROUTE = found.route
        messages = handed_over(sent_to("p0", "p1", "p2", "p3"))

    assert sorted(each.status for each in messages.values()) == ["soft_bounce", "unknown", "unknown", "unknown"]


def test_one_refusal_for_all_in_unknown_words_pauses_the_send_out(settings: Settings) -> None:
    with provider("sendgrid", (400, {}, {"message": "Something is odd"})) as found:
        settings.EMAIL_ROUTE = found.route
        send_out = sent_to("p0", "p1", "p2", "p3")
        messages = handed_over(send_out)

    assert "Something is odd" in paused(send_out)
    assert {each.status for each in messages.values()} == {"waiting"}


@pytest.mark.parametrize("answer", [None, (504, {}, "upstream request timeout")])
def test_cut_off_after_the_request_left_is_in_doubt_and_never_sent_again(
    settings: Settings, answer: Answer | None
) -> None:
    with provider("sendgrid", answer) as found:
        settings.EMAIL_ROUTE = found.route
        message = handed_over(sent_to("p0"))["p0"]
        hours_later(1)
        dispatcher.try_again()

    assert (message.status, message.events.get().caveat, len(found.asked)) == ("unknown", "in_doubt", 1)
    assert message.events.get().diagnostic


def test_nobody_there_is_tried_again_and_arrives(settings: Settings) -> None:
    with provider("sendgrid") as found:
        free = found.route
    settings.EMAIL_ROUTE = free  # nobody listens there any more
    message = handed_over(sent_to("p0"))["p0"]
    assert (message.status, message.attempts) == ("waiting", 0)

    with provider("sendgrid") as found:
        settings.EMAIL_ROUTE = found.route
        hours_later(1)
        dispatcher.try_again()
    message.refresh_from_db()
    assert message.status == "unknown"


def test_a_provider_that_wants_fewer_is_left_alone_as_long_as_it_says(settings: Settings) -> None:
    busy: Answer = (429, {"Retry-After": "600"}, {"errors": [{"message": "too many requests"}]})
    with provider("sendgrid", busy) as found:
        settings.EMAIL_ROUTE = found.route
        send_out = sent_to(*(f"p{number}" for number in range(60)))
        messages = handed_over(send_out)
        asked = len(found.asked)
        assert asked <= 8  # those that were on their way when the first answer came
        assert {(each.status, each.attempts, each.sent_at) for each in messages.values()} == {("waiting", 0, None)}
        soonest = timezone.now() + timedelta(seconds=590)
        assert all(each.next_attempt_at is not None and each.next_attempt_at > soonest for each in messages.values())

        found.answers.clear()
        hours_later(2)
        dispatcher.try_again()
    assert {each.status for each in Message.objects.filter(send_out=send_out)} == {"unknown"}
    assert not pace_of("sendgrid").refusals


def pace_of(provider: str, domain: str = "") -> Pace:
    return Pace.objects.get(provider=provider, domain=domain)


def test_amazons_throttling_is_known_by_its_name(settings: Settings) -> None:
    busy: Answer = (
        429,
        {"x-amzn-ErrorType": "TooManyRequestsException"},
        {"message": "Maximum sending rate exceeded."},
    )
    with provider("amazon_ses", busy) as found:
        settings.EMAIL_ROUTE = found.route
        message = handed_over(sent_to("p0"))["p0"]

    assert (message.status, message.attempts) == ("waiting", 0)
    assert pace_of("amazon_ses").refusals == 1
    assert len(found.asked) == 1  # boto3 does not repeat it by itself


@pytest.mark.parametrize(
    ("said", "seconds"), [("120", 120), ("", 0), ("soon", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
)
def test_retry_after_is_read_as_seconds_or_as_a_date(said: str, seconds: float) -> None:
    class Response:
        headers = {"Retry-After": said}

    assert esp_answers._wait(Response()) == seconds


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("anymail:sendgrid", "SENDGRID_API_KEY"),
        ("anymail:mailjet", "MAILJET_API_KEY and MAILJET_SECRET_KEY"),
        ("anymail:nobody", "nobody"),
        ("anymail:resend?with=x", "EMAIL_ROUTE must look like"),
    ],
)
def test_what_is_missing_is_said_at_the_start(url: str, words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=words):
        route_of(url, {"RESEND_API_KEY": "x"})


def test_keys_are_not_shown_by_accident() -> None:
    route = route_of("anymail:resend?without=Message-ID", {"RESEND_API_KEY": "re_secret"})

    assert isinstance(route, Esp)
    assert route.without == {"message-id"}
    assert "re_secret" not in repr(route)
