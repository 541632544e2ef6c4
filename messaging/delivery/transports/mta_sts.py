"""What a receiving domain demands of TLS (MTA-STS, RFC 8461): which servers are really its own, and that the line is
encrypted with a certificate that proves it.

A policy is found by a record in the DNS, fetched over HTTPS, and kept for as long as it says: whoever can forge the DNS
for an hour cannot make us forget it.
"""

import logging
import re
import ssl
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from time import time
from typing import Any, Final

import urllib3
from django.core.cache import cache as kept_policies

log = logging.getLogger(__name__)

# 3.1. Whitespace is free, and further fields are to be ignored.
RECORD: Final = re.compile(r"v=STSv1\s*;(?:.*;)?\s*id\s*=\s*([A-Za-z0-9]{1,32})\s*(?:;.*)?", re.DOTALL)
PATH: Final = "/.well-known/mta-sts.txt"
# 3.2, 3.3.
LONGEST: Final = 64 * 1024
LONGEST_AGE: Final = 31_557_600
MODES: Final = ("enforce", "testing", "none")
FETCH_SECONDS: Final = 15.0
DNS_SECONDS: Final = 5.0
# A policy that cannot be fetched is asked for again so much later at the earliest (3.3); as long, what was found out is
# not asked anew.
AGAIN_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Policy:
    """`mx` are host names, or *.example.com for all names with one label more; `until` in seconds since 1970."""

    version: str
    mode: str
    mx: tuple[str, ...]
    until: float

    @property
    def is_enforced(self) -> bool:
        """Mail goes to its servers with valid certificates alone, or it waits."""
        return self.mode == "enforce"

    def allows(self, host: str) -> bool:
        """4.1: the wildcard stands for exactly one label."""
        name = host.lower().rstrip(".")
        parent = name.partition(".")[2]
        return any(each == name or (each.startswith("*.") and each[2:] == parent) for each in self.mx)


class PolicyError(Exception):
    """There is no policy to be had, or it is none."""


class Policies:
    """Looks policies up. Safe with any number of threads."""

    def __init__(
        self,
        *,
        texts: Callable[[str], list[str]] | None = None,
        place: Callable[[str], tuple[str, int]] = lambda host: (host, 443),
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        """`texts` gives the TXT records of a name; `place` where the HTTPS server of a host listens."""
        self._texts, self._place, self._clock = texts or texts_of, place, clock
        self._context = context or ssl.create_default_context()

    def policy_of(self, domain: str) -> Policy | None:
        """None where the domain has none, or none that is valid: then TLS is used where it is offered. Never raises."""
        domain = domain.lower()
        known = _kept(domain)
        if known is not None and known["asked_again"] > self._clock():
            return self._valid(known["policy"])
        policy = self._renewed(domain, self._valid(known["policy"]) if known else None)
        _keep(domain, policy, asked_again=self._clock() + AGAIN_SECONDS, now=self._clock())
        return policy if policy is not None and policy.mode != "none" else None

    def _renewed(self, domain: str, known: Policy | None) -> Policy | None:
        """3.3, 5.1: what is known stays in force wherever nothing newer can be had."""
        try:
            version = version_in(self._texts(f"_mta-sts.{domain}"))
            if known is not None and known.version == version:
                return known
            return policy_in(self._fetched(f"mta-sts.{domain}"), version, self._clock())
        except PolicyError as error:
            if str(error):
                log.warning("The MTA-STS policy of %s: %s", domain, error)
            return known

    def _fetched(self, host: str) -> str:
        """Raises PolicyError. 3.3: a certificate for that host, no redirects, 200, text/plain."""
        address, port = self._place(host)
        try:
            with urllib3.HTTPSConnectionPool(
                address, port, ssl_context=self._context, server_hostname=host, assert_hostname=host,
                timeout=FETCH_SECONDS, retries=False,
            ) as pool:  # fmt: skip
                answer = pool.request("GET", PATH, headers={"Host": host}, redirect=False, preload_content=False)
                body = answer.read(LONGEST + 1)
                answer.drain_conn() if len(body) <= LONGEST else answer.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise PolicyError(f"cannot be fetched: {type(error).__name__}") from error
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if answer.status != 200 or kind != "text/plain" or len(body) > LONGEST:
            raise PolicyError(f"HTTP {answer.status}, {kind or 'no content type'}, {len(body)} bytes")
        return body.decode("utf-8", "replace")

    def _valid(self, policy: Policy | None) -> Policy | None:
        return policy if policy is not None and policy.until > self._clock() and policy.mode != "none" else None


@cache
def policies() -> Policies:
    """The policies of the real world: reading the certificates that we trust takes a while."""
    return Policies()


def heeding(policy: Policy | None, hosts: tuple[str, ...], domain: str) -> tuple[str, ...]:
    """The servers that mail may go to. A policy that is being tested only has it written down (5.1)."""
    if policy is None:
        return hosts
    allowed = tuple(host for host in hosts if policy.allows(host))
    if policy.is_enforced:
        return allowed
    if allowed != hosts:
        strangers = ", ".join(sorted(set(hosts) - set(allowed)))
        log.warning("The MTA-STS policy of %s, which is being tested, does not allow %s.", domain, strangers)
    return hosts


def texts_of(name: str) -> list[str]:
    """The TXT records of a name. Raises PolicyError, without words where there are none."""
    import dns.exception  # noqa: PLC0415 -- as in mx.py
    import dns.resolver  # noqa: PLC0415

    try:
        found = dns.resolver.resolve(name, "TXT", lifetime=DNS_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        raise PolicyError from None
    except dns.exception.DNSException as error:
        raise PolicyError(f"DNS lookup failed: {type(error).__name__}") from error
    return [b"".join(each.strings).decode("ascii", "replace") for each in found]


def version_in(texts: list[str]) -> str:
    """The id of the policy. 3.1: other records are passed over; several of this kind are as good as none."""
    ours = [each for each in texts if re.match(r"v=STSv1\s*;", each)]
    found = RECORD.fullmatch(ours[0]) if len(ours) == 1 else None
    if found is None:
        raise PolicyError("the record in the DNS is wrong" if ours else "")
    return found.group(1)


def policy_in(text: str, version: str, now: float) -> Policy:
    """3.2. Raises PolicyError. Of a field that comes twice the first counts, but for mx."""
    fields, mx = dict[str, str](), list[str]()
    for line in text.replace("\r\n", "\n").split("\n"):
        name, _, value = line.partition(":")
        if name.strip() == "mx":
            mx.append(value.strip().lower().rstrip("."))
        else:
            fields.setdefault(name.strip(), value.strip())
    mode, age = fields.get("mode", ""), fields.get("max_age", "")
    if fields.get("version") != "STSv1" or mode not in MODES or not (age.isascii() and age.isdecimal()):
        raise PolicyError("has not the fields that it must have")
    if int(age) > LONGEST_AGE or (mode != "none" and not mx):
        raise PolicyError("names no server" if not mx else "max_age is too long")
    return Policy(version, mode, tuple(mx), now + int(age))


def _key(domain: str) -> str:
    return f"messaging.mta-sts.{domain}"


def _kept(domain: str) -> dict[str, Any] | None:
    """Without a broker nothing is known, and is asked for anew."""
    try:
        found = kept_policies.get(_key(domain))
    except Exception as error:  # noqa: BLE001 -- whatever ails the broker
        log.warning("The broker cannot be reached (%s).", type(error).__name__)
        return None
    if found is None:
        return None
    policy = found["policy"]
    return {**found, "policy": Policy(**{**policy, "mx": tuple(policy["mx"])}) if policy else None}


def _keep(domain: str, policy: Policy | None, *, asked_again: float, now: float) -> None:
    kept = {"policy": asdict(policy) if policy else None, "asked_again": asked_again}
    seconds = max(asked_again, policy.until if policy else 0) - now
    try:
        kept_policies.set(_key(domain), kept, timeout=int(seconds) + 1)
    except Exception as error:  # noqa: BLE001 -- as above
        log.warning("The broker cannot be reached (%s).", type(error).__name__)
