"""What became of a send-out, as its page shows it: read from what keeping.py keeps, two rows and a few sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models.fields.json import KeyTransform
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.bounces.reasons import OUTCOME_UNKNOWN, reason_of
from messaging.models import Content, SendOut
from messaging.sendouts.contents import addresses_of_links
from messaging.sendouts.outcome import keeping, sql
from messaging.sendouts.outcome.models import Outcome
from messaging.status.order import Status

BOUNCES: Final = (Status.HARD_BOUNCE, Status.SOFT_BOUNCE, Status.FAILED, Status.EXPIRED)
# Hours until giving up, as the page groups them.
LEFT: Final = (1, 6, 24, 48, 72)


@dataclass(frozen=True, slots=True)
class Domain:
    """What became of the emails to a receiving domain; without a name, of those to all others."""

    name: str
    counts: Mapping[str, int]

    @property
    def sent(self) -> int:
        return sum(n for status, n in self.counts.items() if status != Status.WAITING)

    @property
    def delivered(self) -> int:
        """The opened ones among them."""
        return self.counts.get(Status.DELIVERED, 0) + self.opened

    @property
    def opened(self) -> int:
        return self.counts.get(Status.OPENED, 0)

    @property
    def soft(self) -> int:
        return self.counts.get(Status.SOFT_BOUNCE, 0)

    @property
    def hard(self) -> int:
        return self.counts.get(Status.HARD_BOUNCE, 0)

    @property
    def deferred(self) -> int:
        return self.counts.get(Status.DEFERRED, 0)

    @property
    def share(self) -> float:
        """Delivered, per cent."""
        return 100 * self.delivered / self.sent if self.sent else 0.0


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many messages show a status for a reason."""

    status: Status
    slug: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """What is on hold: how many until when, by the hour; later than the last one there is none."""

    count: int
    # (within so many hours, how many give up by then unless they are delivered), and so for the attempts.
    left: list[tuple[int, int]] = field(default_factory=list)
    attempts: list[tuple[int, int]] = field(default_factory=list)
    next_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def rows(self) -> list[tuple[int, int, int]]:
        """Within so many hours: how many are tried again, and how many given up; each row with those before it."""
        found, tried, given_up = [], 0, 0
        for hours in sorted(dict(self.attempts) | dict(self.left)):
            tried += dict(self.attempts).get(hours, 0)
            given_up += dict(self.left).get(hours, 0)
            found.append((hours, tried, given_up))
        return found


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """A link of the content: how often it was clicked by people, in how many messages, and how often by programs."""

    address: str
    clicks: int
    messages: int
    by_programs: int


@dataclass(frozen=True, slots=True)
class EventSums:
    """Sums over all time: how often, and of how many messages."""

    events: Mapping[tuple[str, str], int]
    messages: Mapping[tuple[str, str], int]

    def often(self, figure: str) -> int:
        return sum(n for (name, _link), n in self.events.items() if name == figure)

    def of(self, figure: str) -> int:
        return sum(n for (name, _link), n in self.messages.items() if name == figure)


@dataclass(frozen=True, slots=True)
class Became:
    """All of it, as of a time."""

    as_of: datetime
    statuses: Mapping[str, int]
    domains: list[Domain]
    reasons: list[ReasonCount]
    deferred: Deferred
    opened_by_people: int
    opened_by_programs: int
    opens: int
    clicks: int
    clickers: int
    clicks_by_programs: int
    links: list[LinkClicks]
    unsubscribed: int
    complained: int


def outcome_of(send_out: SendOut, now: datetime | None = None) -> Became | None:
    """None where nobody has counted yet."""
    row, as_of = Outcome.objects.filter(pk=send_out.pk).first(), keeping.as_of(send_out.pk)
    if row is None or as_of is None:
        return None
    counts, heard = dict(row.counts), heard_of(send_out.pk)
    return Became(
        as_of=as_of,
        statuses=_under(counts, "status/"),
        domains=_domains(counts, row.domains),
        reasons=_reasons(counts, send_out.channel),
        deferred=_deferred(counts, now or timezone.now()),
        opened_by_people=counts.get("opened/person", 0),
        opened_by_programs=counts.get("opened/program", 0),
        opens=heard.often("opened") + heard.often("auto_opened"),
        clicks=heard.often("clicked"),
        clickers=heard.of("clickers"),
        clicks_by_programs=heard.often("auto_clicked"),
        links=_links(send_out.content, heard),
        unsubscribed=heard.of("unsubscribed"),
        complained=heard.of("complained"),
    )


def in_doubt(send_out_id: int) -> int:
    """How many of its messages show Unknown as nobody heard whether they left."""
    counted = KeyTransform(f"reason/{Status.UNKNOWN}/{OUTCOME_UNKNOWN}", "counts")
    return Outcome.objects.filter(pk=send_out_id).values_list(counted, flat=True).first() or 0


def heard_of(send_out_id: int) -> EventSums:
    with connection.cursor() as cursor:
        cursor.execute(sql.HEARD, [send_out_id])
        rows = cursor.fetchall()
    return EventSums(
        {(figure, link): events for figure, link, events, _messages in rows},
        {(figure, link): messages for figure, link, _events, messages in rows},
    )


def _under(counts: Mapping[str, int], beginning: str) -> dict[str, int]:
    return {key.removeprefix(beginning): n for key, n in counts.items() if key.startswith(beginning)}


def _domains(counts: Mapping[str, int], ranked: Iterable[str]) -> list[Domain]:
    found: dict[str, dict[str, int]] = {}
    for key, n in _under(counts, "domain/").items():
        name, _slash, status = key.rpartition("/")
        found.setdefault(name, {})[status] = n
    named = [Domain(name, found[name]) for name in ranked if name in found]
    return [*named, Domain("", found[""])] if "" in found else named


def _reasons(counts: Mapping[str, int], channel: str) -> list[ReasonCount]:
    """Bounces only, each status by itself, the most first."""
    found = []
    for key, n in _under(counts, "reason/").items():
        status, _slash, slug = key.partition("/")
        if status in BOUNCES:
            found.append(ReasonCount(Status(status), slug, label_of(slug, status, channel), n))
    return sorted(found, key=lambda each: (BOUNCES.index(each.status), -each.count, each.slug))


def label_of(slug: str, status: str, channel: str) -> str:
    if slug == "gave_up":
        return _("Gave up after 72 hours") if status == Status.SOFT_BOUNCE else _("Not delivered within 48 hours")
    return reason_of(slug).label(channel) if slug else _("Nobody gave a reason")


def _deferred(counts: Mapping[str, int], now: datetime) -> Deferred:
    due, attempts = _by_hour(counts, "due/"), _by_hour(counts, "next/")
    return Deferred(
        counts.get("status/deferred", 0), _grouped(due, now), _grouped(attempts, now),
        min(attempts, default=None), max(due) + timedelta(hours=1) if due else None,
    )  # fmt: skip


def _by_hour(counts: Mapping[str, int], beginning: str) -> dict[datetime, int]:
    return {datetime.fromtimestamp(int(hour), UTC): n for hour, n in _under(counts, beginning).items()}


def _grouped(by_hour: Mapping[datetime, int], now: datetime) -> list[tuple[int, int]]:
    """(within so many hours, how many), without what would be 0; what is overdue counts as within the first."""
    found: dict[int, int] = {}
    for hour, n in by_hour.items():
        left = next((hours for hours in LEFT if hour < now + timedelta(hours=hours)), LEFT[-1])
        found[left] = found.get(left, 0) + n
    return sorted(found.items())


def _links(content: Content | None, heard: EventSums) -> list[LinkClicks]:
    """The most clicked first; those of a provider that does not say which come last."""
    known = addresses_of_links(content.html) if content else {}
    names = {link for figure, link in heard.events if figure in ("clicked", "auto_clicked")}
    found = [
        LinkClicks(
            _address(link, known), heard.events.get(("clicked", link), 0), heard.messages.get(("clicked", link), 0),
            heard.events.get(("auto_clicked", link), 0),
        )
        for link in names | {f"link {number}" for number in known}
    ]  # fmt: skip
    return sorted(found, key=lambda each: (not each.address, -each.clicks, each.address))


def _address(link: str, known: Mapping[int, str]) -> str:
    """Empty where nobody said which link it was."""
    number = link.removeprefix("link ")
    return known.get(int(number), link) if number.isascii() and number.isdigit() else ""
