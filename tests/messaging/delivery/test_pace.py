"""Limits and patience: who waits, for how long, and that nothing is lost, sent twice, or counted as an attempt."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from contacts.models import Contact
from messaging.delivery import dispatcher
from messaging.delivery.email_routes import Direct, Relay, to_strangers
from messaging.delivery.rates import Limits, Rate, limits_of, rate_of
from messaging.delivery.throttle import AHEAD, FIRST_PAUSE, LONGEST_PAUSE
from messaging.models import Message, Pace, SendOut, SlowDown
from messaging.sendouts import lifecycle
from tests.factories import log_in
from tests.messaging.conftest import make_contact
from tests.messaging.sendouts.clock import hours_later
from tests.messaging.sendouts.people import make_send_out, run
from tests.messaging.sendouts.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def taker(settings: Settings) -> Iterator[Receiver]:
    with receiver() as found:
        settings.EMAIL_ROUTE = Direct("127.0.0.1", found.port)
        yield found


def started(*addresses: str) -> SendOut:
    """To these alone."""
    Contact.objects.update(email_address=None)
    for address in addresses:
        make_contact(email=address)
    made = make_send_out(sender="news@engage.example")
    run(made)
    return made


def handed_over(send_out: SendOut) -> Counter[str]:
    """How many messages show what."""
    while dispatcher.hand_over(send_out.pk):
        pass
    return shown(send_out)


def shown(send_out: SendOut) -> Counter[str]:
    return Counter(Message.objects.filter(send_out=send_out).values_list("status", flat=True))


def many(domain: str, count: int, name: str = "p") -> list[str]:
    return [f"{name}+{number}@{domain}" for number in range(count)]


def test_a_domain_gets_what_its_limit_allows_and_others_get_theirs_at_once(settings: Settings, taker: Receiver) -> None:
    settings.EMAIL_LIMITS = Limits(domains={"slow.example": Rate(600, 3600)})
    send_out = started(*many("slow.example", 12), *many("fast.example", 12))

    assert handed_over(send_out) == {"delivered": 12 + 3, "waiting": 9}  # one in six seconds, 15 seconds ahead
    waiting = Message.objects.filter(status="waiting")
    assert set(waiting.values_list("attempts", "sent_at")) == {(0, None)}


def test_each_that_waits_is_promised_a_moment_of_its_own(settings: Settings, taker: Receiver) -> None:
    settings.EMAIL_LIMITS = Limits(domains={"*": Rate(60, 3600)})
    send_out = started(*many("slow.example", 5))
    handed_over(send_out)

    moments = list(
        Message.objects.filter(status="waiting").order_by("next_attempt_at").values_list("next_attempt_at", flat=True)
    )
    assert [b - a for a, b in pairwise(moments) if a and b] == [timedelta(minutes=1)] * 3


def test_what_waited_for_a_limit_leaves_in_its_turn_and_nothing_twice(settings: Settings, taker: Receiver) -> None:
    settings.EMAIL_LIMITS = Limits(domains={"*": Rate(60, 3600)})
    send_out = started(*many("slow.example", 6))
    handed_over(send_out)
    assert len(taker.taken) == 1

    hours_later(2.5 / 60)
    assert (dispatcher.try_again(), len(taker.taken)) == (2, 3)
    hours_later(1)
    dispatcher.try_again()

    assert shown(send_out) == {"delivered": 6}
    assert Counter(taker.tries.values()) == {1: 6}
    assert lifecycle.finish(send_out.pk)


def test_the_limit_of_the_whole_way_is_shared_by_all_domains_and_send_outs(settings: Settings, taker: Receiver) -> None:
    settings.EMAIL_LIMITS = Limits(whole=Rate(60, 60))
    first, second = started(*many("a.example", 10)), started(*many("b.example", 10))

    handed_over(first)
    handed_over(second)

    assert AHEAD.total_seconds() < len(taker.taken) <= AHEAD.total_seconds() + 3


def test_a_paused_send_out_keeps_its_place_and_a_cancelled_one_sends_no_more(
    settings: Settings, taker: Receiver, admin_user: object
) -> None:
    settings.EMAIL_LIMITS = Limits(domains={"*": Rate(60, 3600)})
    send_out = started(*many("slow.example", 4))
    handed_over(send_out)
    lifecycle.pause(send_out.pk, None)
    hours_later(1)
    assert (dispatcher.try_again(), len(taker.taken)) == (0, 1)

    SendOut.objects.filter(pk=send_out.pk).update(state="cancelled")
    dispatcher.try_again()
    assert len(taker.taken) == 1
    assert not Message.objects.filter(next_attempt_at__isnull=False).exists()


@pytest.mark.parametrize("name", ["busy", "closing"])
def test_a_domain_that_wants_fewer_is_left_alone_while_others_go_on(
    settings: Settings, taker: Receiver, name: str
) -> None:
    send_out = started(f"{name}@full.example", *many("good.example", 60))
    handed_over(send_out)
    later = started(*many("full.example", 5, "more"), *many("good.example", 5, "more"))

    assert handed_over(later) == {"waiting": 5, "delivered": 5}
    held = Message.objects.filter(send_out=later, status="waiting")
    assert set(held.values_list("attempts", flat=True)) == {0}
    assert all(each.next_attempt_at and each.next_attempt_at > timezone.now() + timedelta(seconds=50) for each in held)


def test_patience_doubles_up_to_a_limit_and_ends_when_they_take_one(settings: Settings, taker: Receiver) -> None:
    started("busy@full.example")
    seen = list[timedelta]()
    for number in range(9):
        handed_over(started(f"busy+{number}@full.example"))
        dispatcher.try_again()
        pace = Pace.objects.get(domain="full.example")
        assert pace.closed_until is not None
        seen.append(pace.closed_until - timezone.now())
        hours_later(2)

    expected = [min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(9)]
    assert all(abs(a - b) < timedelta(seconds=20) for a, b in zip(seen, expected, strict=True))

    Message.objects.update(next_attempt_at=None)
    handed_over(started("anna@full.example"))
    assert Pace.objects.get(domain="full.example").refusals == 0


def test_several_workers_who_hear_it_at_once_count_once(taker: Receiver) -> None:
    handed_over(started("busy+1@full.example", "busy+2@full.example", "busy+3@full.example"))

    assert Pace.objects.get(domain="full.example").refusals == 1


def test_a_relay_that_is_too_busy_is_left_alone_altogether(settings: Settings) -> None:
    with receiver(busy=1) as relay:
        settings.EMAIL_ROUTE = Relay("127.0.0.1", relay.port)
        send_out = started("busy@a.example")
        assert handed_over(send_out) == {"waiting": 1}
        other = started("anna@b.example")
        assert handed_over(other) == {"waiting": 1}
        assert set(Message.objects.values_list("attempts", flat=True)) == {0}

        hours_later(2)
        dispatcher.try_again()
        assert shown(send_out) + shown(other) == {"unknown": 2}


def test_the_page_can_say_what_slows_a_send_out_down(settings: Settings, taker: Receiver) -> None:
    settings.EMAIL_LIMITS = Limits(domains={"slow.example": Rate(10, 60)})
    send_out = started(*many("slow.example", 12), *many("fast.example", 3))
    handed_over(send_out)

    (told,) = SlowDown.objects.filter(send_out=send_out)
    assert (told.domain, told.per_hour) == ("slow.example", 600)
    assert told.until == Message.objects.filter(status="waiting").latest("next_attempt_at").next_attempt_at


def test_a_worker_that_died_has_no_slot_that_others_wait_for(settings: Settings, taker: Receiver) -> None:
    """A moment that was promised passes, whoever was to use it."""
    settings.EMAIL_LIMITS = Limits(domains={"*": Rate(60, 3600)})
    Pace.objects.create(provider="mx", domain="slow.example", next_at=timezone.now() - timedelta(hours=1))

    assert handed_over(started("anna@slow.example")) == {"delivered": 1}


@pytest.mark.parametrize(
    ("text", "rate"),
    [("600/hour", Rate(600, 3600)), (" 5 / Second ", Rate(5, 1)), ("50000/day", Rate(50000, 86400))],
)
def test_a_limit_is_so_many_in_such_a_time(text: str, rate: Rate) -> None:
    assert rate_of(text) == rate


@pytest.mark.parametrize("text", ["600", "0/hour", "x/hour", "600/year", "-1/hour"])
def test_a_limit_that_says_nothing_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="A limit must look like"):
        rate_of(text)


def test_a_domain_has_its_own_limit_or_that_of_the_others() -> None:
    limits = limits_of("", ["Gmail.com=6000/hour", " *=600/hour"])

    assert (limits.whole, limits.of("gmail.com"), limits.of("x.se")) == (None, Rate(6000, 3600), Rate(600, 3600))
    with pytest.raises(ImproperlyConfigured, match="EMAIL_DOMAIN_LIMITS"):
        limits_of("", ["gmail.com"])


def test_only_strangers_servers_get_a_careful_limit_by_themselves() -> None:
    assert to_strangers(Direct())
    assert not to_strangers(Direct("127.0.0.1", 2525))
    assert not to_strangers(Relay("relay.example", 25))


@pytest.mark.usefixtures("groups")
def test_the_page_says_in_plain_words_what_a_send_out_waits_for(settings: Settings, taker: Receiver) -> None:
    settings.EMAIL_LIMITS = Limits(domains={"slow.example": Rate(10, 60)})
    send_out = started(*many("slow.example", 12), "busy@full.example")
    handed_over(send_out)
    handed_over(started("anna@full.example"))
    client = log_in("Marketers")

    assert "Slowed down: slow.example takes 600 an hour." in text_of(client, send_out)
    latest = SendOut.objects.latest("pk")
    assert "Slowed down: full.example asks us to wait." in text_of(client, latest)

    hours_later(2)
    assert "Slowed down" not in text_of(client, send_out)


@pytest.mark.usefixtures("groups")
def test_the_page_says_why_engage_itself_has_paused_a_send_out(taker: Receiver) -> None:
    send_out = started("anna@there.example")
    lifecycle.pause(send_out.pk, None, detail="Nothing can leave: SendGrid: HTTP 401")

    assert "Nothing can leave: SendGrid: HTTP 401" in text_of(log_in("Marketers"), send_out)


def text_of(client: Client, send_out: SendOut) -> str:
    page = client.get(send_out.get_absolute_url()).content.decode()
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())
