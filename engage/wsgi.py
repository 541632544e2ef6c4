"""The WSGI application that the web server runs."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
application = get_wsgi_application()

# Otherwise with the first request.
get_resolver().url_patterns  # noqa: B018
# What is loaded by now stays for good. The collector need not walk through it again and again: that took 80 ms at a
# time, in the middle of somebody's page.
gc.collect()
gc.freeze()
# Every 10,000 objects, some ten pages, instead of two times a page; and all that was made since once in thousands of
# pages: in one of seventy that took 5 to 25 ms, and so made the slowest hundredth what it was.
gc.set_threshold(10_000, 10, 50)
