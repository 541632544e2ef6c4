"""Mails over SMTP: to a relay, or to the servers of the receiving domain, over several connections at once.

One thread talks on all connections (wire.py); looking up servers and opening connections blocks, so others do that.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from selectors import EVENT_READ, DefaultSelector
from socket import socketpair
from time import monotonic
from typing import Final

from messaging.delivery.answers import MailAnswer
from messaging.delivery.away import AwayCause
from messaging.delivery.email_routes import Direct, Route
from messaging.delivery.transports.mta_sts import Policy, heeding, policies
from messaging.delivery.transports.mx import NoServerError, servers_of
from messaging.delivery.transports.smtp_commands import Outgoing
from messaging.delivery.transports.smtp_connection import Wire, closed_politely
from messaging.delivery.transports.smtp_dialogue import CLOSING, AboutSender, Reply
from messaging.delivery.transports.smtp_opening import NotOpenedError, OpenConnection, opened
from messaging.status.order import Kind

__all__ = ["NoServerError", "Outgoing", "Post"]

# No more servers of one domain are tried at one attempt.
MOST_HOSTS: Final = 4
# At once to one server, unless told otherwise, and to all of them.
CONNECTIONS: Final = 4
MOST_OPEN: Final = 50
# For fewer mails another connection is not worth its opening.
MAILS_A_CONNECTION: Final = 10
# A connection that has carried so many is closed: strangers' servers slow down those that go on and on.
MOST_MAILS: Final = 200
MOST_MAILS_TO_RELAY: Final = 5000
# A mail that was not begun after so long is put off, so that a slice ends before its worker counts as dead.
SLICE_SECONDS: Final = 240
TICK_SECONDS: Final = 1.0
# So often in a row "421" to mails that were begun, and the server is left alone.
MOST_CLOSINGS: Final = 3


@dataclass(eq=False)
class Lane:
    """The mails for the same servers. `hosts` are those that were not tried in vain yet, most preferred first."""

    hosts: list[str]
    waiting: deque[Outgoing] = field(default_factory=deque)
    wires: set[Wire] = field(default_factory=set)
    openings: int = 0
    most: int = CONNECTIONS
    closings: int = 0
    # The first of them has refused a connection while others were being opened: what they come to is waited for.
    is_refusing: bool = False
    # Their servers must show by a valid certificate that they are who the DNS says (mta_sts.py).
    is_proven: bool = False

    @property
    def place(self) -> tuple[str, bool]:
        return self.hosts[0], self.is_proven


class Post:
    """Sends mails by one route. Not shared between threads; close it, or its connections linger."""

    def __init__(
        self,
        route: Route,
        our_name: str,
        *,
        connections: int = CONNECTIONS,
        resolve: Callable[[str], list[str]] | None = None,
        policy_of: Callable[[str], Policy | None] | None = None,
    ) -> None:
        """`connections` is how many at once to one server; `resolve` gives the names of a domain's servers (or raises
        NoServerError), `policy_of` what a domain demands of them (mta_sts.py)."""
        self.slug = route.slug
        self._route, self._our_name, self._connections = route, our_name, connections
        self._resolve = resolve or servers_of
        self._policy_of = policy_of or _policy_of
        self._is_final = isinstance(route, Direct)
        self._most_mails = MOST_MAILS if self._is_final else MOST_MAILS_TO_RELAY
        self._idle: dict[tuple[str, bool], list[Wire]] = {}
        self._lanes: dict[tuple[tuple[str, ...], bool], Lane] = {}
        self._lane_of: dict[Wire, Lane] = {}
        self._again: set[int] = set()
        self._answers: list[tuple[Outgoing, MailAnswer]] = []
        self._next_look = 0.0
        self._selector = DefaultSelector()
        self._workers: ThreadPoolExecutor | None = None
        self._under_way = 0
        # What the workers have found out, to be taken up by the thread that talks.
        self._news: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._bell, self._ear = socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector.register(self._ear, EVENT_READ, None)

    def __enter__(self) -> "Post":
        return self

    def __exit__(self, *_: object) -> None:
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)
        for wire in self._lane_of:
            wire.sock.close()
        closed_politely([wire for wires in self._idle.values() for wire in wires])
        self._selector.close()
        self._bell.close()
        self._ear.close()

    def send(self, mail: Outgoing) -> MailAnswer:
        (answer,) = (answer for _mail, answer in self.send_all([mail]))
        return answer

    def send_all(self, mails: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, MailAnswer]]:
        """An answer for each mail, in the order in which they come."""
        self._again.clear()
        self._lanes.clear()
        until, left = monotonic() + SLICE_SECONDS, len(mails)
        self._sort(mails)
        while left:
            for lane in list(self._lanes.values()):
                self._staff(lane)
            if not self._answers:
                self._listen()
                self._look_at_clock(until)
            answers, self._answers = self._answers, []
            left -= len(answers)
            yield from answers

    # Which way each mail goes.

    def _sort(self, mails: Sequence[Outgoing]) -> None:
        host = self._route.host
        if host:
            self._lane((host,)).waiting.extend(mails)
            return
        by_domain: dict[str, list[Outgoing]] = {}
        for mail in mails:
            by_domain.setdefault(mail.domain, []).append(mail)
        for domain, theirs in by_domain.items():
            self._have(partial(self._looked_up, domain, theirs))

    def _lane(self, hosts: tuple[str, ...], *, is_proven: bool = False) -> Lane:
        key = hosts, is_proven
        if key not in self._lanes:
            self._lanes[key] = Lane(list(hosts), most=self._connections, is_proven=is_proven)
        return self._lanes[key]

    def _looked_up(self, domain: str, mails: list[Outgoing]) -> Callable[[], None]:
        try:
            hosts = tuple(self._resolve(domain)[:MOST_HOSTS])
        except NoServerError as error:
            answer = MailAnswer(error.reply, str(error), is_final=True, cause=AwayCause.UNRESOLVED)
            return lambda: self._answers.extend((mail, answer) for mail in mails)
        policy = self._policy_of(domain)
        allowed = heeding(policy, hosts, domain)
        if not allowed:
            answer = MailAnswer(
                0, f"TLS required: the MTA-STS policy of {domain} allows none of its servers", is_final=True
            )
            return lambda: self._answers.extend((mail, answer) for mail in mails)
        is_proven = policy is not None and policy.is_enforced
        return lambda: self._lane(allowed, is_proven=is_proven).waiting.extend(mails)

    # Connections for it.

    def _staff(self, lane: Lane) -> None:
        """As many connections as its mails are worth, those first that are open already."""
        if not lane.waiting:
            return
        for wire in list(lane.wires):
            if wire.dialogue.has_room:
                self._feed(wire, lane)
        while lane.waiting and len(lane.wires) < lane.most and (idle := self._idle.get(lane.place)):
            wire = idle.pop()
            wire.read()
            if wire.dialogue.fault:
                self._drop(wire)
            else:
                self._employ(wire, lane)
        if lane.is_refusing:
            return
        worth = min(-(-len(lane.waiting) // MAILS_A_CONNECTION), lane.most) - len(lane.wires) - lane.openings
        for _ in range(min(worth, MOST_OPEN - len(self._lane_of) - self._under_way)):
            lane.openings += 1
            host = lane.hosts[0]
            self._have(partial(self._opened, host, lane))

    def _opened(self, host: str, lane: Lane) -> Callable[[], None]:
        if not lane.waiting:
            return lambda: self._was_spared(lane)
        try:
            ready = opened(self._route, host, self._our_name, is_proven=lane.is_proven)
        except NotOpenedError as error:
            answer = error.answer
            return lambda: self._was_refused(host, lane, answer)
        return lambda: self._was_opened(host, lane, ready)

    def _was_spared(self, lane: Lane) -> None:
        lane.openings -= 1
        lane.is_refusing = lane.is_refusing and bool(lane.openings)

    def _was_opened(self, host: str, lane: Lane, ready: OpenConnection) -> None:
        lane.openings -= 1
        lane.is_refusing = False
        wire = Wire(host, ready, is_proven=lane.is_proven)
        self._selector.register(wire.sock, EVENT_READ, wire)
        wire.watched = EVENT_READ
        self._employ(wire, lane)

    def _was_refused(self, host: str, lane: Lane, answer: MailAnswer) -> None:
        lane.openings -= 1
        if lane.wires:
            # It takes no more at once than those.
            lane.most = max(1, len(lane.wires))
        else:
            self._pass_over(host, lane, answer)

    def _pass_over(self, host: str, lane: Lane, answer: MailAnswer) -> None:
        """On to the next server (RFC 5321 5.1); after the last one all that wait for it are answered."""
        if lane.hosts[0] != host:
            return
        lane.is_refusing = bool(lane.openings)
        if lane.is_refusing:
            return
        if len(lane.hosts) > 1:
            del lane.hosts[0]
            return
        self._answers += ((mail, answer) for mail in lane.waiting)
        lane.waiting.clear()

    def _employ(self, wire: Wire, lane: Lane) -> None:
        lane.wires.add(wire)
        self._lane_of[wire] = lane
        self._feed(wire, lane)

    # The talk on them.

    def _listen(self) -> None:
        for key, events in self._selector.select(TICK_SECONDS):
            wire: Wire | None = key.data
            if wire is None:
                self._take_up_news()
            elif wire.sock.fileno() >= 0:
                self._attend(wire, events)

    def _attend(self, wire: Wire, events: int) -> None:
        lane = self._lane_of.get(wire)
        if events & EVENT_READ:
            for mail, reply in wire.read():
                self._answers.append((mail, self._answer(reply, wire.host)))
                if lane is not None and reply.code < 300:
                    lane.closings = 0
        if lane is None:
            if wire.dialogue.fault:
                self._idle[wire.place].remove(wire)
                self._drop(wire)
        elif wire.dialogue.fault:
            self._lose(wire, lane)
        else:
            self._feed(wire, lane)

    def _feed(self, wire: Wire, lane: Lane) -> None:
        """Say on it what there is to say. Without mail it rests, or ends after very many."""
        dialogue = wire.dialogue
        while lane.waiting and dialogue.has_room and wire.carried < self._most_mails:
            mail = lane.waiting.popleft()
            refusal = dialogue.why_not(mail)
            if refusal is None:
                dialogue.take(mail)
            else:
                self._answers.append(
                    (mail, MailAnswer(0, refusal.text, kind=Kind.SOFT_BOUNCE, reason="protocol_error"))
                )
        if dialogue.unwritten:
            wire.write()
            if dialogue.fault:
                self._lose(wire, lane)
                return
        if wire.wanted != wire.watched:
            self._selector.modify(wire.sock, wire.wanted, wire)
            wire.watched = wire.wanted
        if dialogue.is_idle:
            self._release(wire, lane)

    def _release(self, wire: Wire, lane: Lane) -> None:
        lane.wires.discard(wire)
        del self._lane_of[wire]
        if wire.carried < self._most_mails:
            self._idle.setdefault(wire.place, []).append(wire)
            self._close_surplus()
        else:
            wire.say_bye()
            self._drop(wire)

    def _close_surplus(self) -> None:
        idle = [wire for wires in self._idle.values() for wire in wires]
        if len(idle) > MOST_OPEN:
            self._idle[idle[0].place].remove(idle[0])
            idle[0].say_bye()
            self._drop(idle[0])

    def _lose(self, wire: Wire, lane: Lane) -> None:
        """The connection is of no more use. What the server certainly has not taken is said once more on another."""
        lane.wires.discard(wire)
        del self._lane_of[wire]
        self._selector.unregister(wire.sock)
        refused, lost = wire.lost()
        self._answers += ((mail, self._answer(reply, wire.host)) for mail, reply in refused)
        text = f"connect to {wire.host}: {wire.dialogue.fault}"
        trouble = passed = MailAnswer(0, text, wire.host, is_final=self._is_final, cause=AwayCause.BROKEN_OFF)
        for mail, is_outcome_unknown in reversed(lost):
            if is_outcome_unknown:
                text = f"no answer after the mail was sent: {wire.dialogue.fault}"
                answer = MailAnswer(0, text, wire.host, is_final=self._is_final, is_outcome_unknown=True)
                self._answers.append((mail, answer))
            elif mail.message_id in self._again:
                self._answers.append((mail, trouble))
            else:
                self._again.add(mail.message_id)
                lane.waiting.appendleft(mail)
        if wire.dialogue.fault.startswith(str(CLOSING)):
            lane.closings += 1
            passed = self._answer(Reply(CLOSING, wire.dialogue.fault), wire.host)
        elif not self._is_final:
            passed = replace(trouble, is_untried=True)
        if not lane.wires and (not wire.carried or lane.closings >= MOST_CLOSINGS):
            self._pass_over(wire.host, lane, passed)

    def _drop(self, wire: Wire) -> None:
        self._selector.unregister(wire.sock)
        wire.sock.close()

    def _look_at_clock(self, until: float) -> None:
        now = monotonic()
        if now < self._next_look:
            return
        self._next_look = now + TICK_SECONDS
        for wire, lane in list(self._lane_of.items()):
            if wire.until < now:
                wire.dialogue.fault = "timed out"
                self._lose(wire, lane)
        if until < now:
            text = "connect: the server was too slow for so many mails"
            late = MailAnswer(0, text, is_final=self._is_final, is_untried=not self._is_final)
            for lane in self._lanes.values():
                self._answers += ((mail, late) for mail in lane.waiting)
                lane.waiting.clear()

    def _answer(self, reply: Reply, host: str) -> MailAnswer:
        return MailAnswer(
            reply.code, reply.text, host, is_final=self._is_final, is_about_sender=isinstance(reply, AboutSender)
        )  # fmt: skip

    # What blocks.

    def _have(self, done: Callable[[], Callable[[], None]]) -> None:
        """Have a thread do it; what it returns is called by the thread that talks."""
        self._workers = self._workers or ThreadPoolExecutor(MOST_OPEN, thread_name_prefix="smtp")
        self._under_way += 1
        self._workers.submit(self._do, done)

    def _do(self, done: Callable[[], Callable[[], None]]) -> None:
        try:
            self._news.put(done())
        except BaseException as error:  # noqa: BLE001 -- raised again where somebody hears it
            self._news.put(partial(_again, error))
        with suppress(OSError):
            self._bell.send(b"!")

    def _take_up_news(self) -> None:
        self._ear.recv(4096)
        while True:
            try:
                news = self._news.get_nowait()
            except Empty:
                return
            self._under_way -= 1
            news()


def _policy_of(domain: str) -> Policy | None:
    """Not before a domain is asked about: to a relay nobody needs what reading all certificates takes."""
    return policies().policy_of(domain)


def _again(error: BaseException) -> None:
    raise error
