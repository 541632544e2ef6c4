"""`manage.py classify` as its user runs it: a process of its own, with nothing in its environment."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engage.bootstrap import BASE_DIR

FIELDS = [
    "file", "recipient", "action", "bounce", "reason", "reply_code", "status_code", "diagnostic", "rule", "confidence",
]  # fmt: skip
MAILS = BASE_DIR / "tests" / "messaging" / "bounces" / "mails"
ORDINARY = b"From: anna@example.org\r\nTo: bo@example.org\r\nSubject: Lunch?\r\n\r\nAt noon?\r\n"


def run(*arguments: str | Path, given: bytes = b"") -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "manage.py", "classify", *map(str, arguments)]
    done = subprocess.run(command, cwd=BASE_DIR, env={}, input=given, capture_output=True, check=False)
    assert not done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def bounce() -> Path:
    return next(
        path for path in sorted((MAILS / "postfix").glob("*.eml")) if path.with_suffix(".expected.json").exists()
    )


def test_each_recipient_is_an_object_with_all_that_is_known(bounce: Path) -> None:
    status, rows = run(bounce)

    assert status == 0
    assert rows
    for row in rows:
        assert list(row) == FIELDS
        assert row["file"] == str(bounce)
        assert row["recipient"].count("@") == 1
        assert 0 < row["confidence"] <= 1


def test_a_mail_that_is_no_bounce_is_one_object_that_says_so() -> None:
    status, (row,) = run(given=ORDINARY)

    assert (status, row["bounce"], row["reason"]) == (0, None, None)
    assert list(row) == FIELDS


def test_folders_are_read_with_all_below_and_what_cannot_be_read_stops_nothing(tmp_path: Path, bounce: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "one.eml").write_bytes(bounce.read_bytes())
    (tmp_path / "two.eml").write_bytes(ORDINARY)

    status, rows = run(tmp_path, tmp_path / "missing.eml")

    assert status == 1
    assert {Path(row["file"]).name for row in rows} == {"one.eml", "two.eml", "missing.eml"}
    assert "No such file" in rows[-1]["error"]


def test_replies_are_judged_line_by_line() -> None:
    said = b"550 5.1.1 User unknown\r\n450 4.2.2 Mailbox full\n250 2.0.0 OK\n\xff\xfe\x00\n"
    _status, rows = run("--text", "-", given=said)

    assert [(row["action"], row["bounce"], row["reason"]) for row in rows] == [
        ("failed", "hard", "user_unknown"),
        ("delayed", "soft", "mailbox_full"),
        ("delivered", None, "delivered"),
        ("failed", "soft", "unknown"),
    ]
