"""Nothing that somebody pastes as MJML ends or holds the process."""

import pytest
from django.utils.translation import override

from messaging.sendouts import mjml_source
from messaging.sendouts.mjml_source import MjmlError, html_of

BEGIN = "<mjml><mj-body><mj-section><mj-column><mj-text>"
END = "</mj-text></mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    "begins", ["<div>", "<mj-raw>", '<div a="/>">', "<div", "<p></x>", "<b\n>", "<mj-text>", "<x:y>"]
)
def test_what_is_nested_without_end_is_refused_with_its_line(begins: str) -> None:
    with pytest.raises(MjmlError, match=r"Line \d+: more than 200 elements lie within each other") as refused:
        html_of(BEGIN + begins * 20_000 + END)
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize("flat", ["<br>", "<br/>", '<img src="a"/>', "<b>x</b>", "<p>a</p><hr/>", "<!-- x -->"])
def test_as_many_elements_side_by_side_are_taken(flat: str) -> None:
    assert html_of(BEGIN + flat * 3_000 + END)


def test_what_is_too_long_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(MjmlError, match="longer than 1000000 characters"):
        html_of(BEGIN + "x" * 1_000_000 + END)


def test_of_many_problems_the_first_are_told() -> None:
    with override("en"), pytest.raises(MjmlError) as refused:
        html_of(BEGIN + "<mj-nothing></mj-nothing>\n" * 30_000 + END)
    assert len(refused.value.problems) == mjml_source.MOST_PROBLEMS
