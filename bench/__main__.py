"""`make bench`: measure Engage and print one JSON line per figure. See README.md for what each of them means."""

import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

from bench import place
from bench.figures import Figure, say
from engage.frames import roomy

# In this order; each is a module here with a `measure`.
GROUPS = (
    "apply",
    "overlap",
    "sweep",
    "rows",
    "outcome",
    "card",
    "search",
    "ingest",
    "pixel",
    "outage",
    "replies",
    "mails",
    "smpp",
    "smtp",
)
# ONLY=apply means all figures of that name.
PARTS = {"apply": ("apply", "overlap")}


def main() -> None:
    groups, messages = chosen(os.environ.get("ONLY", "")), int(os.environ.get("MESSAGES") or 5_000_000)
    with place.prepared():
        for name in groups:
            say(f"== {name}")
            measured(name, messages)


# As all that runs here does in the product.
@roomy
def measured(name: str, messages: int) -> None:
    measure: Callable[[int], Iterator[Figure]] = import_module(f"bench.{name}").measure
    for figure in measure(messages):
        figure.print()


def chosen(only: str) -> list[str]:
    """The groups that `only` names, by comma; all where it names none. Ends the program on a name there is not."""
    asked = {part for name in filter(None, map(str.strip, only.split(","))) for part in PARTS.get(name, (name,))}
    if unknown := asked.difference(GROUPS):
        sys.exit(f"bench: there is no group {', '.join(sorted(unknown))}, but {', '.join(GROUPS)}.")
    return [name for name in GROUPS if not asked or name in asked]


if __name__ == "__main__":
    main()
