"""Mails on disk: files, folders, Maildirs and mboxes."""

from io import BytesIO
from pathlib import Path

import pytest

from messaging.bounces.mail import files
from messaging.bounces.mail.files import mail_files, mails_in

FROM = b"From MAILER-DAEMON Tue Nov  3 10:15:00 2026\n"


def test_a_folder_is_read_in_the_order_of_names_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.eml", "b/1.eml", "a.eml", ".hidden", "c.eml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [Path(file).name for file in mail_files(str(tmp_path))] == ["a.eml", "1.eml", "2.eml", "c.eml"]


def test_of_a_maildir_only_the_mails_are_read(tmp_path: Path) -> None:
    for name in ("cur/1:2,S", "new/2", "tmp/3", "dovecot-uidlist", ".Bounces/cur/4:2,", ".Bounces/new/5"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert {Path(file).name for file in mail_files(str(tmp_path))} == {"1:2,S", "2", "4:2,", "5"}


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_an_mbox_is_read_mail_by_mail(monkeypatch: pytest.MonkeyPatch, line_end: bytes, chunk: int) -> None:
    monkeypatch.setattr(files, "CHUNK", chunk)
    first = FROM + b"Subject: one\n\nFrom here on\n\nFrom here 10:15 2026\nno header\n"
    second = FROM + b"Subject: two\n\n"

    found = list(mails_in(BytesIO((first + b"\n" + second).replace(b"\n", line_end))))

    assert [mail.rstrip(b"\n") for mail in found] == [first.rstrip(b"\n"), second.rstrip(b"\n")]


def test_any_other_file_is_one_mail() -> None:
    assert list(mails_in(BytesIO(b"Subject: one\r\n\r\n" + FROM))) == [b"Subject: one\r\n\r\n" + FROM]
