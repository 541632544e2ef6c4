"""How Engage writes what it shows: icons, times, initials, languages."""

from datetime import date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from html import escape
from typing import Any, Final, NamedTuple, Self

from django import template
from django.db.models import Model
from django.template import Context
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, get_language_info, gettext, ngettext

from contacts.addresses import display_mobile
from contacts.models import Address, Block, Channel, Contact, Life
from contacts.pages import is_more, rows_in_all
from engage import keyset

register = template.Library()

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
# So that Arabic initials stand beside each other instead of making a word.
ZERO_WIDTH_NON_JOINER: Final = "\u200c"


class Clock(NamedTuple):
    """What time it is, where, and in which language times are written: looked up once for a list, not for each row."""

    now: datetime
    today: date
    zone: tzinfo
    language: str | None

    @classmethod
    def here(cls) -> Self:
        now, zone = timezone.now(), timezone.get_current_timezone()
        return cls(now, now.astimezone(zone).date(), zone, get_language())


@register.simple_tag
@cache
def icon(name: str, label: str = "") -> SafeString:
    """An icon of static/icons.svg; without a label it is mute, as the words beside it say the same."""
    address = f"{static('icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, address)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', address)


@register.simple_tag
def pill(look: str, sign: str, words: object) -> SafeString:
    """A status as icon, words and colour."""
    return format_html('<span class="pill {}">{}{}</span>', look, icon(sign), words)


@register.simple_tag
def opens(view: str, *args: Any) -> SafeString:
    """The attributes of a link that opens `view` in the dialog; without JavaScript it is a page of its own."""
    return in_dialog(reverse(view, args=args))


def in_dialog(address: str, name: str = "") -> SafeString:
    """As `opens`, for an address of ours that is known; `name`, which may be any text, names a link without words."""
    label = f' aria-label="{escape(name)}"' if name else ""
    return SafeString(
        f'href="{address}" hx-get="{address}" hx-target="#dialog-content" hx-swap="innerHTML" aria-haspopup="dialog"'
        f"{label}"
    )


@register.simple_tag
def moment(at: datetime | None, clock: Clock | None = None) -> SafeString:
    """A time as how long ago; on hover and focus, and for screen readers at once, the exact one."""
    if at is None:
        return SafeString("")
    clock = clock or Clock.here()
    # Nothing in it is anybody's but ours, and to escape it took longer than all the rest.
    return SafeString(
        f'<time class="moment" datetime="{at.isoformat(timespec="seconds")}" tabindex="0">'
        f'<span class="ago">{ago(at, clock)}</span> <span class="exact">{exact(at, clock)}</span></time>'
    )


@register.simple_tag
def since(at: datetime | None) -> SafeString:
    """A time as how long ago, within a sentence."""
    if at is None:
        return SafeString("")
    return format_html(
        '<time datetime="{}"><span class="ago">{}</span></time>', at.isoformat(timespec="seconds"), ago(at)
    )


@register.simple_tag
def clock(at: datetime | None) -> SafeString:
    """The exact time, with seconds: for what a server said."""
    if at is None:
        return SafeString("")
    local = timezone.localtime(at)
    pattern = "j M, H:i:s" if local.year == timezone.localtime().year else "j M Y, H:i:s"
    stamp = at.isoformat(timespec="milliseconds")
    return format_html('<time datetime="{}">{}</time>', stamp, date_format(local, pattern))


@register.filter
def shown(address: Address) -> str:
    """The address as people write it."""
    return display_mobile(address.value) if address.channel == Channel.SMS else address.value


@register.inclusion_tag("more.html", takes_context=True)
def more(context: Context, before: int, path: str = "") -> dict[str, str]:
    """The button for the rows below number `before`; without JavaScript a link to a page of them."""
    request = context["request"]
    asked = request.GET.copy()
    rows = rows_in_all(request)
    first = asked.pop("from", [""])[0] or (asked.get("before", "") if not is_more(request) else "")
    asked.pop("rows", None)
    asked["before"] = str(before)
    plainly = f"{path}?{asked.urlencode()}"
    asked["rows"] = str(rows + keyset.SIZE)
    if first:
        asked["from"] = first
    return {"plainly": plainly, "adding": f"{path}?{asked.urlencode()}"}


@register.filter
def number(e164: str) -> str:
    return display_mobile(e164)


@register.simple_tag
def life_words(block: Block) -> str:
    """What shows that a blocked address is alive, such as "Opened a message on 3 Nov, after the block: …"."""
    if block.life_at is None:
        return ""
    told = {"sign": Life(block.life_by).label, "day": day_of(block.life_at)}
    if block.life_is_automatic:
        return gettext("%(sign)s on %(day)s, after the block, probably by a program: this address may be alive.") % told
    return gettext("%(sign)s on %(day)s, after the block: this address may be alive.") % told


@register.filter
def shortly(left: timedelta) -> str:
    """A span of time in one unit: 40 s, 12 min, 3 h."""
    if left < MINUTE:
        return gettext("%(n)d s") % {"n": left // timedelta(seconds=1)}
    if left < 2 * HOUR:
        return gettext("%(n)d min") % {"n": left // MINUTE}
    return gettext("%(n)d h") % {"n": left // HOUR}


@register.filter
def exact(at: datetime, clock: Clock | None = None) -> str:
    clock = clock or Clock.here()
    local = at.astimezone(clock.zone)
    return f"{day(local.date(), 'j M Y', clock.language)}, {local.hour:02}:{local.minute:02} {local.tzname()}"


def ago(at: datetime, clock: Clock | None = None) -> str:
    """How long ago, in one unit; from a week on the day. What static/js/engage.js keeps up to date while it is seen."""
    clock = clock or Clock.here()
    age = clock.now - at
    if age < MINUTE:
        return gettext("just now")
    if age < HOUR:
        return ngettext("%(n)d minute ago", "%(n)d minutes ago", age // MINUTE) % {"n": age // MINUTE}
    if age < DAY:
        return ngettext("%(n)d hour ago", "%(n)d hours ago", age // HOUR) % {"n": age // HOUR}
    if age < WEEK:
        return ngettext("%(n)d day ago", "%(n)d days ago", age // DAY) % {"n": age // DAY}
    return day_of(at, clock)


def day_of(at: datetime, clock: Clock | None = None) -> str:
    clock = clock or Clock.here()
    on = at.astimezone(clock.zone).date()
    return day(on, "j M" if on.year == clock.today.year else "j M Y", clock.language)


@lru_cache(maxsize=2_000)
def day(on: date, pattern: str, language: str | None) -> str:  # noqa: ARG001 (is part of the cache's key)
    """A day as the `language` in force writes it. A list of messages asks for two of each row, the same ones again."""
    return date_format(on, pattern)


@register.filter
def initials(contact: Contact) -> str:
    """The first letters of both names, or of the email; nothing where there is no letter."""
    names = [contact.first_name, contact.last_name] if contact.first_name or contact.last_name else [contact.email]
    letters = [next(filter(str.isalpha, name), "") for name in names]
    return ZERO_WIDTH_NON_JOINER.join(filter(None, letters)).upper()


@register.filter
def language_name(code: str) -> str:
    try:
        return str(get_language_info(code.lower())["name_translated"])
    except KeyError:
        return code


@register.filter
def field_name(row: Model, field: str) -> str:
    """What the field `field` of a model is called."""
    return str(getattr(row._meta.get_field(field), "verbose_name", field)).capitalize()
