"""`manage.py classify`, as a person runs it: in a process of its own, without any settings."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from engage.local.bootstrap import BASE_DIR
from tests.messaging.bounces.examine import MAILS

KEYS = [
    "file", "recipient", "action", "bounce", "reason", "reply_code", "status_code", "diagnostic", "rule", "confidence",
]  # fmt: skip
SEVERAL = MAILS / "rfc" / "3464_several_recipients.eml"
LETTER = MAILS / "ordinary" / "letter.eml"


def run(*arguments: str | Path, given: bytes = b"") -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the objects that were printed, and what was said about errors."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), "classify", *map(str, arguments)]
    done = subprocess.run(command, input=given, capture_output=True, check=False, env={}, cwd="/")
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_it_prints_an_object_for_each_recipient_in_the_order_of_the_mail() -> None:
    code, rows, errors = run(SEVERAL)

    assert (code, errors) == (0, "")
    assert [list(row) for row in rows] == [KEYS] * 3
    assert [row["recipient"] for row in rows] == [
        "arathib@vnet.ibm.com",
        "johnh@hpnjld.njd.hp.com",
        "wsnell@sdcc13.ucsd.edu",
    ]
    assert [row["action"] for row in rows] == ["failed", "delayed", "failed"]
    assert rows[2]["file"] == str(SEVERAL)
    assert (rows[2]["bounce"], rows[2]["reason"], rows[2]["reply_code"]) == ("hard", "user_unknown", "550")


def test_a_mail_that_is_no_bounce_gives_one_object_that_says_so() -> None:
    code, [row], _ = run(LETTER)

    assert code == 0
    assert list(row) == KEYS
    assert (row["bounce"], row["action"], row["reason"]) == (None, None, None)


def test_it_reads_standard_input_folders_and_mboxes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one.eml").write_bytes(LETTER.read_bytes())
    from_line = b"From MAILER-DAEMON Tue Nov  3 10:15:00 2026\n"
    (tmp_path / "folder" / "two.mbox").write_bytes(
        b"\n".join(from_line + path.read_bytes() for path in (SEVERAL, LETTER))
    )

    code, rows, _ = run(tmp_path, "-", given=SEVERAL.read_bytes())

    assert code == 0
    assert [Path(row["file"]).name for row in rows] == ["one.eml"] + ["two.mbox"] * 4 + ["-"] * 3


def test_what_cannot_be_read_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    code, rows, _ = run(tmp_path / "missing.eml", LETTER)

    assert code == 1
    assert rows[0] == {"file": str(tmp_path / "missing.eml"), "error": "No such file or directory"}
    assert rows[1]["file"] == str(LETTER)


def test_bare_replies_are_read_line_by_line() -> None:
    code, rows, _ = run(
        "--text", "-", given=b"550 5.1.1 <a@example.org> user unknown\r\n452 4.2.2 mailbox full\n250 2.0.0 ok\n\xff\n"
    )

    assert code == 0
    assert [row["action"] for row in rows] == ["failed", "delayed", "delivered", "failed"]
    assert [row["bounce"] for row in rows] == ["hard", "soft", None, "soft"]
    assert [row["reason"] for row in rows] == ["user_unknown", "mailbox_full", "delivered", "unknown"]
    assert rows[0]["diagnostic"] == "550 5.1.1 <a@example.org> user unknown"


def test_letters_of_any_script_are_printed_whatever_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "ä\udcff.eml"
    file.write_bytes((MAILS / "rfc" / "6533_utf8.eml").read_bytes())

    code, rows, _ = run(tmp_path)

    assert code == 0
    assert rows[1]["recipient"] == "用户@example.cn"


def test_it_stops_without_a_word_when_nobody_reads_on() -> None:
    command = f"{sys.executable} {BASE_DIR / 'manage.py'} classify {MAILS} | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"})

    assert done.stderr == b""
