"""Settings for the commands that need neither a database nor a secret, so that they run on a bare machine.

Here rather than in `engage`, whose __init__ loads Celery: that takes longer than the command itself.
"""

INSTALLED_APPS = ["messaging.bounces"]
USE_TZ = True
