"""The pages that mails lead to: our pixel, our links, and the way out. For everybody who holds a token of the
message for that page.

Each writes one row at most, into the inbox of reports; what follows from it is worked out like any report.
"""

import json
from base64 import b64decode
from datetime import datetime
from functools import lru_cache
from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from contacts import consent
from contacts.models import Channel, Contact
from engage.wake import Waker
from messaging.card.explanations import masked
from messaging.card.headings import Headings
from messaging.inbox import reports
from messaging.inbox.reports import Kept
from messaging.models import Content, Message
from messaging.providers.tracking.reports import SLUG
from messaging.sendouts.contents import Person, has_tag, target, values_of
from messaging.tracking.bots import machine_of
from messaging.tracking.mended import mended
from messaging.tracking.repeats import Repeats, network_of
from messaging.tracking.tokens import Purpose, message_id_of

# Written out, since it is asked as often as mails are opened, and the ORM takes longer than PostgreSQL.
SENT_AT: Final = "SELECT sent_at FROM messaging_message WHERE id = %s"
# Opens come by the thousand, and a second later is soon enough for them.
_waker: Final = Waker(reports.wake_worker, pause=1.0)
_repeats: Final = Repeats()
# So often a day somebody may change their mind by one message's link, before only what matters is noted.
MOST_CONSENT_CHANGES: Final = 20
_consent_changes: Final = Repeats(most_a_day=MOST_CONSENT_CHANGES)
PIXEL: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@require_safe
@never_cache
@login_not_required
def opened(request: HttpRequest, rest: str) -> HttpResponse:
    """The pixel, whatever is asked for: a broken image would only be in the way. Who asks for its head saw none."""
    link = mended(rest) if request.method == "GET" else None
    pk = message_id_of(link.token, Purpose.OPEN) if link is not None else None
    if pk is not None:
        with connection.cursor() as cursor:
            cursor.execute(SENT_AT, [pk])
            found = cursor.fetchone()
        if found is not None:
            _note(request, "open", pk, found[0])
    return HttpResponse(PIXEL, content_type="image/gif")


@require_safe
@never_cache
@login_not_required
def clicked(request: HttpRequest, rest: str) -> HttpResponse:
    """To where the link leads in what this message says; it can lead nowhere else. 404 for what we did not write."""
    message, number = _meant(rest, Purpose.CLICK)
    leads_to = _leads_to(message, number) if message is not None and number is not None else None
    if message is None or number is None or leads_to is None:
        return _broken(request)
    if request.method == "GET":
        _note(request, "click", message.pk, message.sent_at, link=number)
    return HttpResponseRedirect(leads_to)


def _leads_to(message: Message, number: int) -> str | None:
    """As it stood in the mail: an old link tells nobody what has become of the contact since."""
    html = _html(message.content_id) if message.content_id else ""
    person: Contact | Person | None = message.contact
    if has_tag(html, number):
        person = Headings(message.contact).person_at(message.sent_at)
    return target(html, number, values_of(person, message.pk))


def _broken(request: HttpRequest) -> HttpResponse:
    return render(request, "messaging/broken_link.html", status=404)


@csrf_exempt  # mail programs post without having been here (RFC 8058 3.2); the token proves enough
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_not_required
def leave(request: HttpRequest, rest: str) -> HttpResponse:
    """Unsubscribe, by one click of a mail program or of a button. Looking changes nothing: scanners follow links."""
    message, _number = _meant(rest, Purpose.LEAVE)
    if message is None:
        return _broken(request)
    consent_change, stands = "", None
    if request.method == "POST":
        consent_change = _consent_change_in(request)
        if not _is_worth_noting(consent_change, message):
            return HttpResponse(_("Too often. Try again tomorrow."), status=429, content_type="text/plain")
        _keep({"kind": consent_change, "message": message.pk})
        stands = consent.stands_besides(_addresses_of(message), message.pk) if consent_change == "subscribe" else None
    address = masked(message.channel, message.address.value)
    return render(request, "messaging/leave.html", {"address": address, "wish": consent_change, "stands": stands})


def _consent_change_in(request: HttpRequest) -> str:
    """Subscribing takes back what this link has unsubscribed, and nothing else (contacts/consent.py)."""
    if request.POST.get("wish") == "subscribe":
        return "subscribe"
    # RFC 8058 3.2: just so a mail program asks by itself.
    return "one_click" if request.POST.get("List-Unsubscribe") == "One-Click" else "unsubscribe"


def _addresses_of(message: Message) -> list[int | None]:
    """The one to which it went, and the one that its contact has now."""
    contact = message.contact
    if contact is None:
        return [message.address_id]
    is_email = message.channel == Channel.EMAIL
    return [message.address_id, contact.email_address_id if is_email else contact.mobile_address_id]


def _is_worth_noting(consent_change: str, message: Message) -> bool:
    """Whoever still gets messages can always leave, however often the link was used."""
    now = timezone.now()
    if _consent_changes.is_news(message.pk, now.isoformat(), "", now):
        return True
    return consent_change != "subscribe" and not consent.is_out(_addresses_of(message))


def _meant(rest: str, purpose: Purpose) -> tuple[Message | None, int | None]:
    """The message that a link was in, and which of its links it is."""
    link = mended(rest)
    pk = message_id_of(link.token, purpose) if link is not None else None
    if link is None or pk is None:
        return None, None
    return Message.objects.select_related("contact", "address").filter(pk=pk).first(), link.number


@lru_cache(maxsize=64)
def _html(content_id: int) -> str:
    """Contents never change."""
    return Content.objects.values_list("html", flat=True).get(pk=content_id)


def _note(request: HttpRequest, kind: str, pk: int, sent_at: datetime | None, link: int | str = "") -> None:
    now = timezone.now()
    machine = machine_of(request.headers, now - sent_at if sent_at else None)
    fact = f"{kind} {link} {machine}"
    network = network_of(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", ""))
    if not _repeats.is_news(pk, fact, network, now):
        return
    try:
        _keep({"kind": kind, "message": pk, "link": link, "machine": machine})
    except DatabaseError:
        _repeats.forget(pk, fact)
        raise


def _keep(said: dict[str, object]) -> None:
    reports.keep_one(Kept(SLUG, json.dumps(said).encode(), "application/json", "", {}))
    _waker.ask()
