"""A setting that is mistyped stops whatever starts, with what to do."""

import os
import subprocess
import sys

import pytest

from engage.local.bootstrap import BASE_DIR

MISTYPED = [
    ("PUBLIC_URL=shop.example", "PUBLIC_URL must start with http:// or https://"),
    ("EMAIL_ROUTE=relay.example", "EMAIL_ROUTE must look like smtp://user:password@"),
    ("EMAIL_DOMAIN_LIMITS=600", "EMAIL_DOMAIN_LIMITS must look like gmail.com=6000/hour"),
    ("SMS_ROUTE=twilio", "SMS_ROUTE must look like smpp:"),
    ("SMPP_URLS=http://127.0.0.1", "SMPP_URLS, number 1: it must begin with smpp://"),
    ("DKIM_KEYS=autumn26", "DKIM_KEYS must look like autumn26@shop.example="),
    ("BOUNCE_LISTEN=smtp://127.0.0.1:2525", "BOUNCE_LISTEN needs BOUNCE_DOMAIN"),
    ("IMAP_URLS=mail.example", "IMAP_URLS, number 1: it must begin with imaps://"),
]


@pytest.mark.parametrize(("setting", "words"), MISTYPED)
def test_a_mistyped_setting_stops_the_start_with_what_to_do(setting: str, words: str) -> None:
    name, _, value = setting.partition("=")
    # One of them by a command too: they all go the same way.
    for command in (["-c", "import engage.wsgi"], *([["manage.py", "check"]] if name == "EMAIL_ROUTE" else [])):
        done = subprocess.run(
            [sys.executable, *command], cwd=BASE_DIR, env=os.environ | {name: value},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert done.returncode
        assert words in done.stderr.splitlines()[-1]
