"""The collector of circles, while many objects are made that are in none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """A context within which the collector of what refers to itself in circles rests.

    A slice makes thousands of objects, which bring it out again and again, and none of them is in a circle: they go as
    soon as nobody refers to them. What else there may be waits for the end of the turn.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
