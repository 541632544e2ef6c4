"""One session with an SMSC: bind, answer what comes, keep the line alive, unbind.

An SMSC that has its answer forgets the receipt. So the answer goes out after the commit, and where there was none, it
says that the fault is temporary (5.1.3), which makes the SMSC try again.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event, Lock
from time import monotonic
from typing import Final

from smpplib import consts, smpp

from messaging.incoming.reconnect import EndedError, PeerRefusedError
from messaging.smpp.connections import Connection
from messaging.smpp.inbox import PduWriter
from messaging.smpp.line import SmscLine
from messaging.smpp.pdus import COMMANDS, DATA_SM, DELIVER_SM, RESPONSE, GarbageError, Header, header_of, message_id_in
from messaging.smpp.submits import SUBMIT_SM_RESP
from messaging.smpp.window import Answered, Window

log: Final = logging.getLogger(__name__)

# How long a look at the line takes at most, and so how late a stop is noticed.
LOOK_SECONDS: Final = 1.0
# 7.2: session_init_timer, enquire_link_timer, response_timer.
BIND_SECONDS: Final = 10.0
ENQUIRE_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 10.0
UNBIND_SECONDS: Final = 5.0
# How long whoever is submitting may still take when we are to stop.
FINISH_SECONDS: Final = 10.0
TEMPORARY: Final = consts.SMPP_ESME_RX_T_APPN
# What answers a submit_sm: a generic_nack, too, where the SMSC could not read it (4.3).
SUBMITTED: Final = frozenset({SUBMIT_SM_RESP, COMMANDS["generic_nack"]})
MOST_SEQUENCES: Final = 0x7FFFFFFF
# What a wrong user or password comes to, in one SMSC or the other.
CREDENTIALS: Final = frozenset(
    {consts.SMPP_ESME_RINVPASWD, consts.SMPP_ESME_RINVSYSID, consts.SMPP_ESME_RBINDFAIL, consts.SMPP_ESME_RINVSYSTYP}
)


class SmppSession:
    """A session as an ESME, bound as a transceiver. One thread serves it; what it submits goes through `window`."""

    def __init__(self, connection: Connection, line: SmscLine, inbox: PduWriter, stop: Event) -> None:
        self._connection = connection
        self._line = line
        self._inbox = inbox
        self._stop = stop
        self._sequence = Sequence()
        self.window = Window(connection, line.send, self._sequence.next_sequence)
        self._enquired_at: float | None = None
        self._is_unbound = False
        # What is done with a request; what answers it, if anything does, is sent with the other answers.
        self._requests: dict[int, Callable[[Header], bytes]] = {
            COMMANDS["enquire_link"]: lambda header: _answer("enquire_link_resp", header),
            COMMANDS["unbind"]: self._unbound_by_them,
            # It wants none (4.12).
            COMMANDS["alert_notification"]: lambda _header: b"",
        }

    def bind(self) -> None:
        """4.1.5. Raises EndedError, GarbageError."""
        theirs = self._connection
        self._send(
            "bind_transceiver",
            system_id=theirs.user,
            password=theirs.password,
            system_type=theirs.system_type,
            address_range=theirs.address_range,
        )
        until = monotonic() + BIND_SECONDS
        while monotonic() < until:
            pdus = self._line.receive(LOOK_SECONDS)
            if self._stop.is_set() and not pdus:
                raise EndedError("stopped before the SMSC had answered our bind")
            if pdus:
                self._check_bound(header_of(pdus[0]))
                # Receipts that have waited may come in the same breath.
                self._heed(pdus[1:])
                return
        raise EndedError(
            "no answer to our bind; check that this is the port for SMPP, and smpps:// where the operator wants TLS"
        )

    def serve(self, is_busy: Callable[[], bool] = lambda: False) -> None:
        """Until it is to stop, which ends it well; while `is_busy` answers are still waited for.

        Raises EndedError, GarbageError.
        """
        until = None
        while True:
            if self._stop.is_set():
                until = until or monotonic() + FINISH_SECONDS
                if not is_busy() or monotonic() > until:
                    return
            self._heed(self._line.receive(LOOK_SECONDS))
            if self._is_unbound:
                raise EndedError("the SMSC ended the session (unbind)")
            self._keep_alive()

    def unbind(self) -> None:
        """4.2; what comes before the answer is still taken. Raises GarbageError."""
        until = monotonic() + UNBIND_SECONDS
        # Many an SMSC closes the line instead of answering.
        with suppress(EndedError):
            self._send("unbind")
            while monotonic() < until and not self._is_unbound:
                self._heed(self._line.receive(LOOK_SECONDS))

    def _send(self, command: str, **fields: str) -> None:
        self._line.send(smpp.make_pdu(command, client=self._sequence, **fields).generate())

    def _check_bound(self, header: Header) -> None:
        if header.command not in (COMMANDS["bind_transceiver_resp"], COMMANDS["generic_nack"]):
            raise GarbageError("something else than an answer to our bind")
        if header.status == consts.SMPP_ESME_ROK and header.command == COMMANDS["bind_transceiver_resp"]:
            return
        said = f"the SMSC refuses our bind: {consts.DESCRIPTIONS.get(header.status, 'error')} ({header.status:#x})"
        if header.status in CREDENTIALS:
            raise PeerRefusedError(
                f"{said}. Check user, password and system_type in SMPP_URLS, and ask the operator whether our address "
                "is on their list"
            )
        if header.status == consts.SMPP_ESME_RALYBND:
            raise EndedError(
                f"{said}. Another process is bound as this user, or the SMSC has not noticed the end of the last one"
            )
        raise EndedError(f"{said}. Ask the operator whether the account may bind as a transceiver")

    def _heed(self, pdus: Iterable[bytes]) -> None:
        """Commit what is delivered, all at once; answer; then have a worker look."""
        headers = [(pdu, header_of(pdu)) for pdu in pdus]
        submitted = [_answered(pdu, header) for pdu, header in headers if header.command in SUBMITTED]
        if submitted:
            self.window.answered(submitted)
        delivered = [pdu for pdu, header in headers if header.command in (DELIVER_SM, DATA_SM)]
        status = consts.SMPP_ESME_ROK if not delivered or self._inbox.keep(delivered) else TEMPORARY
        answers = b"".join(self._answered(header, status) for _, header in headers)
        if answers:
            self._line.send(answers)
        if delivered and status == consts.SMPP_ESME_ROK:
            self._inbox.wake_worker()

    def _answered(self, header: Header, status: int) -> bytes:
        if header.command == DELIVER_SM:
            return _answer("deliver_sm_resp", header, status)
        if header.command == DATA_SM:
            return _answer("data_sm_resp", header, status)
        if header.command & RESPONSE:
            self._take_response(header)
            return b""
        request = self._requests.get(header.command)
        # 4.3: what nobody here knows.
        return request(header) if request else _answer("generic_nack", header, consts.SMPP_ESME_RINVCMDID)

    def _take_response(self, header: Header) -> None:
        """What the window does not care about."""
        if header.command == COMMANDS["unbind_resp"]:
            self._is_unbound = True
        elif header.command == COMMANDS["generic_nack"]:
            log.warning("SMPP %s: the SMSC did not understand us (%#x).", self._connection.name, header.status)

    def _unbound_by_them(self, header: Header) -> bytes:
        self._is_unbound = True
        return _answer("unbind_resp", header)

    def _keep_alive(self) -> None:
        """Ask whether somebody is there when it has been quiet. Raises EndedError where nothing whole comes then."""
        now, heard_at = monotonic(), self._line.heard_at
        if self._enquired_at is not None and heard_at >= self._enquired_at:
            self._enquired_at = None
        if self._enquired_at is None and now - heard_at > ENQUIRE_SECONDS:
            self._send("enquire_link")
            self._enquired_at = now
        elif self._enquired_at is not None and now - self._enquired_at > ANSWER_SECONDS:
            raise EndedError("the SMSC does not answer any more")


class Sequence:
    """Numbers of PDUs (5.1.4), for several threads."""

    def __init__(self) -> None:
        self._lock, self._last = Lock(), 0

    def next_sequence(self) -> int:
        with self._lock:
            self._last = self._last % MOST_SEQUENCES + 1
            return self._last


def _answered(pdu: bytes, header: Header) -> Answered:
    return Answered(header.sequence, header.status, message_id_in(pdu))


def _answer(command: str, header: Header, status: int = consts.SMPP_ESME_ROK) -> bytes:
    # Without a generator smpplib numbers by a counter of its own.
    pdu = smpp.make_pdu(command, status=status, sequence=header.sequence)
    pdu.sequence = header.sequence
    made: bytes = pdu.generate()
    return made
