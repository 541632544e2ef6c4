"""Writes the expected answer beside each bounce that a server under test has sent.

    python -m tests.messaging.bounces.servers.label SERVER CASES KEPT TO

What is expected follows from the script (scenarios.toml), not from the reader: who was written to, and what the
receiver answered. Only what the server itself decided (the status code where the receiver gave none, whether it
still tries) is read out of the mail, by the plain patterns below. What happens on the server
itself (aliases, pipes, full disks) is labelled by hand, in by_hand.json.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from tests.messaging.bounces.servers.world import FATES, HERE, MIXED, Scenario, scenarios, spoken

MEANING: Final = {
    "bert": ("user_unknown", "hard"),
    "carl": ("mailbox_full", "soft"),
    "dora": ("mailbox_disabled", "soft"),
    "emil": ("greylisted", "soft"),
    "fred": ("address_moved", "hard"),
    "gina": ("recipient_refuses", "soft"),
}
DELAYED: Final = re.compile(r"^Action: *delayed|^Subject: .*(delayed|Warning)", re.IGNORECASE | re.MULTILINE)
ENHANCED: Final = re.compile(r"[ #-]([245]\.\d{1,3}\.\d{1,3})\b(?!\.)")
GAVE_UP: Final = re.compile(
    r"retry timeout exceeded|could not be delivered for|4\.4\.7|unable to deliver this message after|too old|gave up|"
    r"unable to deliver.*within|has been in the queue|time limit|expired",
    re.IGNORECASE,
)
CAUSE: Final = re.compile(
    r"refused|time[d-]? ?-?out|unreachable|look ?-?up|resol|connect|closed|lost|name serv", re.IGNORECASE
)
# What a server says instead of the receiver's reply.
OWN_WORDS: Final = {
    "Envelope expired": "expired",
    "Network error on destination MXs": "network",
    "Could not deliver for the last": "expired",
    "Routing loop detected": "network",
    "unknown bounce reason": "unknown",
}


def octal(words: str) -> str:
    """As Exim prints what is not ASCII: each byte by its octal number."""
    return "".join(chr(byte) if byte < 128 else f"\\{byte:o}" for byte in words.encode())


def is_vague(code: str, said: str) -> bool:
    """Whether the server's own code only says less than the receiver's: 5.0.0 for 5.1.1."""
    return code.endswith(".0.0") and code[0] == said[0]


def fate(address: str, known: dict[str, Scenario], sender: str) -> tuple[str, str, list[str]]:
    """Reason, hard or soft, and the lines that the receiver said."""
    user, _, domain = address.partition("@")
    if domain == MIXED:
        reason, bounce = MEANING.get(user, ("delivered", ""))
        return reason, bounce, [FATES[user]]
    scenario = known[domain]
    return scenario.reason, scenario.bounce, spoken(scenario.reply, sender=sender, rcpt=address)


def label(case: dict[str, Any], mail: str, known: dict[str, Scenario]) -> list[dict[str, Any]]:  # noqa: C901  # what a mail may leave out
    flat = re.sub(r"\s+", " ", mail.replace("=\n", ""))
    returned = flat.rfind(f"Message-ID: <{case['case']}.")
    top = flat[:returned] if returned > 0 else flat
    rows = []
    for address in case["to"]:
        reason, bounce, said = fate(address, known, f"{case['case']}@bounces.shop.example")
        is_named = f"{address}" in top
        if not is_named or reason == "delivered":
            continue
        is_delayed = bool(DELAYED.search(mail))
        field = rf"^Final-Recipient:[^\n]*{re.escape(address)}\b.*?\nStatus: *(\d\.\d+\.\d+)"
        own = re.search(field, mail, re.DOTALL | re.IGNORECASE | re.MULTILINE)
        printed = [own[1]] if own else []
        first = ENHANCED.search(said[-1]) if said else None
        words = re.sub(r"^\d{3}[ -]([245]\.\d+\.\d+ *)?", "", said[-1]).strip() if said else ""
        is_told = bool(words) and any(re.sub(r"\s+", " ", text) in flat for text in (words, octal(words)))
        if first and is_told:
            # The receiver's own code; where the server prints one of its own that contradicts it, either is right.
            statuses = [first[1]] + [code for code in printed if code != first[1] and not is_vague(code, first[1])]
        else:
            statuses = printed
        row: dict[str, Any] = {"recipient": address, "action": "delayed" if is_delayed else "failed"}
        row |= {"bounce": "soft" if is_delayed else bounce, "reason": reason}
        if GAVE_UP.search(top) and (not said or said[0].startswith("4")):
            row["reason"] = [reason, "expired"]
        if is_told:
            row["reply_code"] = said[-1][:3]
        if statuses:
            row["status_code"] = statuses if len(statuses) > 1 else statuses[0]
        if not is_told:
            # Then the mail can't be understood better than its own words.
            told = next((meant for own_words, meant in OWN_WORDS.items() if own_words in top), None)
            if told:
                row |= {"reason": told, "bounce": "soft"}
            elif said:
                row["TODO"] = f"reply is not told: {words}"
            elif is_delayed and not CAUSE.search(top):
                row["reason"] = ["unknown", "expired", reason]
        rows.append(row)
    return rows


def labelled(case: dict[str, Any], mail: str, known: dict[str, Scenario]) -> list[dict[str, Any]]:
    try:
        return label(case, mail, known) or [{"TODO": "by hand"}]
    except KeyError:
        return [{"TODO": "by hand"}]


def main() -> None:
    server, cases, kept, to = sys.argv[1], *map(Path, sys.argv[2:5])
    known = scenarios()
    by_hand = json.loads((HERE / "by_hand.json").read_text(encoding="utf-8"))
    for line in cases.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        for file in sorted(kept.glob(f"{case['case']}.*")):
            number = file.suffix.removeprefix(".")
            name = case["case"] + ("" if number == "1" else f"-{number}")
            raw = file.read_bytes()
            target = to / server / f"{name}.eml"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
            rows = by_hand.get(f"{server}/{name}") or labelled(case, raw.decode("utf-8", "replace"), known)
            text = json.dumps(rows, indent=2, ensure_ascii=False)
            target.with_name(f"{name}.expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
