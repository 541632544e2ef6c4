"""MJML: what is wrong is told with its line, and the HTML is what goes out."""

import pytest

from messaging.models import SendOut
from messaging.sendouts import contents, drafts
from messaging.sendouts.mjml_source import MjmlError, html_of, is_mjml, problems_in
from tests.factories import log_in

MJML = """<mjml>
  <mj-head><mj-attributes><mj-text color="#333" /><mj-all font-family="Arial" /></mj-attributes></mj-head>
  <mj-body>
    <!-- <mj-nonsense> -->
    <mj-section><mj-column>
      <mj-text>Hej [[firstName,you]] &amp; co > all</mj-text>
      <mj-button href="https://shop.example/?a=1&b=>">Go</mj-button>
      <mj-image src="https://shop.example/a.png" alt="A hat" />
    </mj-column></mj-section>
    <mj-raw><p>raw</p></mj-raw>
  </mj-body>
</mjml>"""


def test_mjml_becomes_html_with_its_tags_in_it_and_brings_in_nothing() -> None:
    html = html_of(MJML)

    assert "Hej [[firstName,you]] &amp; co" in html
    assert 'href="https://shop.example/?a=1&b=>"' in html
    assert "googleapis" not in html


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        (MJML, True), ("<?xml version='1.0'?>\n<!-- a -->\n<mjml>", True),
        ("<p>About <mjml></p>", False), ("", False), ("<mjmlx>", False),
    ],
)  # fmt: skip
def test_what_begins_as_mjml_is_mjml(text: str, *, is_it: bool) -> None:
    assert is_mjml(text) is is_it


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("<mj-column>", "<mj-colum>"), "Line 5: there is no <mj-colum>. Did you mean <mj-column>?"),
        (("</mj-text>\n", "\n"), "Line 6: <mj-text> is never closed."),
        (("</mj-column></mj-section>", "</mj-section>"), "Line 5: <mj-column> is never closed."),
        (("<mj-raw>", "</mj-group><mj-raw>"), "Line 10: </mj-group> ends nothing."),
        (("<mj-raw>", "<mj-text>x</mj-text><mj-raw>"),
         "Line 10: <mj-text> must stand directly within <mj-column> or <mj-hero>."),
        (("<mj-raw>", "<mj-include path='/etc/passwd' /><mj-raw>"),
         "Line 10: mj-include does not work here. Put in what it would bring."),
        (("<mj-body>", "<mj-body><mjml>"), "Line 3: <mjml> can only be the outermost."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(change: tuple[str, str], problem: str) -> None:
    with pytest.raises(MjmlError) as raised:
        html_of(MJML.replace(*change, 1))

    assert problem in raised.value.problems


def test_what_the_library_finds_is_told_with_its_line() -> None:
    with pytest.raises(MjmlError) as raised:
        html_of(
            "<mjml>\n<mj-body>\n<mj-section><mj-column><mj-text>å < <</mj-text></mj-column></mj-section></mj-body></mjml>"
        )

    assert raised.value.problems[0].startswith(("Line 3: ", "The MJML cannot be read: "))


def test_looking_for_problems_takes_time_linear_in_the_length() -> None:
    assert problems_in('<mj-text a="' * 20_000) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("groups")
def test_a_marketer_writes_mjml_gets_it_back_and_the_html_goes_out() -> None:
    client = log_in("Marketers")
    draft = drafts.create(int(client.session["_auth_user_id"]), name="Spring", channel="email")
    given = {"sender_name": "Shop", "sender": "news@shop.example", "subject": "Spring", "html": MJML, "text": ""}
    client.post(f"{draft.get_absolute_url()}content/", given)

    content = SendOut.objects.get(pk=draft.pk).content
    assert content is not None
    assert content.mjml.splitlines() == MJML.splitlines()
    assert "<mj-button" not in contents.shown(content, "email", contents.values_of(None)).html
    assert "&lt;mj-button" in client.get(f"{draft.get_absolute_url()}content/").content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("groups")
def test_wrong_mjml_is_not_saved_and_the_form_says_what_is_wrong() -> None:
    client = log_in("Marketers")
    draft = drafts.create(int(client.session["_auth_user_id"]), name="Spring", channel="email")
    given = {"sender_name": "Shop", "sender": "news@shop.example", "subject": "Spring", "text": ""}
    answer = client.post(f"{draft.get_absolute_url()}content/", given | {"html": MJML.replace("mj-button", "mj-buton")})

    assert answer.status_code == 422
    assert "Line 7: there is no &lt;mj-buton&gt;. Did you mean &lt;mj-button&gt;?" in answer.content.decode()
    assert SendOut.objects.get(pk=draft.pk).content is None


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("<ul><li>One<li>Two</ul>", ["Line 3: <li> is never closed.", "Line 3: <li> is never closed."]),
        ("\n5 < 6", ["Line 4: write &lt; in place of a < that begins no tag (“< 6”)."]),
        ("<p>One\n<p>Two</p>", ["Line 3: <p> is never closed."]),
        ("<b>x</p>", ["Line 3: <b> is never closed.", "Line 3: </p> ends nothing."]),
        ("<p><b>x</p>", ["Line 3: <b> is never closed."]),
        ("<p>One</b>\n</p>", ["Line 3: </b> ends nothing."]),
        ("<p><b><i>x</b></i></p>", ["Line 3: <i> is never closed.", "Line 3: </i> ends nothing."]),
        ("<img src=x.png>", ["Line 3: put the value of src in quotes."]),
    ],
)
def test_what_is_not_closed_in_the_html_within_is_told_with_its_line(text: str, problems: list[str]) -> None:
    source = (
        f"<mjml><mj-body><mj-section><mj-column>\n<mj-text>\n{text}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )

    with pytest.raises(MjmlError) as raised:
        html_of(source)
    assert raised.value.problems == problems
