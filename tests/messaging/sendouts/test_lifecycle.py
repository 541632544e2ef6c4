"""The states of a send-out: only the allowed moves, each once, and each told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from messaging.models import Message, Progress, SendOut, SendOutChange, Total
from messaging.sendouts import drafts, lifecycle, making
from messaging.sendouts.audience import Everybody
from messaging.sendouts.lifecycle import WrongStateError
from messaging.sendouts.models import State
from messaging.sendouts.progress import mark_all, seconds_to_news, standing_of
from messaging.sendouts.totals import totals_of
from tests.factories import ago, make_contact, make_user
from tests.messaging.sendouts.people import make_send_out, run

ALLOWED = {
    "schedule": {State.DRAFT},
    "unschedule": {State.SCHEDULED},
    "start": {State.DRAFT, State.SCHEDULED},
    "pause": {State.SENDING},
    "resume": {State.PAUSED},
    "cancel": {State.SCHEDULED, State.SENDING, State.PAUSED},
}
MOVES: dict[str, Callable[[int, int], None]] = {
    "schedule": lambda pk, actor: lifecycle.schedule(pk, timezone.now() + timedelta(hours=1), actor),
    **{name: getattr(lifecycle, name) for name in ALLOWED if name != "schedule"},
}


@pytest.mark.django_db
@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("name", list(MOVES))
def test_a_move_works_from_its_states_and_from_no_other(name: str, state: State) -> None:
    made, actor = make_send_out(state=state), make_user("")
    if state == State.PAUSED:  # one that had begun; of one that a restore paused before, test_restored.py
        SendOut.objects.update(started_at=timezone.now())

    if state in ALLOWED[name]:
        MOVES[name](made.pk, actor.pk)
        assert made.changes.get().actor == actor
    else:
        with pytest.raises(WrongStateError) as refused:
            MOVES[name](made.pk, actor.pk)
        assert refused.value.state == state
        made.refresh_from_db()
        assert made.state == state
        assert not made.changes.exists()


@pytest.mark.django_db
def test_what_says_nothing_cannot_start() -> None:
    empty = SendOut.objects.create(name="Empty", channel="email")

    with pytest.raises(WrongStateError):
        lifecycle.start(empty.pk)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_start_it_at_once_one_does() -> None:
    make_contact()
    made = make_send_out()

    def go(_number: int) -> None:
        with suppress(WrongStateError):
            lifecycle.start(made.pk)
        making.make_rows(made.pk)
        connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(go, range(6)))

    assert SendOutChange.objects.filter(kind="started").count() == 1
    assert Message.objects.count() == 1


@pytest.mark.django_db
def test_what_is_scheduled_starts_when_it_is_time() -> None:
    make_contact()
    made, actor = make_send_out(), make_user("")
    lifecycle.schedule(made.pk, timezone.now() + timedelta(hours=1), actor.pk)
    assert lifecycle.start_due() == 0

    SendOut.objects.update(scheduled_at=timezone.now() - timedelta(seconds=1))

    assert lifecycle.start_due() == 1
    making.make_rows(made.pk)
    assert Message.objects.count() == 1


@pytest.mark.django_db
def test_paused_no_rows_are_made_and_resumed_they_go_on_where_they_were() -> None:
    for _ in range(5):
        make_contact()
    made, actor = make_send_out(), make_user("")
    lifecycle.start(made.pk)
    recipe = making.recipe_of(made.pk)
    making.make_chunk(recipe, 2)

    lifecycle.pause(made.pk, actor.pk)
    assert not making.make_chunk(recipe, 2)
    assert Message.objects.count() == 2
    lifecycle.resume(made.pk, actor.pk)
    make_contact()  # came after the start: no part of it
    making.make_rows(made.pk, 2)

    assert Message.objects.count() == 5
    assert Progress.objects.get().rows_done_at is not None


@pytest.mark.django_db
def test_it_is_done_once_nothing_waits_and_not_before() -> None:
    make_contact(accepts_email=False)
    made = make_send_out()
    lifecycle.start(made.pk)
    assert not lifecycle.finish(made.pk)  # rows are not made
    making.make_rows(made.pk)

    assert lifecycle.finish(made.pk)

    other = make_send_out()
    make_contact()
    run(other)
    assert not lifecycle.finish(other.pk)  # one waits


@pytest.mark.django_db
def test_a_draft_is_edited_version_by_version_and_nothing_after_its_start() -> None:
    actor = make_user("")
    made = drafts.create(actor.pk, name="Spring", channel="email")

    first = drafts.save_content(made, actor.pk, subject="One", text="1")
    same = drafts.save_content(made, actor.pk, subject="One", text="1")
    second = drafts.save_content(made, actor.pk, subject="Two", text="2")

    assert (first.version, same.pk, second.version) == (1, first.pk, 2)
    made.refresh_from_db()
    assert (made.content, made.subject) == (second, "Two")
    drafts.save(made, actor.pk, "setting", control_percentage=10)
    assert made.changes.latest("pk").more == "control group and settings"
    lifecycle.start(made.pk)
    for edit in (
        lambda: drafts.save_audience(made, Everybody(), actor.pk),
        lambda: drafts.save_content(made, actor.pk, subject="Three", text="3"),
    ):
        with pytest.raises(WrongStateError):
            edit()
    assert made.contents.count() == 2


@pytest.mark.django_db
def test_the_rate_is_of_the_last_marks() -> None:
    make_contact()
    made = make_send_out()
    run(made)
    mark_all()
    progress = Progress.objects.get()
    at, looked, _ = progress.marks[0]
    progress.marks = [[at - 10, looked - 1000, 0]]

    standing = standing_of(progress, totals_of([made.pk])[made.pk], now=at)

    assert standing.looking.per_second == 100
    assert standing.handing.per_second is None
    assert standing.handing.left is None


@pytest.mark.django_db
def test_recount_mends_what_somebody_wrote_past_us() -> None:
    make_contact()
    made = make_send_out()
    run(made)
    Total.objects.create(send_out=made, figure="delivered", count=77)

    call_command("recount")

    assert totals_of([made.pk])[made.pk] == {"waiting": 1}


@pytest.mark.parametrize(
    ("channel", "state", "hours_ago", "seconds"),
    [
        ("email", State.DRAFT, None, 0),
        ("email", State.SCHEDULED, None, 10),
        ("email", State.SENDING, 99, 2),
        ("email", State.DONE, 71, 10),
        ("email", State.CANCELLED, 71, 10),
        ("email", State.DONE, 73, 0),
        ("sms", State.DONE, 47, 10),
        ("sms", State.DONE, 49, 0),
    ],
)
def test_a_page_asks_for_news_for_as_long_as_there_may_be_some(
    channel: str, state: State, hours_ago: int | None, seconds: int
) -> None:
    started_at = None if hours_ago is None else ago(hours=hours_ago)

    assert seconds_to_news(SendOut(channel=channel, state=state, started_at=started_at)) == seconds
