"""A send-out's emails into Postfix's smtp-sink: the real hand-over, beside smtp-source and beside django-post_office.

The hand-over is that of work.py in as many processes as the worker of `make run` has: rows marked, blocks and consent
asked, mails personalised and sent, status events applied. smtp-source sends one and the same mail again and again, with
eight sessions; post_office renders and sends what lies in its queue, and keeps its status. All in one round, into the
same sink, mails of the same size.
"""

import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection, connections

from bench import data, place
from bench.figures import Figure, median_ratio, medians, rounded, say
from bench.letters import HTML, SUBJECT, TEXT
from contacts.models import Channel
from engage.local import bootstrap
from messaging.delivery import dispatcher
from messaging.delivery.email_routes import Relay
from messaging.delivery.transport import Ready
from messaging.delivery.transports import smtp
from messaging.models import Content, Message, SendOut
from messaging.sendouts import lifecycle, making
from messaging.sendouts.contents import person_of
from messaging.sendouts.dkim import keys_of, write_new

ROUNDS: Final = 3
WORKERS: Final = 2
SESSIONS: Final = 8
# Of the messages of the other groups, one in so many.
SHARE: Final = 50
# The same for memory.
LARGEST_SHARE: Final = 5
SMALLEST: Final = 10_000
# For post_office, which is so much slower.
FEWER: Final = 10
SBIN: Final = "/usr/sbin"


def measure(messages: int) -> Iterator[Figure]:
    if not (program("smtp-sink") and program("smtp-source")) and not bootstrap.apt_install("postfix"):
        say("SKIPPED: smtp needs Postfix's smtp-sink and smtp-source (Debian: apt install postfix, as root).")
        return
    mails = max(messages // SHARE, 1_000)
    reset = place.pristine("smtp", lambda: fill(mails), f"{mails:,} messages to hand over")
    rates: dict[str, list[float]] = {"engage": [], "smtp_source": [], "post_office": []}
    for number in range(1, ROUNDS + 1):
        reset()
        with sink() as port:
            settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
            size = mean_size()
            rates["engage"].append(handed_over(mails).rate)
            rates["smtp_source"].append(source(port, mails, size))
            rates["post_office"].append(post_office(port, mails // FEWER))
        said = {name: round(values[-1]) for name, values in rates.items()}
        say(f"round {number} of {ROUNDS}: {said} mails/s, of {size} bytes")
    for name, is_ed25519 in (("signed", True), ("signed_rsa", False)):
        reset()
        with sink() as port, signing(is_ed25519=is_ed25519):
            settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
            rates[name] = [handed_over(mails).rate]
    detail: dict[str, object] = {
        "mails": mails, "mean_bytes": size, "workers": WORKERS, "rounds": ROUNDS, "mails_per_second": medians(rates),
    }  # fmt: skip
    yield Figure("smtp_vs_smtp_source", median_ratio(rates["engage"], rates["smtp_source"]), "ratio", detail)
    yield Figure("smtp_vs_post_office", median_ratio(rates["engage"], rates["post_office"]), "ratio", detail)
    yield memory(max(messages // LARGEST_SHARE, 2_000))


def fill(mails: int) -> None:
    """Contacts, and a send-out to all of them whose rows are made."""
    data.fill(0, mails)
    send_out = SendOut.objects.create(
        name="Letter", channel=Channel.EMAIL, sender="news@shop.example", sender_name="The Shop", subject=SUBJECT
    )
    send_out.content = Content.objects.create(send_out=send_out, version=1, subject=SUBJECT, html=HTML, text=TEXT)
    send_out.save()
    lifecycle.start(send_out.pk)
    recipe = making.recipe_of(send_out.pk)
    while making.make_chunk(recipe):
        pass
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=SBIN)


@contextmanager
def sink() -> Iterator[int]:
    """Postfix's smtp-sink for the block. Gives its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    started = subprocess.Popen([str(program("smtp-sink")), *user, f"127.0.0.1:{port}", "1000"])
    try:
        _await(port)
        yield port
    finally:
        started.terminate()
        started.wait()


def _await(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("smtp-sink does not listen")


class Done(NamedTuple):
    """Mails a second, and the most memory that a worker ever had, MB."""

    rate: float
    peak: float


@contextmanager
def signing(*, is_ed25519: bool) -> Iterator[None]:
    """With DKIM, for the block."""
    with tempfile.TemporaryDirectory() as folder:
        write_new(Path(folder, "key.pem"), is_ed25519=is_ed25519)
        settings.DKIM_KEYS = keys_of(f"bench@shop.example={folder}/key.pem")
    yield
    settings.DKIM_KEYS = []


def memory(largest: int) -> Figure:
    """How much more a worker ever needs for very many recipients than for ten thousand."""
    peaks: dict[int, float] = {}
    for mails in (min(SMALLEST, largest // 2), largest):
        place.pristine("smtp_memory", partial(fill, mails), f"{mails:,} messages to hand over")()
        with sink() as port:
            settings.EMAIL_ROUTE = Relay("127.0.0.1", port)
            peaks[mails] = handed_over(mails).peak
        say(f"{mails:,} recipients: {peaks[mails]:.1f} MB")
    first, last = peaks.values()
    detail: dict[str, object] = {"peak_mb_by_recipients": {mails: rounded(peak) for mails, peak in peaks.items()}}
    return Figure("smtp_worker_growth_mb", last - first, "MB", detail)


def handed_over(mails: int) -> Done:
    """All of them, from the first claim of a batch to the last status."""
    pk = SendOut.objects.values_list("pk", flat=True).get()
    connections.close_all()
    context = get_context("fork")
    peaks: Queue[int] = context.Queue()
    workers = [context.Process(target=_work, args=(pk, peaks)) for _ in range(WORKERS)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    taken = Message.objects.filter(status="unknown", attempts=1).count()
    if taken != mails:
        raise AssertionError(f"{taken} of {mails} were taken")
    return Done(mails / seconds, max(peaks.get() for _ in workers) / 1024)


def _work(pk: int, peaks: "Queue[int]") -> None:
    """As tasks.hand_over, turn after turn."""
    while dispatcher.hand_over(pk):
        pass
    peaks.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def source(port: int, mails: int, size: int) -> float:
    command = [str(program("smtp-source")), "-d", "-s", str(SESSIONS), "-m", str(mails), "-l", str(size)]
    start = time.perf_counter()
    subprocess.run([*command, "-f", "news@shop.example", "-t", "anna@example.org", f"127.0.0.1:{port}"], check=True)
    return mails / (time.perf_counter() - start)


def mean_size() -> int:
    """Bytes of our mails, so that smtp-source sends as many."""
    some = Message.objects.select_related("content", "contact", "send_out", "address").order_by("pk")[:100]
    sizes = []
    for each in some:
        assert each.contact is not None
        assert each.send_out is not None
        assert each.content is not None
        ready = Ready(each.pk, 1, each.address.value, each.send_out, each.content, person_of(each.contact))
        sizes.append(len(smtp.mail_of(ready).mail))
    return round(statistics.mean(sizes))


def post_office(port: int, mails: int) -> float:
    """Mails a second of its `send_queued`, in as many processes, by a template that it renders as it sends."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "bench.beside.post_office", "SINK_PORT": str(port)}
    command = [sys.executable, "-m", "bench.beside.post_office_send", str(mails), str(WORKERS)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return mails / float(done.stdout)
