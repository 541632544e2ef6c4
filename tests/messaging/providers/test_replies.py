"""STOP and its like: which words count, whom they are about, and what follows."""

import json
import tomllib
from datetime import timedelta
from functools import partial

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from contacts.models import Change, Channel, Contact
from messaging.inbox import reports
from messaging.ledger.record import SourcedEvent
from messaging.providers import gateway_file, generic, replies
from messaging.providers.base import Raw
from messaging.providers.registry import providers
from messaging.providers.replies import consent_change_in, e164_of, parse_reply
from messaging.status.order import Kind
from messaging.suppression.follow import apply
from messaging.tracking.tokens import Purpose, token_of
from tests.messaging.conftest import SENT_AT, make_contact, make_message


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        " stop. ",
        "Stopp!",
        "STOP please",
        "stop sending me this",
        "UNSUBSCRIBE",
        "Avsluta",
        "ARRÊT",
        "„Abmelden“",
        "opt out",
        "Please stop",
        "stop👍",
        "Stoppa",
        "unsuscribe",
        "unsubcribe",
        "unsubscribe me please",
        "S T O P",
        "s.t.o.p",
        "STOOOP!!!",
        "ＳＴＯＰ",
        "stop it now",
        "Stop. I don't want these",
        "No. Stop.",
        "Stop!!! 😡😡",
        "pls stop texting me",
        "can you please stop sending me these messages?",
        "I want to unsubscribe",
        "Please remove me from your list",
        "take me off this list",
        "no more texts please",
        "don't text me again",
        "STOP ACME",
        "Stopp tack",
        "Stoppa sms tack",
        "Snälla sluta skicka sms",
        "inga fler sms tack",
        "avregistrera mig",
        "Avregistera",
        "stop venligst",
        "afmeld mig",
        "Stopp bitte",
        "Bitte abmelden",
        "Bitte keine SMS mehr",
        "abmeldne",
        "arrêtez svp",
        "STOP SVP",
        "désabonner",
        "Désabonnez-moi",
        "plus de sms merci",
        "basta",
        "baja",
        "darme de baja por favor",
        "BAJA por favor",
        "no más mensajes",
        "Basta messaggi",
        "disiscrivimi",
        "afmelden aub",
        "Stop aub",
        "meld me af",
        "wypisz mnie",
        "Proszę nie wysyłać SMS",
        "rezygnuję",
        "sair",
        "parar",
        "cancelar inscrição",
        "stop\nSent from my iPhone",
        "Cancel my subscription",
        "cancel please",
        "quit",
        "END",
        "revoke",
        "optout",
        "opt-out",
        "Re: STOP",
        "STOP!",
        "*stop*",
        '"Stop"',
        "stop stop stop",
        "Stop now!",
        "Stop, thanks",
        "please STOP sending SMS to this number",
        "unsubscribe please 🙏",
        "🛑",
        "stop 🛑",
        "(stop)",
        "stop❤️",
        "Stopp sms",
        "sluta",
        "Quit sending me texts",
        "Leave me alone!",
        "stop all",
        "STOPALL",
        "hi, stop pls",
        "un-subscribe",
        "Unsubscribed",
        "I would like to opt out",
        "Wypisz",
        "stop the messages",
        "Stop texting!",
        "stop this",
        "sotp",
        "Lopeta",
        "peruuta tilaus",
        "Avslutt",
        "meld av",
        "Stop sms tak",
    ],
)
def test_it_says_stop(text: str) -> None:
    assert consent_change_in(text) == Kind.UNSUBSCRIBED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "Thanks",
        "Where does the bus stop?",
        "cancel my booking",
        "The end",
        "stop by tomorrow if you like",
        "stoppage",
        "don't stop sending",
        "stop by the shop tomorrow?",
        "Please don't stop",
        "Don’t stop",
        "stop by",
        "I can't stop laughing",
        "This is my stop",
        "Next stop Uppsala",
        "never stop",
        "Sluta inte",
        "sluta aldrig skicka",
        "nicht stoppen",
        "bitte nicht stoppen",
        "ne pas arrêter",
        "no parar",
        "When does the sale stop?",
        "Can I stop by on Friday?",
        "I'll stop in tomorrow",
        "non stop",
        "non-stop",
        "Anmelden",
        "inscrire",
        "Subscribe to what?",
        "end of June works",
        "cancel my order",
        "Is the bus stop nearby?",
        "stop worrying",
        "how do I stop my dog from barking",
        "I want to subscribe",
        "aanmelden",
        "registrera mig",
        "if I stop now",
        "Why stop?",
        "peru trip",
        "👍",
        "OK",
        "the shop",
        "step",
        "stopover in Oslo",
    ],
)
def test_it_says_nothing_of_that_kind(text: str) -> None:
    assert consent_change_in(text) is None


@pytest.mark.parametrize(
    ("table", "name"), [("stop", "words"), ("stop", "phrases"), ("stop", "alone"), ("start", "words")]
)
def test_every_word_of_the_table_says_so_alone_and_with_courtesies_around(table: str, name: str) -> None:
    for word in replies._data()[table][name]:
        expected = Kind.SUBSCRIBED if table == "start" else Kind.UNSUBSCRIBED
        assert {
            consent_change_in(word),
            consent_change_in(f"{word.upper()}!!"),
            consent_change_in(f"Hi, {word} please 🙏"),
        } == {expected}, word


@pytest.mark.parametrize("text", ["Start", "START!", "start please 👍", "Unstop"])
def test_start_takes_it_back(text: str) -> None:
    assert consent_change_in(text) == Kind.SUBSCRIBED


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert consent_change_in(text) in (None, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("46701234567", "+46701234567"),
        ("+46701234567", "+46701234567"),
        ("0046701234567", "+46701234567"),
        ("0701234567", "+46701234567"),
        ("Telia", ""),
        ("", ""),
    ],
)
def test_a_number_is_read_however_a_gateway_writes_it(given: str, number: str) -> None:
    assert e164_of(given) == number


FORM, JSON = "application/x-www-form-urlencoded", "application/json"
GENERIC = """
label = "Ours"
[authentication]
in = "header"
name = "X-Key"
[fields]
status = "state"
message_id = "id"
[statuses]
ok = ["delivered"]
[replies]
from = "sender.number"
text = "body"
"""


@pytest.mark.parametrize(
    ("slug", "content_type", "body"),
    [
        ("twilio", FORM, b"MessageSid=SM1&SmsSid=SM1&From=%2B46701234567&To=%2B46700&Body=Stop&SmsStatus=received"),
        ("twilio", FORM, b"MessageSid=SM1&From=%2B46701234567&Body=nej+tack&OptOutType=STOP"),
        ("vonage", FORM, b"msisdn=46701234567&to=46700&messageId=1&text=STOP&type=text&keyword=STOP"),
        ("vonage", JSON, b'{"message_uuid": "1", "from": "46701234567", "to": "46700", "text": "STOP"}'),
        ("elks", FORM, b"direction=incoming&id=s1&from=%2B46701234567&to=%2B46700&message=STOPP"),
        ("plivo", FORM, b"From=46701234567&To=46700&Type=sms&Text=STOP&MessageUUID=1"),
        (
            "telnyx",
            JSON,
            (
                b'{"data": {"event_type": "message.received", "payload": {"from": {"phone_number": "+46701234567"}, '
                b'"text": "STOP"}}}'
            ),
        ),
        ("sinch", JSON, b'{"type": "mo_text", "from": "46701234567", "to": "1", "body": "STOP", "id": "1"}'),
        ("infobip", JSON, b'{"results": [{"messageId": "1", "from": "46701234567", "to": "1", "text": "STOP"}]}'),
        (
            "bird",
            JSON,
            b'{"type": "sms.received", "data": {"sms_id": "sms_1", "from": "+46701234567", "to": "1", "text": "STOP"}}',
        ),
        (
            "bird",
            JSON,
            (
                b'{"service": "channels", "event": "sms.inbound", "payload": {"id": "1", "sender": {"contact": '
                b'{"identifierKey": "phonenumber", "identifierValue": "+46701234567"}}, '
                b'"body": {"type": "text", "text": {"text": "STOP"}}}}'
            ),
        ),
        (
            "link_mobility",
            JSON,
            (
                b'{"messageId": "1", "source": "+46701234567", "destination": "SE-72456", '
                b'"content": {"type": "TEXT", "encoding": "UTF-8", "userData": "STOP"}}'
            ),
        ),
        (
            "amazon_sms",
            JSON,
            json.dumps(
                {
                    "Type": "Notification",
                    "Message": json.dumps(
                        {
                            "originationNumber": "+46701234567", "destinationNumber": "+467", "messageKeyword": "STOP",
                            "messageBody": "STOP", "inboundMessageId": "1",
                        }
                    ),
                }
            ).encode(),
        ),
        ("generic", JSON, b'{"sender": {"number": "46701234567"}, "body": "STOP"}'),
    ],
)  # fmt: skip
def test_stop_is_taken_by_the_gateways_webhook(slug: str, content_type: str, body: bytes) -> None:
    raw = Raw(body, content_type, f"/webhooks/{slug}/", SENT_AT)
    read = (
        partial(generic.parse, gateway_file.gateway_in("generic", tomllib.loads(GENERIC)))
        if slug == "generic"
        else None
    )

    (event,) = (read or providers()[slug].parse)(raw).events

    assert (event.kind, event.recipient, event.provider) == ("unsubscribed", "+46701234567", slug)


@pytest.mark.django_db(transaction=True)
def test_stop_opts_everybody_with_the_number_out_of_sms_and_the_history_says_so() -> None:
    anna, bert = make_contact(mobile="+46701234567"), make_contact(mobile="+46701234567")
    message = make_message(Channel.SMS, anna)
    make_message(Channel.SMS, anna, sent_at=SENT_AT - timedelta(days=10))

    (event,) = parse_reply("smpp", "46701234567", "STOP", SENT_AT + timedelta(hours=1)).events
    assert apply([SourcedEvent(event)]) == []

    assert [each.accepts_sms for each in Contact.objects.all()] == [False, False]
    assert all(each.accepts_email for each in Contact.objects.all())
    change = Change.objects.get(contact=bert, kind=Change.Kind.OPTED_OUT)
    assert (change.field, change.message_id) == ("sms", message.pk)
    message.refresh_from_db()
    assert message.status == "unknown"


@pytest.mark.django_db(transaction=True)
def test_stop_of_somebody_we_never_wrote_to_waits_and_is_not_lost() -> None:
    (event,) = parse_reply("smpp", "46709999999", "STOP", SENT_AT).events

    assert [each.event for each in apply([SourcedEvent(event)])] == [event]


@pytest.mark.django_db(transaction=True)
def test_the_link_in_an_sms_unsubscribes_from_sms_alone() -> None:
    anna = make_contact()
    message = make_message(Channel.SMS, anna)
    page = f"/u/{token_of(message.pk, Purpose.LEAVE)}/"

    assert "Unsubscribe?" in Client().get(page).content.decode()
    reports.apply_pending()
    anna.refresh_from_db()
    assert anna.accepts_sms

    Client().post(page)
    reports.apply_pending()
    anna.refresh_from_db()
    assert (anna.accepts_sms, anna.accepts_email) == (False, True)
