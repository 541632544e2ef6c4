"""Bounces, complaints and automatic replies that come as mail: out of messaging/incoming/, or out of the webhook by
which a provider hands on the mail that it takes for us (inbound.py).

What a mail says is read by messaging/bounces/mail; here it finds its message and becomes events.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts.addresses import normalise_email
from contacts.models import Channel
from messaging.bounces.certainty import certainty_of
from messaging.incoming import addresses
from messaging.ledger import recipients
from messaging.providers.base import ForgedError, ParsedReport, Provider, Raw, ReportRoute, UnreadableError
from messaging.providers.parsing import when
from messaging.status.order import Caveat, Event, Kind
from messaging.tracking.tokens import Purpose, message_id_of, message_ids_in

if TYPE_CHECKING:
    from messaging.bounces.mail.reading import Finding

SLUG: Final = "mail"
CONTENT_TYPE: Final = "message/rfc822"
# The headers of a kept report: what messaging/incoming/mails.py puts in there.
RECIPIENTS, SENDER, ARRIVED, WHOLE_SIZE, PEER = "recipients", "sender", "arrived", "whole-size", "peer"

# RFC 3464 2.3.3. "relayed" and "expanded": nobody will tell us more.
KINDS: Final = {
    "failed": Kind.SOFT_BOUNCE,
    "delayed": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "relayed": Kind.ACCEPTED,
    "expanded": Kind.ACCEPTED,
    "vacation": Kind.REPLIED,
}
# RFC 5965 7.3, and "opt-out" of its drafts. The other types tell of no wish of the person's: not-spam, auth-failure …
FEEDBACK: Final = {
    "": Kind.COMPLAINED,
    "abuse": Kind.COMPLAINED,
    "fraud": Kind.COMPLAINED,
    "opt-out": Kind.UNSUBSCRIBED,
    "opt-out-list": Kind.UNSUBSCRIBED,
}
REASONS: Final = {Kind.COMPLAINED: "complaint", Kind.UNSUBSCRIBED: "unsubscribe"}
BOUNCES: Final = frozenset({Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.DEFERRED})
# A server's clock counts where its mail has evidently waited on the way; else our own does, so that a clock that is
# some minutes off puts nothing in the wrong order.
WAITED: Final = (timedelta(hours=1), timedelta(days=7))
# A message of ours has one recipient, so a bounce of it names one, or a few where it was passed on. One that names many
# and no message may be somebody's who wants to have all our addresses blocked: of it, nothing is guessed.
MOST_GUESSED: Final = 5
# What is written on the way, and so may differ when the same mail comes twice.
TRACE: Final = re.compile(
    rb"(?:received|return-path|delivered-to|x-original-to|envelope-to|delivery-date|x-envelope-\w+|x-received"
    rb"|received-spf|authentication-results|arc-[\w-]+|x-gm-[\w-]+|x-google-[\w-]+|x-spam[\w-]*|x-mailgun-[\w-]+"
    rb"|x-ses-[\w-]+|x-uidl?|x-keywords|status|x-status|content-length|lines|x-mozilla-[\w-]+)[ \t]*:"
    rb"|(?:>?from) ",
    re.IGNORECASE,
)
LINE_END: Final = re.compile(rb"\r\n?")
FIELD_END: Final = re.compile(rb"\n(?![ \t])")


def verify(_request: HttpRequest) -> None:
    """Raises ForgedError: mail comes as mail."""
    raise ForgedError("Bounce mail has no webhook of its own.")


def parse(raw: Raw) -> ParsedReport:
    """The events of one mail; none where it is no bounce. Raises UnreadableError where it is no mail."""
    if raw.content_type.partition(";")[0].strip().lower() != CONTENT_TYPE or not raw.body.strip():
        raise UnreadableError("Not a mail.")
    to = raw.headers.get(RECIPIENTS, "").split()
    # Only a mail server sends with the null sender (RFC 5321 4.5.5); whoever has a mailbox there cannot.
    peer = raw.headers.get(PEER, "") if raw.headers.get(SENDER) == "" else ""
    return parse_mail(raw.body, to, when(raw.headers.get(ARRIVED), raw), peer)


def parse_mail(mail: bytes, envelope: Iterable[str], arrived_at: datetime, peer: str = "") -> ParsedReport:
    """What a mail says of our messages; empty where it is no bounce. That it names too many recipients is a problem.

    `envelope`: the addresses to which it came, where they are known. `arrived_at`: when it did, aware UTC. `peer`: the
    IP address of the mail server that sent it, where our own took it from there.
    """
    from messaging.bounces.mail.reading import read_mail  # noqa: PLC0415 -- not in every worker: 1.2 MB

    returned_to = addresses.messages_of(envelope)
    name, findings = fingerprint(mail), read_mail(mail)
    left_out = findings.named - len(findings)
    problems = [f"Only the first {len(findings)} of {findings.named} recipients were read."] if left_out else []
    events = [
        _of(event, about.is_named_only, peer)
        for finding in findings
        for about in _messages_of(finding, returned_to)
        for event in _events_of(finding, about.message_id, name, arrived_at)
    ]
    if len(findings) > MOST_GUESSED:
        events = [recipients.to(event, "") if event.message_id is None else event for event in events]
    return ParsedReport(events, problems)


class About(NamedTuple):
    """The message that a mail is about; `is_named_only`: by what every reader of our mail can see."""

    message_id: int | None
    is_named_only: bool = False


def _messages_of(finding: "Finding", returned_to: list[int]) -> list[About]:
    """By the return path to which it came, or else by our tokens in the headers; none in it where nothing names one."""
    if len(returned_to) == 1:
        return [About(returned_to[0])]
    named = _named_by(finding)
    if returned_to:
        return [About(each) for each in set(returned_to) & {named.message_id} or returned_to]
    return [named]


def _named_by(finding: "Finding") -> About:
    """A return path in the headers proves as much as that of the envelope, and what we wrote for who wants to leave
    (List-Unsubscribe) that they do. The rest, such as a Message-ID, only names the message."""
    proving = [Purpose.BOUNCE, Purpose.LEAVE] if finding.action == "feedback" else [Purpose.BOUNCE]
    for purpose in proving:
        # A token from before is the same in the Message-ID.
        for token in finding.tokens:
            if found := message_id_of(token, purpose, takes_old=purpose != Purpose.BOUNCE):
                return About(found)
    return About(next(chain.from_iterable(map(message_ids_in, finding.tokens)), None), is_named_only=True)


def _of(event: Event, is_named_only: bool, peer: str) -> Event:
    """The event with how far it proves its message. That it speaks of another address matters more."""
    if not is_named_only or event.message_id is None or event.caveat:
        return event
    return replace(event, caveat=Caveat.NAMED, peer=peer if event.kind == Kind.HARD_BOUNCE else "")


def _events_of(finding: "Finding", message_id: int | None, mail: str, arrived_at: datetime) -> Iterable[Event]:
    kind = _kind(finding)
    if kind is None:
        return []
    recipient, original = _normalised(finding.recipient), _normalised(finding.original_recipient)
    event = Event(
        provider=SLUG,
        kind=kind,
        occurred_at=_when(finding.occurred_at, arrived_at),
        # Each of two mails is a fact of its own, even in the same words.
        idempotency_key=f"{mail} {message_id or ''} {finding.recipient}",
        message_id=message_id,
        reason=finding.reason if kind in BOUNCES else REASONS.get(kind, ""),
        reply_code=finding.reply_code,
        status_code=finding.status_code,
        diagnostic=finding.diagnostic,
        said_by=finding.said_by,
        certainty=certainty_of(finding.rule, finding.confidence) if kind in BOUNCES else "",
        recipient=recipient,
    )
    # Where it was passed on, our message was to the original one.
    about = recipients.as_of(event, original)
    return [about if message_id is not None or not original else recipients.to(about, original)]


def _kind(finding: "Finding") -> Kind | None:
    if finding.action == "feedback":
        return FEEDBACK.get(finding.feedback_type.lower())
    if finding.action == "failed" and finding.bounce == "hard":
        return Kind.HARD_BOUNCE
    return KINDS[finding.action]


def _when(moment: datetime | None, arrived_at: datetime) -> datetime:
    if moment is None or moment.tzinfo is None:
        return arrived_at
    shortest, longest = WAITED
    return moment if shortest < arrived_at - moment < longest else arrived_at


def _normalised(address: str) -> str:
    """As we know addresses; empty where it is none (X.400, a local name)."""
    try:
        return normalise_email(address) if "@" in address else ""
    except ValidationError:
        return ""


def fingerprint(mail: bytes) -> str:
    """Names a mail by its content, so that the same one, fetched or handed over twice, is the same fact."""
    head, _, body = LINE_END.sub(b"\n", mail).lstrip(b"\n").partition(b"\n\n")
    fields = (field for field in FIELD_END.split(head) if not TRACE.match(field))
    return blake2b(b"\n".join(fields) + b"\n\n" + body.rstrip(b"\n"), digest_size=16).hexdigest()


def ways() -> list[ReportRoute]:
    """Where bounce mail may be sent to, and from where it is taken."""
    domain = settings.BOUNCE_DOMAIN
    to = [
        ReportRoute(_("Return path of each message"), f"{addresses.LOCAL_PART}+…@{domain}"),
        ReportRoute(_("For complaints and all else"), f"{addresses.LOCAL_PART}@{domain}"),
    ]
    served = [ReportRoute(_("The bounce server listens at"), str(each)) for each in settings.BOUNCE_LISTENERS]
    mailboxes = [
        ReportRoute(_("Mailbox that is read"), f"{each.folder}, {each.name}")
        for each in settings.IMAP_MAILBOXES.values()
    ]
    return [*(to if domain else []), *served, *mailboxes]


provider = Provider(
    SLUG,
    "Bounce mail",
    Channel.EMAIL,
    lambda: bool(settings.BOUNCE_DOMAIN or settings.IMAP_MAILBOXES),
    verify,
    parse,
    headers=(RECIPIENTS, SENDER, ARRIVED, WHOLE_SIZE, PEER),
    methods=(),
    ways=ways,
    comes=_("It comes as mail, so there is no webhook and nothing to paste."),
)
