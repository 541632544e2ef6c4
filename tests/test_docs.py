"""The docs say what the code says of statuses, reasons, settings and packages, no more and no less; links resolve."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from contacts.models import Channel
from engage.local.bootstrap import BASE_DIR
from messaging.bounces.reasons import REASONS
from messaging.providers.base import Provider
from messaging.providers.registry import providers
from messaging.status.order import EMAIL_STATUSES, SMS_STATUSES, Status

DOCS: Final = BASE_DIR / "docs"
PAGES: Final = sorted([*BASE_DIR.glob("*.md"), *DOCS.rglob("*.md"), *BASE_DIR.glob("bench/*.md")])
LINK: Final = re.compile(r"""\]\(<?([^)\s>]+)>?\)|(?:src|srcset|href)="([^"]+)\"""")
READS_VARIABLE: Final = re.compile(r"""(?:env\.\w+|required|environ\.get)\(\s*"([A-Z][A-Z0-9_]+)\"""")
# Set by Engage itself, by the system, or by everybody's Django.
NOT_SETTINGS: Final = {"PATH", "DEMO_SENDGRID_KEY_FILE", "DJANGO_SETTINGS_MODULE"}


@pytest.mark.parametrize(("heading", "statuses"), [("Email", EMAIL_STATUSES), ("SMS", SMS_STATUSES)])
def test_marketers_find_every_status_of_each_channel(heading: str, statuses: Sequence[Status]) -> None:
    assert [row[0] for row in table(DOCS / "marketers.md", heading)] == [str(status.label) for status in statuses]


def test_marketers_find_every_reason_and_whether_it_blocks() -> None:
    told = [(row[0], row[1], "Blocks" in row[2]) for row in table(DOCS / "marketers.md", "Reasons")]

    assert told == [
        (reason.label(Channel.EMAIL), reason.label(Channel.SMS), reason.is_hard) for reason in REASONS.values()
    ]


@pytest.mark.parametrize(
    "provider", [each for each in providers().values() if each.is_built_in], ids=lambda each: each.slug
)
def test_each_provider_has_its_page_and_says_how_its_reports_come(provider: Provider) -> None:
    assert (DOCS / "providers" / f"{provider.slug}.md").is_file()
    assert provider.methods or provider.comes


def test_operators_find_every_setting() -> None:
    text = (DOCS / "operators.md").read_text()
    told = {name for line in text.splitlines() for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", first_cell(line))}

    assert told == variables()


def test_every_package_has_its_reason() -> None:
    told = [row[0] for heading in ("The product", "Tests") for row in table(DOCS / "dependencies.md", heading)]

    assert sorted(told) == sorted(packages("requirements.txt") + packages("tests/requirements.txt"))


def test_each_word_is_explained_once_and_its_place_is_there() -> None:
    rows = [
        row for heading in ("People and addresses", "What becomes of a message", "Sending")
        for row in table(DOCS / "words.md", heading)
    ]  # fmt: skip
    words = [word for row in rows for word in row[0].split(", ")]
    places = [place for row in rows for place in re.findall(r"`([a-z]+/[a-z_/]+(?:\.py)?)`", row[2])]

    assert len(words) == len(set(words))
    assert places
    assert not [place for place in places if not (BASE_DIR / place).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(BASE_DIR)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        assert not anchor or anchor in anchors(found), link


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under the heading, without its head."""
    section = re.split(rf"^#+ {heading}\b.*$", page.read_text(), maxsplit=1, flags=re.MULTILINE)[1]
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows, f"no table under {heading!r}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows.group().splitlines()[2:]]


def first_cell(line: str) -> str:
    return line.split("|")[1] if line.startswith("|") else ""


def variables() -> set[str]:
    """What the product reads from the environment."""
    sources = [path.read_text() for path in sorted((BASE_DIR / "engage").rglob("*.py"))]
    return {name for source in sources for name in READS_VARIABLE.findall(source)} - NOT_SETTINGS


def packages(requirements: str) -> list[str]:
    """The direct ones: those before the first empty line."""
    lines = (BASE_DIR / requirements).read_text().split("\n\n")[0].splitlines()
    return [re.split(r"[=\[;]", line)[0] for line in lines if line[0] not in "#-"]


def links(page: Path) -> Iterator[str]:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for found in LINK.finditer(prose):
        link = found.group(1) or found.group(2)
        if "://" not in link:
            yield link


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
