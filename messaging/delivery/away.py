"""Why a way out is away: what a marketer reads about it, and what whoever looks after Engage is to do. Pure.

Away is who cannot be found, reached, trusted or logged in to, or lacks what we need. That is never about a recipient:
nothing counts as handed over, and what was to leave waits (absence.py).
"""

import errno
import smtplib
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# RFC 4954 6 and RFC 3207: answers that want a log-in, or another one, whichever command they are an answer to.
WANTS_LOGIN: Final = frozenset({530, 534, 535, 538})


class AwayCause(TextChoices):
    """What a marketer reads; `who` is the server or the provider."""

    UNRESOLVED = "unresolved", _("%(who)s cannot be found: nobody knows its name.")
    UNREACHABLE = "unreachable", _("%(who)s cannot be reached.")
    BROKEN_OFF = "broken_off", _("%(who)s breaks off each connection.")
    UNTRUSTED = "untrusted", _("%(who)s cannot be trusted: its certificate does not prove who it is.")
    NO_TLS = "no_tls", _("%(who)s does not offer the encryption that Engage needs.")
    LOGIN = "login", _("%(who)s refuses our log-in.")
    NO_LOGIN = "no_login", _("%(who)s offers no log-in, and Engage has a password for it.")
    ACCOUNT = "account", _("%(who)s does not send for our account at the moment.")
    UNWILLING = "unwilling", _("%(who)s takes nothing from us at the moment.")
    NOBODY = "nobody", _("No receiving mail server can be looked up or reached.")


# A log-in that is refused again and again may close the account, so its send-outs are paused, and one message at a time
# asks whether it is taken by now.
PAUSES: Final = frozenset({AwayCause.LOGIN, AwayCause.ACCOUNT})

# For the page Providers and the log; `setting` names where the way out is set. docs/operators.md has the same.
ADVICE: Final = {
    AwayCause.UNRESOLVED: _(
        "Look for a typing mistake in %(setting)s, and whether the DNS resolver of the workers' machine answers."
    ),
    AwayCause.UNREACHABLE: _(
        "Is it running, are host and port in %(setting)s right, and does a firewall let us through?"
    ),
    AwayCause.BROKEN_OFF: _("Look at its log: it knows why. Is the port in %(setting)s one for mail from programs?"),
    AwayCause.UNTRUSTED: _(
        "If its certificate has expired, have it renewed; if its name is another than the one in %(setting)s, write"
        " that name there; if your own authority signed it, name that with ca=/path/to/ca.pem in %(setting)s."
    ),
    AwayCause.NO_TLS: _(
        "A password goes over TLS alone, and offered TLS must work. Switch STARTTLS on there, or correct scheme and"
        " port in %(setting)s."
    ),
    AwayCause.LOGIN: _(
        "Correct user and password, or the key, in %(setting)s, and restart; or ask why they refuse it."
    ),
    AwayCause.NO_LOGIN: _(
        "Name the port for logging in, most often 587, in %(setting)s; or leave user and password out there."
    ),
    AwayCause.ACCOUNT: _("Log in there: is the account paid, active and allowed to send?"),
    AwayCause.UNWILLING: _("Read its words, and its log or its status page; most often it is over soon."),
    AwayCause.NOBODY: _(
        "Look at the network and the DNS resolver of the workers' machine, and whether it may connect to port 25: many"
        " hosters close it until they are asked."
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Away:
    """That a way out is away. `words`: those of whoever found out, without a secret or a recipient."""

    cause: AwayCause
    words: str = ""


def cause_of(error: BaseException) -> AwayCause:
    """What an error of ours while connecting or logging in to a mail server or an SMSC comes to."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return AwayCause.UNRESOLVED
    if isinstance(error, ssl.SSLCertVerificationError):
        return AwayCause.UNTRUSTED
    if isinstance(error, ssl.SSLError):
        return AwayCause.NO_TLS
    if isinstance(error, smtplib.SMTPResponseException):
        return _refused(error)
    if isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(error, smtplib.SMTPException):
        return AwayCause.UNREACHABLE
    return AwayCause.NO_LOGIN


def _refused(error: smtplib.SMTPResponseException) -> AwayCause:
    is_log_in = isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500
    return AwayCause.LOGIN if is_log_in or error.smtp_code in WANTS_LOGIN else AwayCause.UNWILLING


def has_no_network(error: BaseException) -> bool:
    """Whether it tells that this machine has no way to anybody, and not only none by IPv6 to this one."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENETUNREACH, errno.ENETDOWN):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 25))  # RFC 5737; nothing is sent
        except OSError:
            return True
    return False
