"""What somebody careless, or hostile, gives to a send-out: it is told, or does no harm, and takes nobody else with it."""

import io
from collections.abc import Callable, Iterator
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from contacts.models import Contact
from engage.keyset import LARGEST, number_in
from messaging.delivery import dispatcher, preparation
from messaging.delivery.email_routes import Direct
from messaging.models import Content, MasterControl, Message, SendOut
from messaging.sendouts import contents, drafts, lifecycle, lists, making
from messaging.sendouts.contents import noticed, target
from messaging.sendouts.mjml_source import is_mjml, problems_in
from messaging.sendouts.models import State
from messaging.sendouts.plain import text_of_html
from tests.factories import log_in, make_contact, make_user
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db
SAID = {"sender_name": "Shop", "sender": "news@shop.example", "subject": "Hi", "html": "<p>Hi</p>", "text": ""}


@pytest.fixture
def taker(settings: Settings) -> Iterator[Receiver]:
    with receiver() as found:
        settings.BOUNCE_DOMAIN = "bounces.engage.example"
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        yield found


def address(name: str, *arguments: object) -> str:
    return reverse(f"messaging:{name}", args=arguments)


def ready(client: Client) -> SendOut:
    """A draft to everybody that could start."""
    client.post(address("send_out_new"), {"name": "Autumn", "channel": "email"})
    made = SendOut.objects.latest("pk")
    client.post(address("send_out_content", made.pk), SAID)
    made.refresh_from_db()
    return made


# Two windows on the same draft.


def seen_on(client: Client, page: str) -> str:
    return str(client.get(page).context["seen"])


def test_what_was_changed_in_another_window_does_not_start_unseen() -> None:
    make_contact(email="anna@there.example")
    marketer = log_in("Marketers")
    final = address("send_out_final", (made := ready(marketer)).pk)
    seen = seen_on(marketer, final)
    marketer.post(address("send_out_setting", made.pk), {"control_percentage": "20"})

    answer = marketer.post(final, {"when": "now", "seen": seen})

    assert answer.status_code == 422
    assert "It was changed since you opened this page" in answer.content.decode()
    made.refresh_from_db()
    assert made.state == State.DRAFT
    assert marketer.post(final, {"when": "now", "seen": answer.context["seen"]}).status_code == 302


def test_a_text_saved_in_another_window_is_not_replaced_unseen() -> None:
    marketer = log_in("Marketers")
    page = address("send_out_content", (made := ready(marketer)).pk)
    seen = seen_on(marketer, page)
    marketer.post(page, SAID | {"subject": "Theirs"})

    answer = marketer.post(page, SAID | {"subject": "Mine", "seen": seen})

    made.refresh_from_db()
    assert (answer.status_code, made.subject) == (422, "Theirs")
    marketer.post(page, SAID | {"subject": "Mine", "seen": answer.context["seen"]})
    made.refresh_from_db()
    assert made.subject == "Mine"


PARTS: dict[str, tuple[dict[str, str], dict[str, str], Callable[[SendOut], object]]] = {
    "send_out_audience": (
        {"kind": "segment", "country": "SE"}, {"kind": "segment", "country": "NO"},
        lambda made: made.audience["conditions"][0]["values"],
    ),
    "send_out_setting": (
        {"control_percentage": "10"}, {"control_percentage": "20"}, lambda made: int(made.control_percentage)
    ),
    "send_out_content": (SAID | {"sender_name": "Theirs"}, SAID | {"sender_name": "Mine"}, lambda made: made.sender_name),
}  # fmt: skip


@pytest.mark.parametrize("step", PARTS)
def test_what_a_colleague_saved_meanwhile_is_not_replaced_unseen(step: str) -> None:
    theirs, mine, saved = PARTS[step]
    page = address(step, (made := ready(log_in("Marketers"))).pk)
    me, colleague = log_in("Marketers"), log_in("Marketers")
    seen = seen_on(me, page)
    assert colleague.post(page, theirs | {"seen": seen_on(colleague, page)}).status_code == 302
    made.refresh_from_db()
    after_theirs = saved(made)

    answer = me.post(page, mine | {"seen": seen})

    made.refresh_from_db()
    assert answer.status_code == 422
    assert "Yours stands here; saving it replaces theirs." in answer.content.decode()
    assert saved(made) == after_theirs
    assert me.post(page, mine | {"seen": answer.context["seen"]}).status_code == 302
    made.refresh_from_db()
    assert saved(made) != after_theirs


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", PARTS)
def test_of_two_who_save_at_the_same_moment_one_is_told(groups: None, step: str) -> None:
    page = address(step, ready(log_in("Marketers")).pk)
    clients = [log_in("Marketers"), log_in("Marketers")]
    seen, start, codes = seen_on(clients[0], page), Barrier(2), list[int]()

    def save(client: Client, given: dict[str, str]) -> None:
        start.wait(30)
        codes.append(client.post(page, given | {"seen": seen}).status_code)
        connection.close()

    threads = [Thread(target=save, args=both) for both in zip(clients, PARTS[step][:2], strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [302, 422]


@pytest.mark.parametrize("step", PARTS)
def test_a_button_that_is_pressed_twice_is_no_colleague(step: str) -> None:
    page = address(step, ready(marketer := log_in("Marketers")).pk)
    given = PARTS[step][1] | {"seen": seen_on(marketer, page)}

    assert [marketer.post(page, given).status_code for _press in range(2)] == [302, 302]


def test_a_list_that_is_sent_twice_is_no_colleagues() -> None:
    page = address("send_out_audience", ready(marketer := log_in("Marketers")).pk)
    given = {"kind": "list", "pasted": "anna@x.example", "seen": seen_on(marketer, page)}

    assert [marketer.post(page, given).status_code for _press in range(2)] == [302, 302]


def test_who_edits_another_part_stops_nobody() -> None:
    page = address("send_out_setting", (made := ready(marketer := log_in("Marketers"))).pk)
    seen = seen_on(marketer, page)
    marketer.post(address("send_out_audience", made.pk), PARTS["send_out_audience"][0])

    assert marketer.post(page, {"control_percentage": "20", "seen": seen}).status_code == 302


def notices(answer: Any) -> list[str]:
    return [str(each) for each in answer.context["messages"]]


def test_who_starts_or_pauses_twice_is_told_of_nobody_faster() -> None:
    make_contact(email="anna@there.example")
    made = ready(me := log_in("Marketers"))
    final, page = address("send_out_final", made.pk), address("send_out", made.pk)
    for _press in range(2):
        assert me.post(final, {"when": "now"}).status_code == 302
    assert notices(me.get(page)) == ["Started."]
    for _press in range(2):
        assert me.post(address("send_out_move", made.pk, "pause")).status_code == 302
    assert notices(me.get(page)) == []

    colleague = log_in("Marketers")
    assert "cannot be edited" in notices(colleague.post(final, {"when": "now"}, follow=True))[0]
    me.post(address("send_out_move", made.pk, "cancel"))
    answer = colleague.post(address("send_out_move", made.pk, "resume"), follow=True)
    assert "Somebody was faster" in notices(answer)[0]


def test_the_master_control_group_of_a_colleague_is_not_replaced_unseen_nor_drawn_anew_twice() -> None:
    page, me, colleague = address("master_control"), log_in("Marketers"), log_in("Marketers")
    mine, theirs = seen_on(me, page), {"percentage": "5", "draws_anew": "on", "seen": seen_on(colleague, page)}
    assert colleague.post(page, theirs).status_code == 302
    drawn = MasterControl.objects.get().seed
    assert colleague.post(page, theirs).status_code == 302  # pressed twice
    assert MasterControl.objects.get().seed == drawn

    answer = me.post(page, {"percentage": "1", "seen": mine})

    assert answer.status_code == 422
    assert "Somebody has changed this meanwhile" in answer.content.decode()
    assert MasterControl.objects.get().percentage == 5
    assert me.post(page, {"percentage": "1", "seen": answer.context["seen"]}).status_code == 302


# What cannot be written must not be lost.


def test_a_sender_at_a_domain_beyond_ascii_writes_as_the_dns_knows_it(taker: Receiver) -> None:
    make_contact(email="anna@there.example")
    made = make_send_out(sender="news@b\u00fccher.example", sender_name="B\u00fccher")
    run(made)
    dispatcher.hand_over(made.pk)

    (envelope,) = taker.taken
    assert b"<news@xn--bcher-kva.example>" in (envelope.original_content or b"")


def test_a_domain_that_the_dns_cannot_know_is_told() -> None:
    marketer = log_in("Marketers")
    made = ready(marketer)

    answer = marketer.post(address("send_out_content", made.pk), SAID | {"sender": f"a@{chr(252) * 60}.example"})

    assert answer.status_code == 422
    assert "letters or signs that domains may not have" in answer.content.decode()


def test_a_send_out_whose_emails_cannot_be_written_is_paused_and_loses_nothing(taker: Receiver) -> None:
    make_contact(email="anna@there.example")
    made = make_send_out(sender="news@engage.example", sender_name="Engage")
    run(made)
    Content.objects.filter(send_out=made).update(text="Hi [[noSuchTag]]")
    preparation._CONTENTS.clear()
    dispatcher.hand_over(made.pk)

    made.refresh_from_db()
    message = Message.objects.get()
    assert made.state == State.PAUSED
    assert "cannot be written" in made.changes.latest("pk").detail
    assert (message.status, message.attempts) == ("waiting", 0)


def test_one_mail_that_cannot_be_written_takes_no_other_with_it(taker: Receiver) -> None:
    for name in ("anna", "bert"):
        make_contact(first_name=name, email=f"{name}@there.example")
    made = make_send_out(sender="news@engage.example", sender_name="Engage")
    run(made)
    anna = Message.objects.get(contact__first_name="anna")
    anna.address.value = "an\nna@there.example"
    anna.address.save()
    dispatcher.hand_over(made.pk)

    said = dict(Message.objects.values_list("contact__first_name", "status"))
    assert said == {"anna": "soft_bounce", "bert": "delivered"}


def test_who_was_deleted_before_their_turn_gets_nothing(taker: Receiver) -> None:
    contact = make_contact(email="anna@there.example", accepts_email=True)
    made = make_send_out(sender="news@engage.example", sender_name="Engage")
    run(made)
    Contact.objects.filter(pk=contact.pk).update(accepts_email=False)
    Contact.objects.get(pk=contact.pk).delete()
    dispatcher.hand_over(made.pk)

    assert not taker.taken
    assert "the contact was deleted" in Message.objects.get().diagnostic


def test_the_paper_plane_pressed_twice_sends_one_copy(taker: Receiver) -> None:
    make_contact(email="anna@there.example")
    made = make_send_out(sender="news@engage.example", sender_name="Engage")
    run(made)
    dispatcher.hand_over(made.pk)
    marketer, message = log_in("Marketers"), Message.objects.get()

    first, second = (marketer.post(address("send_again", message.pk)) for _ in range(2))

    assert (first.status_code, second.status_code) == (302, 409)
    assert "It is on its way already." in second.content.decode()
    assert Message.objects.filter(send_out=None).count() == 1


# Texts.


@pytest.mark.parametrize("html", ["a<![x[ foo", "a<![if !mso]>b<![endif]>", "a<!x", "<![", "a<!["])
def test_what_begins_like_a_declaration_has_a_text(html: str) -> None:
    assert text_of_html(html).startswith("a" if html.startswith("a") else "")


def test_signs_that_we_use_ourselves_make_no_link_of_ours() -> None:
    said = noticed(f"<p>\ue0007\ue001 \ue000{'9' * 5000}\ue001</p>", opens=False, clicks=True)

    assert not said.tags


@pytest.mark.parametrize("href", ["http://[::1/x", "http://", "https://[[firstName"])
def test_a_link_that_is_none_leads_nowhere(href: str) -> None:
    assert target(f'<a href="{href}">x</a>', 0, {}) is None


def test_many_comments_and_unclosed_elements_take_no_time() -> None:
    assert not is_mjml("<!-- a -->" * 2_000 + "<p>")
    assert is_mjml("<!-- a -->" * 2_000 + "<mjml>")
    assert problems_in("<mj" * 200_000) == []


def test_line_breaks_in_a_subject_or_a_name_begin_no_header(taker: Receiver) -> None:
    make_contact(email="anna@there.example")
    made = make_send_out(sender="news@engage.example", sender_name="Engage\r\nBcc: x@evil.example")
    content = drafts.save_content(made, make_user("").pk, subject="Hi\r\nBcc: y@evil.example", text="Hi")
    assert b"\r\nBcc" not in contents.letter_for(made, content).mail({}, {})


# Numbers and days.


@pytest.mark.parametrize("typed", ["1" * 5000, "9" * 19, "-1", "\u0663", "", "x", "1\0"])
def test_what_is_no_number_of_a_row_is_none(typed: str) -> None:
    assert number_in(typed) is None
    assert number_in(str(LARGEST)) == LARGEST


@pytest.mark.parametrize("days", [{"since": "1900-01-01"}, {"until": "9999-12-31"}, {"since": "0001-01-01"}])
def test_a_day_that_cannot_be_is_told_and_leaves_the_draft_open(days: dict[str, str]) -> None:
    marketer = log_in("Marketers")
    page = address("send_out_audience", (made := ready(marketer)).pk)

    assert marketer.post(page, {"kind": "segment"} | days).status_code == 422
    assert marketer.get(page).status_code == 200
    assert marketer.post(address("send_out_count", made.pk), {"kind": "segment"} | days).status_code == 200


@pytest.mark.parametrize("at", ["2020-01-01T10:00", "9999-12-31T23:59", "2999-01-01T00:00"])
def test_a_time_that_is_over_or_a_slip_does_not_schedule(at: str) -> None:
    marketer = log_in("Marketers")
    make_contact(email="anna@there.example")
    made = ready(marketer)

    assert marketer.post(address("send_out_final", made.pk), {"when": "later", "at": at}).status_code == 422
    made.refresh_from_db()
    assert made.state == State.DRAFT


def test_a_reason_with_a_nul_is_none() -> None:
    made = make_send_out()
    lifecycle.start(made.pk)
    making.make_rows(made.pk)
    page = address("send_out_messages", made.pk, "delivered")

    assert log_in("Marketers").get(page, {"reason": "\0"}).status_code == 400


# Lists.


def test_a_list_with_the_line_ends_of_old_machines_is_read() -> None:
    make_contact(email="anna@there.example")
    make_contact(email="bert@there.example")
    marketer = log_in("Marketers")
    page = address("send_out_audience", (made := ready(marketer)).pk)

    answer = marketer.post(page, {"kind": "list", "pasted": "anna@there.example\rbert@there.example\r"})

    assert answer.status_code == 302
    made.refresh_from_db()
    assert marketer.get(page).context["list"].known == 2


def test_garbage_in_a_list_is_told_line_by_line() -> None:
    garbage = (
        b'a\rb@c\n""""\n;;;,,,\n=cmd|calc!A0\n' + b"@" * 500 + b"\n" + b"1" * 50_000 + b'\n\xff\xfe\0\n"a@b.example\n'
    )

    found = lists.keep("List", io.BytesIO(garbage), make_user("").pk)

    assert found.bad >= 6


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "all", "country": "SE"}, {"kind": "all", "pasted": "anna@there.example"},
        {"kind": "list", "pasted": "anna@there.example", "language": "sv"}, {"kind": "segment", "language": "sv", "pasted": "a"},
    ],
)  # fmt: skip
def test_what_was_filled_in_is_never_left_out_in_silence(given: dict[str, str]) -> None:
    marketer = log_in("Marketers")
    page = address("send_out_audience", ready(marketer).pk)

    answer = marketer.post(page, given)

    assert answer.status_code == 422
    assert "Choose “" in answer.content.decode()


def test_a_segment_can_become_everybody_again() -> None:
    marketer = log_in("Marketers")
    page = address("send_out_audience", (made := ready(marketer)).pk)
    marketer.post(page, {"kind": "segment", "country": "SE"})

    assert marketer.post(page, {"kind": "all", "country": "SE"}).status_code == 302
    made.refresh_from_db()
    assert made.audience == {"kind": "all"}
