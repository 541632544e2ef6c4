"""SMS by SMPP, from rows that wait to rows and events that say that the SMSC took them, beside the SMSC's own limit."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Final

from django.db import connection

from bench import data, place
from bench.figures import Figure, medians, rounded, say
from contacts.models import Channel
from engage.local import run
from engage.local.bootstrap import BASE_DIR
from messaging.models import Content, DeliveryEvent, Message, Part, SendOut
from messaging.sendouts import lifecycle, making
from messaging.smpp.connections import Connection, connections_of
from messaging.smpp.inbox import PduWriter
from messaging.smpp.line import open_line
from messaging.smpp.session import SmppSession
from messaging.smpp.submits import submits_of

ROUNDS: Final = 3
# A two-hundredth of the messages in the other groups.
SHARE: Final = 200
PATIENCE_SECONDS: Final = 120.0
# The library's own client dies of more, now and then.
FEW: Final = 3_000
TEXT: Final = "Hi [[firstName,you]], spring is here and so are we: 20 % off until Sunday. No more: [[unsubscribeUrl]]"
LEFT: Final = "SELECT count(*) FROM messaging_batch WHERE done_at IS NULL"
# From the first that was marked to the commit of the last.
TOOK: Final = """
SELECT extract(epoch FROM (SELECT max(done_at) FROM messaging_batch) - (SELECT min(sent_at) FROM messaging_message))
"""


def measure(messages: int) -> Iterator[Figure]:
    contacts = max(messages // SHARE, 1_000)
    reset = place.pristine("smpp", lambda: _fill(contacts), f"{contacts:,} SMS to hand over")
    rates: dict[str, list[float]] = {"engage": [], "window_alone": [], "simulator_with_its_own_client": []}
    for number in range(1, ROUNDS + 1):
        reset()
        connection.ensure_connection()
        with smsc() as port:
            rates["engage"].append(_handed_over(port))
            rates["window_alone"].append(_window_alone(port, contacts))
            rates["simulator_with_its_own_client"].append(_its_own_client(port))
        say(f"round {number} of {ROUNDS}: " + ", ".join(f"{way} {each[-1]:,.0f}/s" for way, each in rates.items()))
    found = medians(rates)
    detail = {
        "sms": Message.objects.filter(status="unknown").count(), "parts_each": 1, "window": Connection("x").window,
        "rounds": ROUNDS, "per_second": found, "share_of_window_alone": rounded(found["engage"] / found["window_alone"]),
    }  # fmt: skip
    yield Figure("smpp_per_second", found["engage"], "SMS/s", detail)


def _fill(contacts: int) -> None:
    """All rows of a send-out are made, and wait."""
    data.fill(0, contacts)
    send_out = SendOut.objects.create(name="SMPP", channel=Channel.SMS, sender="Shop")
    send_out.content = Content.objects.create(send_out=send_out, version=1, text=TEXT)
    send_out.save()
    lifecycle.start(send_out.pk)
    while making.make_rows(send_out.pk):
        pass
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


@contextmanager
def smsc() -> Iterator[int]:
    """The simulator for the block. Gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with subprocess.Popen(
        [sys.executable, "-m", "bench.beside.smsc", str(port)], cwd=BASE_DIR, stdout=subprocess.PIPE
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"listening\n":
                raise RuntimeError("The SMSC does not start.")
            yield port
        finally:
            process.kill()


def _url(port: int) -> str:
    return f"smpp://engage:s3cret@127.0.0.1:{port}/bench?ids=hex"


def _handed_over(port: int) -> float:
    """SMS a second, by `manage.py smpp` as it runs in production."""
    os.environ |= {"SMPP_URLS": _url(port), "SMS_ROUTE": "smpp:"}
    until = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as running:
        running.callback(run.start_service("smpp", ["manage.py", "smpp"], place.FOLDER).stop)
        while _asked(LEFT):
            if time.monotonic() > until:
                raise RuntimeError(f"Still {_asked(LEFT):.0f} batches. See {place.FOLDER}/log/smpp.log.")
            time.sleep(0.1)
        took = _asked(TOOK)
    sent = Message.objects.filter(status="unknown", provider="smpp", provider_message_id__isnull=False).count()
    if not sent == Message.objects.count() == DeliveryEvent.objects.count() or Part.objects.exists():
        raise AssertionError(f"{sent} sent of {Message.objects.count()}, {DeliveryEvent.objects.count()} events")
    return sent / took


def _window_alone(port: int, number: int) -> float:
    """Send PDUs that were made before over a session and a window, with nothing written down."""
    (each,) = connections_of([_url(port)]).values()
    line, stop = open_line(each), threading.Event()
    session = SmppSession(each, line, PduWriter(each.name), stop)
    session.bind()
    serving = threading.Thread(target=session.serve)
    serving.start()
    text = TEXT.replace("[[firstName,you]]", "Anna").replace(
        "[[unsubscribeUrl]]", "https://e.example/u/1-0123456789abcdef/"
    )
    ready = [
        submits_of(text, sender="Shop", number=f"+4670{n:07}", valid=timedelta(hours=48), reference=n)
        for n in range(number)
    ]
    began = time.perf_counter()
    done = sum(1 for _ in session.window.submit_all(ready))
    took = time.perf_counter() - began
    stop.set()
    serving.join()
    line.close()
    return done / took


def _its_own_client(port: int) -> float:
    command = [sys.executable, "-m", "bench.beside.smsc", str(port), str(FEW)]
    return float(subprocess.run(command, cwd=BASE_DIR, stdout=subprocess.PIPE, check=True).stdout)


def _asked(statement: str) -> float:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return float(cursor.fetchone()[0])
