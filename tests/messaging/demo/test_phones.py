"""The try-out SMSC of `make run`: a send-out by SMS over it meets every fate, by our real client."""

import asyncio
import socket
from collections.abc import Iterator
from functools import partial
from threading import Event, Thread

import pytest
from pytest_django import Settings

from contacts.models import Change, Channel, Contact, Label, Labelled
from messaging.delivery.sms_routes import sms_route_of
from messaging.demo import cast, phones, tryout
from messaging.demo.living import Calendar
from messaging.inbox import reports
from messaging.models import Message
from messaging.smpp import keeper, sender
from messaging.smpp.connections import connections_of
from messaging.status.order import SMS_STATUSES, Status
from tests.messaging.processes import wait_for
from tests.messaging.sendouts.people import make_send_out, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def network(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It listens, and our client is bound to it and sends."""
    monkeypatch.setattr(phones, "SOON", 0.05)
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        loop, calendar = asyncio.new_event_loop(), Calendar()
        server = loop.run_until_complete(loop.create_server(partial(phones.PhoneSession, calendar), sock=listening))
        serving = Thread(target=loop.run_forever)
        serving.start()
        stop = Event()
        settings.SMPP_CONNECTIONS = connections_of([f"smpp://tryout:tryout@127.0.0.1:{port}/tryout?codes=map"])
        settings.SMS_ROUTE = sms_route_of("smpp:tryout", settings.SMPP_CONNECTIONS)
        threads = keeper.keep_all_bound(settings.SMPP_CONNECTIONS.values(), stop, lambda _name: True)
        yield
        stop.set()
        for thread in threads:
            thread.join()
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        serving.join()
        loop.close()


EXPECTED = {
    "11": "delivered", "12": "hard_bounce", "13": "soft_bounce", "14": "failed", "15": "expired", "16": "untraceable",
    "17": "delivered", "18": "unknown", "19": "soft_bounce", "20": "delivered", "21": "hard_bounce", "22": "failed",
    "23": "hard_bounce", "24": "delivered",
}  # fmt: skip


def shown() -> dict[str, str]:
    reports.apply_pending()
    found = Message.objects.select_related("address")
    return {each.address.value[-2:]: each.status for each in found}


@pytest.mark.usefixtures("network")
def test_a_send_out_to_the_try_out_contacts_shows_every_status_of_sms_and_takes_stop() -> None:
    cast.enter_tryout()
    label = Label.objects.get(name=tryout.LABEL)
    members = Labelled.objects.filter(label=label).values("contact")
    Contact.objects.exclude(pk__in=members).delete()
    run(make_send_out(Channel.SMS, sender="Shop"))
    who = Contact.objects.get(first_name="Answers STOP")

    wait_for(lambda: shown() == EXPECTED and Change.objects.filter(contact=who, kind="opted_out").exists())

    assert shown() == EXPECTED
    assert set(EXPECTED) == set(phones.FATES)
    assert set(EXPECTED.values()) == set(SMS_STATUSES) - {Status.WAITING, Status.CONTROL_GROUP}
    who.refresh_from_db()
    assert (who.accepts_sms, who.accepts_email) == (False, True)
    assert Contact.objects.get(first_name="Answers a question").accepts_sms
