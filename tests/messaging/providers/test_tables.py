"""The code tables of SMS: in our words, each with its source, and hard only where the number is gone."""

import tomllib
from pathlib import Path

import pytest

from messaging.bounces.reasons import HARD, REASONS
from messaging.providers import tables as module
from messaging.providers.tables import CodeMeaning, decide, events_of, gsm_tables, table_of, tables
from messaging.status.order import CONSENTS, Event, Kind
from tests.messaging.inbox.test_payloads import RECEIVED_AT

NAMES = [
    "amazon_sms", "bird", "elks", "infobip", "link_mobility", "messagebird", "plivo", "sinch", "smpp", "telnyx",
    "twilio", "vonage",
]  # fmt: skip
NUMBER_IS_GONE = {"user_unknown", "address_moved", "domain_refuses_mail"}
# Whose "hard" would block everybody at once.
OUR_OWN_FAULT = {"sender_rejected", "policy", "rate_limited", "content_rejected", "spam_suspected", "suppressed"}
ROWS = [
    (f"{name}-{space}-{code}", outcome)
    for name, spaces in (*((name, tables(name)) for name in NAMES), ("gsm", gsm_tables()))
    for space, table in spaces.items()
    for code, outcome in table.items()
]


@pytest.mark.parametrize(("row", "outcome"), ROWS, ids=[row for row, _ in ROWS])
def test_every_row_is_in_our_words(row: str, outcome: CodeMeaning) -> None:
    assert outcome.kind not in CONSENTS | {Kind.GAVE_UP, Kind.OPENED, Kind.CLICKED}
    assert outcome.reason == "" or outcome.reason in REASONS
    assert outcome.kind in (Kind.ACCEPTED, Kind.DEFERRED, Kind.DELIVERED, Kind.UNTRACEABLE) or outcome.reason
    assert (outcome.kind == Kind.HARD_BOUNCE) == (outcome.reason in NUMBER_IS_GONE)
    assert outcome.kind != Kind.SOFT_BOUNCE or outcome.reason not in OUR_OWN_FAULT - {"rate_limited"}
    assert (outcome.kind == Kind.EXPIRED) == (outcome.reason == "expired")
    assert (outcome.consent_change == Kind.UNSUBSCRIBED) == (outcome.reason == "suppressed")


def test_hard_reasons_of_a_number_are_hard() -> None:
    assert NUMBER_IS_GONE < HARD


@pytest.mark.parametrize("name", [*(f"{name}/codes" for name in NAMES), "gsm"])
def test_every_table_names_its_source_and_its_page(name: str) -> None:
    text = (Path(module.__file__).parent / f"{name}.toml").read_text()

    for space in tomllib.loads(text):
        above = text.partition(f"[{space}]")[0].rpartition("\n\n")[2]
        assert "#" in above, f"[{space}] names no source"


def test_a_row_of_the_same_number_means_different_things_in_different_code_spaces() -> None:
    fives = {
        gsm_tables()["map"]["5"], gsm_tables()["smpp_state"]["5"], tables("vonage")["sms_codes"]["5"],
        tables("infobip")["statuses"]["5"], tables("sinch")["codes"]["5"], tables("link_mobility")["codes"]["5"],
    }  # fmt: skip

    assert len(fives) == 6


@pytest.mark.parametrize(
    ("state", "coded", "found"),
    [
        (CodeMeaning(Kind.FAILED, "unknown"), CodeMeaning(Kind.HARD_BOUNCE, "user_unknown"), Kind.HARD_BOUNCE),
        (CodeMeaning(Kind.FAILED, "unknown"), CodeMeaning(Kind.SOFT_BOUNCE, "network"), Kind.SOFT_BOUNCE),
        (CodeMeaning(Kind.FAILED, "unknown"), None, Kind.FAILED),
        (CodeMeaning(Kind.DELIVERED), CodeMeaning(Kind.HARD_BOUNCE, "user_unknown"), Kind.DELIVERED),
        (CodeMeaning(Kind.DEFERRED), CodeMeaning(Kind.HARD_BOUNCE, "user_unknown"), Kind.DEFERRED),
        (CodeMeaning(Kind.EXPIRED, "expired"), CodeMeaning(Kind.SOFT_BOUNCE, "network"), Kind.EXPIRED),
        (CodeMeaning(Kind.UNTRACEABLE), CodeMeaning(Kind.HARD_BOUNCE, "user_unknown"), Kind.UNTRACEABLE),
    ],
)
def test_a_code_decides_only_where_the_state_is_vague(
    state: CodeMeaning, coded: CodeMeaning | None, found: Kind
) -> None:
    assert decide(state, coded).kind == found


def test_what_went_well_needs_neither_code_nor_words() -> None:
    event = Event("p", Kind.ACCEPTED, RECEIVED_AT, "1", provider_code="000", diagnostic="No error")

    (well,), (ill,) = (events_of(CodeMeaning(kind, ""), event) for kind in (Kind.DELIVERED, Kind.UNTRACEABLE))

    assert (well.provider_code, well.diagnostic) == ("", "")
    assert (ill.provider_code, ill.diagnostic) == ("000", "No error")


def test_a_wrong_row_says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"'hard' is no kind\. Kinds are: accepted, "):
        table_of({"1": ["hard", "user_unknown"]})
