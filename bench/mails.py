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

from bench.figures import Figure, median_ratio, medians, say
from messaging.bounces.mail import read_mail
from tests.messaging.bounces import flufl_mails
from tests.messaging.bounces.examine import FORMS, MAILS

ROUNDS: Final = 9
TIMES: Final = 8


def measure(messages: int) -> Iterator[Figure]:
    del messages  # no database is asked
    # It logs a traceback where a mail breaks one of its detectors.
    logging.disable(logging.CRITICAL)
    theirs = [raw for _, raw in flufl_mails.mails()]
    ours = [path.read_bytes() for folder in (MAILS, FORMS) for path in sorted(folder.rglob("*.eml"))]
    yield compared("classify_vs_flufl", theirs, "flufl.bounce's test mails")
    yield compared("classify_vs_flufl_on_ours", ours, "our test mails")
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
