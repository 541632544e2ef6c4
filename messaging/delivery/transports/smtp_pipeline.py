"""Mails over SMTP: to a relay, or to the servers of the receiving domain, over several connections at once.

One thread talks on all connections (smtp_connection.py); looking up servers and opening connections
blocks, so others do that (smtp_background.py).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Final

from messaging.delivery.answers import MailAnswer
from messaging.delivery.away import AwayCause
from messaging.delivery.email_routes import Direct, Route
from messaging.delivery.transports.mta_sts import Policy, policies
from messaging.delivery.transports.mx import NoServerError, servers_of
from messaging.delivery.transports.smtp_background import Background
from messaging.delivery.transports.smtp_commands import Outgoing
from messaging.delivery.transports.smtp_connection import Wire, closed_politely
from messaging.delivery.transports.smtp_dialogue import CLOSING, AboutSender, Reply
from messaging.delivery.transports.smtp_lane import CONNECTIONS, Lane
from messaging.delivery.transports.smtp_opening import NotOpenedError, OpenConnection, opened
from messaging.delivery.transports.smtp_router import Router
from messaging.status.order import Kind

__all__ = ["NoServerError", "Outgoing", "Post"]

# Connections at once, to all servers.
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
        self._route, self._our_name = route, our_name
        self._is_final = isinstance(route, Direct)
        self._most_mails = MOST_MAILS if self._is_final else MOST_MAILS_TO_RELAY
        self._idle: dict[tuple[str, bool], list[Wire]] = {}
        self._lane_of: dict[Wire, Lane] = {}
        self._again: set[int] = set()
        self._answers: list[tuple[Outgoing, MailAnswer]] = []
        self._next_look = 0.0
        self._selector = DefaultSelector()
        self._background = Background(MOST_OPEN)
        self._router = Router(
            route.host, connections, resolve=resolve or servers_of, policy_of=policy_of or _policy_of,
            have=self._background.have, refuse=self._refuse,
        )  # fmt: skip
        self._selector.register(self._background.ear, EVENT_READ, None)

    def __enter__(self) -> "Post":
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self._lane_of:
            wire.sock.close()
        closed_politely([wire for wires in self._idle.values() for wire in wires])
        self._selector.close()
        self._background.close()

    def send(self, mail: Outgoing) -> MailAnswer:
        (answer,) = (answer for _mail, answer in self.send_all([mail]))
        return answer

    def send_all(self, mails: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, MailAnswer]]:
        """An answer for each mail, in the order in which they come."""
        self._again.clear()
        self._router.clear()
        until, left = monotonic() + SLICE_SECONDS, len(mails)
        self._router.sort(mails)
        while left:
            for lane in self._router.lanes():
                self._staff(lane)
            if not self._answers:
                self._listen()
                self._look_at_clock(until)
            answers, self._answers = self._answers, []
            left -= len(answers)
            yield from answers

    def _refuse(self, mails: Sequence[Outgoing], answer: MailAnswer) -> None:
        self._answers += ((mail, answer) for mail in mails)

    # Connections for the mails of a lane.

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
        for _ in range(min(worth, MOST_OPEN - len(self._lane_of) - self._background.under_way)):
            lane.openings += 1
            host = lane.hosts[0]
            self._background.have(partial(self._opened, host, lane))

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
                self._background.take_up()
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
            for lane in self._router.lanes():
                self._answers += ((mail, late) for mail in lane.waiting)
                lane.waiting.clear()

    def _answer(self, reply: Reply, host: str) -> MailAnswer:
        return MailAnswer(
            reply.code, reply.text, host, is_final=self._is_final, is_about_sender=isinstance(reply, AboutSender)
        )  # fmt: skip


def _policy_of(domain: str) -> Policy | None:
    """Not before a domain is asked about: to a relay nobody needs what reading all certificates takes."""
    return policies().policy_of(domain)
