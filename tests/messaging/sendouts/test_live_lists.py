"""A list that is pasted or chosen is counted before it is kept: as it will be once it is, and without a trace."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import assume, given
from hypothesis import strategies as st

from contacts.models import Channel
from messaging.models import AddressList, ListedAddress, SendOut
from messaging.sendouts import forms, lists, recipient_resolution
from messaging.sendouts.audience import Having, IsOnList
from messaging.sendouts.control_group import Draw
from tests.factories import htmx, log_in, make_contact, make_user
from tests.messaging.sendouts.people import Person, make_people, make_send_out
from tests.messaging.sendouts.test_laws import DATABASE, blocks, crowds
from tests.messaging.status.test_laws import rolled_back

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
listed = st.lists(
    st.sampled_from(
        [*(f"p{n}@example.se" for n in range(8)), "P1@Example.SE", "nobody@example.se", "no address", "", "070-1"]
    ),
    max_size=30,
)


def address(name: str, *arguments: object) -> str:
    return reverse(f"messaging:{name}", args=arguments)


@pytest.fixture
def marketer() -> Client:
    return log_in("Marketers")


def look(client: Client, made: SendOut, **given: Any) -> Any:
    return client.post(address("send_out_count", made.pk), {"kind": "list", **given}, headers=htmx("count"))


def told(answer: Any) -> str:
    """What it says, blanks and line ends being one blank."""
    return re.sub(r"\s+", " ", answer.content.decode())


def upload(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", content)


@pytest.mark.django_db(transaction=True)
@given(crowds, blocks, listed, st.sampled_from([Decimal(0), Decimal(50)]), st.integers(1, 9))
@DATABASE
def test_what_is_counted_before_is_what_is_kept_and_counted_after(
    spike: list[Person], blocked: set[int], lines: list[str], control: Decimal, batch: int
) -> None:
    assume(any(line.strip() for line in lines))  # an empty list is refused
    with rolled_back(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "BATCH", batch)
        make_people(spike, blocked)
        source = "\n".join(lines).encode()

        found, addresses = lists.look("List", [source])
        assert not AddressList.objects.exists()
        kept = lists.keep("List", [source], make_user("").pk)

        for name in ("name", "lines", "known", "unknown", "bad", "bad_lines", "repeats"):
            assert getattr(found, name) == getattr(kept, name)
        before, after = (
            recipient_resolution.counts(
                recipient_resolution.ResolutionRules(Channel.EMAIL, each, control=Draw(control, 7))
            )
            for each in (Having(addresses), IsOnList(kept.pk))
        )
        assert before == after


@pytest.mark.django_db
def test_a_pasted_list_is_counted_as_it_is_typed_and_leaves_no_trace(marketer: Client) -> None:
    for name in ("anna", "bert"):
        make_contact(email=f"{name}@example.org", accepts_email=name == "anna")
    made = make_send_out()
    pasted = "anna@example.org\nbert@example.org\nANNA@example.org\nnobody@example.org\nnonsense"

    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = told(look(marketer, made, pasted=pasted))

    assert "1 of 2 get it." in answer
    assert "Unsubscribed: 1" in answer
    said = "Lines: 5 · Addresses of contacts: 2 · Addresses of nobody: 1 · Not an address: 1 · Repeats: 1"
    assert said in answer
    assert "Line 5: nonsense – Neither an email address nor a mobile number." in answer
    assert not [each for each in queries if re.match(r"\s*(INSERT|UPDATE|DELETE|CREATE)", each["sql"])]
    assert said in told(
        marketer.post(address("send_out_audience", made.pk), {"kind": "list", "pasted": pasted}, follow=True)
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content",
    [
        "name;email\nÅsa;anna@example.org\n".encode("utf-16"), f"{MARK}Åsa;anna@example.org\r\n".encode(),
        "Åsa;anna@example.org\r".encode(), "anna@example.org".encode("utf-16-le"),
    ],
)  # fmt: skip
def test_a_chosen_file_is_counted_whatever_it_was_saved_as(marketer: Client, content: bytes) -> None:
    make_contact(email="anna@example.org")
    made = make_send_out()

    answer = told(look(marketer, made, upload=upload(content)))

    assert "1 of 1 get it." in answer
    assert "Lines: 1 · Addresses of contacts: 1 ·" in answer
    assert "UTF-8" not in answer
    assert not AddressList.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pasted": "nobody@example.org"}, "nobody on this list is a contact of yours"),
        ({"kind": "segment", "country_not": "", "country": ["NO"]}, "you have no such contact"),
    ],
)
def test_an_audience_of_nobody_says_why(marketer: Client, given: dict[str, Any], said: str) -> None:
    make_contact(email="anna@example.org", country="SE")

    assert f"Nobody gets it: {said}." in told(look(marketer, make_send_out(), **given))


@pytest.mark.django_db
def test_letters_that_are_no_utf_8_are_told_once_and_a_workbook_is_refused(marketer: Client) -> None:
    make_contact(email="anna@example.org")
    made = make_send_out()
    western = "Bo;bo@example.org\nÅsa;anna@example.org\nÖsten;o@example.org\n".encode("cp1252")

    answer = told(look(marketer, made, upload=upload(western)))
    assert "1 of 1 get it." in answer
    assert answer.count("UTF-8: read as Western European") == 1
    assert "Line 2: Åsa;anna@example.org – Not in UTF-8" in answer
    for start in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        assert "This is an Excel workbook." in told(look(marketer, made, upload=upload(start + b"\0" * 500)))
        saved = marketer.post(
            address("send_out_audience", made.pk), {"kind": "list", "upload": upload(start + b"\0\1")}
        )
        assert saved.status_code == 422
        assert "This is an Excel workbook." in told(saved)
    assert not AddressList.objects.exists()


@pytest.mark.django_db
def test_of_too_much_it_is_told_that_it_is_counted_once_it_is_saved(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_contact(email="a1@example.org")
    made = make_send_out()
    many = "".join(f"a{n}@example.org\n" for n in range(6)).encode()
    monkeypatch.setattr(lists, "BATCH", 2)

    monkeypatch.setattr(lists, "MOST_LIVE_LINES", 5)
    by_lines = look(marketer, made, upload=upload(many)), look(marketer, made, pasted=many.decode())
    monkeypatch.setattr(lists, "MOST_LIVE_LINES", 6)
    assert "1 of 1 get it." in told(look(marketer, made, upload=upload(many)))
    monkeypatch.setattr(lists, "MOST_LIVE_BYTES", len(many) - 1)
    # What the page does not even send.
    for answer in (*by_lines, look(marketer, made, upload=upload(many)), look(marketer, made, unsent="upload")):
        assert "is too long to be counted as you fill it in" in told(answer)
        assert "get it." not in told(answer)
    saved = marketer.post(address("send_out_audience", made.pk), {"kind": "list", "upload": upload(many)}, follow=True)
    assert "1 of 1 get it." in told(saved)


@pytest.mark.django_db
def test_what_is_too_much_for_the_box_is_refused_and_not_cut_off(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "LONGEST_PASTE", 30)
    made = make_send_out()
    page, pasted = address("send_out_audience", made.pk), "anna@example.org\nbert@example.org"

    assert "maxlength" not in marketer.get(page).content.decode().partition("id_pasted")[2].partition(">")[0]
    assert "too much for the box" in told(look(marketer, made, unsent="pasted"))
    answer = marketer.post(page, {"kind": "list", "pasted": pasted})
    assert answer.status_code == 422
    assert "too much for the box" in told(answer)
    assert "bert@" not in told(answer)


@pytest.mark.django_db
def test_what_the_page_held_back_cannot_be_saved(marketer: Client) -> None:
    made = make_send_out()

    assert marketer.post(address("send_out_audience", made.pk), {"kind": "list", "unsent": "upload"}).status_code == 422
    made.refresh_from_db()
    assert made.audience == {"kind": "all"}


@pytest.mark.django_db
def test_without_javascript_the_button_counts_a_list_and_saves_nothing(marketer: Client) -> None:
    make_contact(email="anna@example.org")
    made = make_send_out()
    page = address("send_out_audience", made.pk)

    pasted = told(marketer.post(page, {"kind": "list", "pasted": "anna@example.org\nx", "count": "1"}))
    chosen = told(marketer.post(page, {"kind": "list", "upload": upload(b"anna@example.org"), "count": "1"}))

    assert "1 of 1 get it." in pasted
    assert "Line 2: x" in pasted
    assert "anna@example.org x</textarea>" in pasted
    assert "1 of 1 get it." in chosen
    assert "Choose the file again" in chosen
    assert "Choose the file again" not in pasted
    assert not AddressList.objects.exists()
    assert not ListedAddress.objects.exists()
    made.refresh_from_db()
    assert made.audience == {"kind": "all"}


@pytest.mark.django_db
def test_only_who_may_make_send_outs_may_count_and_only_a_draft(marketer: Client) -> None:
    make_contact(email="anna@example.org")
    made = make_send_out()

    assert look(log_in("Support"), made, pasted="anna@example.org").status_code == 403
    assert marketer.get(address("send_out_count", made.pk), {"pasted": "anna@example.org"}).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = marketer.cookies
    assert look(strict, made, pasted="anna@example.org").status_code == 403
    SendOut.objects.update(state="done")
    assert look(marketer, made, pasted="a@example.org")["HX-Redirect"] == made.get_absolute_url()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"kind": "all", "country": "Sweden"}, "You filled in conditions, which"), ({"kind": "all", "statuses": "deferred"}, "You filled in conditions, which"),
        ({"kind": "segment", "country": "SE", "statuses": "deferred"}, "Choose the send-out whose messages show these statuses."),
        ({"kind": "segment", "country": "SE", "pasted": "anna@example.org"}, "You gave a list, which"),
        ({"kind": "all", "upload": "a@example.org"}, "You gave a list, which"), ({"kind": "all", "unsent": "upload"}, "You gave a list, which"),
        ({"kind": "list"}, "Paste addresses, upload a file, or choose a list."),
        ({"kind": "list", "pasted": "a@example.org", "upload": "b@example.org"}, "You pasted addresses, too."),
    ],
)  # fmt: skip
def test_what_would_not_count_is_told_as_it_is_filled_in(marketer: Client, given: dict[str, str], problem: str) -> None:
    files = {"upload": upload(given["upload"].encode())} if "upload" in given else {}

    answer = told(look(marketer, make_send_out(), **given | files))

    assert problem in answer
    assert "get it." not in answer


@pytest.mark.django_db
def test_a_list_from_before_is_replaced_by_a_new_one_but_never_left_out_in_silence(marketer: Client) -> None:
    make_contact(email="anna@example.org")
    old = lists.keep("Old", [b"bert@example.org"], make_user("").pk)
    made = make_send_out()

    assert "You gave a new list, too." in told(look(marketer, made, listed=old.pk, pasted="anna@example.org"))
    SendOut.objects.update(audience=IsOnList(old.pk).as_json())
    assert "1 of 1 get it." in told(look(marketer, made, listed=old.pk, pasted="anna@example.org"))
    assert "“Old” · Lines: 1" in told(look(marketer, made, listed=old.pk))


@pytest.mark.django_db
def test_who_was_told_goes_on_without_what_does_not_belong_to_the_choice(marketer: Client) -> None:
    made = make_send_out()
    page = address("send_out_audience", made.pk)
    given = {"kind": "all", "country": "Sweden", "pasted": "anna@example.org"}

    assert "Leave that out and go on" in told(marketer.post(page, given))
    assert "Leave that out and go on" in told(look(marketer, made, **given))
    assert marketer.post(page, given | {"without": "1"}).status_code == 302
    made.refresh_from_db()
    assert made.audience == {"kind": "all"}
    assert marketer.post(page, given | {"kind": "segment", "country": "SE", "without": "1"}).status_code == 302
    made.refresh_from_db()
    assert made.audience["conditions"][0]["values"] == ["SE"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content", [b"Email;Namn\r\n", b"\r\n;;\r\n", "\ufeff\r\n".encode(), "Email\r\n".encode("utf-16")]
)
def test_a_list_without_a_line_is_refused_and_not_kept(marketer: Client, content: bytes) -> None:
    made = make_send_out()
    page = address("send_out_audience", made.pk)

    for field, value in (
        ("upload", upload(content)),
        ("pasted", content.decode("utf-16" if content[:1] == b"\xff" else "utf-8-sig")),
    ):
        answer = marketer.post(page, {"kind": "list", field: value})
        assert answer.status_code == 422
        if field == "upload" or "mail" in str(value):
            assert "This list is empty" in told(answer)
    assert "This list is empty" in told(look(marketer, made, upload=upload(content)))
    assert not AddressList.objects.exists()
