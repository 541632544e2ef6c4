"""Whom a send-out is meant for, in a closed form: read from JSON, refused where it is not that, and said in SQL.

    {"kind": "all"}
    {"kind": "segment", "conditions": [{"field": "country", "values": ["SE"], "not": false}, …]}   all of them hold
    {"kind": "list", "list": 12}

The SQL is about one contact, whose alias is given; values are always parameters.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any, ClassVar, Final, Protocol

from django.utils import timezone

from contacts.sql import array
from messaging.status.order import Status

MOST_CONDITIONS: Final = 20
MOST_VALUES: Final = 300
LARGEST: Final = 2**63 - 1


class AudienceError(ValueError):
    """What was given is no audience; the message says where."""


@dataclass(slots=True)
class Parameters:
    """The values that a text refers to, each under a name of its own.

    `of_few`: the text is asked of few contacts, so that each is looked up, however long a list is.
    """

    of_few: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def __call__(self, value: Any) -> str:
        """The place for `value`, to be put into the text."""
        name = f"a{next(self.numbers)}"
        self.values[name] = value
        return f"%({name})s"


class Condition(Protocol):
    """Something that holds of a contact, or not."""

    kind: ClassVar[str]

    def says(self, alias: str, put: Parameters) -> str:
        """SQL that is true of the contact `alias`."""
        ...


@dataclass(frozen=True, slots=True)
class Country:
    """Lives in one of these (two letters, upper case), or in none of them."""

    kind: ClassVar[str] = "country"
    values: tuple[str, ...]
    is_not: bool = False

    def says(self, alias: str, put: Parameters) -> str:
        return negated(f"upper({alias}.country) = ANY({put(list(self.values))}::text[])", self.is_not)


@dataclass(frozen=True, slots=True)
class Language:
    """Speaks one of these (lower case), or none of them."""

    kind: ClassVar[str] = "language"
    values: tuple[str, ...]
    is_not: bool = False

    def says(self, alias: str, put: Parameters) -> str:
        return negated(f"lower({alias}.language) = ANY({put(list(self.values))}::text[])", self.is_not)


@dataclass(frozen=True, slots=True)
class Created:
    """Became a contact from the day `since` to the day `until`, both included, in the time zone of the settings."""

    kind: ClassVar[str] = "created"
    since: date | None = None
    until: date | None = None

    def says(self, alias: str, put: Parameters) -> str:
        parts = []
        if self.since:
            parts.append(f"{alias}.created_at >= {put(midnight(self.since))}")
        if self.until:
            parts.append(f"{alias}.created_at < {put(midnight(self.until + timedelta(days=1)))}")
        return " AND ".join(parts)


@dataclass(frozen=True, slots=True)
class LabelledWith:
    """Has one of these labels, or none of them."""

    kind: ClassVar[str] = "label"
    values: tuple[int, ...]
    is_not: bool = False

    def says(self, alias: str, put: Parameters) -> str:
        labels = f"l.label_id = ANY({put(list(self.values))}::bigint[])"
        return negated(
            f"EXISTS (SELECT FROM contacts_labelled l WHERE {labels} AND l.contact_id = {alias}.id)", self.is_not
        )


@dataclass(frozen=True, slots=True)
class SentTo:
    """Has a message of that send-out that shows one of these statuses (none given: that was not held back), or not."""

    kind: ClassVar[str] = "send_out"
    send_out: int
    values: tuple[str, ...] = ()
    is_not: bool = False

    def says(self, alias: str, put: Parameters) -> str:
        shows = f"m.status = ANY({put(list(self.values))}::text[])" if self.values else "m.status <> 'control_group'"
        return negated(message_exists(alias, put(self.send_out), shows), self.is_not)


@dataclass(frozen=True, slots=True)
class OpenedSendOut:
    """Was sent that send-out and opened it; or was sent it and did not."""

    kind: ClassVar[str] = "opened"
    send_out: int
    is_not: bool = False

    def says(self, alias: str, put: Parameters) -> str:
        shows = "NOT m.is_opened AND m.status <> 'control_group'" if self.is_not else "m.is_opened"
        return message_exists(alias, put(self.send_out), shows)


class Members(Protocol):
    """Contacts, said in SQL that is true of each of them."""

    def says(self, alias: str, put: Parameters) -> str: ...


class Audience(Members, Protocol):
    """The people that a send-out is meant for."""

    kind: ClassVar[str]

    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Everybody:
    kind: ClassVar[str] = "all"

    def says(self, alias: str, put: Parameters) -> str:  # noqa: ARG002 -- holds of everybody
        return "true"

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind}


@dataclass(frozen=True, slots=True)
class Segment:
    """The contacts of whom all conditions hold; there is at least one."""

    kind: ClassVar[str] = "segment"
    conditions: tuple[Condition, ...]

    def says(self, alias: str, put: Parameters) -> str:
        return " AND ".join(f"({each.says(alias, put)})" for each in self.conditions)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "conditions": [condition_as_json(each) for each in self.conditions]}


@dataclass(frozen=True, slots=True)
class IsOnList:
    """The contacts with an address that stands on the list, whichever channel it is of."""

    kind: ClassVar[str] = "list"
    list: int

    def says(self, alias: str, put: Parameters) -> str:
        """Each column by itself, so that PostgreSQL can hash the list: it knows nothing yet of one that is new."""
        on_list = f"FROM messaging_listedaddress a WHERE a.list_id = {put(self.list)} AND a.address_id = {alias}"
        has = "(SELECT true {} LIMIT 1)" if put.of_few else "EXISTS (SELECT {})"
        return " OR ".join(has.format(f"{on_list}.{column}") for column in ("email_address_id", "mobile_address_id"))

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "list": self.list}


@dataclass(frozen=True, slots=True)
class Having:
    """The contacts that a list of these addresses, by their numbers, would mean: to count it before it is kept."""

    addresses: Sequence[int]

    def says(self, alias: str, put: Parameters) -> str:
        numbers = f"ANY({put(array(self.addresses))}::bigint[])"
        return f"{alias}.email_address_id = {numbers} OR {alias}.mobile_address_id = {numbers}"


def read(raw: object) -> Audience:
    """The audience that the JSON value `raw` is. Raises AudienceError for anything else."""
    found = _object(raw)
    match found.get("kind"):
        case Everybody.kind:
            _only(found, {"kind"})
            return Everybody()
        case IsOnList.kind:
            _only(found, {"kind", "list"})
            return IsOnList(_number(found, "list"))
        case Segment.kind:
            _only(found, {"kind", "conditions"})
            return Segment(_conditions(found.get("conditions")))
    raise AudienceError("kind: is none of all, segment, list")


def condition_as_json(condition: Any) -> dict[str, Any]:
    """What `read` takes for a condition."""
    said = {"field": condition.kind, **asdict(condition)}
    if "is_not" in said:
        said["not"] = said.pop("is_not")
    return {name: _plain(value) for name, value in said.items()}


def negated(text: str, is_not: bool) -> str:
    return f"NOT ({text})" if is_not else text


def message_exists(alias: str, send_out: str, shows: str) -> str:
    return (
        f"EXISTS (SELECT FROM messaging_message m WHERE m.send_out_id = {send_out} AND m.contact_id = {alias}.id"
        f" AND {shows})"
    )


def midnight(day: date) -> datetime:
    """The beginning of the day, aware."""
    return timezone.make_aware(datetime.combine(day, time.min))


def _conditions(raw: object) -> tuple[Condition, ...]:
    if not isinstance(raw, list) or not 0 < len(raw) <= MOST_CONDITIONS:
        raise AudienceError(f"conditions: are 1 to {MOST_CONDITIONS}")
    return tuple(_condition(_object(each)) for each in raw)


def _condition(raw: Mapping[str, Any]) -> Condition:
    reader = READERS.get(str(raw.get("field")))
    if reader is None:
        raise AudienceError(f"field: {raw.get('field')!r} is none of {', '.join(READERS)}")
    return reader(raw)


def _country(raw: Mapping[str, Any]) -> Condition:
    _only(raw, {"field", "values", "not"})
    return Country(tuple(each.upper() for each in _texts(raw, "values", 2)), _flag(raw))


def _language(raw: Mapping[str, Any]) -> Condition:
    _only(raw, {"field", "values", "not"})
    return Language(tuple(each.lower() for each in _texts(raw, "values", 8)), _flag(raw))


def _created(raw: Mapping[str, Any]) -> Condition:
    _only(raw, {"field", "since", "until"})
    since, until = _day(raw, "since"), _day(raw, "until")
    if since is None and until is None:
        raise AudienceError("created: has neither since nor until")
    if since and until and until < since:
        raise AudienceError("created: until is before since")
    return Created(since, until)


def _labelled(raw: Mapping[str, Any]) -> Condition:
    _only(raw, {"field", "values", "not"})
    values = raw.get("values")
    if not isinstance(values, list) or not 0 < len(values) <= MOST_VALUES:
        raise AudienceError("values: is no list of labels")
    return LabelledWith(tuple(_is_number(each, "values") for each in values), _flag(raw))


def _sent_to(raw: Mapping[str, Any]) -> Condition:
    _only(raw, {"field", "send_out", "values", "not"})
    values = tuple(_texts(raw, "values", 13)) if raw.get("values") else ()
    if not set(values) <= set(Status.values):
        raise AudienceError("values: not all of them are statuses")
    return SentTo(_number(raw, "send_out"), values, _flag(raw))


def _opened(raw: Mapping[str, Any]) -> Condition:
    _only(raw, {"field", "send_out", "not"})
    return OpenedSendOut(_number(raw, "send_out"), _flag(raw))


READERS: Final[dict[str, Callable[[Mapping[str, Any]], Condition]]] = {
    Country.kind: _country,
    Language.kind: _language,
    Created.kind: _created,
    LabelledWith.kind: _labelled,
    SentTo.kind: _sent_to,
    OpenedSendOut.kind: _opened,
}


def _object(raw: object) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise AudienceError("is no object")
    return raw


def _only(raw: Mapping[str, Any], known: set[str]) -> None:
    if unknown := set(raw) - known:
        raise AudienceError(f"{', '.join(sorted(map(str, unknown)))}: unknown")


def _number(raw: Mapping[str, Any], name: str) -> int:
    return _is_number(raw.get(name), name)


def _is_number(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST:
        raise AudienceError(f"{name}: is no number of a row")
    return value


def _texts(raw: Mapping[str, Any], name: str, longest: int) -> Sequence[str]:
    values = raw.get(name)
    if not isinstance(values, list) or not 0 < len(values) <= MOST_VALUES:
        raise AudienceError(f"{name}: is no list of 1 to {MOST_VALUES}")
    if not all(isinstance(each, str) and 0 < len(each) <= longest and "\0" not in each for each in values):
        raise AudienceError(f"{name}: is no list of texts of up to {longest} characters")
    return list(values)


def _day(raw: Mapping[str, Any], name: str) -> date | None:
    value = raw.get(name)
    if value is None:
        return None
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise AudienceError(f"{name}: is no day such as 2026-11-25") from error
    if not 1970 <= day.year <= 9000:
        raise AudienceError(f"{name}: is no day of our time")
    return day


def _flag(raw: Mapping[str, Any]) -> bool:
    value = raw.get("not", False)
    if not isinstance(value, bool):
        raise AudienceError("not: is neither true nor false")
    return value


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
