"""Who is in a control group: drawn by a hash of a seed and the contact's number, the same each time and everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from messaging.sendouts.models import MasterControl

WORD: Final = 2**32
HASHES: Final = 2**64


@dataclass(frozen=True, slots=True)
class Draw:
    """A percentage of all contacts (0 to 50) and the seed that says which."""

    percentage: Decimal = Decimal(0)
    seed: int = 0

    @property
    def bound(self) -> int:
        """A contact is drawn if its hash lies below: hashes are spread evenly from -2**63 on."""
        return int(self.percentage * HASHES / 100) - HASHES // 2

    def draws(self, contact_id: int) -> bool:
        """What sql.IS_DRAWN says as well."""
        return hash_of(contact_id, self.seed) < self.bound


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


def hash_of(number: int, seed: int) -> int:
    """PostgreSQL's hashint8extended(number, seed), for numbers that are not negative (its common/hashfn.c).

    The end of Bob Jenkins' lookup3 (2006, public domain, burtleburtle.net/bob/c/lookup3.c), over one word.
    """
    word = (number % WORD) ^ (number >> 32)
    a = b = c = (0x9E3779B9 + 4 + 3923095) % WORD
    if seed:
        a, b, c = _mix((a + (seed >> 32)) % WORD, (b + seed) % WORD, c)
    b, c = _final((a + word) % WORD, b, c)
    found = b << 32 | c
    return found - HASHES if found >= HASHES // 2 else found


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turn_a, turn_b, turn_c in ((4, 6, 8), (16, 19, 4)):
        a, c = ((a - c) % WORD) ^ _turned(c, turn_a), (c + b) % WORD
        b, a = ((b - a) % WORD) ^ _turned(a, turn_b), (a + c) % WORD
        c, b = ((c - b) % WORD) ^ _turned(b, turn_c), (b + a) % WORD
    return a, b, c


def _final(a: int, b: int, c: int) -> tuple[int, int]:
    for turns in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - _turned(b, turns[0])) % WORD
        a = ((a ^ c) - _turned(c, turns[1])) % WORD
        b = ((b ^ a) - _turned(a, turns[2])) % WORD
    return b, ((c ^ b) - _turned(b, 24)) % WORD


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) % WORD
