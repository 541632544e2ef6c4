"""The pages of blocks on the server: who may, what they refuse, and that they do what they show."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from contacts.blocks import removal
from contacts.blocks.filters import FilterForm
from contacts.models import Block, BlockImport, BulkLift, Change
from tests.contacts.blocks.test_removal import in_force, make_block
from tests.factories import ago, htmx, log_in, make_contact, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator() -> Client:
    return log_in("Administrators")


def remove(client: Client, query: str, **fields: str) -> BulkLift:
    answer = client.post(f"{reverse('contacts:blocks-remove')}?{query}", {"reason": "A fault", **fields})
    assert answer.status_code == 302
    return BulkLift.objects.latest("pk")


def upload(client: Client, content: bytes) -> BlockImport:
    client.post(reverse("messaging:imports"), {"file": SimpleUploadedFile("list.csv", content)})
    return BlockImport.objects.latest("pk")


GET = ["contacts:blocks", "contacts:blocks-export", "contacts:bulk-lifts", "messaging:imports"]


@pytest.mark.parametrize("group", ["Marketers", "Support", ""])
def test_are_for_administrators_only(group: str) -> None:
    block, other = make_block("a@x.example"), log_in(group)
    lift = BulkLift.objects.create(
        actor=make_user(""), reason="x", filters={"address": "x.example"}, newest=block.pk, expected=1
    )
    given = BlockImport.objects.create(file_name="x", size=1, state="read")

    for name in GET:
        assert other.get(reverse(name)).status_code == 403, name
    for address in (reverse("contacts:blocks-remove") + "?address=x.example", reverse("messaging:imports")):
        assert other.post(address, {"reason": "Let me"}).status_code == 403, address
    for name, pk in (
        ("contacts:bulk-lift-undo", lift.pk), ("messaging:import-confirm", given.pk), ("messaging:import-drop", given.pk),
    ):  # fmt: skip
        assert other.post(reverse(name, args=[pk])).status_code == 403, name
    assert in_force() == {"a@x.example"}
    assert 'href="/blocks/"' not in other.get(reverse("contacts:list")).content.decode()


@pytest.mark.parametrize("name", ["contacts:bulk-lift-undo", "messaging:import-confirm", "messaging:import-drop"])
def test_what_changes_something_is_no_link(administrator: Client, name: str) -> None:
    assert administrator.get(reverse(name, args=[1])).status_code == 405


def test_the_list_shows_who_why_and_since_when(administrator: Client) -> None:
    make_contact("Anna", "Lindqvist", email="anna@x.example")
    make_block("anna@x.example", code="550 5.1.1")
    make_block("+46701234567", cause="imported", reason="complaint")

    page = administrator.get(reverse("contacts:blocks")).content.decode()

    for words in (
        "Anna Lindqvist",
        "User unknown",
        "550 5.1.1",
        "+46 70 123 45 67",
        "No contact has it now",
        "2 blocks",
        "opt-out",
    ):
        assert words in page, words


def test_a_filter_that_makes_no_sense_shows_nothing_and_offers_no_removal(administrator: Client) -> None:
    make_block("a@x.example")

    answer = administrator.get(reverse("contacts:blocks"), {"since": "yesterday", "address": "x.example"})
    page = answer.content.decode()

    assert answer.status_code == 422
    assert "Write the time like" in page
    assert "a@x.example" not in page
    assert "Remove all" not in page


@pytest.mark.parametrize("query", ["", "since=yesterday", "ids=1;2", "id=x", "address=a%20b"])
def test_removing_without_a_filter_or_by_nonsense_is_not_found(administrator: Client, query: str) -> None:
    make_block("a@x.example")
    address = f"{reverse('contacts:blocks-remove')}?{query}"

    assert administrator.get(address).status_code == 404
    assert administrator.post(address, {"reason": "All of them"}).status_code == 404
    assert in_force() == {"a@x.example"}


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501])
def test_removing_wants_a_reason(administrator: Client, reason: str) -> None:
    make_block("a@x.example")

    answer = administrator.post(reverse("contacts:blocks-remove") + "?address=x.example", {"reason": reason})

    assert answer.status_code == 422
    assert not BulkLift.objects.exists()


def test_only_what_was_counted_is_removed_whatever_the_form_says(administrator: Client) -> None:
    seen, later = make_block("seen@x.example"), make_block("later@x.example")

    remove(administrator, "address=x.example", newest=str(seen.pk))
    assert in_force() == {later.address.value}
    assert remove(administrator, "address=x.example", newest="99999999999999999").newest == later.pk


def test_ticked_blocks_are_removed_and_others_stay(administrator: Client) -> None:
    ticked = [make_block("a@x.example"), make_block("b@x.example")]
    make_block("c@x.example")

    lift = remove(administrator, "&".join(f"id={block.pk}" for block in ticked))

    assert in_force() == {"c@x.example"}
    assert "2 that were ticked" in administrator.get(lift.get_absolute_url()).content.decode()


def test_a_large_removal_shows_how_far_it_is_and_the_end(
    administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "CHUNK", 2)
    for number in range(3):
        make_block(f"{number}@x.example")
    lift = remove(administrator, "address=x.example")

    part = administrator.get(lift.get_absolute_url(), headers=htmx("lift-state")).content.decode()
    assert 'hx-trigger="every 1s"' in part
    assert "of about 3" in part
    removal.carry_on()
    part = administrator.get(lift.get_absolute_url(), headers=htmx("lift-state")).content.decode()
    assert "hx-trigger" not in part
    assert "3 blocks removed" in part


def test_history_of_each_card_says_by_whom_why_and_that_it_was_many(administrator: Client) -> None:
    anna = make_contact(email="anna@x.example")
    make_block("anna@x.example")
    lift = remove(administrator, "address=x.example")
    administrator.post(reverse("contacts:bulk-lift-undo", args=[lift.pk]))

    page = administrator.get(reverse("contacts:history", args=[anna.guid])).content.decode()

    for words in (
        "Block of <bdi>anna@x.example</bdi> removed",
        "A fault",
        "In bulk",
        "put back",
        "Its removal was undone.",
    ):
        assert words in page, words
    assert set(anna.changes.values_list("kind", flat=True)) == {"created", "lifted", "put_back"}
    assert lift.get_absolute_url() not in log_in().get(reverse("contacts:history", args=[anna.guid])).content.decode()


def test_the_card_says_that_a_blocked_address_may_be_alive(administrator: Client) -> None:
    anna = make_contact(email="anna@x.example")
    make_block("anna@x.example", life_at=ago(hours=30), life_by="opened", life_is_automatic=True)

    page = administrator.get(anna.get_absolute_url()).content.decode()

    assert "Opened a message on" in page
    assert "probably by a program: this address may be alive." in page


def test_export_is_a_file_of_what_the_list_shows(administrator: Client) -> None:
    make_block("a@x.example")
    make_block("b@y.example")

    answer = administrator.get(reverse("contacts:blocks-export"), {"address": "x.example"})
    content = answer.getvalue()

    assert content.startswith(b"\xef\xbb\xbfaddress,channel,cause")
    assert b"a@x.example" in content
    assert b"b@y.example" not in content
    assert "attachment" in answer.headers["Content-Disposition"]


def test_an_import_is_shown_then_blocked_or_dropped(administrator: Client) -> None:
    given = upload(administrator, b"email\na@x.example\nbad\n")
    page = administrator.get(given.get_absolute_url()).content.decode()
    assert "Block 1 address" in page
    assert "must have an @-sign" in page
    assert in_force() == set()

    administrator.post(reverse("messaging:import-confirm", args=[given.pk]))
    assert in_force() == {"a@x.example"}

    dropped = upload(administrator, b"email\nb@x.example\n")
    administrator.post(reverse("messaging:import-drop", args=[dropped.pk]))
    administrator.post(reverse("messaging:import-confirm", args=[dropped.pk]))
    assert in_force() == {"a@x.example"}


def test_an_import_says_what_is_wrong_with_the_file(administrator: Client, settings: Settings) -> None:
    settings.IMPORT_MAX_BYTES = 10
    imports = reverse("messaging:imports")

    for file, told in (
        (SimpleUploadedFile("x.csv", b"email\na@x.example\n"), "is the most"),
        (SimpleUploadedFile("x.csv", b""), "empty"),
        (None, "Choose a file."),
    ):
        answer = administrator.post(imports, {"file": file} if file else {})
        assert answer.status_code == 422
        assert told in answer.content.decode()
    settings.IMPORT_MAX_BYTES = 1_000
    given = upload(administrator, b"PK\x03\x04 a workbook")
    assert "Excel workbook" in administrator.get(given.get_absolute_url()).content.decode()


def test_what_a_list_says_is_shown_as_text(administrator: Client) -> None:
    given = upload(administrator, b"email\n<script>alert(1)</script>\n")

    assert b"<script>alert" not in administrator.get(given.get_absolute_url()).content
    assert Change.objects.count() == Block.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        *((typed, "anna@x.example") for typed in (
            "anna@x.example", "Anna Lind <anna@x.example>", "mailto:anna@x.example", "\u200banna@x.example\u00a0",
            "ANNA@x.example,", "'anna@x.example",
        )),
        *((typed, "+46701740612") for typed in (
            "+46701740612", "070-174 06 12", "tel:+46701740612", "070\u2013174\u00a006\u00a012", "46701740612", "0046701740612",
        )),
        *((typed, "x.example") for typed in ("x.example", "@x.example", "*@x.example", "X.EXAMPLE")),
        ("xn--bcher-kva.example", "bücher.example"), ("jo@xn--bcher-kva.example", "jo@bücher.example"),
    ],
)  # fmt: skip
def test_a_list_is_narrowed_by_an_address_as_it_was_copied(typed: str, value: str) -> None:
    form = FilterForm({"address": typed})

    assert form.is_valid(), form.errors
    assert form.chosen.address == value


@pytest.mark.parametrize("typed", ["anna@x.example bo@x.example", "anna@", "070", "no domain", "4.67E+10"])
def test_what_is_not_one_address_narrows_nothing(typed: str) -> None:
    assert "address" in FilterForm({"address": typed}).errors
