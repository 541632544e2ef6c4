"""What machines ask: is it alive, and is it ready. No log-in, and no personal data."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from messaging.monitoring import health


@login_not_required
@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@login_not_required
@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 if the database takes what is written, the broker, a worker and the beat are there, no report waits for long
    and no send-out stands still; else 503."""
    found = health.checks()
    told = {check.name: {"ok": check.is_good, "says": check.says} for check in found}
    return JsonResponse(told, status=200 if all(check.is_good for check in found) else 503)
