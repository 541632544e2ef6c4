"""An email filled in is the email rendered singly: in any charset, with any value, within the limits of lines."""

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr

import dkim
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messaging.sendouts import mime_template
from messaging.sendouts.dkim import Key, keys_of, write_new
from messaging.sendouts.mime_template import letter_of
from messaging.sendouts.tags import NAMES, Tag, Text, html_quoted

BOUNDARY = "=_0123456789abcdef0123456789abcdef"
# All but lone surrogates, which no text from the database can hold.
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
tags = st.builds(Tag, st.sampled_from(NAMES), anything)
texts = st.lists(anything | tags, max_size=6).map(Text.of)
values = st.dictionaries(st.sampled_from(NAMES), anything)


def parsed(mail: bytes) -> EmailMessage:
    return message_from_bytes(mail, policy=default)


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    # As bytes: get_content would also take a form feed for the end of a line.
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def singly(text: Text, given_values: dict[str, str], *, html: bool) -> str:
    """The plain way: each piece as it is, each value quoted, joined."""

    def quoted(value: str) -> str:
        return html_quoted(mime_template.one_line(value)) if html else mime_template.one_line(value)

    return "".join(
        lines(piece) if isinstance(piece, str) else quoted(given_values.get(piece.name, "") or piece.otherwise)
        for piece in text.pieces
    )


@given(texts, texts, values)
def test_each_mail_parses_back_to_what_rendering_it_singly_gives(
    text: Text, html: Text, given_values: dict[str, str]
) -> None:
    template = letter_of(
        subject=Text(("News",)), text=text, html=html, headers={"From": "a@b.example"}, boundary=BOUNDARY
    )

    mail = template.mail(given_values, {"To": "anna@example.org"})

    assert mail.isascii()
    assert max(mime_template.lengths(mail)) <= 78
    assert max(mime_template.lengths(mail.partition(b"--" + BOUNDARY.encode())[2])) <= 76
    assert b"\n." not in mail
    assert body(parsed(mail), "plain") == singly(text, given_values, html=False)
    assert body(parsed(mail), "html") == singly(html, given_values, html=True)


def test_no_line_begins_with_a_dot() -> None:
    """Of them, SMTP would double the dots, and some servers leave them so."""
    text = Text((f".one\n{'.' * 200}\n", Tag("firstName"), ". And\n", Tag("lastName", ".")))
    template = letter_of(subject=Text(("...",)), text=text, html=text, headers={}, boundary=BOUNDARY)

    for first_name in (".", ".Anna", ". Anna", "..." * 50, ".Zoë"):
        mail = template.mail({"firstName": first_name}, {})
        assert b"\n." not in mail
        assert max(mime_template.lengths(mail)) <= 76
        assert body(parsed(mail), "html") == singly(text, {"firstName": first_name}, html=True)


@given(texts, values)
def test_a_mail_without_html_has_one_part(text: Text, given_values: dict[str, str]) -> None:
    template = letter_of(subject=Text(("News",)), text=text, html=None, headers={}, boundary=BOUNDARY)

    mail = parsed(template.mail(given_values, {}))

    assert not mail.is_multipart()
    wanted = singly(text, given_values, html=False)
    assert body(mail, "plain") in (wanted, wanted + "\r\n")
    assert not wanted or body(mail, "plain").endswith("\r\n")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[Key]:
    """One of each kind, as a domain has them that wants to be believed by old and new receivers."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("rsa", "ed25519"):
        write_new(folder / name, is_ed25519=name == "ed25519")
    return keys_of(f"old@b.example={folder / 'rsa'}, new@b.example={folder / 'ed25519'}")


def is_verified(mail: bytes, keys: list[Key], signature: int) -> bool:
    """As a receiver does it (dkimpy, which shares no code with us)."""
    records = {f"{key.name}.".encode(): key.record.encode() for key in keys}
    try:
        return bool(dkim.DKIM(mail).verify(signature, dnsfunc=lambda name, timeout=5: records.get(name)))
    except dkim.ValidationError:
        return False


@given(texts, texts, st.none() | texts, values, anything)
def test_each_mail_bears_signatures_that_verify_and_is_the_same_but_for_them(
    keys: list[Key], subject: Text, text: Text, html: Text | None, given_values: dict[str, str], name: str
) -> None:
    shared = {"From": mime_template.mailbox(name, "a@b.example"), "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    template = letter_of(subject=subject, text=text, html=html, headers=shared, boundary=BOUNDARY)
    own = {"To": "anna@example.org", "List-Unsubscribe": f"<https://engage.example/u/{'x' * 90}/>"}

    mail = template.mail(given_values, own, keys, 1_700_000_000)

    assert [is_verified(mail, keys, number) for number in (0, 1)] == [True, True]
    unsigned = template.mail(given_values, own)
    assert mail.endswith(b"\r\n" + unsigned)
    assert max(mime_template.lengths(mail.removesuffix(unsigned))) <= 78


def test_a_changed_mail_verifies_no_more(keys: list[Key]) -> None:
    template = letter_of(
        subject=Text(("News",)), text=Text(("Pay  me\n\n\n",)), html=None, headers={"From": "a@b.example"},
        boundary=BOUNDARY,
    )  # fmt: skip
    mail = template.mail({}, {"To": "anna@example.org"}, keys, 1_700_000_000)

    assert is_verified(mail.replace(b"Pay  me", b"Pay me"), keys, 0)  # relaxed
    assert not is_verified(mail.replace(b"Pay", b"Owe"), keys, 0)
    assert not is_verified(mail.replace(b"Subject: News", b"Subject: Olds"), keys, 1)
    assert not is_verified(b"From: c@d.example\r\n" + mail, keys, 0)


def test_the_signature_covers_the_way_out(keys: list[Key]) -> None:
    """RFC 8058 4: else a receiver may not offer it."""
    template = letter_of(
        subject=Text(("News",)), text=Text(("x",)), html=None,
        headers={"From": "a@b.example", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}, boundary=BOUNDARY,
    )  # fmt: skip
    mail = parsed(template.mail({}, {"List-Unsubscribe": "<https://engage.example/u/x/>"}, keys, 1))

    for signature in mail.get_all("DKIM-Signature", []):
        covered = "".join(str(signature).split()).partition(";h=")[2].partition(";")[0].split(":")
        assert {"from", "subject", "list-unsubscribe", "list-unsubscribe-post"} <= set(covered)


@given(texts, values)
def test_the_subject_reads_as_it_was_meant_and_begins_no_header_of_its_own(
    text: Text, given_values: dict[str, str]
) -> None:
    template = letter_of(subject=text, text=Text(("Hello",)), html=None, headers={}, boundary=BOUNDARY)

    mail = template.mail(given_values, {})

    wanted = mime_template.one_line(text.fill(given_values))
    assert " ".join(str(parsed(mail)["Subject"]).split()) == " ".join(wanted.split())
    assert set(parsed(mail).keys()) == {"Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}


@pytest.mark.parametrize("name", ["Åsa Öberg", 'Anna "Ann" Berg', "Berg, Anna", "安娜", "", "a\r\nBcc: x@example.org"])
def test_names_stand_before_their_address(name: str) -> None:
    mail = parsed(mime_template.header("To", mime_template.mailbox(name, "anna@example.org")) + b"\r\n")

    assert [each.addr_spec for each in mail["To"].addresses] == ["anna@example.org"]
    assert mail["To"].addresses[0].display_name == " ".join(mime_template.one_line(name).split())
    assert mail.keys() == ["To"]


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)


@given(names)
@example("å" * 74)
@example("Åsa & Björn på Sjöfartsmuséets vänner i Göteborg med omnejd och östra Småland")
@example("🎄" * 50)
def test_each_encoded_word_of_a_name_has_75_characters_at_most_and_can_be_read_by_itself(name: str) -> None:
    written = mime_template.header("From", mime_template.mailbox(name, "news@shop.example"))

    words = re.findall(rb"=\?utf-8\?[^? ]*\?[^? ]*\?=", written)
    if not mime_template.one_line(name).strip().isascii():
        assert words
    for word in words:
        assert len(word) <= 75
        assert "\ufffd" not in str(make_header(decode_header(word.decode()))) or "\ufffd" in name
    assert all(len(line) <= 76 for line in written.split(b"\r\n") if b"=?utf-8?" in line)
    display_name, address = parseaddr(written.decode().partition(":")[2].replace("\r\n", ""))
    assert address == "news@shop.example"
    # (Not by the library's newer parser, which leaves blanks between encoded words: RFC 2047 6.2 has them ignored.)
    found = str(make_header(decode_header(display_name)))
    assert " ".join(found.split()) == " ".join(mime_template.one_line(name).split())


def test_a_line_break_in_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        mime_template.header("To", "anna@example.org\r\nBcc: all@example.org")
