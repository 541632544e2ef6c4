"""The WSGI application of what ingest is measured beside."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from engage.frames import roomy

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.beside.settings"
# All as engage/wsgi.py does.
application = roomy(get_wsgi_application())
gc.collect()
gc.freeze()
