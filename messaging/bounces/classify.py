"""From what a mail server said to a reason, and to hard or soft. Pure; the rules are data in rules.toml."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from messaging.bounces.reasons import HARD

RULES_FILE: Final = Path(__file__).with_name("rules.toml")
# A diagnostic longer than this says nothing more, but would cost time.
LONGEST_TEXT: Final = 4_000
# RFC 3463: class.subject.detail. Not followed by a further part: 5.1.1.1 is an address, not a code.
STATUS_CODE: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
# RFC 5321 4.2: three digits, then a blank, a hyphen or the end.
REPLY_CODE: Final = re.compile(r"(?<![\d.])([245][0-5]\d)(?=[ \-]|$)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of rules.toml."""

    id: str
    reason: str
    pattern: re.Pattern[str]
    example: str


@dataclass(frozen=True, slots=True)
class Rules:
    """All of rules.toml, compiled."""

    texts: tuple[Rule, ...]
    by_status: dict[str, str]
    by_reply: dict[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was understood: the reason, whether it means a dead address, the codes, and what decided."""

    reason: str
    is_hard: bool
    reply_code: str
    status_code: str
    rule: str
    matched: str


@cache
def rules() -> Rules:
    table = tomllib.loads(RULES_FILE.read_text(encoding="utf-8"))
    texts = (Rule(r["id"], r["reason"], re.compile(r["pattern"], re.IGNORECASE), r["example"]) for r in table["rule"])
    return Rules(tuple(texts), table["status"], table["reply"])


def classify(text: str, *, reply_code: str = "", status_code: str = "") -> Verdict:
    """The meaning of a server's words and codes; codes that are not given are read out of the words.

    Words decide before codes. Hard is only what says that the address is dead, and only if said for good: a 4xx
    reply is never hard. Never raises.
    """
    words = text[:LONGEST_TEXT]
    status = status_code or next((match.group() for match in [STATUS_CODE.search(words)] if match), "")
    reply = reply_code or next((match.group() for match in [REPLY_CODE.search(words)] if match), "")
    reason, rule, matched = _decide(words, status, reply)
    is_temporary = (status or reply).startswith("4")
    return Verdict(reason, reason in HARD and not is_temporary, reply, status, rule, matched)


def _decide(words: str, status: str, reply: str) -> tuple[str, str, str]:
    known = rules()
    for rule in known.texts:
        if match := rule.pattern.search(words):
            return rule.reason, rule.id, match.group()
    subject_detail = status.partition(".")[2]
    if subject_detail in known.by_status and known.by_status[subject_detail] != "unknown":
        return known.by_status[subject_detail], "status", status
    if reply in known.by_reply:
        return known.by_reply[reply], "reply", reply
    return "unknown", "", ""
