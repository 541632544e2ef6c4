"""How many messages may leave at what time: EMAIL_LIMIT and EMAIL_DOMAIN_LIMITS.

Pure; messaging/apps.py has them read at the start.

100/second, 6000/minute, 600/hour or 50000/day; by domain: gmail.com=6000/hour, *=600/hour, where * is every other one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.core.exceptions import ImproperlyConfigured

from engage.domains import in_ascii

SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
OTHERS: Final = "*"
# To the receiving servers directly, where nothing is set: what a server with a good name may send to a large provider
# without being slowed down. To one server that stands in for all, as for trying out, there is none.
CAREFUL: Final = "3600/hour"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in such a span."""

    count: int
    seconds: int

    @property
    def interval(self) -> timedelta:
        """From one message to the next."""
        return timedelta(seconds=self.seconds / self.count)

    @property
    def per_hour(self) -> int:
        return max(1, round(self.count * 3600 / self.seconds))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a way out as a whole, and of each receiving domain; None: no limit."""

    whole: Rate | None = None
    domains: Mapping[str, Rate] = field(default_factory=dict)

    def of(self, domain: str) -> Rate | None:
        return self.domains.get(domain, self.domains.get(OTHERS))


def limits_of(whole: str, domains: Sequence[str]) -> Limits:
    """Raises ImproperlyConfigured with what to do."""
    by_domain = {}
    for each in filter(None, map(str.strip, domains)):
        domain, is_given, rate = each.partition("=")
        if not is_given or not domain.strip():
            raise ImproperlyConfigured(f"EMAIL_DOMAIN_LIMITS must look like gmail.com=6000/hour, *=600/hour: {each!r}.")
        by_domain[in_ascii(domain.strip().lower())] = rate_of(rate)
    return Limits(rate_of(whole) if whole.strip() else None, by_domain)


def rate_of(text: str) -> Rate:
    count, _, span = text.strip().lower().partition("/")
    if not (count.strip().isdecimal() and int(count) and span.strip() in SECONDS):
        raise ImproperlyConfigured(f"A limit must look like 600/hour, with second, minute, hour or day: {text!r}.")
    return Rate(int(count), SECONDS[span.strip()])
