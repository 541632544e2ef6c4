"""The admin has a style sheet of its own, in the colours of the product."""

import re

from engage.local.bootstrap import BASE_DIR

STYLES = BASE_DIR / "static" / "css"
TOKENS = re.compile(r":root \{\n\s+color-scheme: \w+;(.*?)\}", re.DOTALL)


def names_in(text: str) -> set[str]:
    return set(re.findall(r"(--[\w-]+):", text))


def test_the_admin_has_the_colours_of_the_product() -> None:
    light, dark = (names_in(block) for block in TOKENS.findall((STYLES / "tokens.css").read_text()))

    assert len(dark) > 15
    assert dark <= light
    for sheet, page in [("engage.css", "skeleton.html"), ("admin.css", "admin/base_site.html")]:
        text = (STYLES / sheet).read_text()
        linked = (BASE_DIR / "templates" / page).read_text()
        assert not names_in(text) & dark
        assert light & set(re.findall(r"var\((--[\w-]+)", text))
        assert 0 < linked.find("css/tokens.css") < linked.find(f"css/{sheet}")
