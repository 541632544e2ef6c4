"""An SMSC in a process of its own: the SMPP server of smpp34, which is written in Rust and shares no code with us.

.venv/bin/python -m tests.messaging.smpp.real_smsc PORT
It takes any SMS, and delivers the receipt that the SMS asks for in its text ("UNDELIV 001", or "DELIVRD 000 tlv"),
again and again until somebody who is bound as the same user has answered it.
"""

import asyncio
import itertools
import sys
from contextlib import suppress

import smpp34

from tests.messaging.smpp.pdus import MESSAGE_STATE, NETWORK_ERROR_CODE, RECEIPT, RECEIPTED_MESSAGE_ID

STATES = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5}
GSM = 3


class Smsc:
    def __init__(self) -> None:
        self.bound: dict[str, smpp34.Esme] = {}
        self.tasks: set[asyncio.Task[None]] = set()

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
            else:
                number = next(numbers)
                found.accept(f"{number:X}")
                task = asyncio.create_task(self.report(number, found))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def report(self, number: int, sent: smpp34.SubmitSmEvent) -> None:
        """As Vonage does: hexadecimal in submit_sm_resp, decimal in the receipt."""
        state, error, *more = sent.short_message.decode().split()
        text = f"id:{number} sub:001 dlvrd:001 submit date:2611031130 done date:2611031142 stat:{state} err:{error} text:Hi"
        tlvs = []
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


if __name__ == "__main__":
    asyncio.run(Smsc().serve(int(sys.argv[1])))
