"""What has to be so before the demo touches anything; where it is not, what to do about it."""

import os
from pathlib import Path

import requests
from django.conf import settings
from django.db import connection

from messaging.demo import cast, sendgrid
from messaging.demo.play import DemoError
from messaging.demo.post import Keys

# pg_advisory_lock's number for a demo that is being loaded; any will do that nobody else uses.
LOCK = 0x656E67616765


def password() -> str:
    chosen = os.environ.get("DEMO_PASSWORD", "")
    if not chosen:
        raise DemoError("Set DEMO_PASSWORD in the environment: the password of the demo log-ins.")
    if strangers := cast.strangers():
        raise DemoError(
            f"There is a log-in {', '.join(strangers)} already that is not the demo's, and its password is not ours "
            "to set. Rename it, or load the demo into a database of its own."
        )
    return chosen


def keys() -> Keys:
    """What the played providers sign with. Raises DemoError where this installation trusts other keys only."""
    path = os.environ.get("DEMO_SENDGRID_KEY_FILE", "")
    if not path or not Path(path).exists():
        raise DemoError(_own_key("SendGrid", "SENDGRID_WEBHOOK_KEYS"))
    private_key = Path(path).read_text(encoding="ascii")
    if sendgrid.public_key_of(private_key) not in settings.WEBHOOK_KEYS.get("sendgrid", ()):
        raise DemoError(_own_key("SendGrid", "SENDGRID_WEBHOOK_KEYS"))
    tokens = settings.WEBHOOK_KEYS.get("twilio", ())
    if not tokens:
        raise DemoError("There is no Twilio token to sign with: set TWILIO_WEBHOOK_KEYS, or start with 'make run'.")
    return Keys(private_key, tokens[0])


def _own_key(provider: str, setting: str) -> str:
    return f"This installation uses your own {provider} key; the demo cannot sign: unset {setting}."


def web_server(url: str) -> None:
    """Engage answers there."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{url}/login/", timeout=10, allow_redirects=False)
    except requests.RequestException as error:
        raise DemoError(
            f"No web server answers at {url} ({type(error).__name__}). Start everything with 'make run', or name the "
            "address with --url."
        ) from error
    if answer.status_code >= 400:
        raise DemoError(f"{url}/login/ is answered {answer.status_code}: is that Engage? Name its address with --url.")


def nobody_elses_contacts() -> None:
    if cast.has_strange_contacts():
        raise DemoError(
            "There are contacts in this database already, and the demo's would stand among them. If you want that, "
            "add --again; yours stay as they are."
        )


def alone() -> None:
    """One demo at a time; the lock ends with our connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise DemoError("The demo is being loaded by another process just now.")
