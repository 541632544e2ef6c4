"""What slows a send-out down, or has stopped it, in plain words."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engage.domains import in_unicode
from messaging.models import SendOut, SlowDown
from messaging.providers import providers
from messaging.sendouts.models import SendOutChange, State


def slowed_by(send_out: SendOut, now: datetime | None = None) -> list[str]:
    """A sentence for each limit or request to wait that its messages wait for now; none unless it is at work."""
    if send_out.state != State.SENDING:
        return []
    found = SlowDown.objects.filter(send_out=send_out, until__gt=now or timezone.now()).order_by("-until")
    return list(_sentences(found[:5]))


def stopped_by(send_out: SendOut) -> str:
    """Why Engage itself has paused it; empty where a person did, or nobody."""
    if send_out.state != State.PAUSED:
        return ""
    last = send_out.changes.filter(kind=SendOutChange.Kind.PAUSED).order_by("-pk").first()
    return last.detail if last is not None and last.actor_id is None else ""


def _sentences(found: Iterable[SlowDown]) -> Iterable[str]:
    for each in found:
        domain = in_unicode(each.domain)
        at = date_format(timezone.localtime(each.until), "H:i")
        if each.per_hour:
            yield _at_a_rate(domain, each.per_hour)
        elif each.domain:
            yield _("%(domain)s asks us to wait. All are tried by %(at)s.") % {
                "domain": in_unicode(each.domain),
                "at": at,
            }
        else:
            of = {"provider": _label(each.provider), "at": at}
            yield _("%(provider)s asks us to wait, or cannot be reached. All are tried by %(at)s.") % of


def _at_a_rate(domain: str, per_hour: int) -> str:
    of = {"n": intcomma(per_hour), "domain": domain}
    if domain:
        return ngettext("%(domain)s takes %(n)s an hour.", "%(domain)s takes %(n)s an hour.", per_hour) % of
    return ngettext("%(n)s an hour may leave.", "%(n)s an hour may leave.", per_hour) % of


def _label(provider: str) -> str:
    known = providers().get(provider)
    return known.label if known is not None else str(_("The relay"))
