"""What happens to mail on its way, and must not change what it is read as.

python -m tests.messaging.bounces.mutations    prints every mail that a mutation makes unreadable, and the shares
"""

import base64
import quopri
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from messaging.bounces.mail.reading import read_mail
from tests.messaging.bounces import flufl_mails
from tests.messaging.bounces.examine import FORMS, MAILS, answers, labelled

Mutation = Callable[[bytes], bytes]
TEXTS: Final = (b"text/plain", b"message/delivery-status", b"text/rfc822-headers")
BOUNDARY: Final = re.compile(rb'boundary="?([^"\n;]+)"?', re.IGNORECASE)
FORWARD: Final = b"""\
From: Helpful Colleague <colleague@shop.example>
To: bounces@shop.example
Subject: Fwd: this came back
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="forwarded-here"

--forwarded-here
Content-Type: text/plain

Please see below, I got this today.

--forwarded-here
Content-Type: message/rfc822

%s
--forwarded-here--
"""


def headers_and_body(mail: bytes) -> tuple[list[bytes], bytes]:
    """The top header fields, each with its folded lines, and the body behind the blank line."""
    head, _, body = mail.partition(b"\n\n")
    return re.split(rb"\n(?![ \t])", head), body


def joined(fields: list[bytes], body: bytes) -> bytes:
    return b"\n".join(fields) + b"\n\n" + body


def with_received(mail: bytes) -> bytes:
    received = b"Received: from relay%d.shop.example (relay.shop.example [192.0.2.%d]) by in.shop.example with ESMTPS\n\tid 5.1.1.550; Tue, 14 May 2024 09:12:00 +0000"
    fields, body = headers_and_body(mail)
    return joined([*(received % (n, n) for n in range(12)), *fields], body)


def shuffled(mail: bytes) -> bytes:
    fields, body = headers_and_body(mail)
    Random(4).shuffle(fields)
    return joined(fields, body)


def shouted(mail: bytes) -> bytes:
    """Header names in capitals, as some gateways write them."""
    fields, body = headers_and_body(mail)
    return joined([name.upper() + b":" + rest for name, _, rest in (field.partition(b":") for field in fields)], body)


def as_mbox(mail: bytes) -> bytes:
    return b"From MAILER-DAEMON Tue May 14 09:12:00 2024\n" + mail


def as_forwarded_mbox(mail: bytes) -> bytes:
    """As a mail program wrote it that put a mark before the line of the mailbox."""
    return b">From MAILER-DAEMON Tue May 14 09:12:00 2024\n" + mail


def tagged(mail: bytes) -> bytes:
    """A virus scanner's footer behind all, and its fields."""
    fields, body = headers_and_body(mail)
    return joined([*fields, b"X-Virus-Scanned: amavisd-new", b"X-Spam-Status: No, score=1.2 required=5.0"], body)


def without_end(mail: bytes) -> bytes:
    """The closing boundary lost, as where a mail was cut."""
    found = BOUNDARY.search(mail)
    return mail.replace(b"--" + found[1].strip() + b"--", b"") if found else mail


def without_original(mail: bytes) -> bytes:
    """Cut at the returned mail."""
    found = re.search(rb"\nContent-[Tt]ype: (message/rfc822|text/rfc822-headers|message/global(?!-delivery))", mail)
    if not found:
        return mail
    return mail[: mail.rfind(b"\n--", 0, found.start()) + 1]


def mixed(mail: bytes) -> bytes:
    """A gateway's multipart/mixed for multipart/report."""
    mail = re.sub(rb"multipart/report;", b"multipart/mixed;", mail, count=1, flags=re.IGNORECASE)
    return re.sub(rb"report-type=\"?delivery-status\"?;?", b"", mail, count=1, flags=re.IGNORECASE)


def reencoded(encode: Callable[[bytes], bytes], name: bytes) -> Mutation:
    """Every text part, and the delivery status, in another transfer encoding."""

    def mutate(mail: bytes) -> bytes:
        found = BOUNDARY.search(mail.partition(b"\n\n")[0])
        if not found:
            fields, body = headers_and_body(mail)
            if any(field.lower().startswith((b"content-transfer-encoding", b"content-type")) for field in fields):
                return mail
            return joined([*fields, b"MIME-Version: 1.0", b"Content-Transfer-Encoding: " + name], encode(body))
        mark = b"--" + found[1].strip()
        parts = mail.split(b"\n" + mark)
        return (b"\n" + mark).join([parts[0], *map(part, parts[1:])])

    def part(text: bytes) -> bytes:
        head, blank, body = text.partition(b"\n\n")
        kind = re.search(rb"content-type: *([\w/\-]+)", head, re.IGNORECASE)
        if not blank or not kind or kind[1].lower() not in TEXTS:
            return text
        if re.search(rb"content-transfer-encoding: *(base64|quoted)", head, re.IGNORECASE):
            return text
        head = re.sub(rb"\nContent-Transfer-Encoding:[^\n]*", b"", head, flags=re.IGNORECASE)
        return head + b"\nContent-Transfer-Encoding: " + name + b"\n\n" + encode(body)

    return mutate


def in_utf16(mail: bytes) -> bytes:
    """The text for humans in UTF-16, in base64."""
    found = BOUNDARY.search(mail.partition(b"\n\n")[0])
    if not found:
        return mail

    def encode(match: re.Match[bytes]) -> bytes:
        try:
            body = base64.encodebytes(match[1].decode("utf-8").encode("utf-16"))
        except UnicodeDecodeError:
            return match[0]
        return (
            b"\nContent-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n" + body + b"\n--" + mark
        )

    mark = found[1].strip()
    head = rb"\n(?:Content-Transfer-Encoding: \S+\n)?Content-[Tt]ype: text/plain[^\n]*(?:\n[^\n]+)*?\n\n"
    return re.sub(head + rb"(.*?)\n--" + re.escape(mark), encode, mail, count=1, flags=re.DOTALL)


def forwarded(mail: bytes) -> bytes:
    return FORWARD % mail


def twice_forwarded(mail: bytes) -> bytes:
    return FORWARD % (FORWARD % mail).replace(b"forwarded-here", b"forwarded-there")


MUTATIONS: Final[dict[str, Mutation]] = {
    "received": with_received,
    "shuffled": shuffled,
    "shouted": shouted,
    "mbox": as_mbox,
    "marked mbox": as_forwarded_mbox,
    "tagged": tagged,
    "without end": without_end,
    "without original": without_original,
    "multipart/mixed": mixed,
    "base64": reencoded(base64.encodebytes, b"base64"),
    "quoted-printable": reencoded(quopri.encodestring, b"quoted-printable"),
    "utf-16": in_utf16,
    "forwarded": forwarded,
    "forwarded twice": twice_forwarded,
}


def differences(name: str, raw: bytes) -> Iterator[tuple[str, str]]:
    """Mutation and description of each that is read otherwise than the mail itself."""
    raw = re.sub(rb"\AFrom [^\n]*\n", b"", raw.replace(b"\r\n", b"\n").lstrip(b"\n"))
    expected = answers(read_mail(raw))
    for title, mutate in MUTATIONS.items():
        got = answers(read_mail(mutate(raw)))
        if got != expected:
            yield title, f"{name}: {title}: {got} for {expected}"


def main() -> int:
    other: Counter[str] = Counter()
    mails = [*labelled(MAILS, FORMS), *flufl_mails.labelled()]
    for name, raw, _ in mails:
        for title, line in differences(name, raw):
            other[title] += 1
            print(line)
    for title in MUTATIONS:
        print(f"{title}: {other[title]} of {len(mails)} read otherwise")
    return bool(other)


if __name__ == "__main__":
    sys.exit(main())
