"""The WSGI application of what ingest is measured beside."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.beside.settings"
application = get_wsgi_application()
# As engage/wsgi.py does.
gc.collect()
gc.freeze()
