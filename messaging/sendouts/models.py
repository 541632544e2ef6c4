"""A send-out, what it says, whom it goes to, whom it leaves out, and how far it is."""

import secrets
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, Final

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from contacts.models import Address, Channel, Contact
from messaging.sendouts.tags import plainly

# A control group of more than half of the audience is a slip.
LARGEST_PERCENTAGE: Final = Decimal(50)
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


def new_seed() -> int:
    """A random bigint, not negative: whom it draws is settled by it, for ever."""
    return secrets.randbits(63)


def everybody() -> dict[str, object]:
    return {"kind": "all"}


class State(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")


class SendOut(models.Model):
    """One dispatch of one content to an audience over one channel. `state` is written by lifecycle.py alone."""

    name = models.CharField(_("name"), max_length=200)
    channel = models.CharField(_("channel"), max_length=5, choices=Channel)
    sender_name = models.CharField(_("sender's name"), max_length=100, blank=True, db_default="")
    # An email address; for SMS a number or up to eleven letters and digits.
    sender = models.CharField(_("sender"), max_length=320, blank=True, db_default="")
    # That of its content, beside it so that a list of messages need not read the content.
    subject = models.CharField(_("subject"), max_length=250, blank=True)
    content = models.ForeignKey(
        "messaging.Content", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("content")
    )
    # Read and written through audience.py, which knows its closed form.
    audience = models.JSONField(_("audience"), default=everybody, db_default={"kind": "all"})
    # Goes to who has opted out, too, never to blocked addresses; it has no control groups.
    is_transactional = models.BooleanField(_("transactional"), default=False, db_default=False)
    tracks_opens = models.BooleanField(_("notices opens"), default=True, db_default=True)
    tracks_clicks = models.BooleanField(_("notices clicks"), default=True, db_default=True)
    control_percentage = models.DecimalField(
        _("control group, per cent"), max_digits=4, decimal_places=2, default=Decimal(0), db_default=Decimal(0),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(LARGEST_PERCENTAGE)],
    )  # fmt: skip
    control_seed = models.BigIntegerField(default=new_seed, db_default=0, editable=False)
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.DRAFT, db_default="draft")
    state_at = models.DateTimeField(_("in this state since"), db_default=Now(), editable=False)
    # Of one that Engage itself has paused: at the return of which way out it goes on.
    waits_for = models.CharField(max_length=30, default="", db_default="", blank=True, editable=False)
    scheduled_at = models.DateTimeField(_("starts"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )

    class Meta:
        verbose_name = _("send-out")
        verbose_name_plural = _("send-outs")
        permissions: ClassVar = [
            ("make_sendout", _("Can make send-outs and start them")),
            ("steer_sendout", _("Can pause, resume and cancel send-outs")),
            ("export_sendout", _("Can export the messages of send-outs")),
            ("set_master_control", _("Can set the master control group")),
        ]
        indexes: ClassVar = [
            # What beat looks after every few seconds. Few are ever in here.
            models.Index("state", "id", condition=Q(state__in=("scheduled", "sending")), name="sendout_at_work")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("messaging:send_out", args=[self.pk])

    @property
    def shown_subject(self) -> str:
        return plainly(self.subject)


class Content(models.Model):
    """What a send-out says, in one version. Never changed: an edit is the next version, so what was sent stays true."""

    send_out = models.ForeignKey(SendOut, models.PROTECT, related_name="contents")
    version = models.PositiveIntegerField(_("version"))
    subject = models.CharField(_("subject"), max_length=250, blank=True)
    html = models.TextField(_("HTML"), blank=True)
    # From which the HTML was made; empty where it was written as HTML.
    mjml = models.TextField(_("MJML"), blank=True, db_default="")
    text = models.TextField(_("text"), blank=True, help_text=_("Of an email, or of the SMS"))
    created_at = models.DateTimeField(_("created"), db_default=Now())
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("content")
        verbose_name_plural = _("contents")
        constraints: ClassVar = [models.UniqueConstraint(fields=["send_out", "version"], name="content_once")]

    def __str__(self) -> str:
        return f"{self.send_out_id} v{self.version}"


# What can be edited in a draft, as its history names it.
EDITABLE: Final[dict[str, str | Promise]] = {
    "audience": _("audience"),
    "sender": _("sender"),
    "content": _("content"),
    "setting": _("control group and settings"),
}


class SendOutChange(models.Model):
    """One line of a send-out's history: when, who, what. Nobody: Engage itself."""

    class Kind(models.TextChoices):
        CREATED = "created", _("Created")
        EDITED = "edited", _("Edited")
        SCHEDULED = "scheduled", _("Scheduled")
        UNSCHEDULED = "unscheduled", _("Taken back to draft")
        STARTED = "started", _("Started")
        PAUSED = "paused", _("Paused")
        RESUMED = "resumed", _("Resumed")
        CANCELLED = "cancelled", _("Cancelled")
        DONE = "done", _("Done")
        TESTED = "tested", _("Test sent")

    send_out = models.ForeignKey(SendOut, models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField(_("when"), db_default=Now())
    kind = models.CharField(_("what"), max_length=11, choices=Kind)
    detail = models.CharField(_("more"), max_length=200, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("change of a send-out")
        verbose_name_plural = _("changes of send-outs")
        indexes: ClassVar = [models.Index("send_out", F("id").desc(), name="change_of_sendout")]

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.kind}"

    @property
    def more(self) -> str:
        """`detail` in words."""
        is_edit = self.kind == self.Kind.EDITED
        return str(EDITABLE.get(self.detail, self.detail)) if is_edit else self.detail


class Why(models.TextChoices):
    """Why a member of the audience gets nothing, in the order in which it is asked: the first that holds counts.

    The control group stands apart: its members do get a row, which says so.
    """

    NO_ADDRESS = "no_address", _("No address")
    BLOCKED = "blocked", _("Address blocked")
    OPTED_OUT = "opted_out", _("Unsubscribed")
    DUPLICATE = "duplicate", _("Same address as somebody else")
    MASTER_CONTROL = "master_control", _("Master control group")


class LeftOut(models.Model):
    """A member of the audience whom the send-out left out, and why. Written with the rows of the messages."""

    send_out = models.ForeignKey(SendOut, models.CASCADE, db_index=False, db_constraint=False)
    contact = models.ForeignKey(Contact, models.CASCADE, db_constraint=False)
    why = models.CharField(_("why"), max_length=14, choices=Why)

    class Meta:
        verbose_name = _("left out")
        verbose_name_plural = _("left out")
        constraints: ClassVar = [models.UniqueConstraint(fields=["send_out", "contact"], name="left_out_once")]

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.contact_id} {self.why}"


class Progress(models.Model):
    """How far the rows of a send-out are made. Exists from its start on; whoever makes rows holds this one locked."""

    send_out = models.OneToOneField(SendOut, models.CASCADE, primary_key=True)
    # Contacts up to this number were looked at; those above `until` came after the start and are no part of it.
    after = models.BigIntegerField(_("looked at up to contact"), default=0, db_default=0)
    until = models.BigIntegerField(_("last contact"))
    # The master control group as it was at the start (control.Master), lest half of the rows know another one.
    master = models.JSONField(default=dict, db_default={})
    rows_done_at = models.DateTimeField(_("all rows made"), null=True, blank=True)
    # All of its messages lie between these two; others' may lie in between.
    first_message = models.BigIntegerField(null=True, blank=True)
    last_message = models.BigIntegerField(null=True, blank=True)
    # [seconds since 1970, rows made, messages no longer waiting], every few seconds while it runs: what a rate is of.
    marks = models.JSONField(default=list, db_default=[])

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.after}/{self.until}"


class Batch(models.Model):
    """The messages that one chunk made: what hand-over claims. Those of the send-out with a number in this range.

    Made with the rows, in their transaction, for the messages that wait; hand-over alone writes it from then on.
    """

    send_out = models.ForeignKey(SendOut, models.CASCADE, db_index=False)
    first_message = models.BigIntegerField()
    last_message = models.BigIntegerField()
    messages = models.IntegerField(_("messages"))
    # By which turn of which worker, and when it last said so (delivery/heartbeat.py).
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    claimed_by = models.UUIDField(null=True, blank=True)
    done_at = models.DateTimeField(_("handed over"), null=True, blank=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        indexes: ClassVar = [models.Index("send_out", "id", condition=Q(done_at__isnull=True), name="batch_open")]

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.first_message}-{self.last_message}"


class Total(models.Model):
    """How many of a send-out's messages show a status, or how many members were left out for a reason (Status, Why).

    Written by totals.py alone, which also knows what has been moved since (Movement): read it there.
    """

    send_out = models.ForeignKey(SendOut, models.CASCADE, db_index=False)
    figure = models.CharField(_("figure"), max_length=14)
    count = models.BigIntegerField(_("count"))

    class Meta:
        verbose_name = _("total")
        verbose_name_plural = _("totals")
        constraints: ClassVar = [models.UniqueConstraint(fields=["send_out", "figure"], name="total_once")]

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.figure} {self.count}"


class Movement(models.Model):
    """So many more, or fewer, of a figure: appended by who moves messages, in the same statement, and soon folded.

    No lock, so nobody waits for anybody. Without any index but its key, and without foreign keys: it is on the path
    of every report.
    """

    send_out_id = models.BigIntegerField()
    figure = models.CharField(max_length=14)
    delta = models.BigIntegerField()

    class Meta:
        verbose_name = _("movement")
        verbose_name_plural = _("movements")

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.figure} {self.delta:+}"


class AddressList(models.Model):
    """Addresses that somebody pasted or uploaded, to send to the contacts that have them."""

    name = models.CharField(_("name"), max_length=200)
    lines = models.BigIntegerField(_("lines"), default=0)
    known = models.BigIntegerField(_("addresses of contacts"), default=0)
    unknown = models.BigIntegerField(_("addresses of nobody"), default=0)
    bad = models.BigIntegerField(_("lines that are no address"), default=0)
    # The first of them: [line number, what stands there, what is wrong]; with them the first line that is no UTF-8.
    bad_lines = models.JSONField(default=list)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("list of addresses")
        verbose_name_plural = _("lists of addresses")

    def __str__(self) -> str:
        return self.name

    @property
    def repeats(self) -> int:
        """Lines whose address stands on a line before."""
        return self.lines - self.known - self.unknown - self.bad


class ListedAddress(models.Model):
    """An address on a list."""

    list = models.ForeignKey(AddressList, models.CASCADE, db_index=False)
    address = models.ForeignKey(Address, models.PROTECT, db_index=False)

    class Meta:
        verbose_name = _("address on a list")
        verbose_name_plural = _("addresses on lists")
        constraints: ClassVar = [models.UniqueConstraint(fields=["list", "address"], name="listed_once")]

    def __str__(self) -> str:
        return f"{self.list_id} {self.address_id}"


class MasterControl(models.Model):
    """The contacts that every send-out leaves out, transactional ones excepted: a percentage, or a label. One row."""

    ONLY: Final = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, editable=False)
    percentage = models.DecimalField(
        _("per cent"), max_digits=4, decimal_places=2, default=Decimal(0),
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(LARGEST_PERCENTAGE)],
    )  # fmt: skip
    seed = models.BigIntegerField(default=new_seed, editable=False)
    label = models.ForeignKey("contacts.Label", models.PROTECT, null=True, blank=True, verbose_name=_("label"))
    changed_at = models.DateTimeField(_("changed"), auto_now=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("master control group")
        verbose_name_plural = _("master control group")
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="master_control_one_row")]

    def __str__(self) -> str:
        return f"{self.percentage} %"


class Installation(models.Model):
    """This database, told from its copies. One row; written by installation.py and restored.py alone.

    `mark` rises whenever anything may leave, and is kept outside of the database as well: a database that was restored
    is behind it. `place` is where PostgreSQL itself has this table.
    """

    ONLY: Final = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, db_default=ONLY, editable=False)
    history = models.UUIDField(db_default=RandomUUID(), editable=False)
    mark = models.BigIntegerField(default=0, db_default=0)
    marked_at = models.DateTimeField(db_default=Now())
    # Since then workers could be heard of without a gap: before, silence says nothing about a worker.
    whole_since = models.DateTimeField(default=LONG_AGO, db_default=LONG_AGO)
    place = models.CharField(max_length=100, blank=True, default="", db_default="")
    # While this is set nothing leaves (Restore).
    held_at = models.DateTimeField(_("nothing leaves since"), null=True, blank=True)

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="installation_one_row")]

    def __str__(self) -> str:
        return f"{self.history} {self.mark}"


class Restore(models.Model):
    """That this database was restored from a backup, and what an administrator decided. Open until `ended_at`."""

    noticed_at = models.DateTimeField(_("noticed"), db_default=Now())
    # The newest that it knew of when that was noticed.
    as_of = models.DateTimeField(_("as of"), null=True, blank=True)
    # How it was noticed (installation.Sign).
    sign = models.CharField(max_length=10, blank=True, default="", db_default="")
    # The last message that it knew of; new ones are numbered from far behind all that there may have been.
    last_message = models.BigIntegerField(null=True, blank=True)
    # What was at work (restored.AtWork, by send-out), and how many were to be tried again.
    found = models.JSONField(default=dict, db_default={})
    # By send-out (restored.Choice), and for what is tried again under "again".
    choices = models.JSONField(default=dict, db_default={})
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    why = models.CharField(_("why"), max_length=500, blank=True, default="", db_default="")
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("restore")
        verbose_name_plural = _("restores")
        permissions: ClassVar = [("decide_restore", _("Can decide what leaves after a restore"))]
        constraints: ClassVar = [
            models.UniqueConstraint(Value(1), condition=Q(ended_at__isnull=True), name="one_restore_at_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.noticed_at:%Y-%m-%d %H:%M}"
