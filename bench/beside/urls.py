"""Other ways to do it, beside ours. Four to take a SendGrid batch: anymail's own webhook, a lean one over the ORM, one plain statement in the request, and one that only keeps.

Each checks the signature, except the last, which does nothing but insert the body. And a pixel that is only a pixel.
"""

import json
from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from bench import orm_loop, yardstick
from messaging.models import Message
from messaging.providers.base import Raw
from messaging.providers.registry import providers
from messaging.status.order import Kind, Status
from messaging.tracking.tokens import message_id_of
from messaging.tracking.views import PIXEL

STATUSES = {
    "delivered": Status.DELIVERED, "opened": Status.OPENED, "clicked": Status.OPENED,
    "deferred": Status.DEFERRED, "bounced": Status.SOFT_BOUNCE,
}  # fmt: skip
# Those of the yardstick.
TYPES = {"deferred": 2, "delivered": 5, "open": 6, "click": 7}
INSERT = "INSERT INTO messaging_report (provider, body, content_type, path, next_at) VALUES ('raw', %s, '', '', NULL)"


@receiver(tracking)
def update_a_row(event: AnymailTrackingEvent, **_: Any) -> None:
    """As anymail's documentation has it: find the row, set its status, save. No order, no repeats, no history."""
    message = Message.objects.get(pk=message_id_of(event.metadata["engage"]) or 0)
    message.status, message.status_at = STATUSES[event.event_type], event.timestamp
    message.save(update_fields=["status", "status_at"])


@csrf_exempt
@login_not_required
def lean(request: HttpRequest) -> HttpResponse:
    """All that Engage does to a batch, by the leanest loop over the ORM in the request."""
    provider = providers()["sendgrid"]
    provider.verify(request)
    raw = Raw(request.body, request.headers["Content-Type"], request.path, timezone.now(), {})
    orm_loop.apply([event for event in provider.parse(raw).events if event.kind in Kind])
    return HttpResponse(status=204)


@csrf_exempt
@login_not_required
def set_based(request: HttpRequest) -> HttpResponse:
    """The yardstick's statement on the yardstick's tables, in the request: about the least that can be done to a batch.

    The report itself is not kept, and what is in it not judged.
    """
    providers()["sendgrid"].verify(request)
    yardstick.apply([list(column) for column in zip(*map(_row, json.loads(request.body)), strict=True)])
    return HttpResponse(status=204)


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    kind = TYPES.get(item["event"]) or (8 if item.get("status") == "5.1.1" else 3)
    name = "sg." + item["sg_message_id"].partition(".")[0]
    return 1, item["sg_event_id"], name, kind, item["timestamp"], item.get("response") or item.get("reason")


@csrf_exempt
@login_not_required
def keep(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [request.body])
    return HttpResponse(status=204)


@login_not_required
def pixel(_: HttpRequest) -> HttpResponse:
    return HttpResponse(PIXEL, content_type="image/gif")


@login_not_required
def here(_: HttpRequest) -> HttpResponse:
    """What engage.local.run asks for to see whether the server is up."""
    return HttpResponse()


urlpatterns = [
    path("login/", here),
    path("anymail/", csrf_exempt(login_not_required(SendGridTrackingWebhookView.as_view()))),
    path("lean/", lean),
    path("set/", set_based),
    path("keep/", keep),
    path("pixel.gif", pixel),
]
