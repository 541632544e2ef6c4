"""Engage's own settings, with other addresses."""

import os

from engage.settings import *  # noqa: F403

ROOT_URLCONF = "bench.beside.urls"
ANYMAIL = {"SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": os.environ["SENDGRID_WEBHOOK_KEYS"].split(",")[0]}
