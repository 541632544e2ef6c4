"""All settings, read from the environment; a missing or wrong value stops the start with a clear error.

`make run` fills in what a bare machine lacks (see engage/local/run.py); docs/operators.md lists every variable.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from engage.domains import in_ascii
from engage.logs import logging_at
from engage.schedule import SCHEDULE

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def required(name: str, hint: str) -> str:
    """The variable's value. Raises ImproperlyConfigured with what to do where it is missing or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set {name} in the environment: {hint} ('make run' does so by itself.)")
    return value


VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = required("SECRET_KEY", "a long random text, the same for all processes, kept secret.")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Where the outside world reaches us; providers sign this address (Twilio) and post to it.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
if not PUBLIC_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured(f"PUBLIC_URL must start with http:// or https://, not {PUBLIC_URL!r}.")

# What is typed `Any` stands here as it was given; messaging/apps.py puts what it means in its place at the start.
# By which way emails leave (messaging/delivery/email_routes.py); without one none do, and send-outs wait.
EMAIL_ROUTE: Any = env.str("EMAIL_ROUTE", default="")
# How many leave at what time (rates.py): in all, and by receiving domain, where None leaves it to what suits the way.
EMAIL_LIMITS: Any = (env.str("EMAIL_LIMIT", default=""), env.list("EMAIL_DOMAIN_LIMITS", default=None))
# So many connections at once to one mail server, of each process that hands over.
EMAIL_CONNECTIONS = env.int("EMAIL_CONNECTIONS", default=4)
if EMAIL_CONNECTIONS < 1:
    raise ImproperlyConfigured("EMAIL_CONNECTIONS must be 1 or more.")
# What our mail client calls itself to other servers (RFC 5321 4.1.1.1): the name that our address has in the DNS.
MAIL_NAME = env.str("MAIL_NAME", default=urlsplit(PUBLIC_URL).hostname or "localhost")
# What signs our mails (messaging/sendouts/dkim.py): selector@domain=/path/to/private.pem, by comma.
DKIM_KEYS: Any = env.str("DKIM_KEYS", default="")
# Where links and the pixel in our mails lead: a domain of its own, if you like, that reaches this same server.
TRACKING_URL = env.str("TRACKING_URL", default=PUBLIC_URL).rstrip("/")
if not TRACKING_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured(f"TRACKING_URL must start with http:// or https://, not {TRACKING_URL!r}.")
# So that a domain of its own needs no second setting.
ALLOWED_HOSTS += {urlsplit(TRACKING_URL).hostname or ""} - {"", *ALLOWED_HOSTS}
# What stands behind the @ in the Message-ID of our mails.
MESSAGE_ID_DOMAIN = in_ascii(env.str("MESSAGE_ID_DOMAIN", default=urlsplit(PUBLIC_URL).hostname or "localhost"))

INSTALLED_APPS = [
    "engage.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "csp",
    "django_htmx",
    "engage.apps.EngageConfig",
    "contacts",
    "messaging",
    "messaging.bounces",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "engage.kept.LoginRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "engage.requests.Guard",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "engage.urls"
WSGI_APPLICATION = "engage.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {"default": env.db_url_config(required("DATABASE_URL", "postgres://user:password@host:5432/name"))}
if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database, postgres://…; nothing else will do.")
DATABASES["default"].update(CONN_MAX_AGE=env.int("CONN_MAX_AGE", default=300), CONN_HEALTH_CHECKS=True)
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
# Statements that engage.database prepares; None forbids it, for a pooler that does not keep them apart.
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = 5 if env.bool("DATABASE_PREPARE", default=True) else None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = required("REDIS_URL", "redis://host:6379/0 (Redis or Valkey).")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://", 1),
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
}

# Celery: tasks carry no data, only what wakes a worker; what is due lies in PostgreSQL. So a lost broker loses nothing.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# So the broker need not keep it until it is acknowledged; kombu 5.7 ends the worker where it acknowledges to, or puts
# back into (engage/celery.py), a broker that went away meanwhile.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 2, "ack_emulation": False}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = SCHEDULE
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

# What a provider proves itself with, <PROVIDER>_WEBHOOK_KEYS: a public key, a signing secret, or user:password, as
# its page in docs/providers/ says. Without one it is refused; several, by comma, while one is being changed.
WEBHOOK_KEYS = {
    name.removesuffix("_WEBHOOK_KEYS").lower(): env.list(name) for name in os.environ if name.endswith("_WEBHOOK_KEYS")
}
# Providers whose older signature, which covers less, is taken where the newer one is missing: plivo, postal.
WEBHOOK_OLD_SIGNATURES = frozenset(env.list("WEBHOOK_OLD_SIGNATURES", default=[]))
# A folder of SMS gateways described by configuration, one TOML file each (docs/providers/generic.md).
GATEWAYS_DIR = env.str("GATEWAYS_DIR", default="")
# The SMSCs that `manage.py smpp` binds to, by comma: smpp://user:password@host:2775/name (docs/providers/smpp.md).
SMPP_CONNECTIONS: Any = env.list("SMPP_URLS", default=[])
# By which way SMS leave (messaging/delivery/sms_routes.py); without one none do, and send-outs wait.
SMS_ROUTE: Any = env.str("SMS_ROUTE", default="")
# Bounce mail comes to bounce+<token>@BOUNCE_DOMAIN (docs/providers/mail.md): by `manage.py bounce_server`, which
# listens at BOUNCE_LISTEN, lmtp://127.0.0.1:8024 or smtp://0.0.0.0:25 or lmtp:///run/engage/bounce.sock, by comma, with
# STARTTLS where there is a certificate; or by `manage.py bounce_mailbox` out of the mailboxes of IMAP_URLS.
BOUNCE_DOMAIN = in_ascii(env.str("BOUNCE_DOMAIN", default="").strip().lower())
BOUNCE_LISTENERS: Any = env.list("BOUNCE_LISTEN", default=[])
BOUNCE_TLS_CERT = env.str("BOUNCE_TLS_CERT", default="")
BOUNCE_TLS_KEY = env.str("BOUNCE_TLS_KEY", default="")
IMAP_MAILBOXES: Any = env.list("IMAP_URLS", default=[])
# Whether a bounce that names no message may be taken for the newest one to its address.
BOUNCE_GUESS = env.bool("BOUNCE_GUESS", default=True)
# Anybody may send mail there. How many bytes of it wait unread before more is told to come again; how many mails, and
# bytes of them, are kept that told nothing of a message of ours; and how many bytes of those that did.
BOUNCE_WAITING_MAX_BYTES = env.int("BOUNCE_WAITING_MAX_BYTES", default=256 * 1024 * 1024)
BOUNCE_OTHER_MAX = env.int("BOUNCE_OTHER_MAX", default=200)
BOUNCE_OTHER_MAX_BYTES = env.int("BOUNCE_OTHER_MAX_BYTES", default=20 * 1024 * 1024)
BOUNCE_KEPT_MAX_BYTES = env.int("BOUNCE_KEPT_MAX_BYTES", default=2 * 1024 * 1024 * 1024)
if min(BOUNCE_WAITING_MAX_BYTES, BOUNCE_KEPT_MAX_BYTES) <= 0 or min(BOUNCE_OTHER_MAX, BOUNCE_OTHER_MAX_BYTES) < 0:
    raise ImproperlyConfigured("BOUNCE_…_MAX_BYTES must be more than 0; BOUNCE_OTHER_MAX and its bytes may be 0.")
# A longer report is kept, but not read before this is raised; one over four times as long is turned away.
REPORT_MAX_BYTES = env.int("REPORT_MAX_BYTES", default=16 * 1024 * 1024)
# What takes more than this to read, in seconds of processor time and bytes of memory, or tells more events, is set
# aside as one that could not be read.
REPORT_MAX_SECONDS = env.float("REPORT_MAX_SECONDS", default=20)
REPORT_MAX_MEMORY = env.int("REPORT_MAX_MEMORY", default=256 * 1024 * 1024)
REPORT_MAX_EVENTS = env.int("REPORT_MAX_EVENTS", default=50_000)
if min(REPORT_MAX_SECONDS, REPORT_MAX_MEMORY, REPORT_MAX_EVENTS) <= 0:
    raise ImproperlyConfigured("REPORT_MAX_SECONDS, REPORT_MAX_MEMORY and REPORT_MAX_EVENTS must be more than 0.")
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * REPORT_MAX_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# The largest block list that the page Imports takes, bytes; `manage.py import_blocks` takes any.
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=100 * 1024 * 1024)

# A report that names a message we do not know is tried again for this long (it may overtake our own commit), seconds.
UNMATCHED_RETRY_SECONDS = env.int("UNMATCHED_RETRY_SECONDS", default=24 * 3600)
# How long raw reports and events are kept, days; 0 for ever. Messages keep status and bounce details.
REPORT_RETENTION_DAYS = env.int("REPORT_RETENTION_DAYS", default=30)
EVENT_RETENTION_DAYS = env.int("EVENT_RETENTION_DAYS", default=400)
# An alarm is raised where a provider has been silent for so long beyond its usual pauses, and where so many of its
# reports were refused within an hour.
SILENCE_MINUTES = env.int("SILENCE_MINUTES", default=60)
REFUSALS_PER_HOUR = env.int("REFUSALS_PER_HOUR", default=10)
# What Prometheus must send as Bearer token to read /metrics; without one there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
PHONE_REGION = env.str("PHONE_REGION", default="SE")

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "engage.permissions.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "contacts:list"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=8)
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked_out.html"
AXES_VERBOSE = False

HTTPS = env.bool("HTTPS", default=PUBLIC_URL.startswith("https://"))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "engage.kept.too_late"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LOGGING = logging_at(env.str("LOG_LEVEL", default="INFO"))
