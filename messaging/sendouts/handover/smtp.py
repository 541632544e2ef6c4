"""Mails over SMTP: to a relay, or to the servers of the receiving domain. Connections are used again."""

import re
import smtplib
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from messaging.sendouts.handover.answers import Answer
from messaging.sendouts.handover.routes import Direct, Relay, Route

CONNECT_SECONDS: Final = 20
# No more servers of one domain are tried at one attempt.
MOST_HOSTS: Final = 4
MOST_OPEN: Final = 20
# A connection that has carried so many is closed: servers slow down those that go on and on.
MOST_MAILS: Final = 200
# RFC 5321 4.5.2.
_LEADING_PERIOD: Final = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail, ready. `recipient` is the envelope's, in ASCII but for its local part; lines end in CRLF."""

    message_id: int
    attempt: int
    sender: str
    recipient: str
    mail: bytes

    @property
    def domain(self) -> str:
        return self.recipient.rpartition("@")[2]


class Post:
    """Sends mails by one route. Not shared between threads; close it, or its connections linger."""

    def __init__(self, route: Route, our_name: str, *, resolve: Callable[[str], list[str]] | None = None) -> None:
        """`resolve` gives the names of a domain's servers (or raises NoServerError)."""
        self.slug = route.slug
        self._route, self._our_name = route, our_name
        self._resolve = resolve or servers_of
        self._open: OrderedDict[str, tuple[smtplib.SMTP, int]] = OrderedDict()

    def __enter__(self) -> "Post":
        return self

    def __exit__(self, *_: object) -> None:
        for server, _count in self._open.values():
            _bye(server)
        self._open.clear()

    def send_all(self, mails: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, Answer]]:
        """An answer for each mail, those to one domain together, as they come."""
        for mail in sorted(mails, key=lambda each: each.domain):
            yield mail, self.send(mail)

    def send(self, mail: Outgoing) -> Answer:
        if isinstance(self._route, Relay):
            return self._by([self._route.host], mail, is_final=False)
        if self._route.host:
            return self._by([self._route.host], mail, is_final=True)
        try:
            hosts = self._resolve(mail.domain)
        except NoServerError as error:
            return Answer(error.reply, str(error), is_final=True)
        return self._by(hosts, mail, is_final=True)

    def _by(self, hosts: Sequence[str], mail: Outgoing, *, is_final: bool) -> Answer:
        """The first server that answers has the word (RFC 5321 5.1)."""
        answer = Answer(0, "No server could be reached.")
        for host in hosts[:MOST_HOSTS]:
            try:
                server = self._connected(host)
            except (OSError, smtplib.SMTPException) as error:
                answer = _trouble(error, host, is_final=is_final)
                continue
            answer = self._hand_over(server, host, mail, is_final=is_final)
            if answer.reply or answer.is_in_doubt:
                return answer
        return answer

    def _connected(self, host: str) -> smtplib.SMTP:
        server, count = self._open.pop(host, (None, 0))
        if server is not None and count < MOST_MAILS and _is_alive(server):
            self._open[host] = (server, count + 1)
            return server
        if server is not None:
            _bye(server)
        server = self._connect(host)
        self._open[host] = (server, 1)
        if len(self._open) > MOST_OPEN:
            _bye(self._open.popitem(last=False)[1][0])
        return server

    def _connect(self, host: str) -> smtplib.SMTP:
        route = self._route
        if isinstance(route, Relay) and route.is_tls:
            return _logged_in(smtplib.SMTP_SSL(host, route.port, self._our_name, timeout=CONNECT_SECONDS), route)
        server = smtplib.SMTP(host, route.port, self._our_name, timeout=CONNECT_SECONDS)
        server.ehlo_or_helo_if_needed()
        if server.has_extn("starttls"):
            # To a stranger's server encryption is better than none, whoever signed its certificate (RFC 7435).
            context = ssl.create_default_context()
            if isinstance(route, Direct):
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            try:
                server.starttls(context=context)
            except (OSError, smtplib.SMTPException):
                _bye(server)
                if isinstance(route, Relay):
                    raise
                server = smtplib.SMTP(host, route.port, self._our_name, timeout=CONNECT_SECONDS)
            server.ehlo_or_helo_if_needed()
        return _logged_in(server, route) if isinstance(route, Relay) else server

    def _hand_over(self, server: smtplib.SMTP, host: str, mail: Outgoing, *, is_final: bool) -> Answer:
        try:
            reply, text = _dialogue(server, mail)
        except InDoubtError as error:
            self._forget(host)
            return Answer(0, str(error), host, is_final=is_final, is_in_doubt=True)
        except (OSError, smtplib.SMTPException) as error:
            self._forget(host)
            return _trouble(error, host, is_final=is_final)
        if reply >= 400:
            with suppress(OSError, smtplib.SMTPException):
                server.rset()
        return Answer(reply, f"{reply} {text.decode('utf-8', 'replace')}", host, is_final=is_final)

    def _forget(self, host: str) -> None:
        server, _count = self._open.pop(host, (None, 0))
        if server is not None:
            server.close()


class InDoubtError(Exception):
    """The connection broke after the mail was sent and before the server said whether it took it."""


class NoServerError(Exception):
    """The domain has no mail server. `reply` is what a server would have said: 0 where only asking went wrong."""

    def __init__(self, reply: int, text: str) -> None:
        super().__init__(text)
        self.reply = reply


def servers_of(domain: str) -> list[str]:
    """The names of the servers for a domain, most preferred first (RFC 5321 5.1): its MX, else itself.

    Raises NoServerError; a domain that says that it takes no mail (RFC 7505) is one.
    """
    import dns.exception  # noqa: PLC0415 -- not in every worker: 1.5 MB
    import dns.resolver  # noqa: PLC0415

    try:
        found = dns.resolver.resolve(domain, "MX", lifetime=10)
    except dns.resolver.NXDOMAIN:
        raise NoServerError(550, f"550 5.1.2 Domain {domain} not found (NXDOMAIN)") from None
    except dns.resolver.NoAnswer:
        return [domain]
    except dns.exception.DNSException as error:
        raise NoServerError(0, f"4.4.3 DNS lookup of {domain} failed: {type(error).__name__}") from None
    hosts = [str(each.exchange).rstrip(".") for each in sorted(found, key=lambda each: each.preference)]
    if hosts == [""]:
        raise NoServerError(556, f"556 5.1.10 {domain} does not accept mail (null MX)")
    return hosts


def _dialogue(server: smtplib.SMTP, mail: Outgoing) -> tuple[int, bytes]:
    """The first answer that is not a yes, or the last one (RFC 5321 3.3)."""
    options = ["BODY=8BITMIME"] if not mail.mail.isascii() and server.has_extn("8bitmime") else []
    if not mail.recipient.isascii():
        if not server.has_extn("smtputf8"):
            return 553, b"5.6.7 The server does not take addresses beyond ASCII (SMTPUTF8, RFC 6531)"
        server.command_encoding = "utf-8"
        options.append("SMTPUTF8")
    reply, text = server.mail(mail.sender, options)
    if reply != 250:
        return reply, text
    reply, text = server.rcpt(mail.recipient)
    if reply not in (250, 251):
        return reply, text
    reply, text = server.docmd("DATA")
    if reply != 354:
        return reply, text
    try:
        server.send(_LEADING_PERIOD.sub(b"..", mail.mail) + b".\r\n")
        return server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        # RFC 5321 4.5.4.1, 6.1: it may have the mail. To send it again could be once too often.
        raise InDoubtError(f"{type(error).__name__}: {error}") from error


def _logged_in(server: smtplib.SMTP, route: Relay) -> smtplib.SMTP:
    if route.user:
        server.login(route.user, route.password)
    return server


def _is_alive(server: smtplib.SMTP) -> bool:
    try:
        return server.noop()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def _trouble(error: Exception, host: str, *, is_final: bool) -> Answer:
    """A server that answered, but not to a mail, or nobody at all: to be tried again either way."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        # A refusal of us, before anybody was named, says nothing about the address.
        return Answer(421, f"{error.smtp_code} {text}", host, is_final=is_final)
    return Answer(0, f"connect to {host}: {error or type(error).__name__}", host, is_final=is_final)


def _bye(server: smtplib.SMTP) -> None:
    with suppress(OSError, smtplib.SMTPException):
        server.quit()
    server.close()
