"""Where providers post their reports: verify the signature, keep the raw report, answer. No more, so it is fast."""

import logging

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

from messaging.inbox import hourly_counts, reports
from messaging.monitoring import test_report
from messaging.providers.base import ForgedError, Provider, UncheckedError, UnreadableError
from messaging.providers.inbound import is_form
from messaging.providers.parsing import check_values
from messaging.providers.registry import providers

log = logging.getLogger(__name__)


@csrf_exempt
@login_not_required
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """2xx once the report is committed; 403 if it is forged, 413 if it is too long, 404 if the provider is unknown.

    503 where the signature cannot be checked at the moment: the provider is to try again.
    """
    found = providers().get(provider)
    if found is None:
        raise Http404
    if request.method == found.probe:
        return HttpResponse()
    if request.method not in found.methods:
        return HttpResponseNotAllowed(found.methods)
    return test_report.answer(found, request) if test_report.is_ours(request) else take(found, request)


def take(provider: Provider, request: HttpRequest) -> HttpResponse:
    try:
        if not is_form(request.content_type or ""):
            # Some have to read it to see who signed it.
            check_values(request.body)
        provider.verify(request)
    except UnreadableError as error:
        log.warning("Refused a report of %s: %s", provider.slug, error)
        return _plain("The report is too long, or no report.", status=413)
    except ForgedError as error:
        hourly_counts.count_refusal(provider.slug)
        log.warning("Refused a report of %s: %s", provider.slug, error)
        return _plain("The signature of this report is wrong or missing.", status=403)
    except UncheckedError as error:
        log.warning("Could not check a report of %s: %s", provider.slug, error)
        return _plain("The signature cannot be checked now; try again.", status=503)
    except RequestDataTooBig:
        log.warning("Refused a report of %s: longer than REPORT_MAX_BYTES.", provider.slug)
        return _plain("The report is too long.", status=413)
    reports.keep(provider, request)
    return HttpResponse(status=provider.answer)


def _plain(text: str, status: int) -> HttpResponse:
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
