"""Mail made to cost time or memory, or to break a reader.

    python -m tests.messaging.bounces.hostile [MEGABYTES]    prints seconds and peak memory by kind and size

The time must grow with the size and no faster: the last column is the growth of the time for four times the size.
"""

import base64
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Final

from messaging.bounces.mail.reading import read_mail

TOP: Final = b"From: MAILER-DAEMON@mx.example\nTo: b@shop.example\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
REPORT: Final = TOP + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
STATUS: Final = b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"


def filled(unit: bytes, size: int) -> bytes:
    return unit * (size // len(unit) + 1)


def recipients(size: int) -> bytes:
    groups, number = [], 0
    while number * 90 < size:
        groups.append(b"Final-Recipient: rfc822; user%d@example.net\nAction: failed\nStatus: 5.1.1\n\n" % number)
        number += 1
    return REPORT + STATUS + b"".join(groups) + b"--b--\n"


def prose_recipients(size: int) -> bytes:
    lines = b"".join(
        b"<user%d@example.net>: host mx said: 550 5.1.1 unknown\n\n" % number for number in range(size // 55)
    )
    return TOP + b"\nThis is the mail system. Your message could not be delivered:\n\n" + lines


def nested(size: int) -> bytes:
    return TOP + filled(b"Content-Type: message/rfc822\n\n" + TOP, size) + b"\n550 5.1.1 <a@example.net> unknown\n"


def nested_multiparts(size: int) -> bytes:
    parts = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(size // 60))
    return TOP + parts + b"\n550 <a@example.net> unknown\n"


def many_parts(size: int) -> bytes:
    return REPORT + filled(b"--b\nContent-Type: text/plain\n\n<a@example.net>: 550 user unknown\n", size) + b"--b--\n"


def one_diagnostic(unit: bytes) -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        group = b"Final-Recipient: rfc822; a@example.net\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 "
        return REPORT + STATUS + group + filled(unit, size) + b"\n\n--b--\n"

    return make


def one_text(unit: bytes) -> Callable[[int], bytes]:
    return lambda size: TOP + b"\nYour message could not be delivered to <a@example.net>\n" + filled(unit, size) + b"\n"


def one_header(unit: bytes) -> Callable[[int], bytes]:
    return lambda size: (
        b"Subject: Undelivered Mail " + filled(unit, size) + b"\n" + TOP + b"\n<a@example.net>: 550 unknown\n"
    )


def encoded(size: int) -> bytes:
    body = base64.encodebytes(filled(b"<a@example.net>: 550 5.1.1 user unknown ", size * 3 // 4))
    return TOP + b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + body


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "recipients of a DSN": recipients,
    "recipients in prose": prose_recipients,
    "mails in mails": nested,
    "parts in parts": nested_multiparts,
    "parts": many_parts,
    "returned mail": lambda size: (
        REPORT + STATUS + b"--b\nContent-Type: message/rfc822\n\n" + filled(b"text " * 14 + b"\n", size)
    ),
    "base64": encoded,
    "diagnostic": one_diagnostic(b"user unknown "),
    "diagnostic of blanks": one_diagnostic(b" "),
    "diagnostic of codes": one_diagnostic(b"5.1.1 550-"),
    "diagnostic of brackets": one_diagnostic(b"(<[{\"'"),
    "folded diagnostic": one_diagnostic(b"word\n "),
    "one line": one_text(b"a"),
    "one line of @": one_text(b"@"),
    "one line a@": one_text(b"a@"),
    "one line of dots": one_text(b"a.b-"),
    "one line of brackets": one_text(b"<"),
    "one line of quotes": one_text(b'"\\'),
    "one line of addresses": one_text(b"a@b.example "),
    "lines of addresses": one_text(b"<a@b.example>\n"),
    "blank lines": one_text(b"\n"),
    "blanks": one_text(b" \n\t"),
    "carriage returns": one_text(b"\r"),
    "nulls": one_text(b"\0"),
    "octets": one_text(bytes(range(128, 256))),
    "colons": one_text(b"a: b\n"),
    "boundaries": lambda size: REPORT + filled(b"--b\n", size),
    "dashes": one_text(b"--"),
    "HTML": lambda size: TOP + b"Content-Type: text/html\n\n" + filled(b"<b><a href='x'>&lt;550 &amp;", size),
    "open tags": lambda size: TOP + b"Content-Type: text/html\n\n" + filled(b"<", size),
    "entities": lambda size: TOP + b"Content-Type: text/html\n\n" + filled(b"&#x41;&", size),
    "comments": lambda size: TOP + b"Content-Type: text/html\n\n" + filled(b"<!--", size),
    "subject": one_header(b"a"),
    "encoded subject": one_header(b"=?utf-8?q?=41?= "),
    "broken subject": one_header(b"=?utf-8?q?"),
    "folded subject": one_header(b"\n a"),
    "headers": lambda size: filled(b"X-A: b\n", size) + TOP + b"\n<a@example.net>: 550 unknown\n",
    "received": lambda size: filled(b"Received: from a by b\n\tfor <a@example.net>; x\n", size) + TOP + b"\nfailed\n",
    "parameters": lambda size: (
        TOP + b"Content-Type: multipart/report; " + filled(b'a="b"; ', size) + b"\n\n<a@example.net>: 550\n"
    ),
    "continued parameters": lambda size: TOP + b"Content-Type: text/plain; " + filled(b"a*1*=x; ", size) + b"\n\n550\n",
}


def measured(raw: bytes) -> float:
    """Seconds to read."""
    begin = time.perf_counter()
    read_mail(raw)
    return time.perf_counter() - begin


def main() -> None:
    size = int(float(sys.argv[1]) * (1 << 20)) if len(sys.argv) > 1 else 4 << 20
    for title, make in KINDS.items():
        quarter, whole = make(size // 4), make(size)
        seconds = [measured(quarter), measured(whole)]
        tracemalloc.start()
        measured(quarter)
        peak = tracemalloc.get_traced_memory()[1] / len(quarter)
        tracemalloc.stop()
        growth = seconds[1] / max(seconds[0], 1e-3)
        mark = "  <- grows faster than the size" if growth > 8 and seconds[1] > 0.5 else ""
        print(
            f"{title:24} {len(whole) / 1e6:6.1f} MB {seconds[1]:8.3f} s  memory x{peak:5.1f}  time x{growth:5.1f}{mark}",
            flush=True,
        )


if __name__ == "__main__":
    main()
