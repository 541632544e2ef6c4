"""What is kept of what became of a send-out. Written by outcome/keeping.py alone, read by outcome/reading.py."""

from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from messaging.sendouts.models import SendOut

# So many neighbouring numbers of messages are counted together, and anew when one of them changed.
STRETCH: Final = 4_096


class Stretch(models.Model):
    """What a send-out's messages with neighbouring numbers show: those from number * STRETCH on.

    Counted as a whole, so it is right whatever order, repeats or corrections brought it about.
    """

    send_out = models.ForeignKey(SendOut, models.CASCADE, db_index=False)
    number = models.BigIntegerField()
    # "domain/<domain>/<status>" and so on -> how many (keeping.py); without those that would be 0.
    counts = models.JSONField(default=dict, db_default={})
    # Empty where the counts are up to date; else up to when they may be relied on.
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("stretch of messages")
        verbose_name_plural = _("stretches of messages")
        constraints: ClassVar = [models.UniqueConstraint(fields=["send_out", "number"], name="stretch_once")]
        indexes: ClassVar = [
            models.Index("changed_at", "id", condition=Q(changed_at__isnull=False), name="stretch_changed")
        ]

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.number}"


class Outcome(models.Model):
    """The sum of a send-out's stretches, as its page reads it."""

    send_out = models.OneToOneField(SendOut, models.CASCADE, primary_key=True)
    counts = models.JSONField(default=dict, db_default={})
    # The receiving domains with most of its messages, the most first; what goes to others is counted together.
    domains = models.JSONField(default=list, db_default=[])
    # The last message that is known to exist, and the last one that the domains were chosen by.
    rows_until = models.BigIntegerField(null=True, blank=True)
    ranked_until = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("outcome")
        verbose_name_plural = _("outcomes")

    def __str__(self) -> str:
        return str(self.send_out_id)


class Heard(models.Model):
    """What was heard of a send-out's messages within an hour, or a day once it is a week old. By when it happened.

    Stays when the events have gone with age.
    """

    send_out = models.ForeignKey(SendOut, models.CASCADE, db_index=False)
    hour = models.DateTimeField(_("hour"))
    # What sql.READ_NEWS calls it.
    figure = models.CharField(_("figure"), max_length=14)
    # Which link was clicked, as the event names it; empty where nobody said so.
    link = models.CharField(_("link"), max_length=40, blank=True, default="", db_default="")
    events = models.BigIntegerField(_("events"))
    # Messages of which this was the first.
    messages = models.BigIntegerField(_("messages"))

    class Meta:
        verbose_name = _("heard")
        verbose_name_plural = _("heard")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["send_out", "hour", "figure", "link"], name="heard_once")
        ]

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.figure} {self.hour:%Y-%m-%d %H}"


class ReadUpTo(models.Model):
    """Up to when all events are counted. One row."""

    ONLY: Final = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, editable=False)
    until = models.DateTimeField()

    class Meta:
        verbose_name = _("counted up to")
        verbose_name_plural = _("counted up to")
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="read_up_to_one_row")]

    def __str__(self) -> str:
        return f"{self.until:%Y-%m-%d %H:%M:%S}"
