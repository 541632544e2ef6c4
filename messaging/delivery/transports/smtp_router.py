"""Which servers each mail goes to: a relay, or those that the receiving domain names and its policy allows."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from messaging.delivery.answers import MailAnswer
from messaging.delivery.away import AwayCause
from messaging.delivery.transports.mta_sts import Policy, heeding
from messaging.delivery.transports.mx import NoServerError
from messaging.delivery.transports.smtp_commands import Outgoing
from messaging.delivery.transports.smtp_lane import Lane

# No more servers of one domain are tried at one attempt.
MOST_HOSTS: Final = 4


class Router:
    """Sorts mails into lanes. Looking up a domain blocks, so `have` has a thread do it (smtp_background.py).

    `host` takes all of them where it is set; `refuse` answers mails that can go nowhere.
    """

    def __init__(
        self,
        host: str,
        connections: int,
        *,
        resolve: Callable[[str], list[str]],
        policy_of: Callable[[str], Policy | None],
        have: Callable[[Callable[[], Callable[[], None]]], None],
        refuse: Callable[[Sequence[Outgoing], MailAnswer], None],
    ) -> None:
        self._host, self._connections = host, connections
        self._resolve, self._policy_of = resolve, policy_of
        self._have, self._refuse = have, refuse
        self._lanes: dict[tuple[tuple[str, ...], bool], Lane] = {}

    def clear(self) -> None:
        self._lanes.clear()

    def lanes(self) -> list[Lane]:
        return list(self._lanes.values())

    def sort(self, mails: Sequence[Outgoing]) -> None:
        """Into their lanes, at once or when their domain has been looked up."""
        if self._host:
            self._lane((self._host,)).waiting.extend(mails)
            return
        by_domain: dict[str, list[Outgoing]] = {}
        for mail in mails:
            by_domain.setdefault(mail.domain, []).append(mail)
        for domain, theirs in by_domain.items():
            self._have(partial(self._look_up, domain, theirs))

    def _lane(self, hosts: tuple[str, ...], *, is_proven: bool = False) -> Lane:
        key = hosts, is_proven
        if key not in self._lanes:
            self._lanes[key] = Lane(list(hosts), most=self._connections, is_proven=is_proven)
        return self._lanes[key]

    def _look_up(self, domain: str, mails: list[Outgoing]) -> Callable[[], None]:
        try:
            hosts = tuple(self._resolve(domain)[:MOST_HOSTS])
        except NoServerError as error:
            answer = MailAnswer(error.reply, str(error), is_final=True, cause=AwayCause.UNRESOLVED)
            return partial(self._refuse, mails, answer)
        policy = self._policy_of(domain)
        allowed = heeding(policy, hosts, domain)
        if not allowed:
            text = f"TLS required: the MTA-STS policy of {domain} allows none of its servers"
            return partial(self._refuse, mails, MailAnswer(0, text, is_final=True))
        is_proven = policy is not None and policy.is_enforced
        return lambda: self._lane(allowed, is_proven=is_proven).waiting.extend(mails)
