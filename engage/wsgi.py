"""The WSGI application that the web server runs."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from engage.frames import roomy

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
application = roomy(get_wsgi_application())

# Otherwise with the first request.
get_resolver().url_patterns  # noqa: B018
# What is loaded by now stays for good. The collector need not walk through it again and again: that took 80 ms at a
# time, in the middle of somebody's page.
gc.collect()
gc.freeze()
# The newest objects often: a third of a millisecond in every second page, where 10,000 at a time took five in every
# twentieth. All that was made since once in thousands of pages: in one of seventy that took 5 to 25.
gc.set_threshold(1_000, 20, 50)
