"""How sure it is what a mail server's reply means, in the words that people read. Pure."""

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# What stands in a verdict for a rule where a code decided: the enhanced status code, or the bare reply code.
STATUS: Final = "status"
REPLY: Final = "reply"
# A rule that is less sure than this says too little by itself.
SURE_ENOUGH: Final = 0.65


class Certainty(TextChoices):
    """How sure a meaning is; empty where no words were judged, as a provider's own class or a person's wish."""

    PLAIN = "plain", _("Said so plainly")
    CODE = "code", _("By its code alone")
    GUESS = "guess", _("Guessed: the reply says too little to be sure")


def certainty_of(rule: str, confidence: float) -> Certainty | str:
    """What the rule that decided and its confidence come to. A reply code of three digits says little by itself."""
    if not rule:
        return ""
    if rule == REPLY or confidence < SURE_ENOUGH:
        return Certainty.GUESS
    return Certainty.CODE if rule == STATUS else Certainty.PLAIN
