"""What a provider's file offers: verify a request, and parse a raw report into events. Both without a database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.http import HttpRequest
from django.utils.functional import Promise

from contacts.models import Channel
from messaging.status.order import Event


class ForgedError(Exception):
    """The request is not (provably) from the provider: signature wrong, missing, or no key set up."""


class UncheckedError(Exception):
    """Nothing speaks against the request, but it could not be checked now: the provider had better come back."""


class UnreadableError(Exception):
    """The report cannot be parsed at all; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A report as it was kept.

    `path` is that of the request with its query; `headers` those that the provider asked to keep, by lower-case
    name; `received_at` aware UTC.
    """

    body: bytes
    content_type: str
    path: str
    received_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)


class UnmappedCode(NamedTuple):
    """A code that our table for its code space lacks; it fell to the provider's own class."""

    space: str
    code: str


@dataclass(slots=True)
class ParsedReport:
    """What a report says: its events, and what in it could not be read (the rest is applied all the same).

    `unmapped` are the codes that our tables lack, for support to see which.
    """

    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unmapped: list[UnmappedCode] = field(default_factory=list)

    def add(self, other: "ParsedReport") -> None:
        self.events += other.events
        self.problems += other.problems
        self.unmapped += other.unmapped


class Probe(NamedTuple):
    """A request to our own webhook, made as the provider would make it (messaging/monitoring/test_report.py)."""

    url: str
    headers: Mapping[str, str] = {}


class ReportRoute(NamedTuple):
    """How reports reach us otherwise than by webhook, for the page Providers: what it is, and where."""

    name: str | Promise
    place: str


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider.

    `verify` raises ForgedError or UncheckedError; `parse` raises UnreadableError, and nothing else that is its fault.
    """

    slug: str
    label: str
    channel: Channel
    is_set_up: Callable[[], bool]
    verify: Callable[[HttpRequest], None]
    parse: Callable[[Raw], ParsedReport]
    # Lower-case names of headers that `parse` needs; what is not named here is not kept.
    headers: tuple[str, ...] = ()
    # How it may report; what comes by GET is kept as the form that its query is.
    methods: tuple[str, ...] = ("POST",)
    # The method by which it asks whether there is somebody at the address at all; answered with 200.
    probe: str = ""
    # The status code that it takes for "received".
    answer: int = 204
    # Query parameters that hold a secret: they are not kept.
    secrets: tuple[str, ...] = ()
    # Makes of our webhook's address a request without a body that `verify` takes; None where only the provider can.
    sign: Callable[[str], Probe] | None = None
    # The ways by which its reports come where it has no webhook, or besides.
    ways: Callable[[], Sequence[ReportRoute]] = tuple
    # How its reports come, for the page Providers, where it has no webhook.
    comes: str | Promise = ""
    # What one of its keys is, out of the setting that holds them; raises ValueError or TypeError where it is none.
    key: Callable[[str], object] = str
    # Off for a gateway that a file in GATEWAYS_DIR describes.
    is_built_in: bool = True
