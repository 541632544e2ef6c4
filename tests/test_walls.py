"""The walls stand, and fall over when somebody leans on them."""

from pathlib import Path

import pytest

from tests.walls import ARROWS, BASE_DIR, TWICE, complaints, read

# A house in which all is well.
SOUND = {
    "engage/__init__.py": "",
    "contacts/__init__.py": "",
    "messaging/__init__.py": "",
    "messaging/urls.py": "from messaging.card import rows\n",
    "messaging/tasks.py": "from messaging.ledger import record\n",
    "messaging/ledger/__init__.py": "",
    "messaging/ledger/record.py": "from messaging.status.order import Kind\n",
    "messaging/status/__init__.py": "",
    "messaging/status/order.py": "class Kind: ...\n",
    "messaging/card/__init__.py": "",
    "messaging/card/rows.py": "from messaging.status import order\n",
}
SOUND_ARROWS = {"messaging.ledger": "messaging.status", "messaging.card": "messaging.status"}


def test_the_walls_of_this_house_stand() -> None:
    assert list(complaints(read(BASE_DIR), ARROWS, TWICE)) == []


@pytest.mark.parametrize(
    ("room", "others"),
    [
        ("contacts", {"messaging.models", "messaging.status"}),
        ("contacts.blocks", {"messaging.models", "messaging.status"}),
        ("engage", {"contacts", "messaging.models"}),
        ("messaging.status", {"messaging.models", "messaging.ledger"}),
        ("messaging.ledger", {f"messaging.{each}" for each in ("suppression", "delivery", "sendouts", "card")}),
    ],
)
def test_no_review_opens_these_walls_by_mistake(room: str, others: set[str]) -> None:
    assert not others & set(ARROWS[room].split())


def test_only_the_bench_may_import_what_runs_engage_here() -> None:
    assert [room for room, others in ARROWS.items() if "engage.local" in others.split()] == ["bench"]


def test_a_sound_house_has_nothing_to_complain_of(tmp_path: Path) -> None:
    assert complaints_of(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"messaging/ledger/record.py": "from messaging.card import rows\n"}, "messaging.ledger may not import from messaging.card"),
        ({"messaging/ledger/record.py": "def late():\n    import messaging.card.rows\n"}, "messaging.ledger may not import from messaging.card"),
        ({"messaging/ledger/record.py": "from ..card import rows\n"}, "messaging.ledger may not import from messaging.card"),
        ({"contacts/views.py": "import messaging.models\n", "messaging/models.py": ""}, "contacts may not import from messaging.models"),
        ({"messaging/card/views.py": "from messaging import tasks\n"}, "which only Celery loads: name the task instead"),
        ({"messaging/card/views.py": "from messaging.urls import rows\n"}, "messaging.card may not import from messaging.urls"),
        ({"messaging/status/order.py": "from messaging.status import fold\nclass Kind: ...\n", "messaging/status/fold.py": "from messaging.status import order\n"}, "in a circle: messaging.status.fold, messaging.status.order."),
        ({"messaging/card/kinds.py": "class Kind: ...\n"}, "Two classes are called Kind, in messaging.card.kinds, messaging.status.order"),
        ({f"messaging/room{each}.py": "" for each in range(8)}, "messaging/ has 11 files on its top floor"),
        ({"messaging/card/rows.py": ""}, "messaging.card imports nothing of messaging.status any more"),
    ],
)  # fmt: skip
def test_a_broken_wall_is_told_with_what_to_do(tmp_path: Path, changed: dict[str, str], complaint: str) -> None:
    assert any(complaint in line for line in complaints_of(tmp_path, changed))


def test_a_name_with_two_meanings_needs_a_reason_only_as_long_as_it_has_them(tmp_path: Path) -> None:
    twice = {"Kind": "for the sake of this test"}

    assert complaints_of(tmp_path / "two", {"messaging/card/kinds.py": "class Kind: ...\n"}, twice) == []
    assert complaints_of(tmp_path / "one", {}, twice) == [
        "The name Kind means one thing now: take it out of TWICE (tests/walls.py)."
    ]


def test_an_import_for_types_alone_is_no_arrow(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from messaging.card import rows\nclass Kind: ...\n"

    assert complaints_of(tmp_path, {"messaging/status/order.py": text}) == []


def complaints_of(folder: Path, changed: dict[str, str], twice: dict[str, str] | None = None) -> list[str]:
    for name, text in (SOUND | changed).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(complaints(read(folder), SOUND_ARROWS, twice or {}))
