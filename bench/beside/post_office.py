"""Engage's own settings with django-post_office, which has tables of its own in the bench's database."""

import os

from engage.settings import *  # noqa: F403
from engage.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "post_office"]
EMAIL_BACKEND = "post_office.EmailBackend"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ.get("SINK_PORT", "25"))
POST_OFFICE = {
    "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
    "BATCH_SIZE": 1000, "THREADS_PER_PROCESS": 5, "LOG_LEVEL": 1, "CELERY_ENABLED": False,
}  # fmt: skip
