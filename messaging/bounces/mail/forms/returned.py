"""To whom the returned mail was addressed: for bounces that name nobody."""

import re
from typing import Final

from messaging.bounces.mail.forms.mentions import ADDRESS, addresses_in
from messaging.bounces.mail.parsed import ParsedMail

ENVELOPE: Final = ("x-envelope-to", "envelope-to", "x-original-to", "x-actual-recipient", "x-rcpt-to", "delivered-to")
# RFC 5321 section 4.4: the server that took the mail notes the recipient, if there is only one.
FOR: Final = re.compile(r"\bfor\s+<?([^\s<>;]+@[^\s<>;]+?)>?\s*(?:;|\(|$)")


def addressees(mail: ParsedMail) -> list[str]:
    """The recipients that the returned mail names, in order; empty where there is none."""
    returned = mail.returned
    if not returned:
        return []
    headers = returned.headers
    fields = ", ".join(headers.all("to") + headers.all("cc"))
    return list(dict.fromkeys(address for _, _, address in addresses_in(fields[:20_000])))


def only_addressee(mail: ParsedMail) -> str:
    """The one recipient of the returned mail, or empty where it may be one of several."""
    returned = mail.returned
    if not returned:
        return ""
    for received in returned.headers.all("received")[:1]:
        if match := FOR.search(" ".join(received.split())):
            return match[1]
    found = addressees(mail)
    if len(found) == 1:
        return found[0]
    for name in ENVELOPE:
        if match := ADDRESS.search(returned.headers.get(name)):
            return match[0]
    return ""


def completed(name: str, mail: ParsedMail) -> str:
    """The address whose local part this is: of the returned mail, or else of the server that reports."""
    for address in addressees(mail):
        if address.lower().startswith(f"{name.lower()}@"):
            return address
    only = only_addressee(mail)
    if only.lower().startswith(f"{name.lower()}@"):
        return only
    domain = mail.headers.address("from").rpartition("@")[2].lower()
    return f"{name}@{domain}" if domain else name
