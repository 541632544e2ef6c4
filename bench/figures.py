"""A figure, how it is printed, and how rounds of several ways become one."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

START = time.monotonic()


@dataclass(frozen=True, slots=True)
class Figure:
    """One number; `detail` says what it was measured on and what it is made of."""

    name: str
    value: float
    unit: str
    detail: dict[str, object] = field(default_factory=dict)

    def print(self) -> None:
        """One line of JSON to stdout, at once."""
        machine = {"cpus": os.cpu_count(), "python": platform.python_version()}
        line = {"figure": self.name, "value": rounded(self.value), "unit": self.unit, "detail": self.detail | machine}
        print(json.dumps(line, ensure_ascii=False, default=str), flush=True)


def say(text: str) -> None:
    """Progress, to stderr: stdout is for figures alone."""
    print(f"[{time.monotonic() - START:6.0f} s] {text}", file=sys.stderr, flush=True)


def rounded(number: float) -> float:
    """Four figures are more than a measurement on a shared machine holds."""
    return float(f"{number:.4g}")


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of each round's own ratio: what slows a whole round slows both of its ways."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def medians(by_way: dict[str, list[float]]) -> dict[str, float]:
    return {way: rounded(statistics.median(values)) for way, values in by_way.items()}


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 1).__int__() - 1)]
