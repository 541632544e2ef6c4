"""What servers say, and what it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.bounces.classify import Rule, classify, rules
from messaging.bounces.reasons import HARD, REASONS


@pytest.mark.parametrize("rule", rules().texts, ids=lambda rule: rule.id)
def test_each_rule_decides_its_own_example(rule: Rule) -> None:
    verdict = classify(rule.example)

    assert (verdict.rule, verdict.reason) == (rule.id, rule.reason)


def test_rules_use_the_closed_vocabulary() -> None:
    known = rules()
    used = {rule.reason for rule in known.texts} | set(known.by_status.values()) | set(known.by_reply.values())

    assert used <= set(REASONS)


@pytest.mark.parametrize(
    ("said", "reason", "is_hard"),
    [
        ("550 5.1.1 The email account that you tried to reach does not exist.", "user_unknown", True),
        ("550 5.7.1 User unknown", "user_unknown", True),
        (
            "450 4.1.1 <a@example.org>: Recipient address rejected: unverified address: user unknown",
            "user_unknown",
            False,
        ),
        ("550 5.1.1 Message rejected, rate limited, slow down", "rate_limited", False),
        ("554 Sorry, the mailbox of this user is full", "mailbox_full", False),
        ("550 5.2.1 This mailbox is disabled", "mailbox_disabled", False),
        ("550 Requested action not taken", "unknown", False),
        ("5.1.1", "user_unknown", True),
        ("5.2.2", "mailbox_full", False),
        ("", "unknown", False),
        ("550 5.7.1 [192.0.2.5] is listed at bl.example.net; user unknown", "ip_blocked", False),
    ],
)
def test_words_decide_before_codes(said: str, reason: str, is_hard: bool) -> None:
    verdict = classify(said)

    assert (verdict.reason, verdict.is_hard) == (reason, is_hard)


@given(st.text())
def test_anything_gets_a_verdict_and_only_a_dead_address_is_hard(said: str) -> None:
    verdict = classify(said)

    assert verdict.reason in REASONS
    assert not verdict.is_hard or verdict.reason in HARD


@pytest.mark.parametrize(
    ("said", "reply_code", "status_code"),
    [
        ("550 5.1.1 no", "550", "5.1.1"),
        ("smtp; 550-5.7.26 no", "550", "5.7.26"),
        ("host 10.5.1.1 said: 421 later", "421", ""),
        ("4.2.2", "", "4.2.2"),
    ],
)
def test_codes_are_read_out_of_the_words(said: str, reply_code: str, status_code: str) -> None:
    verdict = classify(said)

    assert (verdict.reply_code, verdict.status_code) == (reply_code, status_code)
