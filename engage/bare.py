"""Settings for the commands that need neither a database nor a secret, so that they run on a bare machine."""

INSTALLED_APPS = ["messaging.bounces"]
USE_TZ = True
