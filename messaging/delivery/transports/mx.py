"""Which servers take a domain's mail."""

import random
from typing import TYPE_CHECKING, Final

# Loaded where a server is looked for: not every worker need hold it.
if TYPE_CHECKING:
    import dns.exception
    import dns.resolver

DNS_SECONDS: Final = 10


class NoServerError(Exception):
    """The domain has no mail server. `reply` is what a server would have said: 0 where only asking went wrong."""

    def __init__(self, reply: int, text: str) -> None:
        super().__init__(text)
        self.reply = reply


def servers_of(domain: str, resolver: "dns.resolver.Resolver | None" = None) -> list[str]:
    """The names of the servers for a domain, most preferred first (RFC 5321 5.1): its MX, else itself.

    Raises NoServerError; a domain that says that it takes no mail (RFC 7505) is one.
    """
    import dns.exception  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    resolver_used = resolver or dns.resolver.get_default_resolver()
    try:
        found = list(resolver_used.resolve(domain, "MX", lifetime=DNS_SECONDS))
    except dns.resolver.NXDOMAIN:
        raise NoServerError(550, f"550 5.1.2 Domain {domain} not found (NXDOMAIN)") from None
    except dns.resolver.NoAnswer:
        return [_itself(domain, resolver_used)]
    except dns.exception.DNSException as error:
        raise _no_answer(domain, error) from None
    if [str(each.exchange) for each in found] == ["."]:
        raise NoServerError(556, f"556 5.1.10 {domain} does not accept mail (null MX)")
    # Equals share the load: "the sender-SMTP MUST randomize them".
    random.shuffle(found)
    return [str(each.exchange).rstrip(".") for each in sorted(found, key=lambda each: each.preference)]


def _itself(domain: str, resolver_used: "dns.resolver.Resolver") -> str:
    """The domain is its own server, if it has an address at all."""
    import dns.exception  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    for kind in ("AAAA", "A"):
        try:
            resolver_used.resolve(domain, kind, lifetime=DNS_SECONDS)
        except dns.resolver.NoAnswer:
            continue
        except dns.exception.DNSException as error:
            raise _no_answer(domain, error) from None
        return domain
    raise NoServerError(550, f"550 5.1.2 Domain {domain} not found: it has neither MX nor address")


def _no_answer(domain: str, error: "dns.exception.DNSException") -> NoServerError:
    return NoServerError(0, f"4.4.3 DNS lookup of {domain} failed: {type(error).__name__}")
