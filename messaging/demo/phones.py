"""The try-out SMSC of `make run`: stands in for the mobile network, so that a send-out by SMS meets all fates.

The last two digits of a number +46 70 174 06 xx (which are kept for fiction: the Swedish Post and Telecom Authority's
numbers for use in books and films) say what becomes of an SMS; what the demo's people are sent has the fate that the
story tells (living.py); all others arrive. It listens on loopback alone, and keeps nothing.
"""

import asyncio
import itertools
import logging
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Final

from django.utils import timezone
from smpplib import consts

from messaging.demo import living
from messaging.demo import script as story
from messaging.demo.living import Calendar
from messaging.smpp.pdus import COMMANDS, DELIVER_SM, HEADER, RESPONSE, Delivery, Header, header_of, submission_of

log: Final = logging.getLogger(__name__)

# How long after it took an SMS something follows, seconds.
SOON: Final = 3.0
_FICTION: Final = re.compile(r"\+?467017406([0-9]{2})")
LONGEST: Final = 70_000


@dataclass(frozen=True, slots=True)
class PhoneFate:
    """What becomes of an SMS: what the receipt says, what the phone answers, or why it is not taken (`refusal`)."""

    name: str
    state: str = "DELIVRD"
    error: int = 0
    answer: str = ""
    refusal: int = 0
    is_refused_once: bool = False


FATES: Final = {
    "11": PhoneFate("Gets it"),
    "12": PhoneFate("Has a number not in use", "UNDELIV", 1),
    "13": PhoneFate("Is out of reach", "UNDELIV", 27),
    "14": PhoneFate("Fails for unknown reasons", "UNDELIV"),
    "15": PhoneFate("Is off for two days", "EXPIRED"),
    "16": PhoneFate("Is behind other networks", "ACCEPTD"),
    "17": PhoneFate("Answers STOP", answer="STOP"),
    "18": PhoneFate("Is never heard of", ""),
    "19": PhoneFate("Has a full memory", "UNDELIV", 33),
    "20": PhoneFate("Has to wait for a moment", refusal=consts.SMPP_ESME_RTHROTTLED, is_refused_once=True),
    "21": PhoneFate("Has a landline", "UNDELIV", 11),
    "22": PhoneFate("Is refused at once", refusal=consts.SMPP_ESME_RINVDSTADR),
    "23": PhoneFate("Changed the number", "UNDELIV", 44),
    "24": PhoneFate("Answers a question", answer="When do you open?"),
}
ARRIVES: Final = PhoneFate("")


def number_of(ending: str) -> str:
    return f"+467017406{ending}"


def fate_of(number: str) -> PhoneFate:
    found = _FICTION.fullmatch(number)
    return FATES.get(found[1], ARRIVES) if found else ARRIVES


class PhoneSession(asyncio.Protocol):
    """One that is bound; it may be anybody on this machine."""

    _sequence = itertools.count(1)
    # Of the SMS it took: they are known for long, so another process must not begin anew.
    _ids = itertools.count(int(time()) * 1000)

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._later: set[asyncio.Task[None]] = set()
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._refused: set[str] = set()
        self._answers: dict[int, Callable[[bytes, Header], None]] = {
            COMMANDS["bind_transceiver"]: self._answer_with_name,
            COMMANDS["submit_sm"]: self._take,
            COMMANDS["enquire_link"]: self._answer,
            COMMANDS["unbind"]: self._unbind,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            length = int.from_bytes(self._buffer[:4])
            if not HEADER.size <= length <= LONGEST:
                self._close()
                return
            if len(self._buffer) < length:
                return
            pdu = bytes(self._buffer[:length])
            del self._buffer[:length]
            header = header_of(pdu)
            if not header.command & RESPONSE:
                self._answers.get(header.command, self._not_understood)(pdu, header)

    def _take(self, pdu: bytes, header: Header) -> None:
        try:
            sms = submission_of(pdu)
        except ValueError:
            self._send(header, status=consts.SMPP_ESME_RINVMSGLEN)
            return
        told = living.of_sms(sms.destination, sms.words)
        if told is not None:
            self._live(sms, header, told)
            return
        fate = fate_of(sms.destination)
        if fate.refusal and not (fate.is_refused_once and sms.destination in self._refused):
            self._refused.add(sms.destination)
            self._send(header, status=fate.refusal)
            return
        number = next(self._ids)
        self._send(header, f"{number}\0".encode())
        loop = asyncio.get_running_loop()
        if fate.state:
            loop.call_later(SOON, self._report, sms, fate.state, fate.error, number)
        if fate.answer and sms.words:
            loop.call_later(2 * SOON, self._deliver, sms, 0, fate.answer)

    def _live(self, sms: Delivery, header: Header, fate: story.Fate) -> None:
        number = next(self._ids)
        self._send(header, f"{number}\0".encode())
        if fate.plot.deeds:
            task = asyncio.create_task(self._do(sms, fate, number))
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _do(self, sms: Delivery, fate: story.Fate, number: int) -> None:
        message_id = await self._calendar.newest_sms(sms.destination)
        for deed in fate.plot.deeds:
            if message_id is not None:
                await self._calendar.until(message_id, fate.due(deed.after))
                if deed.what == "receipt":
                    self._report(sms, deed.state, deed.error, number)
                else:
                    self._deliver(sms, 0, deed.words)

    def _report(self, sms: Delivery, state: str, error: int, number: int) -> None:
        """Appendix B."""
        now = f"{timezone.now():%y%m%d%H%M}"
        arrived = int(state == "DELIVRD")
        text = (
            f"id:{number} sub:001 dlvrd:{arrived:03} submit date:{now} done date:{now} stat:{state} "
            f"err:{error:03} text:"
        )
        self._deliver(sms, 0x04, text)

    def _deliver(self, sms: Delivery, esm_class: int, text: str) -> None:
        """4.6.1: from the phone to whoever wrote to it."""
        said = text.encode("ascii")
        body = b"".join((
            b"\0\x01\x01", sms.destination.encode("ascii", "replace"), b"\0\0\0", sms.source.encode("ascii", "replace"),
            bytes((0, esm_class, 0, 0, 0, 0, 0, 0, 0, 0, len(said))), said,
        ))  # fmt: skip
        self._write(struct.pack(">IIII", HEADER.size + len(body), DELIVER_SM, 0, next(self._sequence)) + body)

    def _answer(self, _pdu: bytes, header: Header) -> None:
        self._send(header)

    def _answer_with_name(self, _pdu: bytes, header: Header) -> None:
        self._send(header, b"tryout\0")

    def _unbind(self, _pdu: bytes, header: Header) -> None:
        self._send(header)
        self._close()

    def _not_understood(self, _pdu: bytes, header: Header) -> None:
        refused = Header(0, COMMANDS["generic_nack"], 0, header.sequence)
        self._send(refused, status=consts.SMPP_ESME_RINVCMDID)

    def _send(self, request: Header, body: bytes = b"", status: int = consts.SMPP_ESME_ROK) -> None:
        head = HEADER.pack(HEADER.size + len(body), request.command | RESPONSE, status, request.sequence)
        self._write(head + body)

    def _write(self, pdu: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pdu)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
