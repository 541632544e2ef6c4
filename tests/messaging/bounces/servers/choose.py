"""Chooses from all labelled bounces those that are kept: each scenario as two servers tell it, and all local cases.

    python -m tests.messaging.bounces.servers.choose LABELLED

Copies mail and label into mails/<server>/, with the name of the machine it was made on replaced.
"""

import re
import sys
from pathlib import Path
from typing import Final

from tests.messaging.bounces.examine import MAILS
from tests.messaging.bounces.servers.world import scenarios

# In the order in which scenarios are dealt out; where a server has no answer to one, the next has.
SERVERS: Final = ("postfix", "exim4", "sendmail", "opensmtpd", "courier", "dma", "haraka", "nullmailer")
MACHINE: Final = re.compile(rb"@vm\b")


def chosen(labelled: Path) -> list[Path]:
    """The labels of the mails to keep."""
    found: list[Path] = []
    for number, domain in enumerate(scenarios()):
        case = domain.removesuffix(".example")
        order = SERVERS[number % len(SERVERS) :] + SERVERS[: number % len(SERVERS)]
        per_server = [sorted(labelled.glob(f"{server}/{case}*.expected.json")) for server in order]
        told = [[label for label in labels if is_of(label, case)] for labels in per_server]
        for labels in [labels for labels in told if labels][:2]:
            found.extend(labels)
    found.extend(sorted(labelled.glob("*/x-*.expected.json")))
    return [label for label in found if "TODO" not in label.read_text(encoding="utf-8")]


def is_of(label: Path, case: str) -> bool:
    """Whether the label is of this case, and not of one whose name begins alike."""
    return re.fullmatch(rf"{re.escape(case)}(-\d)?\.expected\.json", label.name) is not None


def main() -> None:
    for label in chosen(Path(sys.argv[1])):
        to = MAILS / label.parent.name
        to.mkdir(parents=True, exist_ok=True)
        (to / label.name).write_bytes(label.read_bytes())
        mail = label.with_name(label.name.replace(".expected.json", ".eml"))
        (to / mail.name).write_bytes(MACHINE.sub(b"@mx.shop.example", mail.read_bytes()))


if __name__ == "__main__":
    main()
