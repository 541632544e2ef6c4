"""Messages as a real hand-over leaves them, and what people here do between two of them.

What becomes of a message is the providers' to say. But since weeks are told in seconds, the times of what would have
been written down long ago are set back to then.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from contacts.blocks import lift, open_blocks
from contacts.history import save_contact
from contacts.models import Address, Block, Change, Channel, Contact
from messaging.apply import Said, apply
from messaging.demo import cast, sendgrid, twilio
from messaging.demo.script import Card, Meanwhile, Plan, Scene
from messaging.models import Batch, Content, DeliveryEvent, Message, Progress, SendOut
from messaging.sendouts.models import State
from messaging.statuses import GIVES_UP_AFTER, Event, Kind, Status

# A report comes so soon after what it tells of.
PROMPT: Final = timedelta(seconds=2)
NAME: Final = "Engage"
SENDER: Final = "news@engage.example"
PROVIDERS: Final = {Channel.EMAIL: "sendgrid", Channel.SMS: "twilio"}


class Part(NamedTuple):
    """A scene, and the message that plays it."""

    scene: Scene
    message: Message


def make_send_outs(plans: Iterable[Plan], now: datetime) -> dict[str, SendOut]:
    made = {
        plan.id: SendOut(
            name=plan.name,
            channel=plan.channel,
            subject=plan.subject,
            created_at=plan.sent_at(now) - timedelta(hours=1),
            started_at=plan.sent_at(now),
            state=State.DONE,
            state_at=plan.sent_at(now),
        )
        for plan in plans
    }
    SendOut.objects.bulk_create(made.values())
    return made


def hand_over(scenes: Iterable[Scene], send_outs: dict[str, SendOut]) -> list[Part]:
    """The messages of these scenes, in the order of their sending, to the addresses that the people have by now."""
    people = cast.contacts()
    parts = [Part(scene, _message(scene, people[scene.person.name], send_outs)) for scene in scenes]
    Message.objects.bulk_create([part.message for part in parts])
    waiting = [part.message for part in parts if part.message.status == Status.WAITING and part.message.send_out]
    for send_out in {message.send_out for message in waiting if message.send_out}:
        _pause(send_out, [message.pk for message in waiting if message.send_out == send_out])
    return parts


def _pause(send_out: SendOut, waiting: Sequence[int]) -> None:
    """Somebody has paused it before anything left; who resumes it sees these messages go out."""
    words = "Before anybody else: have a look, and tell us what you think."
    is_email = send_out.channel == Channel.EMAIL
    said = {"subject": send_out.subject, "text": words, "html": f"<p>{words}</p>" if is_email else ""}
    content, _is_new = Content.objects.get_or_create(send_out=send_out, version=1, defaults=said)
    Message.objects.filter(pk__in=waiting).update(content=content)
    first, last = min(waiting), max(waiting)
    Batch.objects.create(send_out=send_out, first_message=first, last_message=last, messages=len(waiting))
    made = {"until": 0, "rows_done_at": send_out.started_at, "first_message": first, "last_message": last}
    Progress.objects.update_or_create(send_out=send_out, defaults=made)
    SendOut.objects.filter(pk=send_out.pk).update(
        state=State.PAUSED, content=content, sender_name=NAME, sender=SENDER if is_email else NAME
    )


def _message(scene: Scene, contact: Contact, send_outs: dict[str, SendOut]) -> Message:
    message = Message(
        channel=scene.plot.channel, contact=contact, address=_address(scene, contact), subject=scene.subject,
        send_out=send_outs[scene.plan.id] if scene.plan else None, created_at=scene.sent_at, status=scene.plot.ends,
    )  # fmt: skip
    if scene.plot.is_sent:
        _mark_sent(message, scene)
    return message


def _address(scene: Scene, contact: Contact) -> Address:
    address = contact.email_address if scene.plot.channel == Channel.EMAIL else contact.mobile_address
    if address is None:
        raise ValueError(f"{contact} has no address for {scene.plot.channel}.")
    return address


def _mark_sent(message: Message, scene: Scene) -> None:
    channel, seed = scene.plot.channel, str(uuid4())
    message.provider = scene.plot.gateway or PROVIDERS[channel]
    message.provider_message_id = sendgrid.new_id(seed) if channel == Channel.EMAIL else twilio.new_sid(seed)
    message.status = Status.UNKNOWN
    message.sent_at = scene.sent_at
    message.due_at = scene.sent_at + GIVES_UP_AFTER[channel] if channel == Channel.SMS else None


def say_untraceable(parts: Sequence[Part]) -> None:
    """What gateways say that route a message by several parties; Twilio has no word for it, so none is posted."""
    said = [
        Said(
            Event(
                part.scene.plot.gateway, Kind.UNTRACEABLE, part.scene.sent_at + timedelta(hours=1),
                repeat_id=str(part.message.pk), message_id=part.message.pk,
                diagnostic="No delivery receipt: handed on by several parties",
            )
        )
        for part in parts
        if part.scene.plot.ends == Status.UNTRACEABLE
    ]  # fmt: skip
    with transaction.atomic():
        apply(said)


def act_meanwhile(cards: Iterable[Card], now: datetime) -> None:
    """Let marketers' colleagues do what the cards tell of, as if at its time."""
    people = cast.contacts()
    actors = dict(User.objects.filter(username__in=cast.LOG_INS).values_list("username", "pk"))
    for card in cards:
        if card.meanwhile:
            contact, done = people[card.who], card.meanwhile
            before = list(contact.changes.values_list("pk", flat=True))
            ACTS[done.does](contact, done, actors[done.by], now - done.ago)
            contact.changes.exclude(pk__in=before).update(at=now - done.ago)


def _lift(contact: Contact, done: Meanwhile, actor_id: int, at: datetime) -> None:
    block = open_blocks([contact.email_address_id])[contact.email_address_id or 0]
    lift(block.pk, actor_id=actor_id, reason=done.why)
    Block.objects.filter(pk=block.pk).update(ended_at=at)
    Address.objects.filter(pk=block.address_id).update(lifted_at=at)


def _correct(contact: Contact, done: Meanwhile, actor_id: int, _at: datetime) -> None:
    contact.email = done.to
    save_contact(contact, actor_id=actor_id, why=done.why)


def _opt_out(contact: Contact, done: Meanwhile, actor_id: int, at: datetime) -> None:
    contact.accepts_email = False
    save_contact(contact, actor_id=actor_id, why=done.why)
    Contact.objects.filter(pk=contact.pk).update(email_consent_at=at)


ACTS: Final = {"lift": _lift, "correct": _correct, "opt_out": _opt_out}


def set_back_events(parts: Iterable[Part], late_from: datetime) -> None:
    """As if each report had come at once, but for those that are late in the story (recorded since `late_from`)."""
    ours = {part.message.pk: any(line.is_later for line in part.scene.plot.lines) for part in parts}
    late = Q(message__in=[pk for pk, has_late in ours.items() if has_late], recorded_at__gte=late_from)
    events = DeliveryEvent.objects.filter(message__in=list(ours)).exclude(late)
    events.filter(occurred_at__lt=F("recorded_at") - PROMPT).update(recorded_at=F("occurred_at") + PROMPT)


def set_back_changes() -> None:
    """What the reports brought about goes down in the history as of the time that they tell of."""
    ours = [contact.pk for contact in cast.contacts().values()]
    changes = Change.objects.filter(contact__in=ours)
    started = Block.objects.filter(message_id=OuterRef("message_id")).values("started_at")[:1]
    changes.filter(kind=Change.Kind.BLOCKED).update(at=Coalesce(Subquery(started), F("at")))
    taken_back = Contact.objects.filter(pk=OuterRef("contact"))
    for channel in Channel:
        changes.filter(kind=Change.Kind.OPTED_OUT, field=channel, actor=None).update(
            at=Subquery(taken_back.values(f"{channel.value}_consent_at"))
        )
    addresses = Message.objects.filter(contact__in=ours).values("address")
    Block.objects.filter(address__in=addresses).update(recorded_at=F("started_at"))
    latest = changes.filter(contact=OuterRef("pk")).order_by().values("contact").annotate(latest=Max("at"))
    Contact.objects.filter(pk__in=ours).update(changed_at=Subquery(latest.values("latest")))
