"""An SMSC that takes everything at once: the SMPP server of smpp34, in a process of its own.

python -m bench.beside.smsc PORT          listens until it is killed
python -m bench.beside.smsc PORT NUMBER   submits so many to it by the same library's client, and prints how many a second
"""

import asyncio
import itertools
import sys
import time
from typing import Final

import smpp34

AT_ONCE: Final = 200


async def serve(port: int) -> None:
    server = smpp34.Server("127.0.0.1", port, inbound_capacity=10_000)
    await server.start()
    print("listening", flush=True)
    numbers = itertools.count(1)
    while True:
        found = await server.next()
        if isinstance(found, smpp34.SubmitSmEvent):
            found.accept(f"{next(numbers):x}")


async def submit(port: int, number: int) -> float:
    client = smpp34.Client("127.0.0.1", port, "engage", "s3cret", window_size=AT_ONCE)
    session = await client.connect()
    left = iter(range(number))

    async def one_after_the_other() -> None:
        for _ in left:
            await session.submit_sm("46701234567", b"Spring is here, and so are we", source_addr="Shop")

    began = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    took = time.perf_counter() - began
    await client.stop()
    return number / took


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(asyncio.run(submit(int(sys.argv[1]), int(sys.argv[2]))))
    else:
        asyncio.run(serve(int(sys.argv[1])))
