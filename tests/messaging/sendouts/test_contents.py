"""What a send-out says: links by way of us, the way out, the text of HTML, and what a contact is shown."""

from email import message_from_bytes
from email.policy import default
from quopri import decodestring
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from contacts.models import Contact
from messaging.sendouts import contents
from messaging.sendouts.contents import noticed, problems, target, values_of
from messaging.sendouts.models import Content, SendOut
from messaging.sendouts.plain import shows_way_out, text_of_html
from messaging.sendouts.tags import compiled
from messaging.tracking.tokens import Purpose, token_of

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


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<html><head><title>T</title><body><p>Hello</p></body></html>", "Hello\n"),
        ('<div style="display:none">Preheader&#847;&zwnj;</div><p>Hello</p>', "Hello\n"),
        ("<div>Preheader&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;</div><p>Hello</p>", "Preheader\n\nHello\n"),
        ("<p hidden>Preheader<p>Hello", "Hello\n"),
        ('<div><span style="Display : NONE !important">x</div><p>Hello', "Hello\n"),
        ('<div style="display:none"><div>x</div>y<br></div><p>Hello</p>', "Hello\n"),
        ('<table><tr><td style="max-height:0;overflow:hidden">x<td>Hello</table>', "Hello\n"),
        ("<template><p>x</p></template><script>y</script><p>Hello</p><!-- z -->", "Hello\n"),
        ("<p>می‌خواهم 👨‍👩‍👧</p>", "می‌خواهم 👨‍👩‍👧\n"),  # one joiner belongs to its word
        ("<!--[if mso]>x<![endif]--><!--[if !mso]><!--><p>Hello</p><!--<![endif]-->", "Hello\n"),
    ],
)
def test_the_text_part_says_what_is_seen(html: str, text: str) -> None:
    assert text_of_html(html) == text


def written(html: str) -> str:
    send_out = SendOut(
        pk=1, channel="email", sender="news@shop.example", sender_name="Shop", tracks_opens=True, tracks_clicks=False
    )
    content = Content(send_out=send_out, subject="News", html=html, text="Hi")
    mail = message_from_bytes(contents.letter_for(send_out, content).mail(values_of(ANNA, 1), {}), policy=default)
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def test_what_is_said_for_want_of_a_value_is_text_in_html() -> None:
    assert "<p>Hej vän!" in written("<p>Hej [[country,v&auml;n]]!</p>")
    assert "<p>&lt;b&gt; &amp; c" in written("<p>[[country,<b> &amp; c]]</p>")
    assert contents.shown(Content(subject="", html="[[country,v&auml;n]]"), "email", values_of(ANNA)).text == "vän\n"


WAY_OUT = '<a href="[[unsubscribeUrl]]">Bye</a>'


@pytest.mark.parametrize(
    "html",
    [
        f"<p>Hi</p><!-- {WAY_OUT} -->", f"<!--[if mso]>{WAY_OUT}<![endif]--><p>Hi</p>", f"<style>{WAY_OUT}</style>Hi",
        f"<script>{WAY_OUT}</script>Hi", f"<template>{WAY_OUT}</template>Hi", f"<div hidden>{WAY_OUT}</div>Hi",
        f"<div style='display: none'>{WAY_OUT}</div>Hi", '<a href="[[unsubscribeUrl]]"></a>Hi', "Hi<!-- never closed",
        '<a href="[[unsubscribeUrl]]" style="display:none">Bye</a>', f"<title>{WAY_OUT}</title>Hi", "Hi<style>",
        '<p data-x="[[unsubscribeUrl]]">Hi</p>', "<div style='display:none'>Hi", "<html><body>Hi", "Hi",
        '<link href="[[unsubscribeUrl]]">Hi', '<a href="https://x.example/?u=[[unsubscribeUrl]]">Go</a>', "Hi<a href='",
    ],
)  # fmt: skip
def test_a_visible_way_out_is_added_where_nobody_would_see_that_of_its_author(html: str) -> None:
    assert not shows_way_out(html)
    assert shows_way_out(
        written(html).replace(f"{settings.TRACKING_URL}/u/{token_of(1, Purpose.LEAVE)}/", "[[unsubscribeUrl]]")
    )


@pytest.mark.parametrize(
    "html",
    [
        WAY_OUT, "<p>Go to [[ UnsubscribeURL ]]</p>", "<a href=[[unsubscribeUrl]]><img src=x></a>",
        f"<div style='font-size:0'><span style='font-size:12px'>{WAY_OUT}</span></div>",
    ],
)  # fmt: skip
def test_a_way_out_that_is_seen_is_left_as_it_is(html: str) -> None:
    assert shows_way_out(html)
    assert "Unsubscribe</a>" not in written(html)


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<body>Hi</body><!-- end of </body> -->", "</body><!--"),
        ("<body><!-- </body> -->Hi</body ></html>", "</body ></html>"),
        ("<body><script>'</body>'</script>Hi</BODY>", "</BODY>"),
        ("<p>Hi</p></html>", "</html>"),
        ("<p title='</body>'>Hi</p>", ""),
        ("<p>Hi</p><!-- </body>", "<!-- </body>"),
    ],
)
def test_link_and_pixel_stand_before_the_real_end_of_the_body(html: str, before: str) -> None:
    pixel = f'/o/{token_of(1, Purpose.OPEN)}.gif" width="1" height="1" alt="">'

    assert f'>Unsubscribe</a></p><img src="{settings.TRACKING_URL}{pixel}{before}' in written(html)
    assert written(html).count(pixel) == written(html).count(">Unsubscribe</a>") == 1
