"""What mail servers tell humans, in the languages of the world: phrases.toml, compiled."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("phrases.toml")


def phrases(table: str) -> re.Pattern[str]:
    """A pattern for any phrase of that table."""
    return re.compile(either(table), re.IGNORECASE)


def either(table: str) -> str:
    """The phrases of that table as one group, for a pattern that says what stands before and after it."""
    return f"(?:{'|'.join(pattern for patterns in _tables()[table].values() for pattern in patterns)})"


@cache
def _tables() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
