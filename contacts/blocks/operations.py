"""What was done to many blocks at once: removals that can be undone, and imports with the lines of their files."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class BulkLift(models.Model):
    """Many blocks removed by one person for one reason, in chunks; and put back by the same way if it was undone."""

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reason = models.TextField(_("why"))
    # What the blocks were chosen by: the fields of BlockFilter, as they stand in the URL.
    filters = models.JSONField(_("which"))
    # Only blocks up to this number are meant: those that the person saw counted.
    newest = models.BigIntegerField()
    expected = models.BigIntegerField(_("blocks counted before"))
    started_at = models.DateTimeField(_("started"), db_default=Now())
    lifted = models.BigIntegerField(_("blocks removed"), default=0, db_default=0)
    # The number of the block up to which it is done; where a killed worker's successor goes on.
    done_to = models.BigIntegerField(default=0, db_default=0)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    put_back = models.BigIntegerField(_("blocks put back"), default=0, db_default=0)
    undone_to = models.BigIntegerField(default=0, db_default=0)
    undo_finished_at = models.DateTimeField(_("undoing finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("removal of many blocks")
        verbose_name_plural = _("removals of many blocks")

    def __str__(self) -> str:
        return f"#{self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("contacts:bulk-lift", args=[self.pk])

    @property
    def is_running(self) -> bool:
        """Whether there is still something to do for a worker."""
        return (self.finished_at is None) if self.undone_at is None else (self.undo_finished_at is None)


class BlockImport(models.Model):
    """A block list that somebody gave us: its file until it is read, its lines until they are blocked, its figures."""

    class State(models.TextChoices):
        READING = "reading", _("Being read")
        READ = "read", _("Read; nothing is blocked yet")
        UNREADABLE = "unreadable", _("Could not be read")
        BLOCKING = "blocking", _("Being blocked")
        DONE = "done", _("Done")
        DROPPED = "dropped", _("Dropped")

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    file_name = models.CharField(_("file"), max_length=200)
    size = models.BigIntegerField(_("bytes"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.READING)
    created_at = models.DateTimeField(_("given"), db_default=Now())
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True, db_default="")
    # How the file was read: delimiter, and which column is taken for what.
    layout = models.JSONField(default=dict, db_default={})
    lines = models.BigIntegerField(_("lines"), default=0, db_default=0)
    bytes_read = models.BigIntegerField(default=0, db_default=0)
    bad = models.BigIntegerField(_("bad lines"), default=0, db_default=0)
    # The first bad lines: [number, what it says, what is wrong and what to do].
    bad_lines = models.JSONField(default=list, db_default=[])
    repeated = models.BigIntegerField(_("repeated lines"), default=0, db_default=0)
    to_block = models.BigIntegerField(_("addresses to block"), default=0, db_default=0)
    already = models.BigIntegerField(_("blocked already"), default=0, db_default=0)
    lifted_since = models.BigIntegerField(_("removed by a person since"), default=0, db_default=0)
    blocked = models.BigIntegerField(_("addresses blocked"), default=0, db_default=0)
    done_to = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("import of a block list")
        verbose_name_plural = _("imports of block lists")

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        return reverse("messaging:import", args=[self.pk])

    @property
    def is_running(self) -> bool:
        return self.state in (self.State.READING, self.State.BLOCKING)


class ImportPart(models.Model):
    """A piece of an uploaded file, so that a worker on another machine can read it."""

    block_import = models.ForeignKey(BlockImport, models.CASCADE, related_name="parts", db_index=False)
    number = models.IntegerField()
    body = models.BinaryField()

    class Meta:
        verbose_name = _("piece of a block list")
        verbose_name_plural = _("pieces of block lists")
        constraints: ClassVar = [models.UniqueConstraint(fields=["block_import", "number"], name="import_part_once")]

    def __str__(self) -> str:
        return f"{self.block_import_id} {self.number}"


class ImportRow(models.Model):
    """An address of a block list, read and normalised, that waits to be blocked."""

    block_import = models.ForeignKey(
        BlockImport, models.CASCADE, related_name="rows", db_index=False, db_constraint=False
    )
    line = models.BigIntegerField()
    channel = models.CharField(max_length=5)
    value = models.CharField(max_length=320)
    started_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=40)
    code = models.CharField(max_length=60)
    diagnostic = models.TextField()

    class Meta:
        verbose_name = _("line of a block list")
        verbose_name_plural = _("lines of block lists")
        constraints: ClassVar = [
            # The first line of a file that names an address is the one that counts.
            models.UniqueConstraint(fields=["block_import", "channel", "value"], name="import_row_once")
        ]
        indexes: ClassVar = [models.Index("block_import", "id", name="import_row_in_order")]

    def __str__(self) -> str:
        return f"{self.line} {self.value}"
