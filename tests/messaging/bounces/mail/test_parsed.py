"""The tolerant splitter of mails."""

import pytest

from messaging.bounces.mail.addresses import address_of, original_address
from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import MOST_PARTS, parsed, with_lf
from messaging.bounces.mail.words import decoded, text_of, unwrapped, without_tags

MULTIPART = b'Content-Type: multipart/mixed; boundary="b"\n\n'


def test_headers_are_unfolded_decoded_and_found_without_regard_to_case() -> None:
    mail = parsed(b"SUBJECT: =?iso-8859-1?Q?Gr=FC=DFe?=\n =?utf-8?b?4pyT?=\nX-A: 1\nx-a: 2\n\nbody")

    assert mail.subject == "Grüße✓"
    assert mail.headers.all("x-a") == ["1", "2"]
    assert mail.text == "body"


def test_a_header_that_ends_without_a_blank_line_ends_where_a_line_is_no_field() -> None:
    mail = parsed(b"Subject: hello\nwhat a mail\n")

    assert (mail.subject, mail.text) == ("hello", "what a mail\n")


def test_parts_are_split_where_delimiters_stand_alone() -> None:
    mail = parsed(MULTIPART + b"preamble\n--b\n\none\n--bb\n--b \nContent-Type: text/plain\n\ntwo\n--b--\nepilogue")

    assert [part.content for part in mail.parts] == [b"one\n--bb", b"two"]


def test_no_more_parts_than_that_are_read() -> None:
    assert len(parsed(MULTIPART + b"--b\n\nx\n" * 10_000).parts) <= MOST_PARTS


def test_a_mail_in_a_mail_in_a_mail_is_found() -> None:
    mail = parsed(b"Content-Type: message/rfc822\n\n" * 3 + b"Subject: innermost\n\n")

    assert mail.enclosed[0].enclosed[0].enclosed[0].subject == "innermost"


def test_a_mail_that_is_printed_in_the_text_is_none_of_the_text() -> None:
    returned = b"Received: from mx\nFrom: news@example.com\nMessage-ID: <1@example.com>\n\nhello"
    mail = parsed(b"Subject: failure\n\nIt did not arrive.\n\n--- original ---\n\n" + returned)

    assert mail.text.strip() == "It did not arrive.\n\n--- original ---"
    assert mail.returned is not None
    assert mail.returned.headers.get("message-id") == "<1@example.com>"


@pytest.mark.parametrize("raw", [b"a\nb\n\nc", b"a\r\nb\r\n\r\nc", b"a\rb\r\rc", b"a\r\r\nb\r\r\n\r\r\nc"])
def test_every_kind_of_line_end_becomes_lf(raw: bytes) -> None:
    assert with_lf(raw) == b"a\nb\n\nc"


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("schön".encode(), "us-ascii", "schön"),
        ("schön".encode("latin-1"), "us-ascii", "schön"),
        ("schön".encode("latin-1"), "no-such-charset", "schön"),
        ("日本".encode("iso-2022-jp"), "", "日本"),
        ("日本".encode("shift_jis"), "x-sjis", "日本"),
        ("用户".encode("gb18030"), "GB2312", "用户"),
        ("사용자".encode("cp949"), "ks_c_5601-1987", "사용자"),
        ("письмо".encode("koi8-r"), "KOI8-R", "письмо"),
        (b"1 +AOQ- 2", "unicode-1-1-utf-7", "1 ä 2"),
        (b"text", "punycode", "text"),
    ],
)
def test_text_is_read_in_its_charset_or_in_the_likeliest(content: bytes, charset: str, text: str) -> None:
    assert text_of(content, charset) == text


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        (b"aGVsbG8=", "base64", b"hello"),
        (b"aGVs\nbG8", "BASE64", b"hello"),
        (b"aGVsbG8=\n-- \nsent by", "base64", b"hello"),
        (b"a=3Db=\nc", "quoted-printable", b"a=bc"),
        (b"as it is", "8bit", b"as it is"),
    ],
)
def test_transfer_encodings_are_undone(content: bytes, encoding: str, expected: bytes) -> None:
    assert unwrapped(content, encoding)[: len(expected)] == expected


def test_broken_encoded_words_stay_or_are_read_as_far_as_they_go() -> None:
    assert decoded("=?utf-8?q?a=ZZb?= =?utf-8?x?c?=") == "a=ZZb =?utf-8?x?c?="


def test_html_becomes_lines_without_what_no_reader_sees() -> None:
    markup = (
        "<html><head><title>x</title></head><style>p{}</style><p>Not delivered to<br>&lt;a@b&gt;</p><!-- y --></html>"
    )

    assert without_tags(markup).split("\n") == ["", "Not delivered to", "<a@b>", ""]


@pytest.mark.parametrize(
    "value",
    [
        "rfc822; anna@example.org",
        "RFC822;anna@example.org",
        "anna@example.org",
        "rfc822; <anna@example.org>",
        'rfc822; "Anna, A." <anna@example.org>',
        "rfc822; @relay.example.net:anna@example.org",
        "rfc822; anna@example.org (was: anna)",
        r"utf-8; anna@ex\x{61}mple.org",
        "smtp:anna@example.org",
    ],
)
def test_an_address_is_found_however_a_server_writes_it(value: str) -> None:
    assert address_of(value) == "anna@example.org"


def test_xtext_is_undone_but_a_tag_stays() -> None:
    assert original_address("rfc822; anna+2Bnews@example.org") == "anna+news@example.org"
    assert original_address("rfc822; anna+41@example.org") == "anna+41@example.org"


def test_the_first_date_that_can_be_read_counts() -> None:
    moment = moment_of("", "never", "Tue, 99 Nov 2026 10:00:00 +0000", "Tue, 3 Nov 2026 10:15:00 +0100")

    assert moment is not None
    assert moment.isoformat() == "2026-11-03T09:15:00+00:00"
