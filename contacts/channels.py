"""The two channels. Apart from the models, so that what is pure needs no database and no settings."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Channel(TextChoices):
    EMAIL = "email", _("Email")
    SMS = "sms", _("SMS")
