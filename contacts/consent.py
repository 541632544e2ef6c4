"""What was said of messages to an address, yes or no: kept as a record each, and what they come to.

Consent belongs to the address, as blocks do. Contacts keep a copy (`accepts_email` and so on), written here alone, so
that who asks of a million of them need not look at records. Locks are taken as in blocks.py: addresses by id, then
contacts by id.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q

from contacts import sql
from contacts.models import Address, Channel, Consent, Contact, FormerAddress, Source
from engage.database import prepared

LINKS: Final = frozenset({Source.LINK, Source.ONE_CLICK})
ADDRESS: Final = {Channel.EMAIL: "email_address", Channel.SMS: "mobile_address"}


class WeighedConsent(Protocol):
    """As much of a consent as decides what it counts for."""

    @property
    def accepts(self) -> bool: ...
    @property
    def at(self) -> datetime: ...
    @property
    def source(self) -> str: ...
    @property
    def message_id(self) -> int | None: ...


class Word(NamedTuple):
    """A consent to be recorded. (The columns of sql.RECORD_CONSENTS, in order.)"""

    address_id: int
    accepts: bool
    at: datetime
    source: Source
    message_id: int | None = None
    actor_id: int | None = None
    wording: str = ""
    via_id: int | None = None
    key: UUID | str = ""


class ConsentChange(NamedTuple):
    """What an event says of a person's consent. `contact_id` is whose message it was, `present_id` the address of the
    same channel that this person has now, as far as both are known."""

    address_id: int
    channel: Channel
    occurred_at: datetime
    message_id: int | None
    accepts: bool
    source: Source
    key: UUID
    contact_id: int | None = None
    present_id: int | None = None

    @property
    def address_ids(self) -> set[int]:
        """Where it may have to be recorded."""
        return {self.address_id} | ({self.present_id} if self.present_id else set())


def fold(said: Iterable[WeighedConsent]) -> tuple[bool, datetime | None]:
    """What consents of one address come to: whether it takes messages, and since when (None: nobody ever said).

    The latest that stands counts, a no before a yes of the same time. Neither order nor repeats matter.
    """
    told = list(said)
    words = [each for each in told if each.source != Source.UNDO and not is_undone(each, told)]
    latest = max(words, key=lambda each: (each.at, not each.accepts), default=None)
    return (True, None) if latest is None else (latest.accepts, latest.at)


def is_undone(one: WeighedConsent, told: Iterable[WeighedConsent]) -> bool:
    """Whether it was said by a link, and taken back later by the link of that same message, as `told` has it."""
    return one.source in LINKS and any(
        each.source == Source.UNDO and each.message_id == one.message_id and each.at > one.at for each in told
    )


def record_consent_changes(consent_changes: Sequence[ConsentChange], held: Collection[int]) -> None:
    """Record what events say, and let everybody who has those addresses go by it.

    A no follows the person: it is recorded for the address that they have now, too, as is its undoing. A yes is about
    the address alone at which it was said. The addresses, and the contacts who have them, must be locked; `held` are
    the numbers of these contacts.
    """
    if not consent_changes:
        return
    words, channels = list[Word](), set[Channel]()
    moved = _moved_meanwhile(consent_changes, held)
    for consent_change in consent_changes:
        channels.add(consent_change.channel)
        present_id = moved.get((consent_change.contact_id, consent_change.channel), consent_change.present_id)
        follows = not consent_change.accepts or consent_change.source == Source.UNDO
        words.append(_word(consent_change, consent_change.address_id, None))
        if follows and present_id and present_id != consent_change.address_id:
            words.append(_word(consent_change, present_id, consent_change.address_id))
    ids = sorted({word.address_id for word in words})
    adopt(ids, channels)
    record(words, channels)


def _word(consent_change: ConsentChange, address_id: int, via_id: int | None) -> Word:
    return Word(
        address_id,
        consent_change.accepts,
        consent_change.occurred_at,
        consent_change.source,
        consent_change.message_id,
        via_id=via_id,
        key=consent_change.key,
    )


def _moved_meanwhile(
    consent_changes: Sequence[ConsentChange], held: Collection[int]
) -> dict[tuple[int | None, Channel], int | None]:
    """The addresses of those who got another one between the look at them and the locking, which are locked late: so
    late that two workers may wait for each other in a circle. Then PostgreSQL takes one back, and it is tried again."""
    known = set(held)
    strays = {
        consent_change.contact_id
        for consent_change in consent_changes
        if consent_change.contact_id and consent_change.present_id
    } - known
    if not strays:
        return {}
    found = list(Contact.objects.filter(pk__in=strays).order_by("pk"))
    lock([pk for each in found for pk in (each.email_address_id, each.mobile_address_id) if pk])
    return {(each.pk, channel): getattr(each, f"{field}_id") for each in found for channel, field in ADDRESS.items()}


def record(words: Sequence[Word], channels: Iterable[Channel]) -> None:
    """Record consents of addresses of these channels, each once, and let everybody who has the addresses go by them.

    The addresses, and the contacts who have them, must be locked.
    """
    with prepared() as cursor:
        cursor.execute(sql.RECORD_CONSENTS, sql.columns(words))
    keep({word.address_id for word in words}, channels)


def adopt(address_ids: Iterable[int], channels: Iterable[Channel]) -> int:
    """Record what contacts with these addresses say past the records: a version before this one may still be running
    beside it, and writes to the contacts alone. Both must be locked. Returns how many there were."""
    ids, found = sql.numbers(sorted(address_ids)), 0
    with prepared() as cursor:
        for channel in sorted(channels):
            cursor.execute(sql.ADOPT_CONSENTS[channel], [ids])
            found += cursor.rowcount
    return found


def take_over(chunk: int = 5_000) -> int:
    """`adopt` for everybody, chunk by chunk, each a transaction of its own. Returns how many there were."""
    after, found = 0, 0
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(sql.TAKEN_OVER, [after, chunk])
                last, ids = cursor.fetchone()
            if last is None:
                return found
            after = last
            if ids:
                lock(ids)
                found += adopt(ids, Channel)
                keep(ids, Channel)


def keep(address_ids: Iterable[int], channels: Iterable[Channel]) -> None:
    """Have the contacts who have these addresses say what the records say. Both must be locked."""
    ids = sql.numbers(sorted(address_ids))
    with prepared() as cursor:
        for channel in sorted(channels):
            cursor.execute(sql.KEEP_CONSENTS[channel], {"ids": ids})


def lock(address_ids: Iterable[int]) -> set[int]:
    """Lock these addresses, then whoever has them; the numbers of the latter."""
    ids = sql.numbers(sorted(set(address_ids)))
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_ADDRESSES, [ids])
        cursor.execute(sql.LOCK_HOLDERS, [ids, ids])
        return {pk for (pk,) in cursor.fetchall()}


def hold(contact_id: int | None, typed: Mapping[Channel, str]) -> Contact | None:
    """Lock the addresses that a contact has and those that it is to get (normalised values), then the
    contact and who shares them, in the order of everybody; the contact as it is. None where there is none (any more).

    Call it in a transaction, and before anything else in there locks the contact.
    """
    mine = Contact.objects.filter(pk=contact_id) if contact_id else Contact.objects.none()
    found = mine.values_list("email_address_id", "mobile_address_id").first()
    has = {pk for pk in found or () if pk}
    wanted = Q(pk__in=has)
    for channel, value in typed.items():
        wanted |= Q(channel=channel, value=value)
    meant = set(Address.objects.filter(wanted).values_list("pk", flat=True))
    lock(meant)
    if meant - has:
        adopt(meant - has, Channel)
    return mine.select_for_update(no_key=True).first() if contact_id else None


def as_before(before: Contact | None, after: Contact, wanted: Mapping[Channel, bool], at: datetime) -> list[Channel]:
    """Have a contact that is about to be saved accept what it did before, until `of_edit` has asked its addresses.

    Where it has none, what a person wants counts as it is. Returns the channels of which that is news.
    """
    noted = []
    for channel, field in ADDRESS.items():
        accepted, since = (True, None) if before is None else _kept(before, channel)
        if wanted[channel] != accepted and getattr(after, f"{field}_id") is None:
            noted.append(channel)
            accepted, since = wanted[channel], at
        setattr(after, f"accepts_{channel.value}", accepted)
        setattr(after, f"{channel.value}_consent_at", since)
    return noted


def _kept(contact: Contact, channel: Channel) -> tuple[bool, datetime | None]:
    if channel == Channel.EMAIL:
        return contact.accepts_email, contact.email_consent_at
    return contact.accepts_sms, contact.sms_consent_at


def of_edit(
    before: Contact | None,
    after: Contact,
    wanted: Mapping[Channel, bool],
    *,
    actor_id: int | None,
    why: str,
    at: datetime,
) -> None:
    """Record what a person changed as they saved a contact: the consent itself (`wanted`), or the address.

    A no goes with the person to a new address, as of the time when it was said; so whatever was said there later
    counts. `after` is saved, and gets what its addresses say. Locked as `hold` does.
    """
    words, channels, news = list[Word](), set[Channel](), set[int]()
    for channel, field in ADDRESS.items():
        old, new = (getattr(each, f"{field}_id") if each else None for each in (before, after))
        accepted = before is None or accepts(before, channel)
        is_said = wanted[channel] != accepted
        if old and old != new and before:
            FormerAddress.objects.get_or_create(address_id=old, contact=after)
        if not new or not (is_said or old != new):
            continue
        channels.add(channel)
        news.add(new)
        if is_said:
            words.append(Word(new, wanted[channel], at, Source.ADMINISTRATOR, None, actor_id, why, key=uuid4()))
        elif before and not accepted:
            words.append(_brought_along(before, channel, old, new, at))
    if words:
        record(words, channels)
    if news:
        keep(news, channels)
        after.refresh_from_db(fields=["accepts_email", "accepts_sms", "email_consent_at", "sms_consent_at"])


def _brought_along(before: Contact, channel: Channel, old: int | None, new: int, at: datetime) -> Word:
    said = latest([old]).get(old) if old else None
    if said is None or said.accepts:
        since = getattr(before, f"{channel.value}_consent_at") or at
        source = Source.MIGRATION if old else Source.ADMINISTRATOR
        return Word(new, False, since, source, via_id=old, key=uuid4())
    return Word(
        new,
        False,
        said.at,
        Source(said.source),
        said.message_id,
        said.actor_id,
        said.wording,
        said.via_id or old,
        said.key,
    )


def accepts(contact: Contact, channel: Channel) -> bool:
    return contact.accepts_email if channel == Channel.EMAIL else contact.accepts_sms


def told_of(address_ids: Iterable[int | None]) -> dict[int, list[Consent]]:
    """All that was said at these addresses, by address, the newest first. One query."""
    told: dict[int, list[Consent]] = {}
    wanted = [pk for pk in address_ids if pk]
    found = Consent.objects.filter(address__in=wanted).select_related("actor", "via").order_by("-at", "accepts", "key")
    for each in found if wanted else ():
        told.setdefault(each.address_id, []).append(each)
    return told


def latest(address_ids: Iterable[int | None]) -> dict[int, Consent]:
    """By address, the consent that decides, or the undoing that left a yes; none where nobody ever said. One query."""
    return {pk: found for pk, said in told_of(address_ids).items() if (found := decisive(said)) is not None}


def decisive(said: Sequence[Consent]) -> Consent | None:
    """Of what was said at one address, what decides."""
    is_yes = fold(said)[0]
    those = [
        each for each in said if each.accepts == is_yes and (each.source == Source.UNDO or not is_undone(each, said))
    ]
    return max(those, key=lambda each: (each.at, each.key), default=None)


def stands_besides(address_ids: Iterable[int | None], message_id: int) -> Consent | None:
    """The no that would stand at one of the addresses if the links of this message had said nothing. One query."""
    for said in told_of(address_ids).values():
        others = [each for each in said if each.source not in LINKS or each.message_id != message_id]
        found = decisive(others)
        if found is not None and not found.accepts:
            return found
    return None


def is_out(address_ids: Iterable[int | None]) -> bool:
    """Whether each of the addresses said no. One query."""
    wanted = {pk for pk in address_ids if pk}
    told = told_of(wanted)
    return all(pk in told and not fold(told[pk])[0] for pk in wanted)
