"""What the words of an imported block list mean: one of our reasons."""

import re
from typing import Final

from contacts.models import Channel
from messaging.bounces.classify import classify
from messaging.bounces.reasons import REASONS

# How providers' suppression lists and people call it; without blanks, hyphens and underscores.
NAMES: Final = {
    **dict.fromkeys(
        ("complaint", "spamcomplaint", "spam", "spamreport", "spamreports", "abuse", "complained", "feedbackloop"),
        "complaint",
    ),
    **dict.fromkeys(
        ("unsubscribe", "unsubscribed", "unsubscribes", "optout", "optedout", "stop", "groupunsubscribe", "unsub",
         "manualsuppression"),
        "unsubscribe",
    ),
    **dict.fromkeys(
        ("hardbounce", "invalid", "invalidaddress", "invalidemail", "invalidnumber", "notfound"), "user_unknown"
    ),
    **dict.fromkeys(("full", "overquota", "quota"), "mailbox_full"),
    **dict.fromkeys(("inactive", "disabled", "suspended"), "mailbox_disabled"),
}  # fmt: skip
LABELS: Final = {
    reason.label(channel).lower(): slug for slug, reason in REASONS.items() for channel in (Channel.SMS, Channel.EMAIL)
}


def reason_from(said: str, code: str, message: str) -> str:
    """The slug of the reason that a line of a block list gives in its columns reason, code and message.

    A word that we know decides; or else what a server said, as of any bounce. "unknown" where nothing tells.
    """
    if said in REASONS:
        return said
    if known := NAMES.get(re.sub(r"[\W_]", "", said.lower())) or LABELS.get(said.lower()):
        return known
    words = " ".join(filter(None, (code, said, message)))
    return classify(words).reason if words else "unknown"
