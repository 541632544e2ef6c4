"""What has to be so before the demo touches anything; where it is not, what to do about it."""

import os
import socket
import time
from pathlib import Path

import requests
from django.conf import settings
from django.db import connection

from messaging.demo import cast, sendgrid
from messaging.demo.post import Keys
from messaging.demo.receivers import mail, phones
from messaging.demo.waiting import DemoError

# So long what was started together may take to come up.
START_SECONDS = 120
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


def leads_out() -> bool:
    """Emails or SMS would really leave: then the story is not told, as it would write to strangers."""
    return mail() is None or not phones()


def receivers() -> None:
    """The mail server and the mobile network that stand in for everybody's answer."""
    route = mail()
    places = [(route.host, route.port)] if route else []
    until = time.monotonic() + START_SECONDS
    for host, port in [*places, *((each.host, each.port) for each in phones())]:
        while not _is_open(host, port):
            if time.monotonic() > until:
                raise DemoError(
                    f"Nobody takes emails or SMS at {host}:{port}: the try-out receivers of 'make run' do not run. "
                    "Start everything with 'make run', then repeat this command."
                )
            time.sleep(0.1)


def _is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError:
        return False
    return True


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
