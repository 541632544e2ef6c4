"""The demo's log-ins and contacts: make them, find them again, and take away what an earlier demo left."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from contacts.history import save_contact
from contacts.models import Address, Block, Contact
from messaging.demo import clock, tryout
from messaging.demo.script import CastMember, story
from messaging.models import AddressList, Content, DeliveryEvent, Message, Movement, Part, Report, SendOut

LOG_INS: Final = {"marketer": "Marketers", "administrator": "Administrators", "support": "Support"}
# By it a demo log-in is told from a real person's of the same name.
MARK: Final = "@demo.example.org"
JOINED_BY: Final = ("Signed up on the website", "Signed up at the counter", "Ordered in the shop", "Met at the market")


def strangers() -> list[str]:
    """Users who have the name of a demo log-in, but are real people."""
    named = User.objects.filter(username__in=LOG_INS)
    return sorted(user.username for user in named if not user.email.endswith(MARK))


def make_log_ins(password: str) -> None:
    """The three log-ins, with this password from now on."""
    hashed = make_password(password)  # once: it takes a third of a second
    for name, group in LOG_INS.items():
        chosen = {"email": name + MARK, "password": hashed, "is_staff": name == "support", "is_active": True}
        user, _ = User.objects.update_or_create(username=name, defaults=chosen)
        user.groups.set([Group.objects.get(name=group)])


def contacts() -> dict[str, Contact]:
    """The demo's people who are there, by name."""
    names = {person.guid: name for name, person in story().cast.items()}
    found = Contact.objects.filter(guid__in=names).select_related("email_address", "mobile_address")
    return {names[contact.guid]: contact for contact in found}


def is_whole() -> bool:
    return Contact.objects.filter(guid=story().last.guid).exists()


def has_strange_contacts() -> bool:
    ours = [person.guid for person in story().cast.values()] + tryout.guids()
    return Contact.objects.exclude(guid__in=ours).exists()


def enter(people: Iterable[CastMember], days_ago: int) -> None:
    """Save these contacts as if on the days when they joined, on a day that will lie so many days in the past."""
    for person in people:
        contact = Contact(
            guid=person.guid, first_name=person.first_name, last_name=person.last_name,
            email=person.email, mobile=person.mobile, country=person.country, language=person.language,
        )  # fmt: skip
        save_contact(contact, actor_id=None, why=JOINED_BY[person.guid.int % len(JOINED_BY)])
        since = timedelta(days=person.joined_days_ago - days_ago, minutes=person.guid.int % 1440)
        clock.join(contact, timezone.now() - since)


def enter_tryout() -> None:
    """Enter whom to try out sending with: contacts before everybody else."""
    longest = max(person.joined_days_ago for person in story().cast.values())
    tryout.make(joined_at=timezone.now() - timedelta(days=longest + 2))


@transaction.atomic
def clear() -> None:
    """Take away what an earlier demo left, and nothing else."""
    ours = [contact.pk for contact in contacts().values()]
    messages = Message.objects.filter(contact__in=ours)
    send_outs = set(messages.exclude(send_out=None).values_list("send_out", flat=True)) | _unsent()
    addresses = set(messages.values_list("address", flat=True)) | _addresses_of(ours)
    events = DeliveryEvent.objects.filter(message__in=messages)
    reports = set(events.exclude(report=None).values_list("report", flat=True))
    Part.objects.filter(message__in=messages).delete()
    events.delete()
    Report.objects.filter(pk__in=reports).delete()
    messages.delete()
    _clear_send_outs(SendOut.objects.filter(pk__in=send_outs, message=None))
    Contact.objects.filter(pk__in=ours).delete()
    unused = Address.objects.filter(pk__in=addresses, message=None, contacts_by_email=None, contacts_by_mobile=None)
    _forget(list(unused.values_list("pk", flat=True)))


def _unsent() -> set[int]:
    """Send-outs of the story that were left before there was a message."""
    names = [plan.name for plan in story().plans]
    ours = SendOut.objects.filter(name__in=names, created_by__username__in=LOG_INS, message=None)
    return set(ours.values_list("pk", flat=True))


def _clear_send_outs(send_outs: QuerySet[SendOut]) -> None:
    """With what they say, their lists and their totals; others' messages may still say the same (sent again)."""
    said = Message.objects.filter(content__send_out__in=send_outs).values("content__send_out")
    gone = list(send_outs.exclude(pk__in=said).values_list("pk", flat=True))
    found = SendOut.objects.filter(pk__in=gone)
    audiences = found.filter(audience__kind="list").values_list("audience", flat=True)
    kept_lists = [audience["list"] for audience in audiences]
    Movement.objects.filter(send_out_id__in=gone).delete()
    found.update(content=None)
    Content.objects.filter(send_out__in=gone).delete()
    found.delete()
    still_used = SendOut.objects.filter(audience__kind="list").values_list("audience__list", flat=True)
    AddressList.objects.filter(pk__in=set(kept_lists) - set(still_used)).delete()


def _addresses_of(contact_ids: list[int]) -> set[int]:
    holds = Q(contacts_by_email__in=contact_ids) | Q(contacts_by_mobile__in=contact_ids)
    return set(Address.objects.filter(holds).values_list("pk", flat=True))


def _forget(address_ids: list[int]) -> None:
    """What is on a list of somebody's stays, as if nothing had ever been sent there."""
    Block.objects.filter(address__in=address_ids).delete()
    Address.objects.filter(pk__in=address_ids).update(lifted_at=None)
    Address.objects.filter(pk__in=address_ids, listedaddress=None).delete()
