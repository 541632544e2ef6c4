"""Reading mails that came back: mails a second on one core, beside flufl.bounce on the same mails in the same rounds.

The mails are flufl.bounce's own test mails, out of its source package. Both sides begin with the bytes of a mail, so
flufl.bounce's share includes the parsing by Python's email package, on which it works. It finds the addresses that
failed; we also say why, and whether for good.
"""

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from typing import Final

from flufl.bounce import all_failures

from bench.figures import Figure, median_ratio, medians, rounded, say
from messaging.bounces.mail.reading import read_mail
from tests.messaging.bounces import flufl_mails
from tests.messaging.bounces.examine import FORMS, MAILS

ROUNDS: Final = 9
TIMES: Final = 8
SIZE: Final = 64_000


def measure(messages: int) -> Iterator[Figure]:
    del messages  # no database is asked
    # It logs a traceback where a mail breaks one of its detectors.
    logging.disable(logging.CRITICAL)
    theirs = [raw for _, raw in flufl_mails.mails()]
    ours = [path.read_bytes() for folder in (MAILS, FORMS) for path in sorted(folder.rglob("*.eml"))]
    yield compared("classify_vs_flufl", theirs, "flufl.bounce's test mails")
    yield compared("classify_vs_flufl_on_ours", ours, "our test mails")
    yield worst_against_median([*theirs, *ours, *made_to_be_slow()])
    logging.disable(logging.NOTSET)


def compared(name: str, mails: list[bytes], what: str) -> Figure:
    rates: dict[str, list[float]] = {"engage": [], "flufl.bounce": []}
    for number in range(ROUNDS + 1):
        for way, read in (("engage", read_mail), ("flufl.bounce", theirs_on)):
            rate = rate_of(read, mails)
            if number:  # the first round is for warming up
                rates[way].append(rate)
        say(f"round {number} of {ROUNDS}")
    ratio = median_ratio(rates["engage"], rates["flufl.bounce"])
    size = statistics.mean(map(len, mails))
    detail = {"mails": len(mails), "of": what, "mean_bytes": round(size), "mails_per_second": medians(rates)}
    return Figure(name, ratio, "ratio", detail)


def worst_against_median(mails: list[bytes]) -> Figure:
    """The slowest mail by kilobyte against the median, each by its fastest time of several."""
    by_kb = list[float]()
    for raw in mails:
        fastest = min(_seconds(raw) for _ in range(ROUNDS))
        by_kb.append(fastest / max(1.0, len(raw) / 1000))
    ordered = sorted(by_kb)
    median = statistics.median(ordered)
    detail: dict[str, object] = {
        "mails": len(mails), "median_us_per_kb": rounded(median * 1e6), "worst_us_per_kb": rounded(ordered[-1] * 1e6)
    }  # fmt: skip
    return Figure("mail_worst_vs_median", ordered[-1] / median, "ratio", detail)


def _seconds(raw: bytes) -> float:
    start = time.process_time()
    read_mail(raw)
    return time.process_time() - start


def made_to_be_slow() -> Iterator[bytes]:
    """Mails of SIZE bytes, each of one thing that costs a reader most."""
    head = b"From: MAILER-DAEMON@example.org\nSubject: Undeliverable mail\n\nThe following recipients failed:\n\n"
    lines = {
        "addresses": b" ".join(b"a%d@b%d.example" % (n, n) for n in range(50)) + b"\n",
        "headings": b"---- Original message? ----\n",
        "replies": b"550 5.1.1 <a@b.example>... User unknown\n",
        "commands": b">>> RCPT To:<a@b.example>\n",
        "fields": b"Final-Recipient: rfc822; a@b.example\n",
        "quotes": b'<<<<<<<<((((((((""""\n',
        "words": b"could not be delivered because of an error that was unknown\n",
        "tags": b"<p><br><div><span><a href=x>\n",
        "one line": b"a@",
    }
    yield from (head + line * (SIZE // len(line)) for line in lines.values())
    nested = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
    yield b"From: MAILER-DAEMON@example.org\n" + nested * (SIZE // len(nested))
    yield b"From: MAILER-DAEMON@example.org\n" + b"Received: from a by b\n" * (SIZE // 22) + b"\nx\n"


def theirs_on(raw: bytes) -> object:
    try:
        return all_failures(message_from_bytes(raw))
    except Exception:  # noqa: BLE001 some mails break it, and count all the same
        return None


def rate_of(read: Callable[[bytes], object], mails: list[bytes]) -> float:
    """Mails a second, by the time of this process: not what other programs take."""
    start = time.process_time()
    for _ in range(TIMES):
        for raw in mails:
            read(raw)
    return TIMES * len(mails) / (time.process_time() - start)
