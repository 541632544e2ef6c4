"""Whether everything came out as the story tells."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contacts.models import Block, Channel
from messaging.demo import cast
from messaging.demo.script import Scene, story
from messaging.models import Message
from messaging.sendouts.control_group import Draw
from messaging.status.order import Status


class ScenePart(NamedTuple):
    """A scene, and the message that plays it."""

    scene: Scene
    message: Message


def mismatches(parts: Sequence[ScenePart]) -> list[str]:
    """What differs from the story, in words; empty where all is well."""
    found = Message.objects.select_related("send_out").in_bulk([part.message.pk for part in parts])
    return [
        *(words for part in parts for words in _of_message(part.scene, found.get(part.message.pk))),
        *_of_people(parts),
    ]


def _of_message(scene: Scene, message: Message | None) -> Iterator[str]:
    if message is None:
        yield f"The {scene.plot.channel} to {scene.person.name} is gone."
        return
    about = f"“{message.title}” to {scene.person.name}"
    if is_drawn(message):
        # By the draw, which knows nothing of the story but for those whom a card names.
        if message.status != Status.CONTROL_GROUP:
            yield f"{about} is {Status(message.status).label}, though drawn for the control group."
    elif message.status != scene.plot.ends:
        yield f"{about} is {Status(message.status).label}, not {scene.plot.ends.label}."
    elif message.reason != scene.plot.because:
        yield f"{about}: the reason is {message.reason!r}, not {scene.plot.because!r}."
    elif message.is_probably_automatic != scene.plot.is_automatic:
        yield f"{about} was {'' if message.is_probably_automatic else 'not '}taken for opened by a program."


def is_drawn(message: Message) -> bool:
    """Whether its contact is in the control group of its send-out."""
    of = message.send_out
    return of is not None and Draw(of.control_percentage, of.control_seed).draws(message.contact_id or 0)


def _of_people(parts: Sequence[ScenePart]) -> Iterator[str]:
    people = cast.contacts()
    blocked = set(Block.objects.filter(ended_at=None).values_list("address", flat=True))
    expected_blocks = _blocked_addresses(parts)
    expected_opt_outs = _opt_outs(parts)
    for name, contact in people.items():
        states = (
            (Channel.EMAIL, contact.email_address_id, contact.accepts_email),
            (Channel.SMS, contact.mobile_address_id, contact.accepts_sms),
        )
        for channel, address_id, accepts in states:
            if (address_id in blocked) != (address_id in expected_blocks):
                yield f"{name}’s {channel} address is {'' if address_id in blocked else 'not '}blocked."
            if accepts == ((name, channel) in expected_opt_outs):
                yield f"{name} is {'not ' if accepts else ''}unsubscribed from {channel}."


def _blocked_addresses(parts: Sequence[ScenePart]) -> set[int]:
    """A hard bounce blocks; a removed block stays removed, unless a later one makes it again."""
    lifted = {card.who for card in story().cards.values() if card.meanwhile and card.meanwhile.does == "lift"}
    return {
        message.address_id
        for scene, message in parts
        if scene.plot.ends == Status.HARD_BOUNCE and (scene.person.name not in lifted or scene.is_after_meanwhile)
    }


def _opt_outs(parts: Sequence[ScenePart]) -> set[tuple[str, Channel]]:
    by_report = {(scene.person.name, scene.plot.channel) for scene, _ in parts if scene.plot.opts_out}
    by_hand = {
        (card.who, card.meanwhile.channel)
        for card in story().cards.values()
        if card.meanwhile and card.meanwhile.does == "opt_out"
    }
    return by_report | by_hand


def tally(parts: Sequence[ScenePart]) -> Counter[tuple[Channel, Status]]:
    return Counter((scene.plot.channel, scene.plot.ends) for scene, _ in parts)
