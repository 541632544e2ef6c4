"""Send-outs, messages, raw reports and the events read out of them."""

from contextlib import suppress
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from contacts.models import Address, Channel, Contact
from messaging.bounces.certainty import Certainty
from messaging.delivery.models import Pace, SlowDown
from messaging.sendouts.models import (
    AddressList,
    Batch,
    Content,
    Installation,
    LeftOut,
    ListedAddress,
    MasterControl,
    Movement,
    Progress,
    Restore,
    SendOut,
    SendOutChange,
    Total,
)
from messaging.sendouts.outcome.models import Heard, Outcome, ReadUpTo, Stretch
from messaging.sendouts.tags import plainly
from messaging.status.order import GUESSES, OPEN_STATUSES, Caveat, Kind, Status

__all__ = [
    "AddressList", "Alarm", "Batch", "Content", "DeliveryEvent", "Heard", "Installation", "LeftOut", "ListedAddress",
    "MasterControl", "Message", "Movement", "OldTokens", "Outcome", "Pace", "Part", "Progress", "ReadUpTo", "Report",
    "Restore", "SendOut", "SendOutChange", "SlowDown", "Stretch", "Tally", "Total", "UnlistedCode",
]  # fmt: skip


def title_of(subject: str, of_send_out: str, name_of_send_out: str) -> str:
    """What a marketer knows a message by: its own subject, else its send-out's, else the send-out's name."""
    return subject or plainly(of_send_out) or name_of_send_out or str(_("No subject"))


class Message(models.Model):
    """One email or SMS to one contact at one address. `status` is written by messaging/ledger/record.py alone.

    A new row is Waiting, or Control group where sendouts/making.py makes it; from then on only the ledger moves it.

    No index may contain the status, nor anything else that a report changes as a rule: PostgreSQL can then rewrite
    the row in its own page (HOT). That is why `due_at` stays until it has passed, even when the message is final.
    """

    channel = models.CharField(_("channel"), max_length=5, choices=Channel)
    send_out = models.ForeignKey(
        SendOut, models.PROTECT, null=True, blank=True, verbose_name=_("send-out"), db_index=False
    )
    # A deleted contact leaves its messages behind, nameless: what was sent stays true.
    contact = models.ForeignKey(Contact, models.SET_NULL, null=True, blank=True, db_index=False)
    address = models.ForeignKey(Address, models.PROTECT, db_index=False)
    subject = models.CharField(_("subject"), max_length=250, blank=True, help_text=_("Empty: the send-out's"))
    # What it says; empty for what was not made here. Set when the row is made; hand-over sets it anew where it uses a
    # later version. No constraint: a check per row, and contents are never deleted.
    content = models.ForeignKey(
        Content, models.DO_NOTHING, null=True, blank=True, verbose_name=_("content"), db_constraint=False,
        db_index=False,
    )  # fmt: skip
    provider = models.CharField(_("provider"), max_length=30, blank=True)
    provider_message_id = models.CharField(_("provider's message id"), max_length=255, null=True, blank=True)  # noqa: DJ001 -- null keeps the index small
    created_at = models.DateTimeField(_("created"), db_default=Now())
    sent_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    due_at = models.DateTimeField(_("gives up on"), null=True, blank=True)
    # How often hand-over was tried, and when it is tried again; empty where no further attempt is planned. The first
    # one has no time here: it comes with the message's Batch.
    attempts = models.SmallIntegerField(_("attempts"), default=0, db_default=0, editable=False)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True, editable=False)
    status = models.CharField(_("status"), max_length=13, choices=Status, default=Status.WAITING, db_default="waiting")
    # The place of the winning event in the order of statuses.rank_of, and its key.
    rank = models.BigIntegerField(default=0, db_default=0, editable=False)
    decided_by = models.UUIDField(null=True, blank=True, editable=False)
    status_at = models.DateTimeField(_("status since"), null=True, blank=True)
    is_opened = models.BooleanField(_("opened"), default=False, db_default=False)
    is_opened_by_person = models.BooleanField(_("opened by a person"), default=False, db_default=False)
    # A long SMS travels in parts: how many were handed over, and how many are known to have arrived.
    # Not "positive": its CHECK would have PostgreSQL read the whole table under lock in the migration.
    parts = models.SmallIntegerField(_("parts"), default=1, db_default=1)
    parts_arrived = models.SmallIntegerField(_("parts arrived"), default=0, db_default=0, editable=False)
    parts_arrived_at = models.DateTimeField(_("last part arrived"), null=True, blank=True, editable=False)
    reason = models.CharField(_("reason"), max_length=40, blank=True, db_default="")
    code = models.CharField(_("code"), max_length=60, blank=True, db_default="")
    diagnostic = models.TextField(_("the server's own words"), blank=True, db_default="")
    said_by = models.CharField(_("said by"), max_length=255, blank=True, db_default="")

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints: ClassVar = [models.UniqueConstraint(fields=["send_out", "contact"], name="one_message_each")]
        indexes: ClassVar = [
            models.Index("contact", F("id").desc(), name="message_of_contact"),
            models.Index("due_at", "id", condition=Q(due_at__isnull=False), name="message_due"),
            models.Index("next_attempt_at", "id", condition=Q(next_attempt_at__isnull=False), name="message_retry"),
            models.Index(
                "provider_message_id",
                "provider",
                condition=Q(provider_message_id__isnull=False),
                name="message_by_provider_id",
            ),
            BrinIndex("sent_at", name="message_sent_at", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.status}"

    def get_absolute_url(self) -> str:
        return reverse("messaging:details", args=[self.pk])

    @property
    def title(self) -> str:
        """What a marketer knows the message by."""
        send_out = self.send_out
        return title_of(self.subject, send_out.subject if send_out else "", send_out.name if send_out else "")

    @property
    def is_final(self) -> bool:
        return self.status not in OPEN_STATUSES

    @property
    def is_probably_automatic(self) -> bool:
        """Opened, but by nobody that we know to be a person."""
        return self.status == Status.OPENED and not self.is_opened_by_person

    @property
    def is_guessed(self) -> bool:
        """Whether nothing proves that what it shows is about it."""
        return self.rank in GUESSES


class Part(models.Model):
    """A further name of a message: the id that its gateway gave one of its parts. Written when it is handed over.

    `is_guessed`: written when a receipt came for a message in doubt, whose ids nobody had heard (doubts.py).
    """

    message = models.ForeignKey(Message, models.DO_NOTHING, db_constraint=False, db_index=False)
    provider = models.CharField(_("provider"), max_length=30)
    provider_message_id = models.CharField(_("provider's message id"), max_length=255)
    is_guessed = models.BooleanField(_("guessed by number and time"), default=False, db_default=False)

    class Meta:
        verbose_name = _("part of a message")
        verbose_name_plural = _("parts of messages")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider_message_id", "provider"], name="part_by_provider_id")
        ]
        indexes: ClassVar = [models.Index("message", name="part_of_message")]

    def __str__(self) -> str:
        return f"{self.provider} {self.provider_message_id}"


class Report(models.Model):
    """What a provider sent us, raw, kept as it came; an inbox until its events are applied."""

    class State(models.TextChoices):
        NEW = "new", _("New")
        APPLIED = "applied", _("Applied")
        UNMATCHED = "unmatched", _("Waiting for its message")
        SET_ASIDE = "set_aside", _("Set aside: no such message")
        UNREADABLE = "unreadable", _("Could not be read")

    provider = models.CharField(_("provider"), max_length=30)
    received_at = models.DateTimeField(_("received"), db_default=Now())
    # Where it was posted to, with the query: providers sign it, and our token may travel in it.
    path = models.CharField(_("path"), max_length=500, blank=True, db_default="")
    content_type = models.CharField(_("content type"), max_length=200, blank=True, db_default="")
    # Those that the provider's adapter needs for reading; never credentials.
    headers = models.JSONField(_("headers"), default=dict, db_default={}, blank=True)
    body = models.BinaryField(_("body"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.NEW, db_default="new")
    # When a worker is to look at it (again); empty: nothing left to do.
    next_at = models.DateTimeField(_("next try"), null=True, blank=True, db_default=Now())
    tries = models.PositiveSmallIntegerField(_("tries"), default=0, db_default=0)
    events = models.PositiveIntegerField(_("events"), default=0, db_default=0)
    unmatched = models.PositiveIntegerField(_("events without a message"), default=0, db_default=0)
    error = models.TextField(_("error"), blank=True, db_default="")
    # So that a report that is replayed or tried again does not count as a further one.
    is_counted = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        indexes: ClassVar = [
            models.Index("next_at", "id", condition=Q(next_at__isnull=False), name="report_inbox"),
            # What may want a person (support/messages.py). Few reports are ever in here, and settling one moves its
            # `next_at` out of the inbox's index anyway, so it cannot be HOT: this index costs it nothing more.
            models.Index(
                "state",
                F("id").desc(),
                condition=Q(state__in=("unreadable", "set_aside", "unmatched")),
                name="report_look",
            ),
            BrinIndex("received_at", name="report_received_at", autosummarize=True),
            # Of mail alone: how much waits to be read, and how much is kept.
            models.Index("id", condition=Q(provider="mail", state="new"), name="report_mail_waits"),
            models.Index("id", condition=Q(provider="mail") & ~Q(state="new"), name="report_mail_read"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.pk}"


class Claim(models.Model):
    """Reports that a worker is about to read, or those of a worker that died. Written by inbox/claims.py alone."""

    reports = ArrayField(models.BigIntegerField(), verbose_name=_("reports"))
    # How many workers have died while they held them.
    deaths = models.PositiveSmallIntegerField(_("deaths"), default=0, db_default=0)
    # Empty: nobody yet.
    taken_at = models.DateTimeField(_("taken"), null=True, db_default=Now())

    class Meta:
        verbose_name = _("claim")
        verbose_name_plural = _("claims")

    def __str__(self) -> str:
        return f"{self.pk}"


class DeliveryEvent(models.Model):
    """One fact out of a report about one message: append-only. Its key is what makes a repeat drop out.

    No foreign key constraints: a check per event would cost more than the event, and messages are never deleted. And
    one index for message and key together, since a second random one costs a tenth of what applying an event does: it
    is the primary key of the table. Django's admin takes no such key, so for Django that is `key` by itself; it has no
    index of its own, and whoever looks for an event names its message, too.
    """

    key = models.UUIDField(primary_key=True, editable=False)
    message = models.ForeignKey(Message, models.DO_NOTHING, related_name="events", db_constraint=False, db_index=False)
    report = models.ForeignKey(Report, models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_index=False)
    provider = models.CharField(_("provider"), max_length=30)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    occurred_at = models.DateTimeField(_("occurred"))
    recorded_at = models.DateTimeField(_("recorded"), db_default=Now())
    reason = models.CharField(_("reason"), max_length=40, blank=True, db_default="")
    reply_code = models.CharField(_("SMTP reply"), max_length=3, blank=True, db_default="")
    status_code = models.CharField(_("enhanced status code"), max_length=11, blank=True, db_default="")
    provider_code = models.CharField(_("gateway code"), max_length=40, blank=True, db_default="")
    diagnostic = models.TextField(_("the server's own words"), blank=True, db_default="")
    said_by = models.CharField(_("said by"), max_length=255, blank=True, db_default="")
    is_automatic = models.BooleanField(_("by a machine"), default=False, db_default=False)
    caveat = models.CharField(_("caveat"), max_length=9, choices=Caveat, blank=True, default="", db_default="")
    # Of a mail server's words; empty where none were judged, or before this was kept.
    certainty = models.CharField(_("how sure"), max_length=5, choices=Certainty, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("delivery event")
        verbose_name_plural = _("delivery events")
        constraints: ClassVar = [models.UniqueConstraint(fields=["message", "key"], name="event_once")]
        indexes: ClassVar = [BrinIndex("recorded_at", name="event_recorded_at", autosummarize=True)]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def place(self) -> str:
        """What stands for it in the address of a page: see `at_place`."""
        return f"{self.message_id}.{self.key}"

    @classmethod
    def at_place(cls, place: str) -> Self | None:
        """The event with its message; None where there is none, or where that is no place."""
        number, _dot, key = place.partition(".")
        with suppress(ValueError):
            return cls.objects.select_related("message").filter(message_id=int(number), key=UUID(key)).first()
        return None


class Tally(models.Model):
    """What came from a provider within an hour. A report counts in the hour in which it was received, and once."""

    provider = models.CharField(_("provider"), max_length=30)
    hour = models.DateTimeField(_("hour"))
    reports = models.BigIntegerField(_("reports"), default=0, db_default=0)
    events = models.BigIntegerField(_("events"), default=0, db_default=0)
    unreadable = models.BigIntegerField(_("could not be read"), default=0, db_default=0)
    # Of the reports that named no message of ours when they were first read, those that never did.
    unmatched = models.BigIntegerField(_("waited for their message"), default=0, db_default=0)
    set_aside = models.BigIntegerField(_("set aside"), default=0, db_default=0)
    refused = models.BigIntegerField(_("refused"), default=0, db_default=0)
    # Of mail: deleted before its time, and told to come again (incoming/room.py, retention.py).
    dropped = models.BigIntegerField(_("dropped"), default=0, db_default=0)
    put_off = models.BigIntegerField(_("put off"), default=0, db_default=0)
    last_at = models.DateTimeField(_("last report"), null=True, blank=True)
    refused_at = models.DateTimeField(_("last refusal"), null=True, blank=True)

    class Meta:
        verbose_name = _("reports of an hour")
        verbose_name_plural = _("reports by the hour")
        permissions: ClassVar = [("see_providers", "Can see how the providers are doing")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "hour"], name="tally_once_an_hour")]

    def __str__(self) -> str:
        return f"{self.provider} {self.hour:%Y-%m-%d %H:00}"


class UnlistedCode(models.Model):
    """A code of a provider that our table for its code space lacks: it shows as the provider's own class."""

    provider = models.CharField(_("provider"), max_length=30)
    space = models.CharField(_("table"), max_length=40)
    code = models.CharField(_("code"), max_length=60)
    count = models.BigIntegerField(_("how often"), default=0, db_default=0)
    first_at = models.DateTimeField(_("first seen"))
    last_at = models.DateTimeField(_("last seen"))
    report = models.ForeignKey(
        Report, models.DO_NOTHING, verbose_name=_("latest report"), db_constraint=False, db_index=False
    )

    class Meta:
        verbose_name = _("unlisted code")
        verbose_name_plural = _("unlisted codes")
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "space", "code"], name="unlisted_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.space} {self.code}"


class BlockRule(models.Model):
    """When soft bounces in a row block an address of a channel: `bounces` within `days`, for one of `reasons`.

    Without a row, messaging/suppression/rules.py has the rule that counts.
    """

    channel = models.CharField(_("channel"), max_length=5, choices=Channel, unique=True)
    is_on = models.BooleanField(_("on"), default=False)
    bounces = models.PositiveSmallIntegerField(_("soft bounces in a row"))
    days = models.PositiveSmallIntegerField(_("within days"))
    reasons = models.JSONField(_("reasons"), default=list)
    changed_at = models.DateTimeField(_("changed"), db_default=Now())
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    # Empty while a worker applies it to the addresses that are there already.
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)

    class Meta:
        verbose_name = _("block rule")
        verbose_name_plural = _("block rules")

    def __str__(self) -> str:
        return self.channel


class OutageRule(models.Model):
    """From when on the hard bounces of a receiving domain look like its outage. One row, or none: the defaults."""

    is_on = models.BooleanField(_("on"), default=True)
    addresses = models.PositiveIntegerField(_("addresses"))
    hours = models.PositiveSmallIntegerField(_("within hours"))
    share = models.PositiveSmallIntegerField(_("share that took mail lately, per cent"))
    alive_days = models.PositiveSmallIntegerField(_("lately, in days"))
    times = models.PositiveSmallIntegerField(_("times as many as in an ordinary week"))
    rate = models.PositiveSmallIntegerField(_("of all that was sent there, per cent"))
    # Of emails: see follow.py.
    needs_second = models.BooleanField(_("guessed hard bounces need a second one"), default=True, db_default=True)
    changed_at = models.DateTimeField(_("changed"), db_default=Now())
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("outage rule")
        verbose_name_plural = _("outage rules")

    def __str__(self) -> str:
        return f"{self.addresses} in {self.hours} h"


class OldTokens(models.Model):
    """Up to which message tokens without a purpose may exist, and since when none are made (tokens.py). One row, of the
    migration that began it; none: there are none."""

    last_message = models.BigIntegerField(_("last message"))
    at = models.DateTimeField(_("since"), db_default=Now())

    class Meta:
        verbose_name = _("old tokens")
        verbose_name_plural = _("old tokens")

    def __str__(self) -> str:
        return f"up to {self.last_message}"


class Alarm(models.Model):
    """From when until when something was wrong with a provider's reports, a way out was away, or Engage was stuck.

    Written by messaging/monitoring/alarms.py alone.
    """

    class Kind(models.TextChoices):
        SILENT = "silent", _("Silent")
        REFUSED = "refused", _("Signatures fail")
        AWAY = "away", _("Nothing leaves")
        # Of Engage itself (ENGAGE in the place of a provider).
        STILL = "still", _("A send-out stands still")
        QUEUE = "queue", _("The queue does not move")
        WRITES = "writes", _("Nothing can be written")

    ENGAGE: ClassVar = "engage"

    provider = models.CharField(_("provider"), max_length=30)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind)
    started_at = models.DateTimeField(_("start"))
    ended_at = models.DateTimeField(_("end"), null=True, blank=True)
    # Of a way out that is away: why (delivery/away.py), in whose words, how often in a row it was tried in vain, and
    # when it may be tried next.
    cause = models.CharField(_("cause"), max_length=11, default="", db_default="", blank=True)
    detail = models.TextField(_("in their words"), default="", db_default="", blank=True)
    tries = models.SmallIntegerField(_("tries"), default=0, db_default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "kind"], condition=Q(ended_at=None), name="alarm_once_open")
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind}"
