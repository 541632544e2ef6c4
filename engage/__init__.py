"""Engage: the CRM that tells marketers the truth about every message they send."""

import sys

# billiard, which forks the workers, takes cffi where it finds it, and parses C by it in each process, in a megabyte, to
# say one number to the kernel. It looks just once; without, it does so by ctypes. Whoever else wants cffi gets it.
is_loaded = "cffi" in sys.modules
if not is_loaded:
    sys.modules["cffi"] = None  # type: ignore[assignment]

from engage.celery import app as celery_app  # noqa: E402 -- see above

if not is_loaded:
    del sys.modules["cffi"]

__all__ = ["celery_app"]
