"""The admin has a style sheet of its own, in the colours of the product."""

import re
from pathlib import Path

from engage.local.bootstrap import BASE_DIR

STYLES = BASE_DIR / "static" / "css"


def tokens(sheet: Path) -> list[dict[str, str]]:
    """The custom properties of the first block for light and the first for dark."""
    blocks = re.findall(r":root \{\n\s+color-scheme: \w+;(.*?)\}", sheet.read_text(), re.DOTALL)
    return [dict(re.findall(r"(--[\w-]+): ([^;]+);", block)) for block in blocks[:2]]


def test_the_admin_has_the_colours_of_the_product() -> None:
    ours, theirs = tokens(STYLES / "admin.css"), tokens(STYLES / "engage.css")

    assert [len(block) > 15 for block in ours] == [True, True]
    for mine, product in zip(ours, theirs, strict=True):
        assert {name: value for name, value in mine.items() if product.get(name) != value} == {}
