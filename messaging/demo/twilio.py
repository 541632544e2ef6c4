"""Status callbacks as Twilio posts them. Pure, and of its own making: nothing of messaging/providers/twilio/ is used.

Fields: Twilio documentation, "Track the Message Status of Outbound Messages"; signature: "Webhooks Security".
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Final
from urllib.parse import quote, urlencode

PATH: Final = "/webhooks/twilio/"
SIGNATURE: Final = "X-Twilio-Signature"
ACCOUNT: Final = "AC5f1c9b7de02a4c3d8b6e4f0a9d7c2b11"
SERVICE: Final = "MG3d2e8f60b7a94c15a0d9c4e7b1f26a83"
# Ofcom keeps 07700 900000 to 900999 for fiction.
FROM: Final = "+447700900042"
FROM_CARRIER: Final = frozenset({"delivered", "undelivered"})


def new_sid(seed: str) -> str:
    """A message's SID, as the API returns it at hand-over; the same for the same seed."""
    return "SM" + blake2b(seed.encode(), digest_size=16).hexdigest()


def path_of(token: str) -> str:
    """Path and query of the StatusCallback address that a message is handed over with."""
    return f"{PATH}?message={quote(token)}"


def callback(status: str, *, sid: str, to: str, at: datetime, **said: str) -> dict[str, str]:
    """The form of one callback; `said` is what only this one has (ErrorCode). It names no time of its own.

    RawDlrDoneDate is the carrier's, in a time zone that only the carrier knows.
    """
    form = {
        "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": FROM, "To": to,
        "MessageSid": sid, "MessageStatus": status, "MessagingServiceSid": SERVICE, "SmsSid": sid, "SmsStatus": status,
    }  # fmt: skip
    if status in FROM_CARRIER:
        form["RawDlrDoneDate"] = f"{at:%y%m%d%H%M}"
    return form | said


def body_of(form: Mapping[str, str]) -> bytes:
    return urlencode(form).encode()


def headers_of(url: str, form: Mapping[str, str], *, auth_token: str) -> dict[str, str]:
    """The headers of a callback posted to `url`, which is signed too, with its query (base64 of HMAC-SHA1)."""
    said = url + "".join(name + form[name] for name in sorted(form))
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "User-Agent": "TwilioProxy/1.1",
        SIGNATURE: b64encode(hmac.digest(auth_token.encode(), said.encode(), "sha1")).decode(),
    }
