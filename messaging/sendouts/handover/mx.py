"""Which servers take a domain's mail."""

from typing import Final

import dns.exception
import dns.resolver

DNS_SECONDS: Final = 10


class NoServerError(Exception):
    """The domain has no mail server. `reply` is what a server would have said: 0 where only asking went wrong."""

    def __init__(self, reply: int, text: str) -> None:
        super().__init__(text)
        self.reply = reply


def servers_of(domain: str) -> list[str]:
    """The names of the servers for a domain, most preferred first (RFC 5321 5.1): its MX, else itself.

    Raises NoServerError; a domain that says that it takes no mail (RFC 7505) is one.
    """
    try:
        found = dns.resolver.resolve(domain, "MX", lifetime=DNS_SECONDS)
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
