"""Importing and exporting block lists: read, weighed, blocked once somebody says so; what goes out comes in again."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from contacts.blocks import exporting, importing, record
from contacts.blocks.filters import BlockFilter
from contacts.models import Address, Block, BlockImport, Change, ImportPart, ImportRow
from messaging.status.order import Kind
from messaging.suppression import engagement_after_block
from messaging.suppression.list_reasons import reason_from
from tests.contacts.blocks.test_removal import in_force, make_block
from tests.factories import address, ago, hard_bounce, make_contact, make_message, make_user, said

pytestmark = pytest.mark.django_db


def give(content: str, actor_id: int | None = None) -> BlockImport:
    data = content.encode()
    given = importing.give("list.csv", len(data), [data[:20], data[20:]], actor_id=actor_id)
    importing.read_given(given.pk, reason_from)
    given.refresh_from_db()
    return given


def block_all(given: BlockImport) -> BlockImport:
    importing.confirm(given.pk)
    importing.carry_on(reason_from)
    given.refresh_from_db()
    return given


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 3)


def test_a_dry_run_counts_and_blocks_nothing() -> None:
    make_block("known@x.example")
    freed = make_block("freed@x.example")
    record.lift(freed.pk, actor_id=make_user("").pk, reason="Works")

    given = give("email,date\nnew@x.example,\nknown@x.example,\nfreed@x.example,2025-11-01\nNEW@x.example,\nbad,\n")

    figures = (given.to_block, given.already, given.lifted_since, given.repeated, given.bad, given.lines)
    assert figures == (1, 1, 1, 1, 1, 5)
    assert (given.state, given.bad_lines[0][0]) == ("read", 6)
    assert in_force() == {"known@x.example"}
    assert not Address.objects.filter(value="new@x.example").exists()
    assert not ImportPart.objects.exists()


def test_blocks_those_who_have_the_address_and_those_who_get_it_later() -> None:
    ada = make_user("", "ada")
    anna = make_contact(email="anna@x.example")
    given = give(
        "email,reason,code,message,date\nanna@x.example,,550 5.1.1,550 5.1.1 No such user,2025-11-01\nlater@x.example,,,,\n",
        ada.pk,
    )
    done = block_all(given)

    assert (done.state, done.blocked) == ("done", 2)
    block = Block.objects.get(address=anna.email_address)
    assert (block.cause, block.reason, block.code, block.domain) == (
        "imported",
        "user_unknown",
        "550 5.1.1",
        "x.example",
    )
    assert (block.diagnostic, f"{block.started_at:%Y-%m-%d}") == ("550 5.1.1 No such user", "2025-11-01")
    change = Change.objects.get(contact=anna, kind="imported")
    assert (change.actor, change.why, change.new) == (ada, "user_unknown", "550 5.1.1")
    later = make_contact(email="Later@X.example")
    assert record.open_blocks([later.email_address_id])
    assert not ImportRow.objects.exists()


def test_the_same_list_again_changes_nothing() -> None:
    content = "email\na@x.example\nb@x.example\n"
    block_all(give(content))
    again = block_all(give(content))

    assert (again.to_block, again.already, again.blocked, again.state) == (0, 2, 0, "done")
    assert Block.objects.count() == 2


def test_a_dated_line_does_not_block_what_a_person_freed_since() -> None:
    freed = make_block("freed@x.example")
    given = give("email,date\nfreed@x.example,2025-11-01\n")
    record.lift(freed.pk, actor_id=make_user("").pk, reason="Works")

    assert block_all(given).blocked == 0
    assert in_force() == set()


def test_what_was_held_for_review_is_blocked() -> None:
    make_block("held@x.example", held_at=ago(hours=1))
    given = give("email\nheld@x.example\n")

    assert (given.to_block, given.already) == (1, 0)
    assert block_all(given).blocked == 1
    assert Block.objects.get().cause == "imported"
    assert Block.objects.get().is_in_force


def test_goes_on_where_a_killed_worker_was(small_chunks: None) -> None:
    given = give("email\n" + "".join(f"{number}@x.example\n" for number in range(8)))
    importing.confirm(given.pk)
    assert len(in_force()) == 3

    importing.carry_on(reason_from)
    given.refresh_from_db()

    assert (given.blocked, given.state, len(in_force())) == (8, "done", 8)


def test_reading_begins_anew_after_a_kill() -> None:
    given = importing.give("list.csv", 20, [b"email\na@x.example\n"], actor_id=None)
    ImportRow.objects.create(block_import=given, line=1, channel="email", value="half@x.example")

    importing.carry_on(reason_from)
    given.refresh_from_db()

    assert (given.state, given.to_block) == ("read", 1)


def test_what_is_dropped_cannot_be_confirmed_and_what_is_done_not_dropped() -> None:
    given = give("email\na@x.example\n")
    assert importing.drop(given.pk)
    assert not importing.confirm(given.pk)
    assert not ImportRow.objects.exists()

    done = block_all(give("email\nb@x.example\n"))
    assert not importing.drop(done.pk)
    assert in_force() == {"b@x.example"}


def test_complaints_of_the_list_block_too_but_leave_consent_alone() -> None:
    anna = make_contact(email="anna@x.example")
    block_all(give("email,reason\nanna@x.example,spam complaint\n"))

    anna.refresh_from_db()
    assert anna.accepts_email
    assert Block.objects.get().reason == "complaint"
    assert not BlockFilter(address="x.example").liftable().exists()


def test_a_sign_of_life_after_the_date_of_the_list_is_found() -> None:
    anna = make_contact(email="anna@x.example")
    make_message(anna, said(Kind.OPENED, ago(days=1)), sent_at=ago(days=2))
    block_all(give("email,date\nanna@x.example,2025-11-01\n"))
    Block.objects.update(recorded_at=ago(minutes=10))
    engagement_after_block.seek()

    assert Block.objects.get().life_by == "opened"


@pytest.mark.django_db(transaction=True)
def test_two_imports_and_reports_at_once_do_not_deadlock(small_chunks: None) -> None:
    contacts = [make_contact(email=f"{number}@x.example") for number in range(12)]
    lists = ["".join(f"{number}@x.example\n" for number in order) for order in (range(24), range(23, -1, -1))]
    imports = [give("email\n" + each) for each in lists]
    barrier, failed = Barrier(3), []

    def run(work: Any) -> None:
        barrier.wait()
        try:
            work()
        except Exception as error:
            failed.append(error)
            raise
        finally:
            connection.close()

    def report() -> None:
        for contact in reversed(contacts):
            make_message(contact, hard_bounce(timezone.now() - timedelta(days=1)))

    works = [*(lambda given=given: block_all(given) for given in imports), report]
    threads = [Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed
    assert len(in_force()) == Block.objects.count() == 24
    assert not BlockImport.objects.exclude(state="done").exists()


def test_export_comes_in_again_as_it_was() -> None:
    make_block("=cmd|'/c'!a1@x.example", diagnostic='=HYPERLINK(1)\r\nline two, and "more"')
    make_block("+46701234567", code="30005", reason="domain_refuses_mail")
    before = sorted(Block.objects.values_list("address__value", "reason", "code", "diagnostic", "domain"))
    exported = b"".join(exporting.as_csv(BlockFilter().blocks(), bom=True))
    Block.objects.all().delete()

    given = give(exported.decode())
    assert not given.bad_lines
    block_all(given)

    assert sorted(Block.objects.values_list("address__value", "reason", "code", "diagnostic", "domain")) == before


def test_no_cell_of_an_export_is_a_formula() -> None:
    make_block("anna@x.example", diagnostic='=cmd|" /C calc"!A0', code="@SUM(1)", reason="-2+3")
    make_block("b@x.example", diagnostic="\t=1", code="+1+2")

    rows = list(csv.reader(io.StringIO(b"".join(exporting.as_csv(BlockFilter().blocks())).decode())))

    assert len(rows) == 3
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell]


def test_export_has_all_blocks_in_chunks_and_only_those_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "CHUNK", 2)
    for number in range(5):
        make_block(f"{number}@x.example")
    make_block("held@x.example", held_at=ago(hours=1))
    make_block("ended@x.example", ended_at=ago(hours=1))

    rows = list(csv.DictReader(io.StringIO(b"".join(exporting.as_csv(BlockFilter().blocks())).decode())))

    assert [row["address"] for row in rows] == [f"{number}@x.example" for number in (4, 3, 2, 1, 0)]
    assert rows[0]["cause"] == "one_hard_bounce"


def test_commands_round_trip(tmp_path: Path) -> None:
    make_block("a@x.example", diagnostic="550 no")
    file = tmp_path / "blocks.csv"
    call_command("export_blocks", str(file))
    with file.open("a") as stream:
        stream.write("b@x.example\nnonsense\n")
    out, err = io.StringIO(), io.StringIO()

    call_command("import_blocks", str(file), "--dry-run", stdout=out, stderr=err)
    assert "1 addresses to block, 1 already blocked, 1 bad lines" in out.getvalue()
    assert "line 4:" in err.getvalue()
    assert (in_force(), BlockImport.objects.count()) == ({"a@x.example"}, 0)

    make_user("", "ada")
    call_command("import_blocks", str(file), "--user", "ada", stdout=out, stderr=err)
    assert "1 addresses blocked." in out.getvalue()
    assert in_force() == {"a@x.example", "b@x.example"}
    assert BlockImport.objects.get().state == "done"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["/nowhere.csv"], "No such file"), (["{file}", "--user", "nobody"], "no log-in"), (["{file}"], "No column")],
)
def test_commands_say_what_is_wrong(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "x.csv").write_text("name\nAnna\n")
    with pytest.raises(CommandError, match=told):
        call_command("import_blocks", *[each.format(file=tmp_path / "x.csv") for each in arguments])
    assert not BlockImport.objects.exists()


def test_who_has_the_address_already_keeps_its_row() -> None:
    known = address("a@x.example")
    block_all(give("email\na@x.example\n"))
    assert Block.objects.get().address_id == known.pk
