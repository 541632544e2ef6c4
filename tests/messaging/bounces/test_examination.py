"""The goals of the issue, on every labelled mail; and that what happens to mail on its way changes no answer."""

from collections.abc import Iterator
from itertools import islice
from subprocess import CalledProcessError

import pytest

from messaging.bounces.mail.reading import read_mail
from tests.messaging.bounces import flufl_mails
from tests.messaging.bounces.examine import FORMS, MAILS, Label, examine, labelled
from tests.messaging.bounces.hostile import KINDS
from tests.messaging.bounces.mutations import differences

# Each mutation of each mail takes long; every so many mails say as much.
EVERY = 9
# Without the returned mail its recipient is not known where the bounce itself names nobody.
MAY_DIFFER = {"without original"}


def test_our_own_mails_are_read_as_well_as_the_issue_asks() -> None:
    score = examine(labelled(MAILS, FORMS))

    assert score.failed_goals() == [], "\n".join(score.lines)
    assert score.counts["mails"] > 700


def test_the_mails_of_flufl_bounce_are_read_as_well_as_the_issue_asks() -> None:
    score = examine(flufls())

    assert score.counts["mails"] > 100
    assert [goal for goal in score.failed_goals() if not goal.startswith(("recipient", "bounce", "status_code"))] == []
    # Of so few mails two or three are more than one in a hundred.
    assert score.judged["recipient"] - score.right["recipient"] <= 2, "\n".join(score.lines)
    assert score.judged["bounce"] - score.right["bounce"] <= 2, "\n".join(score.lines)
    assert score.judged["status_code"] - score.right["status_code"] <= 1, "\n".join(score.lines)


def flufls() -> Iterator[tuple[str, bytes, list[Label]]]:
    try:
        flufl_mails.package()
    except CalledProcessError:
        pytest.skip("flufl.bounce's source package can't be fetched: its test mails are not examined")
    return flufl_mails.labelled()


def test_what_happens_to_mail_on_its_way_changes_no_answer() -> None:
    mails = islice(labelled(MAILS), 0, None, EVERY)
    found = [line for name, raw, _ in mails for title, line in differences(name, raw) if title not in MAY_DIFFER]

    assert found == []


@pytest.mark.parametrize("kind", KINDS)
def test_mail_made_to_break_a_reader_does_not(kind: str) -> None:
    raw = KINDS[kind](100_000)

    read_mail(raw)
    read_mail(raw[: len(raw) // 2])
