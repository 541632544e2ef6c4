"""An audience as the laws want it: few contacts, who share addresses, opted out, are blocked or labelled, in any mix."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from django.utils import timezone
from hypothesis import strategies as st

from contacts.addresses import address_of
from contacts.models import Block, Channel, Contact, Label, Labelled
from messaging.models import Content, SendOut
from messaging.sendouts import making
from messaging.sendouts.lifecycle import start


@dataclass(frozen=True, slots=True)
class Person:
    """`address`: which of few addresses; None for none."""

    address: int | None
    accepts: bool
    country: str
    is_labelled: bool


people = st.builds(
    Person,
    address=st.one_of(st.none(), st.integers(0, 7)),
    accepts=st.integers(0, 4).map(bool),
    country=st.sampled_from(["SE", "SE", "NO", ""]),
    is_labelled=st.booleans(),
)


def make_people(spike: list[Person], blocked: set[int], channel: Channel = Channel.EMAIL) -> list[Contact]:
    """Contacts in that order of their numbers, with blocks on the addresses in `blocked`."""
    values = {each.address for each in spike if each.address is not None}
    addresses = {
        n: address_of(channel, f"p{n}@example.se" if channel == "email" else f"+4670000000{n}") for n in values
    }
    for n in blocked & values:
        Block.objects.create(address=addresses[n], started_at=timezone.now(), cause="test", reason="user_unknown")
    made = []
    for each in spike:
        address = None if each.address is None else addresses[each.address]
        field, accepts = ("email", "accepts_email") if channel == "email" else ("mobile", "accepts_sms")
        fields = {f"{field}_address": address, field: address.value if address else "", accepts: each.accepts}
        made.append(Contact.objects.create(guid=uuid4(), first_name="P", country=each.country, **fields))
    label = Label.objects.get_or_create(name="VIP")[0]
    Labelled.objects.bulk_create(
        Labelled(label=label, contact=c) for c, each in zip(made, spike, strict=True) if each.is_labelled
    )
    return made


def make_send_out(channel: Channel = Channel.EMAIL, **fields: object) -> SendOut:
    """A draft that could start."""
    made = SendOut.objects.create(name="Spring", channel=channel, subject="Spring is here", **fields)
    content = Content.objects.create(send_out=made, version=1, subject="Spring is here", text="Hello")
    made.content = content
    made.save()
    return made


def run(send_out: SendOut, chunk: int = making.CHUNK) -> None:
    """Start it and make all rows."""
    start(send_out.pk)
    making.make_rows(send_out.pk, chunk)


def ago(**span: float) -> object:
    return timezone.now() - timedelta(**span)
