"""What slows a send-out down, or has stopped it, in plain words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.models import Channel
from engage.domains import in_unicode
from messaging.delivery import transport_factory
from messaging.delivery.away import ADVICE, AwayCause
from messaging.models import Alarm, SendOut, SlowDown
from messaging.monitoring import alarms
from messaging.providers.esp import variable
from messaging.providers.registry import providers
from messaging.providers.sending import esp_of, senders
from messaging.sendouts import restored
from messaging.sendouts.models import SendOutChange, State


def slowed_by(send_out: SendOut, now: datetime | None = None) -> list[str]:
    """A sentence for each limit or request to wait that its messages wait for now; none unless it is at work."""
    if send_out.state != State.SENDING:
        return []
    found = SlowDown.objects.filter(send_out=send_out, until__gt=now or timezone.now()).order_by("-until")
    return list(_sentences(found[:5]))


def stopped_by(send_out: SendOut) -> str:
    """Why Engage itself has paused it; empty where a person did, or nobody, and while nothing leaves after a restore:
    then the page says so at its top, and nobody can go on."""
    if send_out.state != State.PAUSED:
        return ""
    last = send_out.changes.filter(kind=SendOutChange.Kind.PAUSED).order_by("-pk").first()
    if last is None or last.actor_id is not None or restored.is_held():
        return ""
    return last.detail


@dataclass(frozen=True, slots=True)
class Absence:
    """That nothing leaves: why, in a sentence for everybody, since when, and for whoever looks after Engage in whose
    words, and what to do."""

    alarm: Alarm
    channel: Channel
    says: str
    advice: str

    @property
    def since(self) -> datetime:
        return self.alarm.started_at


def absences() -> list[Absence]:
    """Of each channel whose way out is away."""
    on = {alarm.provider: alarm for alarm in alarms.away()}
    slugs = {channel: transport_factory.slug_of(channel) for channel in Channel}
    return [_absence(on[slug], channel) for channel, slug in slugs.items() if slug in on]


def absence_of(channel: str) -> Absence | None:
    return next((each for each in absences() if each.channel == channel), None)


def kept_back(send_out: SendOut) -> Absence | None:
    """What keeps it from leaving, where it would leave if it could."""
    is_waiting = send_out.state == State.SENDING or (send_out.state == State.PAUSED and send_out.waits_for)
    return absence_of(send_out.channel) if is_waiting else None


def _absence(alarm: Alarm, channel: Channel) -> Absence:
    cause = AwayCause(alarm.cause)
    return Absence(
        alarm, channel, str(cause.label) % {"who": _who(alarm.provider)},
        str(ADVICE[cause]) % {"setting": _setting(alarm.provider, channel)},
    )  # fmt: skip


def _who(slug: str) -> str:
    if slug == "relay":
        return _("The mail server through which emails leave")
    if slug == "smpp":
        return _("The SMS centre of the operator")
    return _label(slug)


def _setting(slug: str, channel: Channel) -> str:
    """Where whoever looks after Engage finds it."""
    if slug == "smpp":
        return "SMPP_URLS"
    if channel == Channel.SMS:
        return "SMS_ROUTE"
    needed = esp_of(slug).needed if slug in senders(Channel.EMAIL) else ()
    return ", ".join(["EMAIL_ROUTE", *(variable(slug, name) for name in needed)])


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
