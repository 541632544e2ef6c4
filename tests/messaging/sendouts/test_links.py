"""Where links lead: read as browsers read them, filled in so that values cannot steer, refused where they lead nowhere."""

from email import message_from_bytes
from email.policy import default
from html import escape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.sendouts import contents, links, markup
from messaging.sendouts.contents import Person, addresses_of_links, noticed, problems, target, values_of
from messaging.sendouts.markup import in_attribute
from messaging.sendouts.mime_template import html_value
from messaging.sendouts.mjml_source import html_of
from messaging.sendouts.models import Content, SendOut
from messaging.sendouts.plain import text_of_html

JO = Person("Tom & Jo #1", "Ek", "a+b@x.example", "+46701234567", "", "sv")
MJML = '<mjml><mj-body><mj-section><mj-column><mj-button href="{}">Go</mj-button></mj-column></mj-section></mj-body></mjml>'


def link(address: str) -> str:
    return f'<a href="{address}">Go</a>'


@pytest.mark.parametrize(
    ("written", "leads_to"),
    [
        ("https://s.example/?id=1&region=se", "https://s.example/?id=1&region=se"),
        (
            "https://s.example/?a=1&section=2&timestamp=3&notify=1",
            "https://s.example/?a=1&section=2&timestamp=3&notify=1",
        ),
        ("https://s.example/?a=1&amp;region=se", "https://s.example/?a=1&region=se"),
        ("https://s.example/?a=1&copy=2&reg=3&para", "https://s.example/?a=1&copy=2&reg=3¶"),
        ("https://s.example/?a&#38;b&#x26;c&AMP;d&lt;e&ltf", "https://s.example/?a&b&c&d<e&ltf"),
        ("https://s.example/?a&notit;b&nosuch;c", "https://s.example/?a&notit;b&nosuch;c"),
        (" \n https://s.example/\n\tpath ", "https://s.example/path"),
        ("HTTPS://S.example/Path", "HTTPS://S.example/Path"),
    ],
)
def test_an_address_is_read_as_browsers_read_it_wherever_it_is_shown(written: str, leads_to: str) -> None:
    for html in (link(written), f"<a href='{written}'>Go</a>", f"<AREA alt=Go HREF = '{written}'>"):
        assert addresses_of_links(html) == {0: leads_to}
    assert text_of_html(link(written)) == f"Go ({leads_to})\n"
    assert unquote(urlsplit(target(link(written), 0, {}) or "").query) == unquote(urlsplit(leads_to).query)


@pytest.mark.parametrize("query", ["id=1&region=se", "a=1&section=2&timestamp=3", "a=1&amp;region=se"])
def test_a_button_of_mjml_leads_to_where_its_author_meant(query: str) -> None:
    (address,) = addresses_of_links(html_of(MJML.format(f"https://s.example/?{query}"))).values()

    assert address == f"https://s.example/?{query.replace('&amp;', '&')}"


@given(st.text())
def test_what_is_escaped_is_read_back(value: str) -> None:
    assert in_attribute(escape(value)) == value


def mail_of(html: str, text: str = "", *, clicks: bool) -> Any:
    send_out = SendOut(
        pk=1, channel="email", sender="news@shop.example", sender_name="", tracks_clicks=clicks, is_transactional=True
    )  # fmt: skip
    content = Content(send_out=send_out, subject="News", html=html, text=text)
    return message_from_bytes(contents.letter_for(send_out, content).mail(values_of(JO, 1), {}), policy=default)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "https://s.example/[[firstName]]?e=[[email]]&n=[[firstName]]#[[firstName]]",
            "https://s.example/Tom%20%26%20Jo%20%231?e=a%2Bb%40x.example&n=Tom%20%26%20Jo%20%231#Tom%20%26%20Jo%20%231",
        ),
        ("https://s.example/?n=[[country,no & one]]", "https://s.example/?n=no%20%26%20one"),
        ("https://s.example/?n=[[country,v&auml;n]]", "https://s.example/?n=v%C3%A4n"),
        ("mailto:[[email]]?subject=[[firstName]]", "mailto:a%2Bb@x.example?subject=Tom%20%26%20Jo%20%231"),
        ("tel:[[mobile]]", "tel:+46701234567"),
        ("sms:[[mobile]]?body=[[firstName]]", "sms:+46701234567?body=Tom%20%26%20Jo%20%231"),
        ("//s.example/?n=[[firstName]]", "//s.example/?n=Tom%20%26%20Jo%20%231"),
    ],
)
def test_values_in_links_are_percent_encoded_in_html_and_text_whether_clicks_are_noticed_or_not(
    written: str, said: str
) -> None:
    mail = mail_of(link(written), clicks=False)

    assert f'href="{said}"' in mail.get_body(("html",)).get_content()
    assert f"({said})" in mail.get_body(("plain",)).get_content()
    if written.startswith("https"):
        assert f"({said})" in mail_of(link(written), clicks=True).get_body(("plain",)).get_content()
        assert target(link(written), 0, values_of(JO)) == said
        text = f"Look: {written.replace('&auml;', 'ä')}, [[firstName]]"
        assert mail_of("", text, clicks=False).get_content().strip() == f"Look: {said}, Tom & Jo #1"


def test_values_in_a_link_of_an_sms_are_percent_encoded() -> None:
    said = contents.shown(Content(text="[[firstName]]: https://s.example/?n=[[firstName]]"), "sms", values_of(JO))

    assert said.text == "Tom & Jo #1: https://s.example/?n=Tom%20%26%20Jo%20%231"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_value_changes_where_a_link_leads(name: str) -> None:
    html = link("https://s.example/a?n=[[firstName]]&x=1#top")
    filled = noticed(html, opens=False, clicks=False).fill({"firstName": name}, html_value)

    for address in (target(html, 0, {"firstName": name}) or "", filled.partition('"')[2].partition('"')[0]):
        found = urlsplit(address)
        assert (found.hostname, found.path, found.fragment) == ("s.example", "/a", "top")
        assert parse_qs(found.query, keep_blank_values=True) == {"n": [name], "x": ["1"]}


@pytest.mark.parametrize(
    "address",
    [
        "https://[[firstName]]/", "https://[[country]].shop.example/", "https://shop.example[[country]]/", "[[email]]",
        "[[firstName]]://shop.example/", "https:[[firstName]]", "https://\\[[firstName]]", "//[[firstName]]/x",
        "https://x:[[firstName]]@shop.example/", "https://shop.example:[[mobile]]/", "https://[[unsubscribeUrl]]",
        "ht\ntps://[[firstName]]/", "h&#116;tps:&#x2f;/[[firstName]]/", "java[[firstName]]",
    ],
)  # fmt: skip
def test_a_tag_that_says_where_a_link_leads_is_refused_and_never_spells_a_host(address: str) -> None:
    assert "html" in problems("email", subject="News", html=link(address), text="")
    evil = {"firstName": "evil.example", "email": "evil.example", "country": "evil.example", "mobile": "1@evil.example"}

    filled = noticed(link(address), opens=False, clicks=True).fill(evil, html_value)
    assert "//evil.example" not in filled
    assert target(link(address), 0, evil) is None


def test_a_tag_in_the_host_of_a_link_in_plain_text_or_an_sms_is_refused() -> None:
    assert set(problems("sms", subject="", html="", text="https://[[firstName]]/")) == {"text"}
    assert set(problems("email", subject="x", html="", text="See http://[[country]].x.example/")) == {"text"}
    assert problems("email", subject="x", html="", text="http:// is how it begins, [[firstName]]") == {}


@pytest.mark.parametrize(
    "address",
    ["http://", "https://", "https:///", "https://?x", "https://:80/", "http://[::1", "https://a b/", "https://a:b/"],
)
def test_a_web_address_without_a_host_is_refused_and_is_no_link_of_ours(address: str) -> None:
    assert "html" in problems("email", subject="News", html=link(address), text="")
    assert addresses_of_links(link(address)) == {}


@pytest.mark.parametrize(
    "address",
    [
        "https://s.example", "http://[::1]:8000/", "mailto:[[email]]", "tel:[[mobile]]", "[[unsubscribeUrl]]", "#top",
        "https://s.example/?next=http://", "https://bücher.example/", "https://i❤.ws/", "data:,x", "/path",
        "https://user@s.example:443/[[email]]",
    ],
)  # fmt: skip
def test_other_links_are_taken(address: str) -> None:
    assert problems("email", subject="News", html=link(address), text="") == {}


def test_a_host_beyond_ascii_is_led_to_by_its_name_in_the_dns() -> None:
    assert target(link("https://straße.example:8443/ä"), 0, {}) == "https://xn--strae-oqa.example:8443/ä"


def test_links_without_quotes_of_maps_and_for_outlook_alone_are_noticed_and_others_keep_their_numbers() -> None:
    html = (
        "<!-- <a href='https://old.example/'> --><a href=https://one.example/>1</a>"
        "<!--[if mso]><a href='https://two.example/'>2</a><![endif]-->"
        '<area href="https://three.example/"><a href="https://four.example/">4</a>'
    )

    assert addresses_of_links(html) == {
        1: "https://two.example/", 2: "https://four.example/", 3: "https://one.example/", 4: "https://three.example/",
    }  # fmt: skip
    sent = noticed(html, opens=False, clicks=True).fill(values_of(JO, 1), html_value)
    assert "https://old.example/" in sent
    assert not any(f"https://{name}.example" in sent for name in ("one", "two", "three", "four"))


def test_the_work_of_reading_html_grows_as_its_length_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sign belongs to one piece, and no pattern looks further than to the end of its own."""
    for part in ("<a ", "<", '<a href="', "<!--", "<p>", "<title>", "&zwnj; ", "<a>x", '<a x="1" href=', "<![if "):
        found = list(markup.pieces(part * 500))
        assert [each.start for each in found[1:]] == [each.end for each in found[:-1]]
        assert found[-1].end == len(part) * 500
        assert len(list(links.links_in(part * 1000))) <= 2 * len(list(links.links_in(part * 500))) + 1
