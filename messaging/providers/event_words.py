"""What the words of an email provider for what became of a message mean in ours.

django-anymail's event types are coarser than our kinds: bounces of all sorts are "bounced". So each provider's file
reads the provider's own words, and says with an `EventMeaning` how far they go; what the mail server said decides the
rest.
"""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from anymail.signals import AnymailTrackingEvent

from messaging.bounces.certainty import Certainty
from messaging.bounces.classify import Verdict, classify
from messaging.providers.base import UnmappedCode
from messaging.status.order import Kind

KINDS: Final = {
    "queued": Kind.ACCEPTED,
    "sent": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "opened": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "complained": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "subscribed": Kind.SUBSCRIBED,
}
CONSENT_REASONS: Final = {
    Kind.COMPLAINED: "complaint",
    Kind.UNSUBSCRIBED: "unsubscribe",
    Kind.SUBSCRIBED: "resubscribe",
}


class Says(StrEnum):
    """How far a provider's own word for a failure goes."""

    DEAD = "dead"  # this address does not exist; a hard bounce unless the mail server's words say something else
    FAILED = "failed"  # given up; a hard bounce if the mail server's words say that the address is dead
    SOFT = "soft"  # given up, and not for the address's sake; never a hard bounce, the words only say why
    UNTRIED = "untried"  # the provider did not try, so no mail server spoke
    DEFERRED = "deferred"  # the provider goes on trying
    NOTHING = "nothing"  # about something else than the fate of a message


class EventMeaning(NamedTuple):
    """What a provider's word means, and the reason where the mail server gave none that we know.

    `unmapped` is the word where no row of a table was found for it.
    """

    says: Says
    reason: str = "unknown"
    unmapped: UnmappedCode | None = None


class TranslatedEvent(NamedTuple):
    """A provider's event in our words."""

    kind: Kind
    reason: str = ""
    reply_code: str = ""
    status_code: str = ""
    provider_code: str = ""
    diagnostic: str = ""
    unmapped: UnmappedCode | None = None
    certainty: str = ""


@cache
def table_of(file: str, name: str) -> Mapping[str, EventMeaning]:
    """The table `name` of the codes.toml beside a provider's `file`: its words, each with what it means."""
    table = tomllib.loads(Path(file).with_name("codes.toml").read_text(encoding="utf-8"))[name]
    return {word: EventMeaning(Says(says), reason) for word, (says, reason) in table.items()}


def row_of(file: str, name: str, word: str, otherwise: EventMeaning) -> EventMeaning:
    """The row of a word in the table `name`, or `otherwise`, which then says that the word is not listed."""
    return row_in(table_of(file, name), name, word, otherwise)


def row_in(table: Mapping[str, EventMeaning], name: str, word: str, otherwise: EventMeaning) -> EventMeaning:
    return table.get(word) or otherwise._replace(unmapped=UnmappedCode(name, word) if word else None)


def plain(found: AnymailTrackingEvent, word: object) -> TranslatedEvent:
    """The meaning of what needs no judgement. Raises ValueError for anything else: `word` is not known."""
    if kind := KINDS.get(found.event_type):
        return meaning_of(kind)
    raise ValueError(f"unknown kind of event {word!r}")


def meaning_of(kind: Kind) -> TranslatedEvent:
    return TranslatedEvent(kind, CONSENT_REASONS.get(kind, ""))


def failure(
    row: EventMeaning,
    words: object,
    *,
    note: object = "",
    reply_code: object = "",
    status_code: object = "",
    provider_code: str = "",
) -> TranslatedEvent | None:
    """What a failure comes to: the provider's word together with the mail server's words and codes.

    `note` is what the provider adds in words of its own: shown where there are no others, never judged.
    """
    text = str(words or "")
    shown = text or str(note or "")
    if row.says is Says.NOTHING:
        return None
    if row.says is Says.UNTRIED:
        return TranslatedEvent(
            Kind.SOFT_BOUNCE, row.reason, provider_code=provider_code, diagnostic=shown, unmapped=row.unmapped
        )
    verdict = classify(text, reply_code=smtp_reply(reply_code), status_code=str(status_code or ""))
    kind = Kind.DEFERRED if row.says is Says.DEFERRED else _bounce(row.says, verdict)
    reason = verdict.reason
    # A dead address that did not come out as one is not told about in the words for dead addresses.
    if reason == "unknown" and (row.says is not Says.DEAD or kind == Kind.HARD_BOUNCE):
        reason = row.reason
    return TranslatedEvent(
        kind, reason, verdict.reply_code, verdict.status_code, provider_code, shown, row.unmapped,
        _certainty(row.says, kind, verdict),
    )  # fmt: skip


def _certainty(says: Says, kind: Kind, verdict: Verdict) -> str:
    """A guess at the words that the provider's own class bears out is none: then a code speaks for it, too."""
    if kind == Kind.HARD_BOUNCE and says is Says.DEAD and verdict.certainty == Certainty.GUESS:
        return Certainty.CODE
    return verdict.certainty


def _bounce(says: Says, verdict: Verdict) -> Kind:
    is_temporary = (verdict.status_code or verdict.reply_code).startswith("4")
    is_uncontradicted = verdict.reason == "unknown" and not is_temporary
    is_dead = (says in (Says.DEAD, Says.FAILED) and verdict.is_hard) or (says is Says.DEAD and is_uncontradicted)
    return Kind.HARD_BOUNCE if is_dead else Kind.SOFT_BOUNCE


def smtp_reply(code: object) -> str:
    """The code if it can be an SMTP reply (RFC 5321 4.2), else nothing: providers have numbers of their own."""
    text = str(code or "")
    return text if len(text) == 3 and text.isdecimal() and text[0] in "245" else ""
