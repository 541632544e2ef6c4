"""Was it a person who loaded an image or followed a link, or a program? By documented evidence; pure.

Apple: Mail Privacy Protection loads all images through a relay which calls itself "Mozilla/5.0" and no more (Apple,
"Use Mail Privacy Protection"; as seen by Twilio SendGrid, "Apple Mail Privacy Protection and Open Events"). Google's
image proxy names itself; it also fetches ahead of its user, so what it loads within seconds of delivery is no open.
Security gateways follow every link as the mail arrives (Microsoft, "Safe Links"; Barracuda, "Link Protection").
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

APPLE: Final = "apple_mail_privacy"
GOOGLE: Final = "google_image_proxy"
PREFETCH: Final = "prefetch"
SCANNER: Final = "scanner"
AT_ONCE: Final = "at_once"

# Nobody reads, decides and clicks within these after the mail was handed over.
TOO_SOON: Final = timedelta(seconds=10)
_PROGRAMS: Final = re.compile(
    r"bot\b|crawl|spider|headless|barracuda|mimecast|proofpoint|symantec|bitdefender|trendmicro|sophos|fortinet|"
    r"python|curl/|wget/|go-http-client|java/|okhttp|axios|libwww|scan",
    re.IGNORECASE,
)
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def machine_of(headers: Mapping[str, str], age: timedelta | None) -> str:
    """The evidence that it was a program, as one of the words above; empty where there is none.

    `age`: since the message was handed over, None where that is not known.
    """
    agent = headers.get("User-Agent", "").strip()
    if any(
        "prefetch" in headers.get(name, "").lower() or "preview" in headers.get(name, "").lower() for name in _PURPOSES
    ):
        return PREFETCH
    if agent == "Mozilla/5.0":
        return APPLE
    if not agent or _PROGRAMS.search(agent):
        return SCANNER
    if age is not None and age < TOO_SOON:
        return GOOGLE if "GoogleImageProxy" in agent else AT_ONCE
    return ""
