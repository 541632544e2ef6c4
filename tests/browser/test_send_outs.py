"""A marketer writes a send-out, starts it, and sees what becomes of it."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from contacts.models import Channel
from messaging.models import AddressList, Message, SendOut
from messaging.sendouts import making
from messaging.sendouts.lifecycle import finish, start
from messaging.sendouts.outcome import keeping
from messaging.sendouts.totals import fold
from messaging.status.order import Kind
from tests.browser.conftest import Open, accessible
from tests.factories import ago, make_contact, report, said

pytestmark = pytest.mark.browser


def draft() -> SendOut:
    from tests.messaging.sendouts.people import make_send_out  # noqa: PLC0415 -- it makes models at once

    return make_send_out(sender="news@shop.example", sender_name="Shop")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_all_pages_are_accessible(open_as: Open, scheme: str, size: str) -> None:
    make_contact(email="anna@example.org")
    made = draft()
    page = open_as("Marketers", size, color_scheme=scheme)

    for step in (
        "",
        "new/",
        *(f"{made.pk}/{name}/" for name in ("audience", "content", "preview", "control-group", "start")),
    ):
        page.goto(f"/send-outs/{step}")
        accessible(page)
    page.goto(f"/send-outs/{made.pk}/start/")
    page.get_by_role("button", name="Start").click()
    accessible(page)
    page.goto(f"/send-outs/{made.pk}/messages/waiting/")
    accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_the_pages_of_an_sms_are_accessible_and_say_that_there_is_no_way_out(
    open_as: Open, scheme: str, size: str
) -> None:
    from tests.messaging.sendouts.people import make_send_out  # noqa: PLC0415 -- it makes models at once

    make_contact(mobile="+46701740611")
    made = make_send_out(Channel.SMS, sender="Shop")
    page = open_as("Marketers", size, color_scheme=scheme)

    for step in ("content", "preview", "start"):
        page.goto(f"/send-outs/{made.pk}/{step}/")
        accessible(page)
    expect(page.get_by_role("alert")).to_contain_text("No way out is set up for this channel")
    page.goto(f"/send-outs/{made.pk}/preview/")
    page.get_by_label("Your mobile number").fill("070 174 06 11")
    page.get_by_role("button", name="Send me a test").click()
    expect(page.get_by_text("No way for SMS to leave is set up.")).to_be_visible()


def test_from_the_name_to_the_numbers(open_as: Open) -> None:
    make_contact(first_name="Anna", email="anna@example.org")
    page = open_as("Marketers")
    page.goto("/send-outs/")

    page.get_by_role("link", name="New send-out").click()
    page.get_by_label("Name", exact=True).fill("Autumn letter")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="How many are these?").click()
    expect(page.locator("#count")).to_contain_text("1 of 1 get it.")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Sender's name").fill("Shop")
    page.get_by_label("Sender's email address").fill("news@shop.example")
    page.get_by_label("Subject").fill("Hi [[firstName,you]]")
    page.get_by_label("HTML").fill("<p>Hello <b>[[firstName]]</b></p>")
    page.get_by_role("button", name="Save and see it as a contact").click()
    expect(page.get_by_text("Hi Anna")).to_be_visible()
    expect(page.frame_locator(".mail-frame").first.get_by_text("Hello Anna")).to_be_visible()
    page.get_by_role("link", name="Autumn letter").click()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("1 contact gets it.")).to_be_visible()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Started.")).to_be_visible()

    making.make_rows(SendOut.objects.get().pk)
    fold()
    expect(page.get_by_role("region", name="Sending")).to_contain_text("0 of 1 handed over", timeout=10_000)
    assert Message.objects.get().status == "waiting"


def test_what_is_heard_after_the_hand_over_appears_by_itself_but_what_is_open_stays(open_as: Open) -> None:
    make_contact(email="anna@example.org")
    made = draft()
    start(made.pk)
    making.make_rows(made.pk)
    message = Message.objects.get()
    report(message, said(Kind.ACCEPTED))
    assert finish(made.pk)
    page = open_as("Marketers")
    page.clock.install()
    page.goto(made.get_absolute_url())
    why = page.get_by_text("Why do some show Unknown?")
    why.click()

    report(message, said(Kind.DELIVERED))
    page.clock.fast_forward(15_000)
    page.wait_for_timeout(500)
    expect(page.get_by_text("and nobody has said")).to_be_visible()
    why.click()
    page.clock.fast_forward(15_000)
    expect(page.locator("#count-delivered")).to_have_text("1")
    expect(why).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_labels_and_control_groups_are_accessible(open_as: Open, scheme: str, size: str) -> None:
    anna = make_contact(email="anna@example.org")
    for _ in range(20):
        make_contact()
    make_contact(email="")
    made = draft()
    page = open_as("Marketers", size, color_scheme=scheme)
    page.goto(anna.get_absolute_url())

    page.get_by_role("link", name="Labels").click()
    page.get_by_label("A new label").fill("Friends of the house")
    accessible(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Friends of the house")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
    accessible(page)
    page.get_by_role("link", name="Friends of the house").click()
    expect(page.get_by_label("Label")).to_have_value(str(anna.labels.get().pk))
    accessible(page)
    page.goto("/send-outs/master-control-group/")
    accessible(page)
    SendOut.objects.filter(pk=made.pk).update(control_percentage=50)
    start(made.pk)
    making.make_rows(made.pk)
    for name in ("", "left-out/no_address/", "comparison/"):
        page.goto(f"/send-outs/{made.pk}/{name}")
        if "left-out" not in name:
            expect(page.get_by_role("rowheader", name="Control group")).to_be_visible()
        accessible(page)


def test_the_count_follows_what_is_filled_in(open_as: Open) -> None:
    make_contact(country="SE")
    make_contact(country="NO")
    page = open_as("Marketers")
    page.goto(f"/send-outs/{draft().pk}/audience/")
    expect(page.locator("#count")).to_contain_text("2 of 2 get it.")

    expect(page.get_by_label("Countries, two letters each")).to_be_hidden()
    page.get_by_label("A segment", exact=True).check()
    page.get_by_label("Countries, two letters each").fill("SE")

    expect(page.locator("#count")).to_contain_text("1 of 1 get it.")
    page.get_by_label("Everybody").check()
    expect(page.locator("#count")).to_contain_text("You filled in conditions, which")
    page.get_by_role("button", name="Leave that out and go on").click()
    expect(page.get_by_label("Subject")).to_be_visible()
    page.get_by_role("link", name="Audience").click()
    expect(page.locator("#count")).to_contain_text("2 of 2 get it.")


def test_a_list_is_counted_as_it_is_typed_and_a_file_as_it_is_chosen_by_keyboard(open_as: Open, tmp_path: Path) -> None:
    make_contact(email="anna@example.org")
    make_contact(email="bert@example.org")
    people = tmp_path / "people.csv"
    people.write_text("email\nanna@example.org\nbert@example.org\nnonsense\n")
    page = open_as("Marketers")
    page.goto(f"/send-outs/{draft().pk}/audience/")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    count, on_list = page.locator("#count"), page.locator("#on-list")

    page.get_by_label("Everybody").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("A list of addresses")).to_be_checked()
    expect(count).to_contain_text("Paste addresses, upload a file, or choose a list.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("anna@example.org\nnobody@")
    expect(count).to_contain_text("1 of 1 get it.")
    expect(on_list).to_contain_text("Line 2: nobody@")
    accessible(page)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    expect(on_list).to_be_empty()
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(people)
    expect(count).to_contain_text("2 of 2 get it.")
    expect(on_list).to_contain_text("Line 4: nonsense")
    assert not [each for each in addresses if "@" in each or "%40" in each]
    assert not AddressList.objects.exists()

    page.get_by_role("button", name="Go on", exact=True).press("Enter")
    expect(on_list).to_contain_text("“people.csv”")
    expect(count).to_contain_text("2 of 2 get it.")
    assert AddressList.objects.get().known == 2


def test_what_is_too_much_to_count_meanwhile_does_not_leave_the_page(open_as: Open, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_text("anna@example.org\n" * 150_000)
    page = open_as("Marketers")
    page.goto(f"/send-outs/{draft().pk}/audience/")
    sizes: list[int] = []
    page.on("request", lambda request: sizes.append(int(request.headers.get("content-length", 0))))
    page.get_by_label("A list of addresses").check()

    page.get_by_label("Or upload a file").set_input_files(large)
    expect(page.locator("#count")).to_contain_text("too long to be counted as you fill it in")
    page.get_by_label("Or upload a file").set_input_files([])
    # A box that takes less, as filling in millions of letters takes a browser long.
    page.get_by_label("Paste addresses").evaluate("(box) => { box.dataset.most = 30_000; }")
    page.get_by_label("Paste addresses").fill("anna@example.org\n" * 2_000)
    expect(page.locator("#count")).to_contain_text("too much for the box")
    page.get_by_label("Paste addresses").fill("anna@example.org")
    expect(page.locator("#count")).to_contain_text("nobody on this list is a contact of yours")
    assert max(sizes) < 10_000


def test_a_pasted_list_without_javascript(open_as: Open) -> None:
    make_contact(email="anna@example.org")
    page = open_as("Marketers", java_script_enabled=False)
    page.goto(f"/send-outs/{draft().pk}/audience/")

    expect(page.get_by_label("Paste addresses")).to_be_hidden()
    page.get_by_label("A list of addresses").check()
    page.get_by_label("Paste addresses").fill("anna@example.org\nnonsense")
    page.get_by_role("button", name="How many are these?").click()

    expect(page.locator("#count")).to_contain_text("1 of 1 get it.")
    expect(page.get_by_text("Line 2: nonsense")).to_be_visible()
    expect(page.get_by_label("Paste addresses")).to_have_value("anna@example.org\nnonsense")
    assert not AddressList.objects.exists()


def test_labels_without_javascript(open_as: Open) -> None:
    anna = make_contact()
    page = open_as("Marketers", java_script_enabled=False)
    page.goto(anna.get_absolute_url())

    page.get_by_role("link", name="Labels").click()
    page.get_by_label("A new label").fill("VIP")
    page.get_by_role("button", name="Save").click()
    page.goto("/contacts/")
    page.get_by_label("Label").select_option("VIP")
    page.get_by_role("button", name="Filter").click()

    expect(page.get_by_role("link", name=anna.name)).to_be_visible()


def became(made: SendOut) -> None:
    """Handed over, and reported about: one email for each of the page's sections."""
    for _ in range(5):
        make_contact()
    SendOut.objects.filter(pk=made.pk).update(control_percentage=0)
    start(made.pk)
    making.make_rows(made.pk)
    SendOut.objects.filter(pk=made.pk).update(state="done")
    Message.objects.update(sent_at=ago(hours=1), provider="mx")
    kinds = [
        (Kind.CLICKED, {"provider_code": "link 0"}), (Kind.SOFT_BOUNCE, {"reason": "mailbox_full"}),
        (Kind.HARD_BOUNCE, {"reason": "user_unknown"}), (Kind.DEFERRED, {"reason": "greylisted"}), (Kind.ACCEPTED, {}),
    ]  # fmt: skip
    for message, (kind, more) in zip(Message.objects.order_by("pk"), kinds, strict=True):
        report(message, said(kind, None, **more))
    keeping.look(margin=timedelta(0))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "middle", "narrow"])
def test_what_became_of_it_is_accessible(open_as: Open, scheme: str, size: str) -> None:
    made = draft()
    became(made)
    page = open_as("Marketers", size, color_scheme=scheme)
    page.goto(f"/send-outs/{made.pk}/")

    for name in ("What people did", "Over time", "On hold", "Bounces by reason", "By receiving domain"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    for summary in ("As a table", "Why do some show Unknown?"):
        page.get_by_text(summary).click()
    accessible(page)
    page.goto("/send-outs/")
    accessible(page)


def test_what_became_of_it_by_keyboard_and_without_javascript(open_as: Open) -> None:
    made = draft()
    became(made)
    page = open_as("Marketers", java_script_enabled=False)
    page.goto(f"/send-outs/{made.pk}/")

    page.get_by_text("As a table").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Clicked by people")).to_be_visible()
    page.get_by_role("region", name="How many bounced for which reason").get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Hard bounce: User unknown")).to_be_visible()
    page.go_back()
    with page.expect_download() as download:
        page.get_by_role("link", name="All messages as CSV").click()
    assert download.value.path().read_text("utf-8-sig").count("\n") == 6


def test_what_is_being_sent_looks_for_news_by_itself(open_as: Open) -> None:
    make_contact()
    made = draft()
    start(made.pk)
    making.make_rows(made.pk)
    keeping.look(margin=timedelta(0))
    page = open_as("Marketers")
    page.goto(f"/send-outs/{made.pk}/")
    expect(page.get_by_role("heading", name="Bounces by reason")).to_be_hidden()

    report(Message.objects.get(), said(Kind.HARD_BOUNCE, reason="user_unknown"))
    keeping.look(margin=timedelta(0))

    expect(page.get_by_role("heading", name="Bounces by reason")).to_be_visible(timeout=20_000)


def test_what_one_may_do_with_a_message_is_in_sight_beside_a_long_address(open_as: Open) -> None:
    from tests.messaging.sendouts.people import run  # noqa: PLC0415 -- it makes models at once

    contact = make_contact(email=f"{'anna' * 12}@there.example")
    run(draft())
    page = open_as("Marketers", "narrow")
    page.goto(f"{contact.get_absolute_url()}messages/")

    for name in ("What it said", "Send again"):
        box = page.get_by_role("link", name=name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_what_was_most_likely_not_meant_is_told_right_after_saving_and_before_the_start(
    open_as: Open, scheme: str, size: str
) -> None:
    make_contact(email="anna@example.org")
    made = draft()
    page = open_as("Marketers", size, color_scheme=scheme)
    page.goto(f"/send-outs/{made.pk}/content/")
    page.get_by_label("HTML").fill("<p>Hi *|FNAME|*</p><img src='C:\\logo.png' alt='x'>")

    page.get_by_role("button", name="Go on").click()

    for step in ("control-group", "content", "start"):
        page.wait_for_url(f"**/{step}/")
        told = page.get_by_role("region", name="Look at this before you start")
        expect(told).to_contain_text("*|FNAME|*: other systems fill this in")
        expect(told).to_contain_text("own computer")
        accessible(page)
        if step == "control-group":
            page.goto(f"/send-outs/{made.pk}/content/")
        elif step == "content":
            page.goto(f"/send-outs/{made.pk}/start/")
