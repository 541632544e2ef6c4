"""What is told before the start: words of other systems, links and pictures that nobody can follow or see, size."""

import pytest
from django.urls import reverse

from messaging.models import Content, SendOut
from messaging.sendouts.concerns import concerns
from messaging.sendouts.drafts import save_content
from tests.factories import log_in, make_contact, make_user
from tests.messaging.sendouts.people import make_send_out


def told(html: str = "", text: str = "", subject: str = "News", channel: str = "email") -> str:
    return "\n".join(concerns(Content(subject=subject, html=html, text=text), channel))


@pytest.mark.parametrize(
    "word",
    [
        "*|FNAME|*", "*|IF:FNAME|*", "{{ first_name }}", "{{{name}}}", "{{#if name}}", "{% if x %}", "%%first_name%%",
        "%%=v(@name)=%%", "[%first_name | x%]", "${user.name}", "#FNAME#", "%FIRSTNAME%", "[firstname,fallback=friend]",
        "<%= name %>", "##firstname##", "{first_name}", "[First Name]",
    ],
)  # fmt: skip
def test_a_word_that_another_system_would_fill_in_is_told(word: str) -> None:
    assert word in told(text=f"Hello {word}!")
    assert word in told(subject=word, text="Hello")
    assert word in told(text=f"Hello {word}!", channel="sms")


def test_such_words_in_html_are_told_but_not_those_in_styles_scripts_and_comments() -> None:
    assert "{{ first_name }}" in told("<p>Hi {{ first_name }}</p>")
    assert "*|URL|*" in told("<a href='https://x.example/*|URL|*'>x</a>")
    assert (
        told("<style>a{{color:red}}</style><script>${x}</script><!-- *|FNAME|* --><p>Hi [[firstName]], 100% [sic]</p>")
        == ""
    )


@pytest.mark.parametrize(
    "text", ["50% off, 20% more", "Issue #12 and #NEWS", "[1] (a) {b}", "5 % & 6 %", "[[firstName,you]]", "#A1B2C3"]
)
def test_plain_words_are_no_merge_words(text: str) -> None:
    assert told(text=text) == ""


@pytest.mark.parametrize(
    ("html", "word"),
    [
        ('<a href="www.shop.example">x</a>', "without https://"), ('<a href="shop.example/x">x</a>', "without https://"),
        ('<a href="/path">x</a>', "without https://"), ("<img src=logo.png>", "without https://"),
        ("<img src='C:\\logo.png'>", "own computer"), ("<img src='file:///C:/logo.png'>", "own computer"),
        ("<img src='\\\\server\\logo.png'>", "own computer"), ("<img src='cid:logo'>", "attachment"),
        ("<img src='http://shop.example/a.png'>", "https://"), ("<img src='http://localhost:8000/a.png'>", "own network"),
        ("<a href='http://192.168.0.1/'>x</a>", "own network"), ("<a href='https://intranet/x'>x</a>", "own network"),
        ("<a href='javascript:alert(1)'>x</a>", "scripts"), ("<a href=''>x</a>", "empty"),
        ("<td background='http://shop.example/a.png'>", "https://"),
        ("<td style='background:url(http://shop.example/a.png)'>", "https://"),
        ("<td style='background:url(&quot;C:\\logo.png&quot;)'>", "own computer"),
        ("<style>td {background: URL( 'file:///C:/logo.png' )}</style>", "own computer"),
        ("<!--[if mso]><style>td {background: url(cid:logo)}</style><![endif]-->", "attachment"),
        ("<img src='https://shop.example/a.png' srcset='https://shop.example/b.png 2x, http://shop.example/c.png 3x'>",
         "http://shop.example/c.png: pictures by http://"),
        ("<img srcset='https://shop.example/b.png, C:\\logo.png 2x'>", "own computer"),
        ("<img srcset='https://shop.example/b.png 1x,logo.png 2x'>", "logo.png: without https://"),
    ],
)  # fmt: skip
def test_what_nobody_can_follow_or_see_is_told(html: str, word: str) -> None:
    assert word in told(f"<p>Hi</p>{html}")


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://shop.example">x</a>', '<a href="http://shop.example">x</a>', '<a href="#top">x</a>',
        '<a href="mailto:us@shop.example">x</a>', '<a href="tel:+4670">x</a>', '<a href="[[unsubscribeUrl]]">x</a>',
        "<img src='https://shop.example/a.png'>", "<img src='data:image/png;base64,x'>", "<a name=top></a>",
        '<a href="https://[::2]/">x</a>', "<td style='background:url(https://shop.example/a.png)'>",
        "<img srcset='https://shop.example/a,b.png 1.5x, data:image/png;base64,x 2x'>",
        "<style>td {background: url(data:image/png;base64,x)} p {behavior: url(#default#VML)}</style>",
    ],
)  # fmt: skip
def test_what_can_be_followed_and_seen_is_not(html: str) -> None:
    assert told(f"<p>Hi</p>{html}") == ""


def test_html_that_gmail_would_clip_is_told() -> None:
    assert "Gmail" in told("<p>" + "x" * 110 * 1024)
    assert told("<p>" + "x" * 100 * 1024) == ""


@pytest.mark.django_db
def test_concerns_are_shown_with_the_content_and_before_the_start_and_stop_nobody() -> None:
    make_contact(email="anna@example.org")
    made = make_send_out()
    save_content(made, make_user("").pk, subject="News", html="<p>Hi *|FNAME|*</p>", text="")
    marketer = log_in("Marketers")

    for name in ("send_out_content", "send_out_final"):
        page = marketer.get(reverse(f"messaging:{name}", args=[made.pk])).content.decode()
        assert "*|FNAME|*: other systems" in page
    marketer.post(reverse("messaging:send_out_final", args=[made.pk]), {"when": "now"})
    assert SendOut.objects.get(pk=made.pk).state == "sending"


@pytest.mark.django_db
def test_a_draft_of_before_whose_link_a_name_would_spell_does_not_start() -> None:
    make_contact(email="anna@example.org")
    made = make_send_out()
    save_content(made, make_user("").pk, subject="News", html="<a href='https://[[firstName]]/'>x</a>", text="")
    marketer = log_in("Marketers")

    final = reverse("messaging:send_out_final", args=[made.pk])
    assert "https://[[firstName]]/" in marketer.get(final).content.decode()
    assert marketer.post(final, {"when": "now"}).status_code in (200, 422)
    assert SendOut.objects.get(pk=made.pk).state == "draft"
