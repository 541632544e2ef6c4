"""Between django-anymail, which knows the formats of email providers, and our events."""

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from anymail.exceptions import AnymailError, AnymailInsecureWebhookWarning, AnymailNotSupportedWarning
from anymail.signals import AnymailTrackingEvent
from django.core.exceptions import ImproperlyConfigured

from messaging.providers.base import ParsedReport, Raw, UnmappedCode, UnreadableError
from messaging.providers.event_words import TranslatedEvent
from messaging.providers.parsing import json_of, seconds_in
from messaging.status.order import READS, Event
from messaging.tracking.tokens import message_id_of

# The name under which our token travels through a provider and back.
OUR_METADATA: Final = "engage"

# What a damaged item, or one of a kind that anymail takes for a wrong set-up, makes anymail and us run into.
DAMAGE: Final = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError, OSError, AnymailError,
    ImproperlyConfigured,
)  # fmt: skip


class ParsedItem(NamedTuple):
    """An item of a report, as one of our events."""

    event: Event
    unmapped: UnmappedCode | None = None


def view_of(view: Callable[..., Any], **setup: object) -> Any:
    """One of anymail's webhook views, for what it knows; its own way of answering requests is not used."""
    with warnings.catch_warnings():
        # anymail asks for basic auth where it finds no key; we refuse every request then. And it lost its SendGrid
        # test account (its issue 432), not the feature; our payload tests stand in.
        warnings.simplefilter("ignore", AnymailInsecureWebhookWarning)
        warnings.simplefilter("ignore", AnymailNotSupportedWarning)
        return view(**setup)


def list_in(raw: Raw) -> list[Any]:
    """The items of a report that is a list. Raises UnreadableError."""
    items = json_of(raw.body)
    if not isinstance(items, list):
        raise UnreadableError("Not a list of events.")
    return items


def object_in(body: bytes | str, *needed: str) -> dict[str, Any]:
    """A report that is one object with the fields `needed`. Raises UnreadableError."""
    report = json_of(body)
    if not isinstance(report, dict):
        raise UnreadableError("Not a JSON object.")
    for name in needed:
        if name not in report:
            raise UnreadableError(f"No {name}: not a report of this provider.")
    return report


def parse_each(items: Iterable[Any], parse_item: Callable[[Any], ParsedItem | None], first: int = 1) -> ParsedReport:
    """What the items say; None is one that says nothing about a message, and a damaged one becomes a problem.

    `first`: the number of the first of them in its report.
    """
    parsed = ParsedReport()
    for number, item in enumerate(items, first):
        try:
            event_item = parse_item(item)
        except DAMAGE as error:
            parsed.problems.append(f"Event {number}: {type(error).__name__}: {error}"[:300])
        else:
            if event_item is not None:
                parsed.events.append(event_item.event)
                if event_item.unmapped is not None:
                    parsed.unmapped.append(event_item.unmapped)
    return parsed


def parsed_item(
    slug: str,
    found: AnymailTrackingEvent,
    meaning: TranslatedEvent | None,
    raw: Raw,
    *,
    tokens: Iterable[object] = (),
    idempotency_key: object = "",
    provider_message_id: str | None = None,
    occurred_at: datetime | None = None,
    is_automatic: bool = False,
) -> ParsedItem | None:
    """Our event out of anymail's; None where there is no meaning for us in it. What is given here goes before."""
    if meaning is None:
        return None
    event_at = _aware(occurred_at or found.timestamp)
    message_id = plain_id(found.message_id if provider_message_id is None else provider_message_id)
    if meaning.kind in READS and event_at is not None and message_id:
        # Some give each copy of one click an id of its own; what it is, is who, what and when.
        reader = [found.user_agent, _ip_of(found)]
        idempotency_key = fingerprint([message_id, found.recipient, found.click_url, event_at.isoformat(), *reader])
    event = Event(
        provider=slug,
        kind=meaning.kind,
        occurred_at=event_at or raw.received_at,
        idempotency_key=str(idempotency_key or found.event_id or fingerprint(found.esp_event)),
        message_id=_message_named_by(found, tokens),
        provider_message_id=message_id,
        reason=meaning.reason,
        reply_code=meaning.reply_code,
        status_code=meaning.status_code,
        provider_code=meaning.provider_code,
        diagnostic=meaning.diagnostic,
        said_by=str(found.recipient or "").rpartition("@")[2],
        certainty=meaning.certainty,
        is_automatic=is_automatic,
    )
    return ParsedItem(event, meaning.unmapped)


def _ip_of(found: AnymailTrackingEvent) -> object:
    item = found.esp_event
    return item.get("ip") if isinstance(item, dict) else None


def _message_named_by(found: AnymailTrackingEvent, tokens: Iterable[object]) -> int | None:
    """The message that our token names: in the metadata, elsewhere where it travelled, or among the tags."""
    metadata = found.metadata.get(OUR_METADATA) if isinstance(found.metadata, dict) else None
    tags = found.tags if isinstance(found.tags, list) else []
    for each in (metadata, *tokens, *tags):
        # A Message-ID carries the token before the @.
        if isinstance(each, str) and (message_id := message_id_of(plain_id(each).partition("@")[0])) is not None:
            return message_id
    return None


def plain_id(message_id: object) -> str:
    """A provider's message id as we keep it: some put <> around it in their answer and not in their report."""
    return str(message_id or "").strip().removeprefix("<").removesuffix(">")


def object_of(text: object) -> dict[str, Any]:
    """JSON in a text field; empty where it is no object."""
    try:
        found = json_of(text) if isinstance(text, str) else None
    except UnreadableError:
        return {}
    return found if isinstance(found, dict) else {}


def in_seconds(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The item with these fields, which are numbers since 1970, in seconds, as anymail reads them. What is no number is
    left as it is: a damaged item."""
    return {**item, **{name: found for name in names if (found := seconds_in(item.get(name))) is not None}}


def moment_of(text: object) -> datetime | None:
    """An ISO 8601 time; None where it is none."""
    try:
        return _aware(datetime.fromisoformat(text)) if isinstance(text, str) else None
    except ValueError:
        return None


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def fingerprint(item: object) -> str:
    """Names a fact for which the provider has no id of its own."""
    text = json.dumps(item, sort_keys=True, default=str).encode("utf-8", "replace")
    return blake2b(text, digest_size=16).hexdigest()
