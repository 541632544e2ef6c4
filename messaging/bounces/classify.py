"""From what a mail server said to a reason, and to hard or soft. Pure; the rules are data in rules.toml."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from messaging.bounces.reasons import HARD, NO_BOUNCE

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


class Verdict(NamedTuple):
    """What was understood: the reason, whether it means a dead address, the codes, and what decided."""

    reason: str
    bounce: Literal["hard", "soft"] | None
    is_hard: bool
    reply_code: str
    status_code: str
    rule: str
    matched: str
    confidence: float


@cache
def rules() -> Rules:
    table = tomllib.loads(RULES_FILE.read_text(encoding="utf-8"))
    texts = (Rule(r["id"], r["reason"], re.compile(r["pattern"], re.IGNORECASE), r["example"]) for r in table["rule"])
    return Rules(tuple(texts), table["status"], table["reply"])


def classify(
    text: str, *, reply_code: str = "", status_code: str = "", said_by: str = "", provider_code: str = ""
) -> Verdict:
    """The meaning of a server's words and codes; codes that are not given are read out of the words.

    `said_by` is the host that said it, or its kind. Words decide before codes. Hard is only what says that the address
    is dead, and only if said for good: a 4xx reply is never hard. Never raises.
    """
    words = text[:LONGEST_TEXT]
    found_reply, found_status = codes_in(words)
    status = better_of(status_code, found_status)
    reply = reply_code or found_reply
    reason, rule, matched, confidence = _decide(words, status, reply)
    is_hard = reason in HARD and not (status or reply).startswith("4")
    bounce = None if reason in NO_BOUNCE else "hard" if is_hard else "soft"
    return Verdict(reason, bounce, is_hard, reply, status, rule, matched, confidence)


def codes_in(text: str) -> tuple[str, str]:
    """The SMTP reply code (RFC 5321 4.2) and the enhanced status code (RFC 3463) that the words hold; "" where none."""
    reply, status = REPLY_CODE.search(text), STATUS_CODE.search(text)
    return reply.group() if reply else "", status.group() if status else ""


def better_of(given: str, found: str) -> str:
    """The status code that says more: one in the words, where the field only says "other" (5.0.0, 5.1.0)."""
    is_vague = not given or (given.endswith(".0") and given[:1] == found[:1] and not found.endswith(".0"))
    return found if found and is_vague else given


def _decide(words: str, status: str, reply: str) -> tuple[str, str, str, float]:
    known = rules()
    for rule in known.texts:
        if match := rule.pattern.search(words):
            return rule.reason, rule.id, match.group(), 0.9
    subject_detail = status.partition(".")[2]
    if subject_detail in known.by_status and known.by_status[subject_detail] != "unknown":
        return known.by_status[subject_detail], "status", status, 0.6
    if reply in known.by_reply:
        return known.by_reply[reply], "reply", reply, 0.4
    return "unknown", "", "", 0.0
