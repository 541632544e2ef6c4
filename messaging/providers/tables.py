"""Code tables: from a provider's word or number to what became of the message, and why in our words.

They stand as TOML in the providers' folders. A code means something only together with its provider and code space, so
a file has a table per code space, and gsm.toml holds the spaces that several providers share.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from messaging.bounces.reasons import HARD, REASONS
from messaging.providers.base import ParsedReport, UnmappedCode
from messaging.status.order import MEANING, Event, Kind


class CodeMeaning(NamedTuple):
    """A row: what became of the message, why, and whether the person also said what they want (such as STOP)."""

    kind: Kind
    reason: str = ""
    consent_change: Kind | None = None


Table = dict[str, CodeMeaning]

HERE: Final = Path(__file__).parent
# Neither a short code nor a name.
LONG_NUMBER: Final = re.compile(r"\+?[0-9]{7,}", re.ASCII)
# What a code that no table knows comes to: never to a hard bounce.
UNKNOWN: Final = CodeMeaning(Kind.FAILED, "unknown")
# A code says why, so it is only asked where the state says that it went wrong, and not how.
VAGUE: Final = frozenset({Kind.FAILED, Kind.SOFT_BOUNCE})
CONSENT_CHANGES: Final = {Kind.UNSUBSCRIBED: "unsubscribe"}
# Nothing went wrong, so a code or a text is only noise.
UNTROUBLED: Final = frozenset({Kind.ACCEPTED, Kind.DEFERRED, Kind.DELIVERED})


@cache
def tables(name: str) -> dict[str, Table]:
    """The code spaces of messaging/providers/<name>/codes.toml."""
    return _spaces_in(HERE / name / "codes.toml")


@cache
def gsm_tables() -> dict[str, Table]:
    """The code spaces that several providers share."""
    return _spaces_in(HERE / "gsm.toml")


def _spaces_in(path: Path) -> dict[str, Table]:
    spaces = tomllib.loads(path.read_text(encoding="utf-8"))
    return {space: table_of(rows) for space, rows in spaces.items()}


def codes_for(name: str, sender: str) -> Table:
    """The codes of messaging/providers/<name>/codes.toml for what `sender` sent.

    From a short code or a name, some are about the route and not about the number.
    """
    known = tables(name)["codes"]
    return known if LONG_NUMBER.fullmatch(sender) else known | tables(name)["codes_of_short_senders"]


def table_of(rows: Mapping[str, Sequence[str]]) -> Table:
    """Raises ValueError, saying which row is wrong and what is allowed there."""
    return {str(code): _outcome(str(code), row) for code, row in rows.items()}


def _outcome(code: str, row: Sequence[str]) -> CodeMeaning:
    if not isinstance(row, list) or not 1 <= len(row) <= 3:
        raise ValueError(f'{code} must be ["kind", "reason"] or ["kind", "reason", "unsubscribed"].')
    kinds = sorted(MEANING)
    if row[0] not in kinds:
        raise ValueError(f"{code}: {row[0]!r} is no kind. Kinds are: {', '.join(kinds)}.")
    reason = row[1] if len(row) > 1 else ""
    if reason and reason not in REASONS:
        raise ValueError(f"{code}: {reason!r} is no reason. Reasons are: {', '.join(REASONS)}.")
    if row[0] == Kind.HARD_BOUNCE and reason not in HARD:
        raise ValueError(f"{code}: a hard bounce needs one of these reasons: {', '.join(sorted(HARD))}.")
    if len(row) == 3 and row[2] not in CONSENT_CHANGES:
        raise ValueError(f"{code}: {row[2]!r} must be one of: {', '.join(CONSENT_CHANGES)}.")
    return CodeMeaning(Kind(row[0]), reason, Kind(row[2]) if len(row) == 3 else None)


def decide(state: CodeMeaning, report_with_code: CodeMeaning | None) -> CodeMeaning:
    """A state with a code says more than the state alone; but a code does not make a delivery a failure."""
    return report_with_code if report_with_code and state.kind in VAGUE else state


def events_of(outcome: CodeMeaning, event: Event) -> list[Event]:
    """`event` with this outcome, and a second one where the person said what they want."""
    found = replace(event, kind=outcome.kind, reason=outcome.reason)
    if outcome.kind in UNTROUBLED:
        return [replace(found, provider_code="", diagnostic="")]
    return [found, *consent_changes_of(outcome, found)]


def consent_changes_of(outcome: CodeMeaning, event: Event) -> list[Event]:
    """What the person wants, where the outcome says so: they answered STOP to the provider."""
    return (
        [replace(event, kind=outcome.consent_change, reason=CONSENT_CHANGES[outcome.consent_change])]
        if outcome.consent_change
        else []
    )


def of_a_part(parsed: ParsedReport) -> ParsedReport:
    """A report on one part of an SMS, by a gateway that reports each of them: the whole may not have arrived."""
    events = [replace(each, kind=Kind.PART_ARRIVED) if each.kind == Kind.DELIVERED else each for each in parsed.events]
    return replace(parsed, events=events)


def report_with_code(
    state: CodeMeaning, event: Event, space: str, codes: Table, code: str | None = None
) -> ParsedReport:
    """What a state comes to with a code (`provider_code`, unless given): one that `codes` lacks changes nothing."""
    code = event.provider_code if code is None else code
    return report_of(state, event, space, code, codes.get(code))


def report_of(state: CodeMeaning, event: Event, space: str, code: str, found: CodeMeaning | None) -> ParsedReport:
    """What a state comes to with what was found for its code. A code that matters and is not listed is noted."""
    # Noughts say that there is no error.
    is_missed = bool(code.strip("0")) and found is None and state.kind in VAGUE
    return ParsedReport(
        events_of(decide(state, found), event), unmapped=[UnmappedCode(space, code)] if is_missed else []
    )
