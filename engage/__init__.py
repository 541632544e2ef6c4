"""Engage: the CRM that tells marketers the truth about every message they send."""

from engage.celery import app as celery_app

__all__ = ["celery_app"]
