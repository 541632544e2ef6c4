"""Whatever strangers send and people paste: twice as much of it is twice the work to read."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from signal import ITIMER_VIRTUAL, SIGVTALRM, setitimer, signal
from typing import Final

import pytest

from contacts.blocks.reading import Layout, read
from contacts.lines import Lines, UnreadableListError
from contacts.listing import Listing
from messaging.bounces.mail.reading import read_mail
from messaging.providers.base import Raw, UnreadableError
from messaging.providers.registry import providers
from messaging.sendouts import markup, plain
from tests.messaging.bounces.hostile import KINDS, REPORT, STATUS, TOP, filled, one_header
from tests.work import calls, is_linear

MIXED: Final = b'Subject: x\nContent-Type: multipart/mixed; boundary="q"\n\n'
RECEIPT: Final = (
    REPORT + b"--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; a@b.example\n"
)
QUOTED: Final = TOP + b"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
MAILS: Final[dict[str, Callable[[int], bytes]]] = KINDS | {
    "mails in parts": lambda size: TOP + MIXED + filled(b"--q\nContent-Type: message/rfc822\n\n" + MIXED, size),
    "encoded words": one_header(b"=?gb2312?b?xOO6ww==?=\n "),
    "numbered parameters": lambda size: (
        TOP + b"Content-Type: text/plain; " + b"".join(b"n*%d*=%%C3; " % n for n in range(size // 12)) + b"\n\n550\n"
    ),
    "quoted-printable": lambda size: QUOTED + filled(b"=41=\n", size),
    "broken base64": lambda size: QUOTED.replace(b"quoted-printable", b"base64") + filled(b"A=B=", size),
    "parts without a boundary": lambda size: TOP + b"Content-Type: multipart/mixed\n\n" + filled(b"--x\nA: b\n", size),
    "failed recipients": lambda size: (
        b"X-Failed-Recipients: " + filled(b"a@b.example, ", size) + b"\n" + TOP + b"\nno\n"
    ),
    "one receipt": lambda size: (
        RECEIPT + filled(b"Disposition: automatic-action automatic-action ", size) + b"\n--b--\n"
    ),
    "printed mails": lambda size: TOP + b"\nfailed\n" + filled(b"Received: x\nFoo: y\n\n", size),
    "statuses": lambda size: (
        REPORT + STATUS + b"Final-Recipient: x\nStatus: " + filled(b"5.1.1.", size) + b"\n\n--b--\n"
    ),
}


@pytest.mark.parametrize("kind", MAILS)
def test_mails(kind: str) -> None:
    def reading(size: int) -> Callable[[], object]:
        mail = MAILS[kind](size)
        return lambda: read_mail(mail)

    assert is_linear(reading, 20_000)


class HeldError(Exception):
    """One mail holds the process."""


def _held(_signal: int, _frame: object) -> None:
    raise HeldError


def test_a_mail_of_a_hundred_thousand_groups_of_fields_holds_no_process() -> None:
    """A dictionary anew for each group is no call that could be counted, and took minutes of this; now a second."""
    groups = b"".join(b"X%d: b\n\n" % number for number in range(200_000))
    mail = REPORT + STATUS + groups + b"Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    before = signal(SIGVTALRM, _held)
    setitimer(ITIMER_VIRTUAL, 40)
    try:
        found = [(each.recipient, each.status_code) for each in read_mail(mail)]
    except HeldError:
        found = []
    finally:
        setitimer(ITIMER_VIRTUAL, 0)
        signal(SIGVTALRM, before)

    assert found == [("a@b.example", "5.1.1")]


UNITS: Final = [
    b'"\n', b'"', b'""\n', b'"a\n', b'a,"b\n', b",", b";", b"\n", b" ", b"\t", b"|", b"@", b"a@", b"a@b.example\n",
    b"a@b.example, ", b"<a@b.example>", b"<", b"+46701234567 ", b"1", b"(1", b"2026-01-01 ", b"1.234,", b"mailto:", b"\0",
    b"\xc3\xa9", b"\xe9", b"\xe2\x80\x8b", b"\r", b'"a\n",', b"Email;",
]  # fmt: skip


@pytest.mark.parametrize("begin", [b"", b"Email;Name\n", b"sep=;\n"])
@pytest.mark.parametrize("unit", UNITS)
def test_lists_of_addresses(unit: bytes, begin: bytes) -> None:
    def listing(size: int) -> Callable[[], object]:
        whole = begin + filled(unit, size)
        return lambda: list(Listing([whole]))

    def block_list(size: int) -> Callable[[], object]:
        whole = begin + filled(unit, size)

        def reading() -> None:
            with suppress(UnreadableListError):
                list(read([whole], lambda *_: "other", Layout()))

        return reading

    assert is_linear(listing, 10_000)
    assert is_linear(block_list, 10_000)


def test_a_record_that_never_ends_is_told_and_not_held_in_memory() -> None:
    with pytest.raises(UnreadableListError, match="quotation mark"):
        list(read([b"Email,Name\n" + b'"a\n",' * 1_000_000], lambda *_: "other", Layout()))


def test_of_a_long_list_in_one_piece_no_copies_are_made() -> None:
    whole = b"a@b.example\n" * 200_000

    tracemalloc.start()
    try:
        assert sum(1 for _ in Lines([whole])) == 200_000
        assert tracemalloc.get_traced_memory()[1] < len(whole) / 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("unit", [
    "<", "<a ", '<a href="', "<!--", "<!-->", "</", "<b>", "</p>", "<style>", "<script>", "<div hidden>", "<p hidden><b>",
    "<li>", "<td>", "&", "&#", "&lt;", "[[", "[[a]]", "\n\n", '<a style="/*', "<template>", '<img alt="x">',
    "<a href=x>y", "\u200b ", "<svg>", "<!--[if mso]>", "<![CDATA[",
])  # fmt: skip
def test_html(unit: str) -> None:
    def reading(size: int) -> Callable[[], object]:
        html = unit * (size // len(unit))
        return lambda: (list(markup.pieces(html)), plain.text_of_html(html), plain.shows_way_out(html))

    assert is_linear(reading, 6_000)


PARTS: Final = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
REPORTS: Final[dict[str, tuple[str, str, Callable[[int], bytes]]]] = {
    "events": ("sendgrid", "application/json", lambda size: b"[" + b'{"event":"open"},' * (size // 17) + b"{}]"),
    "empty": ("sendgrid", "application/json", lambda size: b"[" + b"{}," * (size // 3) + b"{}]"),
    "deep": ("sendgrid", "application/json", lambda size: b"[" * size),
    "deep objects": ("mailgun", "application/json", lambda size: b'{"a":' * (size // 5)),
    "digits": ("twilio", "application/x-www-form-urlencoded", lambda size: b"MessageSid=" + b"1" * size),
    "one number": ("sendgrid", "application/json", lambda size: b'[{"event":"open","timestamp":' + b"1" * size + b"}]"),
    "fields": ("twilio", "application/x-www-form-urlencoded", lambda size: b"a=b&" * (size // 4)),
    "percent": ("twilio", "application/x-www-form-urlencoded", lambda size: b"a=" + b"%41" * (size // 3)),
    "parts": ("mailgun", "multipart/form-data; boundary=b", lambda size: PARTS * (size // len(PARTS)) + b"--b--\r\n"),
    "dashes": ("mailgun", "multipart/form-data; boundary=b", lambda size: b"--b\r\n" * (size // 5)),
    "header": ("sendgrid", "multipart/form-data; boundary=b", lambda size: b"--b\r\nA: " + b";a=b" * (size // 4)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", REPORTS)
def test_reports(kind: str) -> None:
    slug, content_type, make = REPORTS[kind]

    def reading(size: int) -> Callable[[], object]:
        raw = Raw(make(size), content_type, f"/webhooks/{slug}/", datetime.now(UTC), {})

        def read_it() -> None:
            with suppress(UnreadableError):
                providers()[slug].parse(raw)

        return read_it

    assert is_linear(reading, 6_000)


def test_what_grows_faster_is_seen() -> None:
    def square(size: int) -> Callable[[], object]:
        return lambda: [len(()) for _ in range(size * size)]

    assert not is_linear(square, 100)
    assert calls(square(10)) >= 100
