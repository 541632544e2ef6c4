"""Submits on their way over one session: so many at once, no more in a second than is agreed, slower when throttled.

One thread submits; the one that receives hands over what the SMSC answers.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final, NamedTuple

from smpplib import consts

from messaging.incoming.reconnect import EndedError
from messaging.smpp.connections import Connection
from messaging.smpp.submits import pdus_of

OK: Final = consts.SMPP_ESME_ROK
# The SMSC wants fewer at a time; nothing is said about the message.
THROTTLED: Final = frozenset({consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL})
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
# Throttled for so long without one that gets through: what has not left is put off.
PATIENCE_SECONDS: Final = 4.0
# The same for a message of which a part has left: it cannot begin anew.
LONG_PATIENCE_SECONDS: Final = 60.0
# No answer after so long: the SMSC may have it, or not.
ANSWER_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.5
MOST_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class SubmitAnswer:
    """What the SMSC said to one submit: `status` (5.1.3) and the id it gives. None: it said nothing.

    `has_left` False: it was not sent, or put off.
    """

    status: int | None
    id: str = ""
    has_left: bool = True


class Answered(NamedTuple):
    sequence: int
    status: int
    id: str


class Window:
    """The window of one session: how many submit_sm wait for an answer."""

    def __init__(self, connection: Connection, send: Callable[[bytes], None], next_sequence: Callable[[], int]) -> None:
        self._most = connection.window
        self._send, self._next_sequence = send, next_sequence
        self._answers: SimpleQueue[Sequence[Answered] | None] = SimpleQueue()
        # How many may be on their way just now: halved when throttled, one more with each windowful that gets through.
        self._size = float(self._most)
        self._pause = FIRST_PAUSE_SECONDS
        self._not_before = 0.0
        self._throttled_since: float | None = None
        self._pace = TokenBucket(connection.rate)
        self.is_over = False

    def answered(self, answers: Iterable[Answered]) -> None:
        """By the receiving thread."""
        self._answers.put(tuple(answers))

    def end(self) -> None:
        """By the receiving thread, when the session is over: nothing is answered any more."""
        self.is_over = True
        self._answers.put(None)

    def submit_all(self, messages: Sequence[Sequence[bytes]]) -> Iterator[tuple[int, list[SubmitAnswer]]]:
        """Submit messages, each of one or more bodies. Yields the place of each and its answers, as they get whole."""
        state, self._throttled_since = _Round(messages), None
        while state.is_unfinished:
            yield from state.completed()
            if self.is_over:
                state.break_off()
                continue
            if self._is_out_of_patience(LONG_PATIENCE_SECONDS):
                state.put_off(even_begun=True)
            elif self._is_out_of_patience(PATIENCE_SECONDS):
                state.put_off(even_begun=False)
            self._fill(state)
            self._take(state)
        yield from state.completed()

    @property
    def is_throttled(self) -> bool:
        """The last that was submitted did not get through: the SMSC wants a pause."""
        return self._throttled_since is not None

    def _is_out_of_patience(self, seconds: float) -> bool:
        return self._throttled_since is not None and monotonic() - self._throttled_since > seconds

    def _fill(self, state: "_Round") -> None:
        now = monotonic()
        room = min(int(self._size) - len(state.on_way), MOST_AT_ONCE)
        if now < self._not_before or room <= 0 or not state.to_send:
            return
        number = min(room, len(state.to_send), self._pace.allowance(now))
        if number <= 0:
            return
        chosen = [(self._next_sequence(), state.to_send.popleft()) for _ in range(number)]
        state.on_way.update((sequence, (key, now)) for sequence, key in chosen)
        self._pace.spend(number, now)
        try:
            self._send(pdus_of([(sequence, state.body(key)) for sequence, key in chosen]))
        except EndedError:
            # The receiving thread finds out, too; what was on its way may have arrived.
            self.is_over = True

    def _take(self, state: "_Round") -> None:
        """What was answered, waiting for it no longer than until something else is to do."""
        try:
            answers = self._answers.get(timeout=self._seconds_to_wait(state))
        except Empty:
            state.forget_before(monotonic() - ANSWER_SECONDS)
            return
        for each in answers or ():
            self._heed(state, each)

    def _seconds_to_wait(self, state: "_Round") -> float:
        now = monotonic()
        if not state.on_way and not state.to_send:
            return 0
        waits = [LOOK_SECONDS]
        if state.to_send and len(state.on_way) < int(self._size):
            waits.append(max(self._not_before - now, self._pace.wait(now), 0.0))
        return min(waits)

    def _heed(self, state: "_Round", said: Answered) -> None:
        key = state.on_way.pop(said.sequence, (None, 0.0))[0]
        if key is None:  # of a round before, given up
            return
        if said.status in THROTTLED:
            self._slow_down()
            state.again(key, said.status)
            return
        self._throttled_since, self._pause = None, FIRST_PAUSE_SECONDS
        self._size = min(self._most, self._size + 1 / self._size)
        state.answer(key, SubmitAnswer(said.status, said.id))

    def _slow_down(self) -> None:
        now = monotonic()
        self._throttled_since = self._throttled_since or now
        if now < self._not_before:  # one of those that were on their way with the first
            return
        self._size = max(1.0, self._size / 2)
        self._not_before = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)


class TokenBucket:
    """No more than so many in a second, evenly: a bucket that holds a tenth of a second's worth, one at least."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate / 10)
        self._held, self._at = self._most, monotonic()

    def allowance(self, now: float) -> int:
        return int(self._now_held(now)) if self._rate else MOST_AT_ONCE

    def spend(self, number: int, now: float) -> None:
        if self._rate:
            self._held, self._at = self._now_held(now) - number, now

    def wait(self, now: float) -> float:
        """Seconds until there is one."""
        return max(0.0, (1 - self._now_held(now)) / self._rate) if self._rate else 0.0

    def _now_held(self, now: float) -> float:
        return min(self._most, self._held + (now - self._at) * self._rate)


Key = tuple[int, int]


class _Round:
    """Messages that are being submitted: what is still to send, on its way, and answered. A key: (message, part)."""

    def __init__(self, messages: Sequence[Sequence[bytes]]) -> None:
        self._messages = messages
        self._answers: list[dict[int, SubmitAnswer]] = [{} for _ in messages]
        self._begun: set[int] = set()
        self._whole: deque[int] = deque()
        self._unfinished = len(messages)
        self.to_send: deque[Key] = deque((m, p) for m, bodies in enumerate(messages) for p in range(len(bodies)))
        self.on_way: dict[int, tuple[Key, float]] = {}
        self._last_status: dict[Key, int] = {}

    @property
    def is_unfinished(self) -> bool:
        return self._unfinished > 0

    def body(self, key: Key) -> bytes:
        return self._messages[key[0]][key[1]]

    def answer(self, key: Key, answer: SubmitAnswer) -> None:
        message, part = key
        if answer.status == OK or (answer.has_left and answer.status is None):
            self._begun.add(message)
        answers = self._answers[message]
        answers[part] = answer
        if len(answers) == len(self._messages[message]):
            self._whole.append(message)
            self._unfinished -= 1

    def again(self, key: Key, status: int) -> None:
        """First of all that is to be sent: a message that has begun is not kept waiting."""
        self._last_status[key] = status
        self.to_send.appendleft(key)

    def completed(self) -> Iterator[tuple[int, list[SubmitAnswer]]]:
        while self._whole:
            message = self._whole.popleft()
            yield message, [answer for _part, answer in sorted(self._answers[message].items())]

    def put_off(self, *, even_begun: bool) -> None:
        """What is still to send is not sent in this round; while a message is on its way, all of it is waited for."""
        on_way = {key[0] for key, _at in self.on_way.values()} | self._begun
        kept = deque[Key]()
        for key in self.to_send:
            if key[0] in on_way and not even_begun:
                kept.append(key)
            else:
                self.answer(key, SubmitAnswer(self._last_status.get(key), has_left=False))
        self.to_send = kept

    def forget_before(self, moment: float) -> None:
        """Nobody will answer these."""
        for sequence in [sequence for sequence, (_key, at) in self.on_way.items() if at < moment]:
            self.answer(self.on_way.pop(sequence)[0], SubmitAnswer(None))

    def break_off(self) -> None:
        """The session is over: what is on its way may have arrived, what is to be sent has not left."""
        self.forget_before(float("inf"))
        self.put_off(even_begun=True)
