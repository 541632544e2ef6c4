"""A PostgreSQL and a Valkey of the tests' own, and the settings that go with them."""

import atexit
import os
import re
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import django
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from engage.local import bootstrap, embedded, keys

# A developer may test against servers of their own; everything else that the settings read is the tests' to say.
KEPT = {"DATABASE_URL", "REDIS_URL", "LOG_LEVEL"}


def bring_up() -> None:
    """Runs when pytest loads this file: a conftest.py below may import models at once, and those need settings."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make_surroundings()
    elif os.environ["REDIS_URL"].startswith("unix://" + os.environ["VAR_DIR"]):
        give_worker_its_own_broker()
    os.environ["DJANGO_SETTINGS_MODULE"] = "engage.settings"
    # Tests do not run collectstatic, which the manifest of the real storage would need.
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    django.setup()


def make_surroundings() -> None:
    """One PostgreSQL for this process and the xdist workers it may start: they inherit the environment."""
    folder = Path(tempfile.mkdtemp(prefix="engage-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in foreign_variables():
        del os.environ[name]
    # What pytest and Chromium write goes with it, too, and not into the home folder.
    for name in ("VAR_DIR", "PYTEST_DEBUG_TEMPROOT", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = str(folder)
    start_missing_servers(folder)
    keys.fill(folder)


def foreign_variables() -> list[str]:
    read = re.findall(r'(?:env\.\w+|required)\("(\w+)"', (bootstrap.BASE_DIR / "engage" / "settings.py").read_text())
    return [name for name in os.environ if name.endswith("_WEBHOOK_KEYS") or (name in read and name not in KEPT)]


def give_worker_its_own_broker() -> None:
    """PostgreSQL has a database per worker already; a cleared cache or a drained queue is the worker's own, too."""
    folder = Path(os.environ["VAR_DIR"], os.environ["PYTEST_XDIST_WORKER"])
    folder.mkdir()
    del os.environ["REDIS_URL"]
    start_missing_servers(folder)


def start_missing_servers(folder: Path) -> None:
    with embedded.plain_errors():
        for server in embedded.missing_servers(folder, durable=False):
            atexit.register(server.stop)
            server.start()


bring_up()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Workers inherit it otherwise, and pytest-django reads the settings before they have a broker of their own."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.fixture(scope="session")
def sendgrid_private_key() -> str:
    """PEM; its public half is the one key in settings.WEBHOOK_KEYS."""
    return Path(os.environ["DEMO_SENDGRID_KEY_FILE"]).read_text()


@pytest.fixture(scope="session")
def twilio_auth_token() -> str:
    return os.environ["TWILIO_WEBHOOK_KEYS"]


@pytest.fixture
def groups(transactional_db: None) -> None:
    """As the migration makes them; a test before this one may have emptied the tables."""
    here = SimpleNamespace(connection=connection)
    import_module("messaging.migrations.0003_groups").make_groups(apps, here)
    import_module("messaging.migrations.0005_tallies").grant(apps, here)
    import_module("messaging.migrations.0008_block_rules").grant(apps, here)
    import_module("messaging.migrations.0009_block_pages").grant(apps, here)
    import_module("messaging.migrations.0012_send_out_groups").grant(apps, here)
    import_module("messaging.migrations.0015_outcome_groups").grant(apps, here)
    import_module("messaging.migrations.0025_installation").grant(apps, here)
