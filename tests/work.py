"""How much work something is, counted and not timed: the same on every machine, however busy."""

import sys
from collections.abc import Callable


def calls(do: Callable[[], object]) -> int:
    """How many functions, of ours and of Python's, are called. What a single call does, such as a search, is one."""
    made = 0

    def note(_frame: object, event: str, _given: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(before)
    return made


def is_linear(make: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Whether twice the input is at most about twice the work; `make` is given a size, and returns what reads it."""
    make(2 * size)()  # what is made once, and kept
    once, twice = calls(make(size)), calls(make(2 * size))
    return twice <= 2.2 * once + 500
