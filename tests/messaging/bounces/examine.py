"""How good our reader of bounces is: reads every labelled mail, and says where it and the label disagree.

    python -m tests.messaging.bounces.examine [PATH...]

A label is a JSON file beside the mail: a list with one object for each recipient, in the order in which the mail
names them; empty where the mail is no bounce. A value that is a list allows any of its members: a mail that says
both "mailbox full" and "gave up" may be read either way. A field that is left out isn't judged. flufl.bounce's own
test mails are labelled in flufl_bounce.json and fetched with its source package (see flufl_mails.py).
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from messaging.bounces.mail.reading import Finding, read_mail
from tests.messaging.bounces import flufl_mails

MAILS: Final = Path(__file__).with_name("mails")
FORMS: Final = Path(__file__).with_name("forms")
FIELDS: Final = ("recipient", "action", "bounce", "reason", "reply_code", "status_code")
# The goals of the issue; shares of what is judged, but for the counts of what must not happen.
GOALS: Final = {"recipient": 0.99, "bounce": 0.99, "precision_of_hard": 0.99, "reason": 0.95, "status_code": 0.98}
NEVER: Final = ("exceptions", "false_bounces", "line_ends")

Label = dict[str, Any]


@dataclass(slots=True)
class Score:
    """How many answers were judged and right, by field, and every disagreement in a line."""

    judged: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def share(self, name: str) -> float:
        return self.right[name] / self.judged[name] if self.judged[name] else 1.0

    def judge(self, name: str, is_right: bool, line: str) -> None:
        self.judged[name] += 1
        self.right[name] += is_right
        if not is_right:
            self.lines.append(line)

    def failed_goals(self) -> list[str]:
        """What misses the issue's goals; empty where all is well."""
        low = [f"{name} {self.share(name):.2%}" for name, goal in GOALS.items() if self.share(name) < goal]
        return low + [f"{name} {self.counts[name]}" for name in NEVER if self.counts[name]]


def labelled(*paths: Path) -> Iterator[tuple[str, bytes, list[Label]]]:
    """Name, mail and label of every labelled mail under the paths."""
    for path in paths:
        for label in sorted(path.rglob("*.expected.json")):
            mail = label.with_name(label.name.removesuffix(".expected.json") + ".eml")
            rows = json.loads(label.read_bytes())
            if not any("TODO" in row for row in rows):
                yield str(mail.relative_to(path.parent)), mail.read_bytes(), rows


def examine(mails: Iterator[tuple[str, bytes, list[Label]]]) -> Score:
    score = Score()
    for name, raw, label in mails:
        score.counts["mails"] += 1
        try:
            findings = read_mail(raw)
            if any(answers(read_mail(other)) != answers(findings) for other in line_ends(raw)):
                score.counts["line_ends"] += 1
                score.lines.append(f"{name}: other line ends, another answer")
        except Exception as error:  # noqa: BLE001  # of any kind: it never raises, says its docstring
            score.counts["exceptions"] += 1
            score.lines.append(f"{name}: {error!r}")
            continue
        compare(score, name, findings, label)
    return score


def line_ends(raw: bytes) -> list[bytes]:
    lf = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return [lf, lf.replace(b"\n", b"\r\n"), lf.replace(b"\n", b"\r")]


def answers(findings: list[Finding]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(finding, name) for name in FIELDS) for finding in findings]


def compare(score: Score, name: str, findings: list[Finding], label: list[Label]) -> None:
    """Judges each expected recipient against its finding, and whether something was made up."""
    left = list(findings)
    for expected in label:
        found = taken(left, expected)
        score.judge(
            "recipient", found is not None, f"{name}: no {expected['recipient']} in {[f.recipient for f in findings]}"
        )
        if found is None and left and len(label) == 1:
            found = left.pop(0)
        if found is None:
            for key in (name for name in expected if name != "recipient"):
                score.judge(key, False, f"{name}: {expected['recipient']}: {key} missing")
            continue
        for key in (name for name in expected if name != "recipient"):
            is_right, got = allows(expected[key], getattr(found, key)), getattr(found, key)
            because = f"{found.rule}; {found.diagnostic[:160]!r}"
            score.judge(key, is_right, f"{name}: {found.recipient}: {key} {got!r}, not {expected[key]!r} ({because})")
        if found.bounce == "hard" and "bounce" in expected:
            is_hard = allows(expected["bounce"], "hard")
            score.judge("precision_of_hard", is_hard, f"{name}: {found.recipient}: wrongly hard")
    for extra in left:
        if extra.bounce is not None:
            score.counts["false_bounces" if not any(row.get("bounce") for row in label) else "extra_recipients"] += 1
            score.lines.append(f"{name}: made up: {extra.recipient or 'nobody'} {extra.bounce} {extra.reason}")


def taken(findings: list[Finding], expected: Label) -> Finding | None:
    """The first finding for the expected recipient, no longer in the list."""
    for place, finding in enumerate(findings):
        if allows(expected["recipient"], finding.recipient):
            return findings.pop(place)
    return None


def allows(expected: Any, found: Any) -> bool:
    allowed = expected if isinstance(expected, list) else [expected]
    return any(str(value).lower() == str(found).lower() for value in allowed)


def main() -> int:
    paths = [Path(path) for path in sys.argv[1:]]
    sources = {str(path): labelled(path) for path in paths} or {
        **{path.name: labelled(path) for path in [*sorted(MAILS.iterdir()), FORMS]},
        "flufl.bounce": flufl_mails.labelled(),
    }
    has_failed = False
    for source, mails in sources.items():
        score = examine(mails)
        print(*score.lines, sep="\n")
        shares = " ".join(
            f"{name} {score.share(name):.2%}" for name in (*FIELDS, "precision_of_hard") if score.judged[name]
        )
        print(
            f"{source}: {score.counts['mails']} mails, {score.judged['recipient']} recipients: {shares}",
            dict(score.counts),
        )
        has_failed |= bool(score.failed_goals())
    return has_failed


if __name__ == "__main__":
    sys.exit(main())
