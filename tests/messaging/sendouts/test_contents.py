"""What a send-out says: links by way of us, the way out, the text of HTML, and what a contact is shown."""

from email import message_from_bytes
from quopri import decodestring
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from contacts.models import Contact
from messaging.sendouts import contents
from messaging.sendouts.contents import noticed, problems, target, values_of
from messaging.sendouts.models import Content, SendOut
from messaging.sendouts.plain import text_of_html
from messaging.sendouts.tags import compiled
from messaging.tokens import Purpose, token_of

ANNA = Contact(first_name="Anna", last_name="Å&<b>", email="anna@example.org", mobile_digits="+46701234567")
HTML = """<body><p>Hi [[firstName]]</p><a class=x href="https://shop.example/a?x=1&amp;y=2">A</a>
<a href='https://shop.example/?e=[[email]]'>B</a> <a href="mailto:us@shop.example">C</a>
<a href="[[unsubscribeUrl]]">D</a></body>"""


def test_web_links_lead_by_way_of_us_and_others_as_they_did() -> None:
    sent = noticed(HTML, opens=True, clicks=True).fill(values_of(ANNA, 4711))

    assert f'href="{settings.TRACKING_URL}/c/{token_of(4711, Purpose.CLICK)}/0/"' in sent
    assert f'href="{settings.TRACKING_URL}/c/{token_of(4711, Purpose.CLICK)}/1/"' in sent
    assert 'href="mailto:us@shop.example"' in sent
    assert f'href="{settings.TRACKING_URL}/u/{token_of(4711, Purpose.LEAVE)}/"' in sent
    assert (
        f'<img src="{settings.TRACKING_URL}/o/{token_of(4711, Purpose.OPEN)}.gif" width="1" height="1" alt=""></body>'
        in sent
    )


def test_nothing_is_noticed_where_the_send_out_says_so() -> None:
    assert noticed(HTML, opens=False, clicks=False).fill({}) == compiled(HTML).fill({})


def test_a_number_leads_to_its_link_with_values_that_cannot_steer() -> None:
    mallory = Contact(first_name="M", email="m@evil.example/?&#@x")

    assert target(HTML, 0, values_of(ANNA)) == "https://shop.example/a?x=1&y=2"
    assert target(HTML, 1, values_of(ANNA)) == "https://shop.example/?e=anna%40example.org"
    leads_to = target(HTML, 1, values_of(mallory))
    assert leads_to is not None
    assert urlsplit(leads_to).hostname == "shop.example"


@pytest.mark.parametrize("number", [2, 3, 4, 10**9])
def test_what_is_no_web_link_of_the_content_leads_nowhere(number: int) -> None:
    assert target(HTML, number, values_of(ANNA)) is None


def test_an_email_says_how_to_unsubscribe_even_if_its_author_does_not() -> None:
    send_out = SendOut(pk=1, channel="email", sender="news@shop.example", sender_name="Shop")
    content = Content(pk=1, send_out=send_out, subject="News", html="<p>Hi</p>")

    mail = decodestring(contents.letter_for(send_out, content).mail(values_of(ANNA, 1), {})).decode()

    assert f'<a href="{settings.TRACKING_URL}/u/{token_of(1, Purpose.LEAVE)}/">Unsubscribe</a>' in mail
    assert f"Unsubscribe: {settings.TRACKING_URL}/u/{token_of(1, Purpose.LEAVE)}/" in mail
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in mail


def test_a_transactional_email_does_not() -> None:
    send_out = SendOut(pk=2, channel="email", sender="news@shop.example", sender_name="", is_transactional=True)
    content = Content(pk=2, send_out=send_out, subject="Receipt", text="Thanks")

    assert b"nsubscribe" not in contents.letter_for(send_out, content).mail(values_of(ANNA, 2), {})


def test_values_are_quoted_for_the_eye() -> None:
    shown = contents.shown(Content(subject="To [[lastName]]", html="<p>[[lastName]]</p>"), "email", values_of(ANNA))

    assert shown.html == "<p>Å&amp;&lt;b&gt;</p>"
    assert shown.subject == "To Å&<b>"
    assert shown.text == "Å&<b>\n"


def test_an_sms_is_shown_with_its_length() -> None:
    shown = contents.shown(Content(text="Hej [[firstName]]!"), "sms", values_of(ANNA))

    assert shown.text == "Hej Anna!"
    assert shown.length is not None
    assert shown.length.units == 9


def test_what_is_wrong_is_said_by_field() -> None:
    assert set(problems("email", subject="", html="[[nme]]", text="")) == {"subject", "html"}
    assert set(problems("sms", subject="", html="", text=" ")) == {"text"}
    assert problems("email", subject="News", html="", text="Hi") == {}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>lines</p>", "One\n\nTwo\nlines\n"),
        ("<style>p{}</style><h1>News</h1>\n<ul><li>a</li> <li>b</li></ul>", "News\n\n- a\n- b\n"),
        (
            '<a href="https://x.example">Shop</a> <img alt="A hat"> &amp; more',
            "Shop (https://x.example) A hat & more\n",
        ),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example\n"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n\n3\n"),
        ("", "\n"),
    ],
)
def test_html_reads_as_text(html: str, text: str) -> None:
    assert text_of_html(html) == text


@pytest.mark.parametrize(
    ("is_transactional", "expected"),
    [
        (False, {"feedback-id": "3:marketing:engage", "precedence": "bulk", "auto-submitted": None}),
        (True, {"feedback-id": "3:transactional:engage", "precedence": None, "auto-submitted": "auto-generated"}),
    ],
)
def test_the_headers_say_what_kind_of_email_it_is(*, is_transactional: bool, expected: dict[str, str | None]) -> None:
    send_out = SendOut(
        pk=3, channel="email", sender="news@shop.example", sender_name="", is_transactional=is_transactional
    )
    content = Content(pk=3, send_out=send_out, subject="News", text="Hi")
    mail = message_from_bytes(contents.letter_for(send_out, content).mail(values_of(ANNA, 2), {}))

    assert {name: mail[name] for name in expected} == expected
    assert (mail["List-Unsubscribe-Post"] is None) == is_transactional
