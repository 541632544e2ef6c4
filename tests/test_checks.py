"""The checks leave out no test."""

import re

import pytest

from engage.local.bootstrap import BASE_DIR
from tests.checks import PLACES


@pytest.mark.parametrize(("group", "place"), PLACES.items())
def test_every_test_of_a_group_lies_where_the_group_is_looked_for(group: str, place: str) -> None:
    marked = [
        path
        for path in (BASE_DIR / "tests").rglob("test_*.py")
        if re.search(rf"^(pytestmark =|@)\W?.*pytest\.mark\.{group}\b", path.read_text(), re.MULTILINE)
    ]

    assert marked
    assert all(path.is_relative_to(BASE_DIR / place) for path in marked)
