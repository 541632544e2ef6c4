"""Room for Python's own stack.

CPython 3.11, 3.12 and 3.13 (until spring 2026) keep the frames of calls in chunks of 16 KB, and give a chunk back to
the system as soon as the first call in it has returned (python/cpython#142183). A loop whose calls happen to begin
where a chunk ends has the system map and unmap memory with every call: a call then takes two hundred times as long.
Where that is depends on all that is on the stack: the web server, its middleware, the templates. The same page took 14
or 28 milliseconds, and one frame more or less moved it.

This module can go with Python 3.12: once the oldest Python that pyproject.toml allows is 3.13 as of spring 2026.
"""

import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

# In pointers. What does not fit into a chunk gets one of its own, the next power of two in size: this takes a little
# more than half of a megabyte, and leaves the other half to the calls within: as many as the recursion limit allows.
# Memory of the process it takes none, as nobody writes there.
ROOM: Final = 66_000


def roomy(function: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """`function`, but so that its calls find all their frames in one chunk. It costs some 10 microseconds a call."""

    @functools.wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        return function(*args, **kwargs)

    # The frame of a call is as large as its code says that it may need.
    call.__code__ = call.__code__.replace(co_stacksize=ROOM)  # type: ignore[attr-defined]
    return call
