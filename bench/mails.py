"""Reading bounce mails: mails a second on one core, against flufl.bounce on the same mails in the same run.

flufl.bounce finds recipients, and says of each whether it failed for good or for now by the form of the mail; it gives
no reason and reads no code. Its own test mails, and those that real servers made for us; both ways parse from bytes.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from typing import Final

from bench.figures import Figure, median_ratio, medians, say
from engage.bootstrap import BASE_DIR
from messaging.bounces.mail import read_mail
from tests.messaging.bounces import flufl_mails

ROUNDS: Final = 5
# A window of several seconds each.
SECONDS: Final = 5.0
OURS: Final = BASE_DIR / "tests" / "messaging" / "bounces"


def measure(messages: int) -> Iterator[Figure]:
    del messages  # no database is asked
    mails = samples()
    from flufl.bounce import scan_message  # noqa: PLC0415 -- a requirement of the tests alone

    ways: dict[str, Callable[[bytes], object]] = {
        "engage": read_mail,
        "flufl": lambda raw: scan_message(message_from_bytes(raw)),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, ROUNDS + 1):
        for name, read in ways.items():
            rates[name].append(per_second(read, mails))
        say(f"round {number} of {ROUNDS}: " + ", ".join(f"{name} {values[-1]:.0f}/s" for name, values in rates.items()))
    detail: dict[str, object] = {"mails": len(mails), "rounds": ROUNDS, "mails_per_second": medians(rates)}
    yield Figure("classify_vs_flufl", median_ratio(rates["engage"], rates["flufl"]), "ratio", detail)


def samples() -> list[bytes]:
    """Those of flufl.bounce where they can be had, and ours."""
    ours = [path.read_bytes() for path in sorted(OURS.rglob("*.eml"))]
    try:
        theirs = [raw for _name, raw in flufl_mails.mails()]
    except (OSError, subprocess.CalledProcessError):
        say("!!! flufl.bounce's own mails cannot be had; measured on ours alone")
        theirs = []
    return theirs + ours


def per_second(read: Callable[[bytes], object], mails: list[bytes]) -> float:
    done, start = 0, time.process_time()
    while time.process_time() - start < SECONDS:
        for raw in mails:
            read(raw)
        done += len(mails)
    return done / (time.process_time() - start)
