"""From what a mail server said to a reason, and to hard or soft. Pure; the rules are data in rules/."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import re2

from messaging.bounces.certainty import REPLY, STATUS, certainty_of
from messaging.bounces.codes import better_of, codes_in
from messaging.bounces.plain import LONGEST, may_match_marks, parted, plain, plain_pattern, settled
from messaging.bounces.reasons import HARD, NO_BOUNCE

__all__ = ["Rule", "Verdict", "classify", "codes_in", "rules", "stage_of", "words_of"]

RULES: Final = Path(__file__).with_name("rules")
# In this order; the first rule that matches decides. Two automata are smaller than one, and what the first finds need
# not be looked for by the second, which has to make most states. The rules of the last file are asked after the status
# code.
FIRST: Final = ("stages", "particular", "exceptions", "sending", "recipient")
TEXTS: Final = (*FIRST, "languages", "message", "system", "weak")
WEAK: Final = "weak"
STAGES: Final = "stages"
# What an automaton may take for its states, in bytes; it makes them as it needs them.
MEMORY: Final = 128 << 20
# Servers say the same templates over and over: so many are remembered, up to this length; a few megabytes at most.
TEMPLATES: Final = 5_000
LONGEST_TEMPLATE: Final = 300
# The rule for what exists nowhere, without saying what.
NOT_FOUND: Final = "not-found"
# The stages of rules/stages.toml that a verdict names, the one that says most first.
STAGE_ORDER: Final = ("recipient", "sender", "hello", "greeting", "message", "program")
# What was said to these was not said of the recipient: the reason that may be true all the same.
NOT_OF_RECIPIENT: Final = {"greeting": "policy", "hello": "policy", "sender": "sender_rejected"}
# What a verdict is worth that would be hard if nothing spoke against it: below it, a second one must agree.
DOUBTED: Final = 0.4
# A reply of class 4, also with digits that RFC 5321 4.2.1 does not know.
TRANSIENT: Final = re.compile(r"\s*4\d\d\b")
# What stands for a rule where a code decided.
CODES: Final = (STATUS, REPLY)
WORD: Final = re.compile(r"\{([a-z_]+)\}")
SAME_SENTENCE: Final = " (?:[^;]* )?"
FEW_WORDS: Final = " (?:[^ ;]+ ){0,3}"


class Verdict(NamedTuple):
    """What was understood: the reason, whether it means a dead address, the codes, and what decided."""

    reason: str
    bounce: Literal["hard", "soft"] | None
    is_hard: bool
    reply_code: str
    status_code: str
    # The id of a rule, or "status" or "reply" where a code decided.
    rule: str
    confidence: float
    # What the rule was looked for in.
    words: str
    # In reply to what it was said, as far as the words tell: a stage of rules/stages.toml, or empty.
    stage: str = ""

    @property
    def certainty(self) -> str:
        """How sure the meaning is (certainty.Certainty); empty where nothing decided."""
        return certainty_of(self.rule, self.confidence)

    @property
    def matched(self) -> str:
        """The words, in their plain form, or the code that decided."""
        if self.rule in CODES:
            return self.reply_code if self.rule == CODES[1] else self.status_code or self.reply_code
        return words_of(self.rule, self.words) if self.rule else ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of rules/*.toml; the first of all that match decides."""

    id: str
    reason: str
    pattern: bytes
    # As much of the pattern as can match among marks; empty where none can.
    in_marks: bytes
    examples: tuple[str, ...]
    # Where given, the rule holds only where a code begins so, or the server is named so.
    codes: tuple[str, ...]
    said_by: str
    confidence: float
    is_weak: bool
    # Not empty: it tells in reply to what something was said, and decides nothing.
    stage: str = ""

    def holds(self, reply: str, status: str, said_by: str) -> bool:
        """Whether the rule may decide on what was said with these codes, by this server."""
        if self.stage:
            return False
        if self.codes and not (status.startswith(self.codes) or reply.startswith(self.codes)):
            return False
        return self.said_by in said_by


@dataclass(frozen=True, slots=True)
class CodeTable:
    """What enhanced status codes mean, without their class; `said_by` names the servers at which they mean it."""

    said_by: re.Pattern[str]
    reasons: Mapping[str, str]


class Finder:
    """Finds all of many patterns in one pass."""

    def __init__(self, patterns: Iterable[tuple[int, bytes]]) -> None:
        """Each pattern with the number by which it is known."""
        options = _options()
        options.max_mem = MEMORY
        self._automaton = re2.Set.SearchSet(options)
        self._numbers = [number for number, pattern in patterns if self._automaton.Add(pattern) >= 0]
        self._automaton.Compile()

    def found(self, words: bytes) -> list[int]:
        """The numbers of those that match, the lowest first."""
        if not (found := self._automaton.Match(words)):
            return []
        return sorted(map(self._numbers.__getitem__, found))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All of rules/, compiled."""

    # All that look at words, in their order.
    texts: tuple[Rule, ...]
    first_in_words: Finder
    then_in_words: Finder
    in_marks: Finder
    by_vendor: tuple[CodeTable, ...]
    by_status: Mapping[str, str]
    against_dead: frozenset[str]
    by_reply: Mapping[str, str]


@cache
def rules() -> RuleSet:
    """Reads and compiles the files once. Raises re2.error on a bad pattern, KeyError on a missing field."""
    words = {name: f"(?:{pattern})" for name, pattern in _table("words").items()}
    codes = _table("codes")
    by_vendor = tuple(CodeTable(re.compile(row["said_by"]), row["status"]) for row in codes["vendor"])
    texts = tuple(rule for name in TEXTS for rule in _rules_of(name, words))
    patterns = [(number, rule.pattern) for number, rule in enumerate(texts)]
    first = sum(len(_table(name)["rule"]) for name in FIRST)
    in_marks = Finder((number, rule.in_marks) for number, rule in enumerate(texts) if rule.in_marks)
    return RuleSet(
        texts, Finder(patterns[:first]), Finder(patterns[first:]), in_marks, by_vendor, codes["status"],
        frozenset(codes["against_dead"]), codes["reply"],
    )  # fmt: skip


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((RULES / f"{name}.toml").read_text(encoding="utf-8"))


def _rules_of(name: str, words: Mapping[str, str]) -> list[Rule]:
    table = _table(name)
    known = {**words, **{word: f"(?:{pattern})" for word, pattern in table.get("words", {}).items()}}
    return [_rule_of(row, known, name == WEAK) for row in table["rule"]]


def _rule_of(row: Mapping[str, Any], words: Mapping[str, str], is_weak: bool) -> Rule:
    alternatives = [WORD.sub(lambda found: words[found[1]], each) for each in row["any"]]
    return Rule(
        id=row["id"],
        reason=row.get("reason", ""),
        pattern=_pattern_of(alternatives),
        in_marks=_pattern_of(each for each in alternatives if may_match_marks(each)),
        examples=tuple(row["example"]),
        codes=tuple(row.get("codes", ())),
        said_by=row.get("said_by", ""),
        confidence=row.get("confidence", 0.9),
        is_weak=is_weak,
        stage=row.get("stage", ""),
    )


def _pattern_of(alternatives: Iterable[str]) -> bytes:
    parts = map(plain_pattern, alternatives)
    return "|".join(parts).replace(" ... ", SAME_SENTENCE).replace(" .. ", FEW_WORDS).encode()


def _options() -> Any:
    """Bytes, not letters: the automaton stays smaller, and UTF-8 finds itself."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.log_errors = False
    return options


def classify(
    text: str,
    *,
    reply_code: str = "",
    status_code: str = "",
    said_by: str = "",
    provider_code: str = "",
    stage: str = "",
) -> Verdict:
    """The meaning of a server's words and codes; codes that are not given are read out of the words.

    `said_by` is the host that said it, or its kind; `provider_code` a word of the provider's own; `stage` in reply to
    what it was said, where that is known otherwise than by the words (rules/stages.toml has the stages). Words decide
    before codes. Hard is only what was said of the recipient, says that the address is dead, and was said for good: a
    reply or status code of class 4 is never hard. Never raises; looks at the first LONGEST characters, in time linear
    in their number.
    """
    reply, status = codes_in(text[:LONGEST])
    if status_code:
        status = better_of(status_code, status)
    if reply_code:
        reply = reply_code
    template, marks = parted(f"{text} ; {provider_code}" if provider_code else text)
    heard = _heard if len(template) <= LONGEST_TEMPLATE else _heard.__wrapped__
    words, found = heard(template, False)
    # Marks are a sentence of their own, and no rule looks across its bounds.
    in_marks = rules().in_marks.found(f" {marks} ".encode()) if marks else []
    if not _decider(found, reply, status, said_by := said_by.lower()):
        found = heard(template, True)[1]
    if in_marks:
        found = sorted({*found, *in_marks})
    words = f"{words}; {marks} " if marks else f"{words}; "
    reason, rule, confidence = _decide(found, words, reply, status, said_by)
    is_hard = reason in HARD and status[:1] != "4" and reply[:1] != "4" and not TRANSIENT.match(text)
    if is_hard:
        stages = {stage, *(rules().texts[index].stage for index in found)}
        stage = next((each for each in STAGE_ORDER if each in stages), "")
        if instead := _held_back(stages, reason, rule, status):
            reason, is_hard, confidence = instead, False, min(confidence, DOUBTED)
    bounce: Literal["hard", "soft"] | None = None if reason in NO_BOUNCE else "hard" if is_hard else "soft"
    # Sooner than by its own __new__, which only unpacks what it packs again.
    return tuple.__new__(Verdict, (reason, bounce, is_hard, reply, status, rule, confidence, words, stage))


@lru_cache(TEMPLATES)
def _heard(template: str, is_further: bool) -> tuple[str, Sequence[int]]:
    """The settled words, and which rules match them: of the first files, or of all."""
    words = settled(template)
    raw = f"{words}; ".encode("utf-8", "replace")
    found = rules().first_in_words.found(raw)
    return words, [*found, *rules().then_in_words.found(raw)] if is_further else found


def _decider(found: Sequence[int], reply: str, status: str, said_by: str) -> bool:
    """Whether one of these rules decides; none of the first files is weak."""
    texts = rules().texts
    for index in found:  # noqa: SIM110 -- any() takes twice the time
        if texts[index].holds(reply, status, said_by):
            return True
    return False


def _decide(found: Sequence[int], words: str, reply: str, status: str, said_by: str) -> tuple[str, str, float]:
    if status[:1] == "2" or (reply[:1] == "2" and not status):
        return "delivered", CODES[0], 0.9
    known = rules()
    weak: Rule | None = None
    for index in found:
        rule = known.texts[index]
        if rule.holds(reply, status, said_by):
            if not rule.is_weak:
                return rule.reason, rule.id, rule.confidence
            weak = weak or rule
    if (coded := _by_status(known, status, said_by, words)) and coded != "unknown":
        return coded, CODES[0], 0.7
    if weak:
        return weak.reason, weak.id, weak.confidence
    if reply in known.by_reply and known.by_reply[reply] != "unknown":
        return known.by_reply[reply], CODES[1], 0.4
    return "unknown", "", 0.0


def stage_of(text: str) -> str:
    """In reply to what this was said, as far as the words tell: a stage of rules/stages.toml, or empty."""
    stages = {
        rules().texts[index].stage for index in rules().first_in_words.found(plain(text).encode("utf-8", "replace"))
    }
    return next((each for each in STAGE_ORDER if each in stages), "")


def _held_back(stages: Set[str], reason: str, rule: str, status: str) -> str:
    """The reason that is true where a hard one was not said of the recipient; empty where nothing speaks against it.

    A mailbox is refused in reply to RCPT TO (RFC 5321 3.3). What is said to the connection, to EHLO or to MAIL FROM is
    about us. Whoever took the recipient and refuses at the end of DATA has a filter, unless the status code names the
    address (RFC 3463 3.2). A program behind an alias speaks of its own files and users, unless it names the mailbox.
    Words and status code are two readings of one reply: where the code says something else, the words may be misread.
    """
    if "program" in stages and "named" not in stages:
        return "server_error"
    if rule != CODES[0] and status[2:] in (known := rules()).against_dead:
        return known.by_status[status[2:]]
    if "recipient" in stages:
        return ""
    for stage, instead in NOT_OF_RECIPIENT.items():
        if stage in stages:
            return instead
    if "message" in stages and not status.startswith("5.1."):
        return "sender_rejected" if reason == "domain_unknown" or rule == NOT_FOUND else "recipient_refuses"
    return ""


def _by_status(known: RuleSet, status: str, said_by: str, words: str) -> str:
    subject_detail = status[2:]
    for vendor in known.by_vendor:
        if subject_detail in vendor.reasons and (vendor.said_by.search(said_by) or vendor.said_by.search(words)):
            return vendor.reasons[subject_detail]
    return known.by_status.get(status) or known.by_status.get(subject_detail, "")


def words_of(rule_id: str, words: str) -> str:
    """The first words that the rule matches."""
    found = _span_of(rule_id).search(words.encode("utf-8", "replace"))
    return found[0].decode(errors="replace").strip() if found else ""


@cache
def _span_of(rule_id: str) -> re2._Regexp:
    return re2.compile(next(rule.pattern for rule in rules().texts if rule.id == rule_id), _options())
