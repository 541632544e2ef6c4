"""What people at Engage do in the story, by the functions that the pages use: write send-outs and start them, send a
mail again, remove a block, correct an address, note that somebody wants no more.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from contacts.blocks.record import lift, open_blocks
from contacts.history import save_contact
from contacts.models import Channel, Contact
from messaging.demo import cast
from messaging.demo.script import Meanwhile, Plan
from messaging.models import Message, SendOut
from messaging.sendouts import drafts, lifecycle, lists, making, single
from messaging.sendouts.audience import IsOnList
from messaging.sendouts.control_group import Draw
from messaging.sendouts.models import new_seed

NAME: Final = "Engage"
SENDER: Final = "news@engage.example"


def actors() -> dict[str, int]:
    return dict(User.objects.filter(username__in=cast.LOG_INS).values_list("username", "pk"))


def write(plan: Plan, invited: Sequence[Contact], control: Draw, actor_id: int) -> SendOut:
    """A draft, filled in step by step."""
    made = drafts.create(actor_id, name=plan.name, channel=plan.channel)
    # Of a story of which only a part is played, nobody may be left to invite.
    kept = lists.keep(plan.audience, _lines(plan.channel, invited), actor_id, plan.channel, may_be_empty=True)
    drafts.save_audience(made, IsOnList(kept.pk), actor_id)
    is_email = plan.channel == Channel.EMAIL
    drafts.save(made, actor_id, "sender", sender_name=NAME if is_email else "", sender=SENDER if is_email else NAME)
    drafts.save_content(
        made, actor_id, subject=plan.subject, text=plan.text, html=html_of(plan.text) if is_email else ""
    )
    drafts.save(
        made, actor_id, "setting", is_transactional=plan.is_transactional,
        control_percentage=control.percentage, control_seed=control.seed,
    )  # fmt: skip
    return made


def _lines(channel: Channel, invited: Sequence[Contact]) -> list[bytes]:
    addresses = [each.email_address if channel == Channel.EMAIL else each.mobile_address for each in invited]
    return [f"{address.value}\n".encode() for address in addresses if address is not None]


def html_of(text: str) -> str:
    """Its paragraphs; an address at the end of one becomes a link that reads as the words before it."""
    return "\n".join(f"<p>{_paragraph(part)}</p>" for part in text.split("\n\n"))


def _paragraph(part: str) -> str:
    words, found, address = part.rpartition(": https://")
    return f'<a href="https://{escape(address)}">{escape(words)}</a>' if found else escape(part)


def draw(percentage: int, included: Iterable[int], excluded: Iterable[int]) -> Draw:
    """A control group of so many per cent in which these contacts are, and those are not: the story tells of them."""
    wanted, unwanted = list(included), list(excluded)
    while percentage:
        found = Draw(Decimal(percentage), new_seed())
        if all(map(found.draws, wanted)) and not any(map(found.draws, unwanted)):
            return found
    return Draw()


def start(send_out: SendOut, actor_id: int) -> None:
    lifecycle.start(send_out.pk, actor_id)


def start_and_pause(send_out: SendOut, actor_id: int) -> None:
    """Somebody starts it, and pauses it before anything has left: in one transaction, so that no worker is quicker."""
    with transaction.atomic():
        lifecycle.start(send_out.pk, actor_id)
        making.make_rows(send_out.pk)
        lifecycle.pause(send_out.pk, actor_id)


def send_again(message: Message) -> Message:
    """The paper plane."""
    return single.send_again(message)


def act(contact: Contact, done: Meanwhile) -> None:
    ACTS[done.does](contact, done, actors()[done.by])


def _lift(contact: Contact, done: Meanwhile, actor_id: int) -> None:
    block = open_blocks([contact.email_address_id])[contact.email_address_id or 0]
    lift(block.pk, actor_id=actor_id, reason=done.why)


def _correct(contact: Contact, done: Meanwhile, actor_id: int) -> None:
    contact.email = done.to
    save_contact(contact, actor_id=actor_id, why=done.why)


def _opt_out(contact: Contact, done: Meanwhile, actor_id: int) -> None:
    contact.accepts_email = False
    save_contact(contact, actor_id=actor_id, why=done.why)


ACTS: Final[dict[str, Callable[[Contact, Meanwhile, int], None]]] = {
    "lift": _lift,
    "correct": _correct,
    "opt_out": _opt_out,
}
