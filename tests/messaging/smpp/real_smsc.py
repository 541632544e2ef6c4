"""An SMSC in a process of its own: the SMPP server of smpp34, which is written in Rust and shares no code with us.

.venv/bin/python -m tests.messaging.smpp.real_smsc PORT
It takes any SMS, and delivers the receipt that the SMS asks for in its text ("UNDELIV 001", or "DELIVRD 000 tlv"),
again and again until somebody who is bound as the same user has answered it; a text that asks for nothing arrives. What
it gets it prints, one line of JSON each. Some numbers meet with difficulties: see `hinder`.
"""

import asyncio
import itertools
import json
import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

import smpp34
from smpplib import consts

from tests.messaging.smpp.pdus import (
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    RECEIPT,
    RECEIPTED_MESSAGE_ID,
    USER_MESSAGE_REFERENCE,
)

STATES = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5}
GSM = 3
# Numbers whose submit_sm is taken and never answered, so that only the receipt tells; in that of the second one the
# reference comes back.
UNANSWERED = ("97", "96")
# It is taken, and gets no id.
NAMELESS = "95"


class Smsc:
    def __init__(self) -> None:
        self.bound: dict[str, smpp34.Esme] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.tries: Counter[str] = Counter()
        self.held: list[smpp34.SubmitSmEvent] = []

    async def serve(self, port: int) -> None:
        server = smpp34.Server("127.0.0.1", port, system_id="real")
        await server.start()
        print("listening", flush=True)
        numbers = itertools.count(0xABC00)
        while True:
            found = await server.next()
            if isinstance(found, smpp34.Esme):
                self.bound[found.session_id] = found
                print("bound", found.system_id, flush=True)
            elif isinstance(found, smpp34.Unbound):
                self.bound.pop(found.session_id, None)
                print("unbound", flush=True)
            elif not self.hinder(found):
                number = next(numbers)
                if found.destination_addr.endswith(NAMELESS):
                    found.accept("")
                elif not found.destination_addr.endswith(UNANSWERED):
                    found.accept(f"{number:X}")
                else:
                    self.held.append(found)
                task = asyncio.create_task(self.report(number, found))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    def hinder(self, sent: smpp34.SubmitSmEvent) -> bool:
        """Whether it is not taken, by the last two digits of the number."""
        number = sent.destination_addr
        self.tries[number] += 1
        print("got", json.dumps(told(sent)), flush=True)
        if number.endswith("58") and self.tries[number] == 1:  # once
            sent.reject(consts.SMPP_ESME_RTHROTTLED)
        elif number.endswith("20"):  # always
            sent.reject(consts.SMPP_ESME_RMSGQFUL)
        elif number.endswith("11"):
            sent.reject(consts.SMPP_ESME_RINVDSTADR)
        elif number.endswith("08") and self.tries[number] == 1:
            sent.reject(consts.SMPP_ESME_RSYSERR)
        elif number.endswith("99"):  # it is never answered
            self.held.append(sent)
        else:
            return False
        return True

    async def report(self, number: int, sent: smpp34.SubmitSmEvent) -> None:
        """As Vonage does: hexadecimal in submit_sm_resp, decimal in the receipt."""
        text = sent.short_message.decode("latin-1")
        state, error, *more = text.split() if text.partition(" ")[0] in STATES else ("DELIVRD", "000")
        now = datetime.now(UTC).strftime("%y%m%d%H%M")
        text = f"id:{number} sub:001 dlvrd:001 submit date:{now} done date:{now} stat:{state} err:{error} text:Hi"
        tlvs = []
        if sent.destination_addr.endswith(UNANSWERED[1]):
            tlvs = [each for each in sent.tlvs if each.tag == USER_MESSAGE_REFERENCE]
        if "tlv" in more:
            text = ""
            tlvs = [
                smpp34.Tlv(RECEIPTED_MESSAGE_ID, b"%X\0" % number),
                smpp34.Tlv(MESSAGE_STATE, bytes((STATES[state],))),
                smpp34.Tlv(NETWORK_ERROR_CODE, bytes((GSM, 0, int(error)))),
            ]
        times = int(more[-1]) if more and more[-1].isdigit() else 1
        await asyncio.gather(*[self.deliver(sent, text, tlvs) for _ in range(times)])
        print("answered", number, flush=True)

    async def deliver(self, sent: smpp34.SubmitSmEvent, text: str, tlvs: list[smpp34.Tlv]) -> None:
        while True:
            for esme in [each for each in self.bound.values() if each.can_receive]:
                with suppress(smpp34.SmppError, OSError, RuntimeError):
                    answer = await esme.deliver_sm(
                        sent.source_addr, text.encode(), source_addr=sent.destination_addr, esm_class=RECEIPT, tlvs=tlvs
                    )
                    if answer.is_success:
                        return
            await asyncio.sleep(0.05)


def told(sent: smpp34.SubmitSmEvent) -> dict[str, object]:
    return {
        "source": [sent.source_addr_ton, sent.source_addr_npi, sent.source_addr],
        "number": [sent.dest_addr_ton, sent.dest_addr_npi, sent.destination_addr],
        "esm_class": sent.esm_class,
        "data_coding": sent.data_coding,
        "registered": sent.registered_delivery,
        "message": sent.short_message.hex(),
        "tlvs": {hex(tlv.tag): tlv.value.hex() for tlv in sent.tlvs},
    }


if __name__ == "__main__":
    asyncio.run(Smsc().serve(int(sys.argv[1])))
