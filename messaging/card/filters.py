"""The filters of the Messages tab, as they stand in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet

from contacts.models import Channel
from messaging.models import Message
from messaging.status.order import EMAIL_STATUSES, SMS_STATUSES, Status

OFFERED: Final[dict[str, tuple[Status, ...]]] = {
    "": tuple(status for status in Status if status in {*EMAIL_STATUSES, *SMS_STATUSES}),
    Channel.EMAIL.value: EMAIL_STATUSES,
    Channel.SMS.value: SMS_STATUSES,
}


@dataclass(frozen=True, slots=True)
class Filters:
    """A channel and a status that fits it; empty means any."""

    channel: str = ""
    status: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "Filters":
        """What the URL says; what makes no sense counts as any."""
        channel = query.get("channel", "")
        channel = channel if channel in OFFERED else ""
        status = query.get("status", "")
        return cls(channel, status if status in OFFERED[channel] else "")

    @property
    def statuses(self) -> tuple[Status, ...]:
        return OFFERED[self.channel]

    @property
    def query(self) -> str:
        """For the URL, without what is not set."""
        return urlencode({name: value for name in ("channel", "status") if (value := getattr(self, name))})

    def narrow(self, messages: "QuerySet[Message, Any]") -> "QuerySet[Message, Any]":
        chosen = {name: value for name in ("channel", "status") if (value := getattr(self, name))}
        return messages.filter(**chosen)

    def __bool__(self) -> bool:
        return bool(self.channel or self.status)
