"""What our own pages saw: an image that was loaded, a link that was followed, a wish not to be written to any more.

tracking/views.py keeps them as reports like any other, as JSON: {"kind", "message", "link", "machine"}. No webhook:
nothing may be posted here. Of who loaded it only the verdict is kept, never the address or the program.
"""

import json
from datetime import datetime
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts.models import Channel
from messaging.providers.base import ForgedError, ParsedReport, Provider, Raw, UnreadableError
from messaging.status.order import Event, Kind

SLUG: Final = "tracking"
# Why somebody unsubscribed: by their mail program, not by the button of our page.
ONE_CLICK: Final = "one_click"
KINDS: Final = {
    "open": (Kind.OPENED, ""),
    "click": (Kind.CLICKED, ""),
    "unsubscribe": (Kind.UNSUBSCRIBED, "unsubscribe"),
    "one_click": (Kind.UNSUBSCRIBED, ONE_CLICK),
    "subscribe": (Kind.SUBSCRIBED, "resubscribe"),
}


def verify(_request: HttpRequest) -> None:
    """Raises ForgedError: what we saw, we wrote down ourselves."""
    raise ForgedError("Our own notes have no webhook.")


def parse(raw: Raw) -> ParsedReport:
    """The one event. Raises UnreadableError."""
    try:
        note = json.loads(raw.body)
        kind, reason = KINDS[note["kind"]]
        message, link, machine = int(note["message"]), str(note.get("link", "")), str(note.get("machine", ""))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise UnreadableError(f"Not a note of ours: {error}") from error
    event = Event(
        SLUG, kind, raw.received_at, f"{message} {kind} {link} {machine} {_within(raw.received_at, kind)}",
        message_id=message, reason=reason, provider_code=f"link {link}" if kind == Kind.CLICKED and link else "",
        diagnostic=machine, is_automatic=bool(machine),
    )  # fmt: skip
    return ParsedReport([event])


def _within(moment: datetime, kind: Kind) -> str:
    """Who scrolls up and down loads the image again and again: once an hour is enough. A wish counts each time."""
    return moment.strftime("%Y%m%d%H") if kind in (Kind.OPENED, Kind.CLICKED) else moment.isoformat()


# Only what we send ourselves leads to our pages.
provider = Provider(
    SLUG, "Engage", Channel.EMAIL, lambda: bool(settings.EMAIL_ROUTE or settings.SMS_ROUTE), verify, parse, methods=(),
    comes=_("Opens, clicks and unsubscribing, as our own pages see them: there is no webhook and nothing to paste."),
)  # fmt: skip
