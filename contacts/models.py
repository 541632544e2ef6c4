"""People, their addresses, blocks of addresses, and the history of what changed."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from contacts import channels
from contacts.blocks.operations import BlockImport, BulkLift, ImportPart, ImportRow

__all__ = [
    "Address", "Block", "BlockImport", "BulkLift", "Cause", "Change", "Channel", "Consent", "Contact", "FormerAddress",
    "ImportPart", "ImportRow", "Label", "Labelled", "Life", "Outage", "Source",
]  # fmt: skip


Channel = channels.Channel


class Address(models.Model):
    """A normalised (channel, value) pair. Blocks and consents hang here: they outlive every contact that has it."""

    channel = models.CharField(_("channel"), max_length=5, choices=Channel)
    value = models.CharField(_("address"), max_length=320)
    # When a person last lifted a block: what a report says of an earlier time does not block again.
    lifted_at = models.DateTimeField(_("block last removed"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        constraints: ClassVar = [models.UniqueConstraint(fields=["channel", "value"], name="address_once")]

    def __str__(self) -> str:
        return self.value


class Label(models.Model):
    """A word that marketers put on contacts, to find them again and to send to them."""

    name = models.CharField(_("name"), max_length=60)

    class Meta:
        verbose_name = _("label")
        verbose_name_plural = _("labels")
        ordering: ClassVar = [Lower("name")]
        constraints: ClassVar = [models.UniqueConstraint(Lower("name"), name="label_once")]

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """A person, with at most one email and one mobile number."""

    guid = models.UUIDField(_("GUID"), default=uuid.uuid4, unique=True, editable=False)
    first_name = models.CharField(_("first name"), max_length=100, blank=True)
    last_name = models.CharField(_("last name"), max_length=100, blank=True)
    # As typed, for display; identity is the normalised address beside it.
    email = models.CharField(_("email"), max_length=320, blank=True)
    mobile = models.CharField(_("mobile"), max_length=40, blank=True)
    mobile_digits = models.CharField(max_length=16, blank=True, editable=False)
    email_address = models.ForeignKey(
        Address, models.PROTECT, null=True, blank=True, editable=False, related_name="contacts_by_email"
    )
    mobile_address = models.ForeignKey(
        Address, models.PROTECT, null=True, blank=True, editable=False, related_name="contacts_by_mobile"
    )
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("Two letters, such as SE"))
    language = models.CharField(_("language"), max_length=8, blank=True, help_text=_("A code such as sv or en"))
    accepts_email = models.BooleanField(_("accepts email"), default=True, db_default=True)
    accepts_sms = models.BooleanField(_("accepts SMS"), default=True, db_default=True)
    # What the consents of the address come to, kept for who asks of many contacts at once; when the word that counts
    # was given. Written by contacts/consent.py alone. Without an address it is what a person has noted.
    email_consent_at = models.DateTimeField(null=True, blank=True, editable=False)
    sms_consent_at = models.DateTimeField(null=True, blank=True, editable=False)
    labels = models.ManyToManyField(
        Label, through="Labelled", related_name="contacts", verbose_name=_("labels"), editable=False
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)
    # What a contact is found by: names, email and mobile in plain letters (folding.py). PostgreSQL writes it with every
    # row, by a trigger (migration 0010).
    search = models.TextField(blank=True, db_default="", editable=False)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        indexes: ClassVar = [GinIndex(OpClass("search", name="gin_trgm_ops"), name="contact_search")]
        permissions: ClassVar = [
            ("lift_block", _("Can remove the block of an address")),
            ("label_contact", _("Can put labels on contacts")),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("contacts:card", args=[self.guid])

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email or self.mobile_digits or str(_("No name"))


class Labelled(models.Model):
    """That a contact has a label."""

    label = models.ForeignKey(Label, models.CASCADE, db_index=False)
    contact = models.ForeignKey(Contact, models.CASCADE)

    class Meta:
        verbose_name = _("label of a contact")
        verbose_name_plural = _("labels of contacts")
        constraints: ClassVar = [models.UniqueConstraint(fields=["label", "contact"], name="labelled_once")]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.label_id}"


class Source(models.TextChoices):
    """Who said yes or no, or by what."""

    LINK = "link", _("The unsubscribe link")
    ONE_CLICK = "one_click", _("The mail program’s unsubscribe button")
    UNDO = "undo", _("Undone by the link")
    COMPLAINT = "complaint", _("Marked as spam")
    ANSWER = "answer", _("An answer by SMS")
    PROVIDER = "provider", _("Reported by the provider")
    FORM = "form", _("A form")
    IMPORT = "import", _("An import")
    API = "api", _("The API")
    ADMINISTRATOR = "administrator", _("Noted by a colleague")
    MIGRATION = "migration", _("Known before consents were kept one by one")


class Consent(models.Model):
    """That somebody said yes or no to messages at an address. Never changed, never removed; contacts/consent.py has
    what they come to: of those that stand the latest counts, by the time at which it was given.
    """

    address = models.ForeignKey(Address, models.PROTECT, related_name="consents", db_index=False)
    accepts = models.BooleanField(_("accepts"))
    at = models.DateTimeField(_("given"))
    recorded_at = models.DateTimeField(_("recorded"), db_default=Now())
    source = models.CharField(_("by"), max_length=13, choices=Source)
    wording = models.TextField(_("in these words"), blank=True, db_default="")
    message_id = models.BigIntegerField(_("message"), null=True, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # The address at which it was said, where it came along with the person from there.
    via = models.ForeignKey(Address, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    # What makes a repeat drop out: that of the event, where there is one.
    key = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints: ClassVar = [models.UniqueConstraint(fields=["address", "key"], name="consent_once")]
        indexes: ClassVar = [models.Index("address", F("at").desc(), "accepts", name="consent_of_address")]

    def __str__(self) -> str:
        return f"{self.address_id} {'yes' if self.accepts else 'no'} {self.source}"

    @property
    def why(self) -> str:
        """What histories say of it (sql.KEEP_CONSENTS writes the same): its source, or a colleague's words."""
        if self.source in (Source.PROVIDER, Source.ANSWER):
            return "resubscribe" if self.accepts else "unsubscribe"
        return self.wording if self.source == Source.ADMINISTRATOR else self.source


class FormerAddress(models.Model):
    """That a contact had an address before: who answers from there is still that person, as far as anybody knows."""

    address = models.ForeignKey(Address, models.PROTECT, db_index=False, related_name="+")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="former_addresses")

    class Meta:
        verbose_name = _("former address")
        verbose_name_plural = _("former addresses")
        constraints: ClassVar = [models.UniqueConstraint(fields=["address", "contact"], name="former_address_once")]

    def __str__(self) -> str:
        return f"{self.address_id} {self.contact_id}"


class Life(models.TextChoices):
    """What shows that an address is alive after all."""

    DELIVERED = "delivered", _("Took a message")
    OPENED = "opened", _("Opened a message")
    CLICKED = "clicked", _("Clicked a link")
    ANSWERED = "answered", _("Answered, or subscribed again")


class Cause(models.TextChoices):
    """What blocks an address; the rule that made a block."""

    ONE_HARD_BOUNCE = "one_hard_bounce", _("One hard bounce")
    SOFT_BOUNCES = "soft_bounces", _("Soft bounces in a row")
    IMPORTED = "imported", _("Imported")


class Outage(models.Model):
    """A receiving domain that suddenly called many addresses dead that had taken mail lately.

    The hard bounces of its time are held for review instead of blocking, until a person keeps or drops them. Found and
    decided in messaging/suppression/outages.py. Both ends belong to it.
    """

    class Verdict(models.TextChoices):
        KEPT = "kept", _("Blocks kept")
        DROPPED = "dropped", _("Blocks dropped")

    domain = models.CharField(_("domain"), max_length=255)
    from_at = models.DateTimeField(_("from"))
    until_at = models.DateTimeField(_("until"))
    recorded_at = models.DateTimeField(_("found"), db_default=Now())
    verdict = models.CharField(_("decision"), max_length=7, choices=Verdict, blank=True, db_default="")
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    why = models.TextField(_("why"), blank=True, db_default="")

    class Meta:
        verbose_name = _("suspected outage")
        verbose_name_plural = _("suspected outages")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["domain"], condition=Q(decided_at=None), name="one_undecided_outage")
        ]
        indexes: ClassVar = [models.Index("domain", "until_at", name="outage_of_domain")]

    def __str__(self) -> str:
        return f"{self.domain} {self.from_at:%Y-%m-%d %H:%M}"


class Block(models.Model):
    """An address we do not send to: cause, proof, start, and possibly an end with a reason (and a person).

    The proof is copied here (contacts knows nothing of messages but their number), so it outlives pruned events.
    One that is held (`held_at`, and no end) is a hard bounce of a suspected outage: it waits for a person's decision
    and stops no sending. An address has at most one block that has no end, in force or held.
    """

    address = models.ForeignKey(Address, models.PROTECT, related_name="blocks")
    started_at = models.DateTimeField(_("blocked since"))
    recorded_at = models.DateTimeField(_("recorded"), db_default=Now())
    cause = models.CharField(_("cause"), max_length=40, choices=Cause, help_text=_("The rule that blocked the address"))
    reason = models.CharField(_("reason"), max_length=40)
    code = models.CharField(_("code"), max_length=60, blank=True)
    diagnostic = models.TextField(_("the server's own words"), blank=True)
    message_id = models.BigIntegerField(_("message"), null=True, blank=True)
    event_key = models.UUIDField(_("event"), null=True, blank=True)
    # Of an email: what stands after the @. And when it last took a message before a hard bounce, if that was lately.
    domain = models.CharField(_("domain"), max_length=255, blank=True, db_default="", editable=False)
    alive_at = models.DateTimeField(_("last took a message"), null=True, blank=True, editable=False)
    held_at = models.DateTimeField(_("held for review"), null=True, blank=True, editable=False)
    outage = models.ForeignKey(
        Outage, models.PROTECT, null=True, blank=True, editable=False, db_index=False, related_name="blocks"
    )
    ended_at = models.DateTimeField(_("removed"), null=True, blank=True)
    # Who once lifted a block or edited a contact cannot be deleted, only deactivated: history must not go nameless.
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    end_reason = models.TextField(_("why it was removed"), blank=True)
    bulk_lift = models.ForeignKey(
        BulkLift, models.PROTECT, null=True, blank=True, related_name="blocks", db_index=False, db_constraint=False
    )
    # The latest bounce that proves the block, where one came after the first; a later sign of life, and whose.
    last_proof_at = models.DateTimeField(null=True, blank=True, editable=False)
    life_at = models.DateTimeField(_("alive"), null=True, blank=True, editable=False)
    life_by = models.CharField(_("sign of life"), max_length=9, choices=Life, blank=True, db_default="")
    life_is_automatic = models.BooleanField(default=False, db_default=False, editable=False)
    life_message_id = models.BigIntegerField(null=True, blank=True, editable=False)
    # Whether what was recorded before the block has been looked through for signs of life.
    is_life_sought = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("block")
        verbose_name_plural = _("blocks")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["address"], condition=Q(ended_at=None), name="one_open_block")
        ]
        indexes: ClassVar = [
            models.Index("domain", "started_at", condition=~Q(domain=""), name="block_of_domain"),
            models.Index("domain", "started_at", condition=Q(alive_at__isnull=False), name="block_of_living"),
            models.Index("outage", "id", condition=Q(outage__isnull=False), name="block_of_outage"),
            # Few are ever in here: those whom a changed rule may set free.
            models.Index("address", condition=Q(ended_at=None, cause="soft_bounces"), name="block_of_soft_bounces"),
            models.Index(F("id").desc(), condition=Q(ended_at=None), name="block_open"),
            models.Index(F("id").desc(), condition=Q(ended_at=None, life_at__isnull=False), name="block_alive"),
            models.Index("id", condition=Q(ended_at=None, is_life_sought=False), name="block_unsought"),
            models.Index("bulk_lift", "id", condition=Q(bulk_lift__isnull=False), name="block_of_bulk_lift"),
        ]
        permissions: ClassVar = [
            ("set_block_rules", _("Can change the rules that block addresses, and decide on held blocks")),
            ("import_block", _("Can import a list of addresses to block")),
            ("export_block", _("Can export the blocks")),
        ]

    def __str__(self) -> str:
        return f"{self.address_id} {self.cause}"

    @property
    def is_held(self) -> bool:
        """It waits for a decision, and stops no sending."""
        return self.held_at is not None and self.ended_at is None

    @property
    def is_in_force(self) -> bool:
        return self.held_at is None and self.ended_at is None


class Change(models.Model):
    """One line of a contact's change history: when, who or which message, what, why."""

    class Kind(models.TextChoices):
        CREATED = "created", _("Created")
        EDITED = "edited", _("Edited")
        BLOCKED = "blocked", _("Address blocked")
        HELD = "held", _("Hard bounce held for review")
        LIFTED = "lifted", _("Block removed")
        PUT_BACK = "put_back", _("Block put back")
        IMPORTED = "imported", _("Address blocked by an import")
        OPTED_OUT = "opted_out", _("Unsubscribed")
        OPTED_IN = "opted_in", _("Subscribed")

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField(_("when"), db_default=Now())
    kind = models.CharField(_("what"), max_length=12, choices=Kind)
    # What blocked lines say: `field` the address (of a rule other than one hard bounce: `old` its cause), `new` the
    # code, `why` the reason. Lines about consent: `field` the channel, `why` the source or a colleague's words, `old`
    # the address at which it was said, where the person has another one now.
    field = models.CharField(_("field"), max_length=320, blank=True)
    old = models.TextField(_("before"), blank=True)
    new = models.TextField(_("after"), blank=True)
    why = models.TextField(_("why"), blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    message_id = models.BigIntegerField(_("message"), null=True, blank=True)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes: ClassVar = [models.Index("contact", F("id").desc(), name="change_of_contact")]

    def __str__(self) -> str:
        return f"{self.kind} {self.field}".strip()
