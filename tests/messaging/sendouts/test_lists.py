"""Lists of addresses: what is read out of lines, what is reported, and who is meant."""

import io

import pytest
from django.core.exceptions import ValidationError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contacts.addresses import normalise_email
from contacts.lines import WORKBOOKS
from contacts.models import Channel
from messaging.models import AddressList, ListedAddress
from messaging.sendouts import lists
from messaging.sendouts.audience import Listed
from messaging.sendouts.judging import Rules, members
from tests.factories import make_contact, make_user

MIXED = b"""\
Name;Email
Anna;Anna@Example.se
"Bert, the second";bert@example.se

Carl;
+46 70 123 45 67
anna@example.se
nobody@example.se
not@@an.address
"""


def kept(source: bytes) -> AddressList:
    return lists.keep("List", io.BytesIO(source), make_user("").pk)


@pytest.mark.django_db
def test_good_lines_are_kept_and_bad_ones_reported() -> None:
    anna, bert = make_contact(email="anna@example.se"), make_contact(email="bert@example.se")
    carl, dora = make_contact(email="", mobile="+46701234567"), make_contact(email="dora@example.se")

    found = kept(MIXED)

    assert (found.lines, found.known, found.unknown, found.bad) == (7, 3, 1, 2)
    assert [(number, text) for number, text, _ in found.bad_lines] == [(5, "Carl;"), (9, "not@@an.address")]
    audience = Listed(found.pk)
    assert members(Rules(Channel.EMAIL, audience), "waiting") == [bert.pk, anna.pk]
    # Whom it names by the other channel is meant, too.
    assert members(Rules(Channel.EMAIL, audience), "no_address") == [carl.pk]
    assert dora.pk not in members(Rules(Channel.EMAIL, audience), "waiting")


@pytest.mark.django_db
def test_a_list_of_many_lines_goes_through_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "BATCH", 7)
    for n in range(20):
        make_contact(email=f"p{n}@example.se")
    source = "".join(f"p{n % 30}@example.se\r\n" for n in range(60)).encode("utf-8-sig")

    found = kept(source)

    assert (found.lines, found.known, found.bad) == (60, 20, 0)
    assert ListedAddress.objects.count() == 20


@pytest.mark.django_db
def test_of_too_many_lines_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_LINES", 3)

    with pytest.raises(lists.TooLongError):
        kept(b"a@example.se\n" * 4)
    assert not AddressList.objects.exists()


@pytest.mark.django_db
def test_latin_1_as_old_spreadsheets_write_it_is_read() -> None:
    make_contact(email="anna@example.se")

    assert kept("Åsa;anna@example.se\n".encode("latin-1")).known == 1


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_line_is_an_address_or_is_refused(line: bytes) -> None:
    assume(not line.startswith(WORKBOOKS))
    for _number, text in lists._numbered([line], AddressList()):
        try:
            channel, value = lists.address_in(text)
        except ValidationError:
            continue
        assert value.startswith("+") if channel == Channel.SMS else "@" in value


@given(st.emails())
@settings(deadline=None)
def test_the_short_way_reads_an_email_as_the_long_one_does(email: str) -> None:
    if lists.PLAIN_EMAIL.fullmatch(email.lower()):
        assert normalise_email(email) == email.lower()
