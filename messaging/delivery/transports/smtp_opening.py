"""Opening a connection to a mail server: greeting, EHLO, TLS, log-in, by the standard library's client.

What follows is ours (dialogue.py): the library says one thing at a time.
"""

import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, cast

from messaging.delivery.answers import MailAnswer
from messaging.delivery.away import AwayCause, cause_of, has_no_network
from messaging.delivery.email_routes import Direct, Relay, Route

CONNECT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """A connection that is ready for mail; `extensions` are in lower case. The socket does not block."""

    sock: socket.socket
    extensions: frozenset[str]


class NotOpenedError(Exception):
    """Nobody answered, or a server that does not want to talk to us now; `answer` says which and why."""

    def __init__(self, answer: MailAnswer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class NoTlsError(smtplib.SMTPException):
    """There is no TLS, and must be."""


def opened(route: Route, host: str, our_name: str, *, is_proven: bool = False) -> OpenConnection:
    """Blocks until the server is ready for mail. Raises NotOpenedError.

    `is_proven`: it must show by a valid certificate that it is `host` (RFC 8461 4.2).
    """
    is_final = isinstance(route, Direct)
    try:
        server = _connected(route, host, our_name, is_proven=is_proven)
    except smtplib.SMTPResponseException as error:
        reply = error.smtp_error
        text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
        # A refusal of us, before anybody was named, says nothing about the address.
        text = _without_secret(f"{error.smtp_code} {text}", route)
        raise NotOpenedError(MailAnswer(421, text, host, is_final=is_final, cause=cause_of(error))) from error
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotOpenedError(unreachable(error, host, is_final=is_final)) from error
    sock = cast("socket.socket", server.sock)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The library's reader has nothing left: a server says no more than it was asked.
    if server.file is not None:
        server.file.close()
    # Who takes a mail for its own mailboxes says so at once; nobody need report it, too.
    return OpenConnection(sock, frozenset(server.esmtp_features) - ({"dsn"} if is_final else set()))


def unreachable(error: Exception, host: str, *, is_final: bool) -> MailAnswer:
    """What our own error comes to. Nobody else said it."""
    cause = AwayCause.NO_TLS if isinstance(error, NoTlsError) else cause_of(error)
    if is_final and has_no_network(error):
        cause = AwayCause.NOBODY
    return MailAnswer(0, f"connect to {host}: {error or type(error).__name__}", host, is_final=is_final, cause=cause)


def _without_secret(reply: str, route: Route) -> str:
    """A server may repeat what it was told."""
    return reply.replace(route.password, "…") if isinstance(route, Relay) and route.password else reply


def _connected(route: Route, host: str, our_name: str, *, is_proven: bool) -> smtplib.SMTP:
    if isinstance(route, Relay) and route.is_tls:
        context = ssl.create_default_context(cafile=route.ca or None)
        over_tls = smtplib.SMTP_SSL(host, route.port, our_name, timeout=CONNECT_SECONDS, context=context)
        return _logged_in(over_tls, route, host)
    server = smtplib.SMTP(host, route.port, our_name, timeout=CONNECT_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if server.has_extn("starttls"):
            server = _encrypted(server, route, host, our_name, must_be=is_proven or isinstance(route, Relay))
        elif is_proven:
            raise NoTlsError("TLS required by the domain's MTA-STS policy, and not offered")
        return _logged_in(server, route, host) if isinstance(route, Relay) else server
    except BaseException:
        server.close()
        raise


def _encrypted(server: smtplib.SMTP, route: Route, host: str, our_name: str, *, must_be: bool) -> smtplib.SMTP:
    """`must_be`: with a valid certificate, or not at all."""
    context = ssl.create_default_context(cafile=(route.ca or None) if isinstance(route, Relay) else None)
    if not must_be:
        # To a stranger's server encryption is better than none, whoever signed its certificate (RFC 7435).
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        code, text = server.starttls(context=context)
        if code != 220 and must_be:
            raise _without_tls(code, text)
    except (OSError, smtplib.SMTPException) as error:
        _bye(server)
        if isinstance(error, smtplib.SMTPResponseException) and must_be:
            raise _without_tls(error.smtp_code, error.smtp_error) from error
        if must_be:
            raise
        server = smtplib.SMTP(host, route.port, our_name, timeout=CONNECT_SECONDS)
    server.ehlo_or_helo_if_needed()
    return server


def _without_tls(code: int, reply: bytes | str) -> NoTlsError:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return NoTlsError(f"it does not begin with TLS: {code} {text}")


def _logged_in(server: smtplib.SMTP, route: Relay, host: str) -> smtplib.SMTP:
    """Raises what the library raises; also where the password would go in the clear over a network."""
    server.ehlo_or_helo_if_needed()
    if route.user:
        if not (isinstance(server.sock, ssl.SSLSocket) or _is_here(host)):
            raise NoTlsError("the relay does not offer STARTTLS, and a password goes over TLS alone")
        server.login(route.user, route.password)
    return server


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _bye(server: smtplib.SMTP) -> None:
    with suppress(OSError, smtplib.SMTPException):
        server.quit()
    server.close()
