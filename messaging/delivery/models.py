"""What slows hand-over down: limits, and whoever asked to be left alone."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from messaging.sendouts.models import SendOut


class Pace(models.Model):
    """When the next message may leave by a way out to a domain; with domain "", by that way at all.

    All workers share it, and a restart forgets nothing. Written by pace.py alone.
    """

    provider = models.CharField(_("provider"), max_length=30)
    domain = models.CharField(_("domain"), max_length=255)
    # Every message up to this time has been promised to somebody.
    next_at = models.DateTimeField(_("next free moment"))
    # They want to be left alone until then; how often in a row they said so.
    closed_until = models.DateTimeField(_("left alone until"), null=True, blank=True)
    refusals = models.SmallIntegerField(_("refusals in a row"), default=0, db_default=0)

    class Meta:
        verbose_name = _("pace")
        verbose_name_plural = _("paces")
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "domain"], name="pace_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.domain or '*'}"


class SlowDown(models.Model):
    """That messages of a send-out wait for a limit, or for somebody who asked for patience: what its page says."""

    send_out = models.ForeignKey(SendOut, models.CASCADE, db_index=False)
    provider = models.CharField(_("provider"), max_length=30)
    domain = models.CharField(_("domain"), max_length=255)
    # The latest moment that was given to one of them.
    until = models.DateTimeField(_("until"))
    # Set where a limit of ours is the cause; else they asked for it.
    per_hour = models.IntegerField(_("an hour"), null=True, blank=True)

    class Meta:
        verbose_name = _("slow-down")
        verbose_name_plural = _("slow-downs")
        constraints: ClassVar = [models.UniqueConstraint(fields=["send_out", "domain"], name="slow_down_once")]

    def __str__(self) -> str:
        return f"{self.send_out_id} {self.domain or '*'}"
