"""What servers say, and what it means: every rule, every reply under replies/, and the laws of hard and soft."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.bounces.classify import LONGEST_TEMPLATE, TEMPLATES, Rule, _heard, classify, rules, words_of
from messaging.bounces.plain import plain
from messaging.bounces.reasons import HARD, NO_BOUNCE, REASONS

REPLIES = Path(__file__).with_name("replies")
CODES = st.sampled_from(["", "250", "421", "450", "550", "552", "554", "999", "nonsense"])
STATUSES = st.sampled_from(["", "2.0.0", "4.2.2", "5.0.0", "5.1.1", "5.1.10", "5.7.1", "9.9.9", "nonsense"])
A_REPLY = (
    "user recipient mailbox unknown not exist full quota spam host blocked policy relay denied try later 550 5.1.1 "
    "<a@example.org> [192.0.2.7] ; : . ... été 用户 不存在 said: -> &lt; </p> domain found sender rejected"
)
WORDS = st.sampled_from(A_REPLY.split())
# What stands in the patterns, put together to marks: none of them is of letters only.
PIECES = sorted({piece for rule in rules().texts for piece in re.findall(r"[a-z0-9.:%#/-]{2,}", rule.pattern.decode())})
MARK = st.lists(st.sampled_from([*PIECES, *"0123456789.-/:%#_+"]), min_size=1, max_size=3).map("".join)
MARKS = st.lists(MARK.filter(lambda mark: not mark.isalpha()), min_size=1, max_size=5).map(" ".join)
ANYTHING = st.text(st.characters()) | st.lists(WORDS).map(" ".join)


def _in_words(text: bytes) -> list[int]:
    return [*rules().first_in_words.found(text), *rules().then_in_words.found(text)]


def replies() -> list[tuple[str, str, str]]:
    """Each line: hard, soft or none; the reason; what was said."""
    found = []
    for file in sorted(REPLIES.glob("*.tsv")):
        for line in file.read_text(encoding="utf-8").splitlines():
            bounce, reason, said = line.split("\t")
            found.append((bounce, reason, said.replace("\\r", "\r").replace("\\n", "\n")))
    return found


@pytest.mark.parametrize(("bounce", "reason", "said"), replies())
def test_each_reply_is_understood(bounce: str, reason: str, said: str) -> None:
    verdict = classify(said)

    assert (verdict.bounce or "none", verdict.reason) == (bounce, reason), verdict


DECIDING = [rule for rule in rules().texts if not rule.stage]
STAGES = [rule for rule in rules().texts if rule.stage]


@pytest.mark.parametrize("rule", STAGES, ids=lambda rule: rule.id)
def test_each_stage_is_heard_in_its_examples(rule: Rule) -> None:
    assert rule.examples
    for example in rule.examples:
        assert words_of(rule.id, plain(example)), example


@pytest.mark.parametrize("rule", DECIDING, ids=lambda rule: rule.id)
def test_each_rule_decides_its_own_examples(rule: Rule) -> None:
    assert rule.examples
    for example in rule.examples:
        verdict = classify(example)

        assert (verdict.rule, verdict.reason) == (rule.id, rule.reason), verdict
        assert verdict.matched


def test_rules_use_the_closed_vocabulary_and_have_names_of_their_own() -> None:
    known = rules()
    used = {rule.reason for rule in DECIDING} | set(known.by_status.values()) | set(known.by_reply.values())
    used |= {reason for vendor in known.by_vendor for reason in vendor.reasons.values()}

    assert used <= set(REASONS)
    assert len({rule.id for rule in known.texts}) == len(known.texts)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\t", "  "])
def test_line_ends_change_nothing(end: str) -> None:
    said = end.join(["550-5.1.1 The email account that you tried to reach does", "550-5.1.1 not exist.", "550 5.1.1 q"])

    assert classify(said)[:5] == classify(said.replace(end, "\n"))[:5]


@settings(deadline=None)
@given(ANYTHING, CODES, STATUSES, ANYTHING, ANYTHING)
def test_anything_gets_a_verdict_and_only_a_dead_address_is_hard(
    said: str, reply_code: str, status_code: str, said_by: str, provider_code: str
) -> None:
    verdict = classify(
        said, reply_code=reply_code, status_code=status_code, said_by=said_by, provider_code=provider_code
    )

    codes = (verdict.status_code[:1], verdict.reply_code[:1])
    is_hard = verdict.reason in HARD and "4" not in codes and not re.match(r"\s*4\d\d\b", said)
    assert verdict.reason in REASONS
    assert verdict.is_hard == is_hard
    assert verdict.bounce == (None if verdict.reason in NO_BOUNCE else "hard" if is_hard else "soft")
    assert 0 <= verdict.confidence <= 1


# A provider says "permanent" by its class, no server by its words.
@pytest.mark.parametrize("reason", sorted(HARD - {"permanent"}))
def test_a_temporary_code_is_never_hard_but_keeps_its_reason(reason: str) -> None:
    said = next(rule.examples[-1] for rule in DECIDING if rule.reason == reason and not rule.codes)

    verdict = classify(said, status_code="4.0.0", reply_code="450")

    assert (verdict.reason, verdict.bounce) == (reason, "soft")


@pytest.mark.parametrize(
    ("status", "reason"),
    [("5.1.1", "user_unknown"), ("5.2.2", "mailbox_full"), ("5.7.26", "authentication"), ("5.3.4", "message_too_big")],
)
def test_where_the_words_say_nothing_the_code_decides(status: str, reason: str) -> None:
    assert classify("Delivery failed.", status_code=status).reason == reason


def test_a_code_means_what_the_server_that_said_it_means() -> None:
    assert classify("550 5.1.10", said_by="mx.example.org").reason == "domain_refuses_mail"
    assert classify("550 5.1.10", said_by="AM5.eop-EUR03.prod.protection.outlook.com").reason == "user_unknown"


def test_a_providers_own_word_is_heard() -> None:
    assert classify("550 no", provider_code="bad-mailbox").reason == "user_unknown"


@settings(deadline=None)
@given(MARKS)
def test_among_marks_the_patterns_meant_for_them_find_all_that_the_whole_rules_find(marks: str) -> None:
    text = f" {marks} ".encode()

    assert rules().in_marks.found(text) == _in_words(text)


@pytest.mark.parametrize("said", [said for _, _, said in replies()])
def test_words_and_marks_apart_match_what_they_match_together(said: str) -> None:
    words, _, marks = plain(f"{said} mx.spam.example 17").rpartition("; ")
    apart = {*_in_words(f"{words}; ".encode()), *rules().in_marks.found(f" {marks}".encode())}

    assert sorted(apart) == _in_words(f"{words}; {marks}".encode())


def test_what_is_remembered_stays_within_its_bound_and_changes_no_verdict() -> None:
    first = classify("550 5.1.1 <a@one.example> user unknown")
    for number in range(TEMPLATES + 100):
        classify("a mailbox " + "".join("abcdefghij"[int(digit)] for digit in str(number)))
    size = _heard.cache_info().currsize
    classify("word " * LONGEST_TEMPLATE)

    assert _heard.cache_info().currsize == size == TEMPLATES
    assert classify("550 5.1.1 <a@one.example> user unknown") == first
