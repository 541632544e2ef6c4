"""Who is in a control group: drawn by a hash of a seed and the contact's number, the same each time and everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from messaging.sendouts.models import MasterControl

HASH_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Draw:
    """A percentage of all contacts (0 to 50) and the seed that says which."""

    percentage: Decimal = Decimal(0)
    seed: int = 0

    @property
    def bound(self) -> bytes:
        """A contact is drawn if its hash lies below."""
        return int(self.percentage * 256**HASH_BYTES / 100).to_bytes(HASH_BYTES, "big")

    def draws(self, contact_id: int) -> bool:
        """What sql.IS_DRAWN says as well."""
        return sha256(self.seed.to_bytes(8, "big") + contact_id.to_bytes(8, "big")).digest() < self.bound


@dataclass(frozen=True, slots=True)
class Master:
    """The master control group: whom every send-out leaves out, by percentage, by label, or by both."""

    draw: Draw = field(default_factory=Draw)
    label: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"percentage": str(self.draw.percentage), "seed": self.draw.seed, "label": self.label}


def master_of(raw: Mapping[str, Any]) -> Master:
    """What Progress.master holds; an empty one is nobody."""
    if not raw:
        return Master()
    return Master(Draw(Decimal(raw["percentage"]), raw["seed"]), raw["label"])


def current_master() -> Master:
    """As it is set now."""
    row = MasterControl.objects.first()
    return Master(Draw(row.percentage, row.seed), row.label_id) if row else Master()
