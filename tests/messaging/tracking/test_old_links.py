"""Links as people have them after years: cut, encoded twice, forwarded, of somebody who is gone or has moved."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from contacts.history import save_contact
from contacts.models import Channel
from messaging.inbox import reports
from messaging.models import Content, Message, Report, SendOut
from messaging.tracking import views
from messaging.tracking.mended import mended
from messaging.tracking.repeats import Repeats
from messaging.tracking.tokens import TOKEN, Purpose, token_of
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
LINK = "https://shop.example/?e=[[email]]&n=[[firstName,you]]"


@pytest.fixture(autouse=True)
def _nothing_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has just started."""
    monkeypatch.setattr(views, "_repeats", Repeats())
    monkeypatch.setattr(views, "_consent_changes", Repeats())


@pytest.fixture
def message(new_message: Callable[..., Message]) -> Message:
    send_out = SendOut.objects.create(name="Autumn", channel="email")
    html = f'<a href="{LINK}">Shop</a>'
    content = Content.objects.create(send_out=send_out, version=1, subject="Autumn", html=html)
    made = new_message(send_out=send_out, content=content)
    Message.objects.filter(pk=made.pk).update(sent_at=timezone.now() - timedelta(days=900))
    made.refresh_from_db()
    return made


def harmed(whole: str) -> list[str]:
    """A path as mail programs, filters and people leave it."""
    half = len(whole) // 2
    return [
        whole.rstrip("/"), f"{whole}.", f"{whole.rstrip('/')}.", f"{whole.rstrip('/')}),", f"{whole}%3E", f"{whole}%22",
        f"{whole.rstrip('/')}%E2%80%9D", f"{whole}//", f"{whole}?utm_source=news", f"{whole}%20", f"{whole}%0A",
        f"{whole[:half]}%0A{whole[half:]}", f"{whole[:half]}%0D%0A%20%20{whole[half:]}", f"{whole[:half]}={whole[half:]}",
        f"{whole[:half]}%3D%0D%0A{whole[half:]}", f"{whole[:half]}%0A%3E%20{whole[half:]}", f"{whole[:half]}%E2%80%8B{whole[half:]}",
        whole[:3] + quote(quote(quote(whole[3:], safe=""), safe=""), safe=""), whole[:3] + whole[3:].upper(),
        whole[:3] + whole[3:].replace("-", "%2D"), f"{whole.rstrip('/')}&amp;", f"{whole[:3]}/{whole[3:]}",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", range(len(harmed("/u/1-aaaaaaaaaaaaaaaa/"))))
def test_a_harmed_way_out_is_one(message: Message, kind: int) -> None:
    path = harmed(f"/u/{token_of(message.pk, Purpose.LEAVE)}/")[kind]

    assert Client().get(path).status_code == 200
    assert not Report.objects.exists()
    assert Client(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    reports.apply_pending()
    assert message.contact is not None
    message.contact.refresh_from_db()
    assert not message.contact.accepts_email


@pytest.mark.parametrize("kind", range(len(harmed("/c/1-aaaaaaaaaaaaaaaa/0/"))))
def test_a_harmed_link_leads_to_where_it_led(message: Message, kind: int) -> None:
    path = harmed(f"/c/{token_of(message.pk, Purpose.CLICK)}/0/")[kind]

    assert Client().get(path)["Location"].startswith("https://shop.example/?e=")


@pytest.mark.parametrize(
    "path",
    ["/u/{leave}x/", "/u/x{leave}/", "/u/{click}/", "/u/1/", "/u/.", "/u/%25252525252525/", "/c/{click}/", "/c/{click}/7/",
     "/c/{click}/0x/", "/c/{click}/99999999999999999999/", "/c/{leave}/0/"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_what_is_cut_off_changes_nothing_and_says_what_to_do(message: Message, path: str, method: str) -> None:
    path = path.format(**{purpose.value: token_of(message.pk, purpose) for purpose in Purpose})
    if method == "post" and path.startswith("/c/"):
        return

    answer = getattr(Client(), method)(path)

    assert answer.status_code == 404
    assert not Report.objects.exists()
    if method != "head":
        assert "This link is not whole" in answer.content.decode()
        assert "/contacts/" not in answer.content.decode()  # nothing there is for whoever gets mails


@given(st.text(max_size=80))
def test_no_token_is_mended_into_another(text: str) -> None:
    whole = "4711-5d0c1f9a3be27486"
    found = mended(f"{whole}{text}")
    assert found is None or found.token == whole
    assert (found := mended(text)) is None or TOKEN.fullmatch(found.token)


def test_an_old_link_tells_nobody_who_the_contact_has_become(message: Message) -> None:
    contact = message.contact
    assert contact is not None
    before = contact.email
    contact.email, contact.first_name = "new@there.example", "Secret"
    save_contact(contact, actor_id=None, why="Corrected")

    leads_to = Client().get(f"/c/{token_of(message.pk, Purpose.CLICK)}/0/")["Location"]

    assert leads_to.startswith(f"https://shop.example/?e={quote(before, safe='')}")
    assert "new" not in leads_to
    assert "Secret" not in leads_to


def test_the_links_of_a_message_outlive_its_contact(message: Message) -> None:
    address, contact = message.address, message.contact
    assert contact is not None
    contact.delete()
    message.refresh_from_db()

    assert Client().get(f"/c/{token_of(message.pk, Purpose.CLICK)}/0/")["Location"].startswith("https://shop.example/")
    assert Client().get(f"/o/{token_of(message.pk, Purpose.OPEN)}.gif").status_code == 200
    page = Client().post(f"/u/{token_of(message.pk, Purpose.LEAVE)}/", {"wish": "unsubscribe"}).content.decode()
    assert "You are unsubscribed" in page
    assert address.value not in page
    reports.apply_pending()
    assert not make_contact(email=address.value).accepts_email


def test_of_an_address_that_two_share_both_are_let_go_and_let_in_again(message: Message) -> None:
    other = make_contact("Bo", email=message.address.value)
    path = f"/u/{token_of(message.pk, Purpose.LEAVE)}/"
    for wish, accepts in (("unsubscribe", False), ("subscribe", True)):
        Client().post(path, {"wish": wish})
        reports.apply_pending()
        for contact in (other, message.contact):
            assert contact is not None
            contact.refresh_from_db()
            assert contact.accepts_email is accepts


def test_a_scanner_that_follows_every_link_changes_no_consent(message: Message) -> None:
    for path in (f"/u/{token_of(message.pk, Purpose.LEAVE)}/", f"/c/{token_of(message.pk, Purpose.CLICK)}/0/"):
        for method in ("head", "get", "options"):
            getattr(Client(), method)(path, headers={"Sec-Purpose": "prefetch", "User-Agent": "Mozilla/5.0"})
    reports.apply_pending()

    message.refresh_from_db()
    assert message.contact is not None
    message.contact.refresh_from_db()
    assert message.contact.accepts_email
    assert not message.is_opened_by_person
    assert Channel(message.channel) == Channel.EMAIL
