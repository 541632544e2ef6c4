"""Where providers post their reports: verify the signature, keep the raw report, answer. Nothing else, so it is fast."""

import logging

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from messaging import reports
from messaging.providers import providers
from messaging.providers.base import ForgedError

log = logging.getLogger(__name__)


@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """204 once the report is committed; 403 if it is forged; 413 if it is too long; 404 for a provider we don't know."""
    found = providers().get(provider)
    if found is None:
        raise Http404
    try:
        found.verify(request)
    except ForgedError as error:
        reports.count_refusal(provider)
        log.warning("Refused a report of %s: %s", provider, error)
        return HttpResponse("The signature of this report is wrong or missing.\n", status=403, content_type="text/plain")
    except RequestDataTooBig:
        log.warning("Refused a report of %s: longer than REPORT_MAX_BYTES.", provider)
        return HttpResponse("The report is too long.\n", status=413, content_type="text/plain")
    reports.keep(provider, body=request.body, content_type=request.headers.get("Content-Type", ""), path=request.get_full_path())
    return HttpResponse(status=204)
