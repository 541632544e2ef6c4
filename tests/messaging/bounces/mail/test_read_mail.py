"""Laws of the reader: it never raises, line ends and enclosing change nothing, and what it says is in our words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.bounces.mail.reading import Finding, read_mail
from messaging.bounces.reasons import REASONS
from tests.messaging.bounces.examine import FORMS, MAILS

SAMPLES = [path.read_bytes() for folder in (MAILS, FORMS) for path in sorted(folder.rglob("*.eml"))]
ACTIONS = {"failed", "delayed", "delivered", "relayed", "expanded", "feedback", "vacation"}
# What mails are made of, and what breaks them.
PIECES = [
    b"From: MAILER-DAEMON@mx.example\n", b"Subject: Undelivered Mail\n", b"Return-Path: <>\n", b"\n", b"\r\n", b"\r", b"\n\n", b" ", b"\t",
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n", b"Content-Type: multipart/mixed; boundary=\"b", b"--b\n", b"\n--b--\n",
    b"Content-Type: message/delivery-status\n\n", b"Content-Type: message/rfc822\n\n", b"Content-Type: text/html; charset=utf-16\n\n",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"Final-Recipient: rfc822; a@b.example\n", b"Action: failed\n",
    b"Status: 5.1.1\n", b"Diagnostic-Code: smtp; 550 5.1.1 user unknown\n", b"Feedback-Type: abuse\nVersion: 1\n", b"Disposition: automatic-action/x; deleted\n",
    b"<a@b.example>: 550 user unknown\n", b"=?utf-8?b?4pyT?=", b"=?x-unknown?q?=ZZ?=", b"=C3=A4=", b"4pyT=", b"\x1b$B", b"\xff\xfe\x00", b"\\x{D800}", b"<style><!--", b"&#1114112;",
    b"Hi. This is the qmail-send program\n", b"X-Failed-Recipients: a@b.example, <\n", b"Date: Tue, 99 Foo 99999999999 99:99:99 +9999\n", b"Last-Attempt-Date: Thu, 1 Jan 1970 00:00:00 -9999\n",
]  # fmt: skip


def is_in_our_words(finding: Finding) -> bool:
    return (
        finding.action in ACTIONS
        and finding.reason in REASONS
        and finding.bounce in {"hard", "soft", None}
        and (finding.bounce is None) == (finding.action not in {"failed", "delayed"})
        and 0 <= finding.confidence <= 1
        and "\n" not in finding.recipient
        and (finding.occurred_at is None or finding.occurred_at.utcoffset() is not None)
    )


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=60).map(b"".join))
@settings(max_examples=400, deadline=None)
def test_no_mail_made_of_pieces_breaks_it(raw: bytes) -> None:
    assert all(map(is_in_our_words, read_mail(raw)))


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=300, deadline=None)
def test_no_damaged_mail_breaks_it(raw: bytes, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(raw)))
        end = min(len(raw), begin + data.draw(st.integers(0, 200)))
        piece = data.draw(st.sampled_from(PIECES) | st.binary(max_size=8) | st.just(raw[begin:end] * 2))
        raw = raw[:begin] + piece + raw[end:]

    assert all(map(is_in_our_words, read_mail(raw)))


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_it(raw: bytes) -> None:
    assert all(map(is_in_our_words, read_mail(raw)))


@given(st.sampled_from(SAMPLES), st.sampled_from([b"\r\n", b"\r", b"\r\r\n"]))
@settings(max_examples=200, deadline=None)
def test_line_ends_change_nothing(raw: bytes, line_end: bytes) -> None:
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    assert read_mail(lines.replace(b"\n", line_end)) == read_mail(lines)


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "gb18030", "euc-kr", "koi8-r"])
def test_a_diagnostic_is_in_the_charset_of_the_text_beside_it(charset: str) -> None:
    said = {"gb18030": "用户不存在", "euc-kr": "사용자를 찾을 수 없습니다", "koi8-r": "пользователь не найден"}
    expected = "550 5.1.1 " + said.get(charset, "ユーザが見つかりません")

    [finding] = read_mail((MAILS / "dsn" / f"charset_{charset.replace('-', '_')}.eml").read_bytes())

    assert finding.diagnostic == expected


def test_a_finding_says_when_by_whom_and_about_which_of_our_mails() -> None:
    [finding] = read_mail((MAILS / "dsn" / "folded.eml").read_bytes())

    assert finding.said_by == "mx.example.com"
    assert finding.occurred_at is not None
    assert finding.occurred_at.isoformat() == "2026-11-03T09:15:00+00:00"
    assert finding.message_id == "4711-9f86d081884c7d65@example.com"
    assert finding.tokens == ("4711-9f86d081884c7d65",)
