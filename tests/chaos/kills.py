"""All of Engage on a folder of its own, and the one who kills it piece by piece."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from engage.local import run
from engage.local.embedded import Postgres, Server, Valkey
from tests.chaos.reports import Provider

KILLS = int(os.environ.get("CHAOS_KILLS", "220"))
PATIENCE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 1.0
LONGEST_BIRTH_SECONDS = 3.0
# How often each is killed, of a hundred.
SHARES = {
    "web worker": 26,
    "Celery child": 26,
    "PostgreSQL backend": 18,
    "Valkey": 11,
    "PostgreSQL": 6,
    "Celery worker": 5,
    "web": 5,
    "beat": 3,
}


class Running:
    """All of Engage on a folder of its own; what is killed is started again at once, as a supervisor would."""

    def __init__(self, var: Path, stack: ExitStack) -> None:
        self.var = var
        self.stack = stack
        self.postgres, self.valkey = Postgres(var), Valkey(var)
        self.commands = dict(run.processes()) | {"worker": mortal(run.worker())}
        self.services: dict[str, run.Service] = {}
        # Each service is the leader of a session, which its children stay in.
        self.sessions: set[int] = set()
        self.ended_by_themselves: list[str] = []

    def start(self) -> None:
        for server in (self.postgres, self.valkey):
            self.stack.callback(server.stop)
            server.start()
        run.manage(self.var, ["migrate", "--no-input"], ["collectstatic", "--no-input"])
        self.stack.callback(self.stop_services)
        for name in self.commands:
            self.start_service(name)
        run.wait_for_web(list(self.services.values()))

    def start_service(self, name: str) -> None:
        self.services[name] = run.start_service(name, self.commands[name], self.var)
        self.sessions.add(self.services[name].process.pid)

    def stop_services(self) -> None:
        for service in self.services.values():
            service.stop()

    def children(self, name: str) -> list[psutil.Process]:
        process = self.postgres.process if name == "postgres" else self.services[name].process
        assert process is not None
        with suppress(psutil.NoSuchProcess):
            return [child for child in psutil.Process(process.pid).children() if is_alive(child)]
        return []

    def backends(self) -> list[psutil.Process]:
        """PostgreSQL's processes that serve a client of ours."""
        return [child for child in self.children("postgres") if "engage engage" in words_of(child)]

    def kill_service(self, name: str) -> None:
        process = self.services[name].process
        process.kill()
        process.wait()
        self.start_service(name)

    def kill_server(self, server: Server) -> None:
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.stop()
        server.start()

    def start_what_ended(self) -> None:
        """Celery's worker gives up where its child is killed while it starts, the web server where its port is taken."""
        for name, service in list(self.services.items()):
            if service.process.poll() is not None:
                self.ended_by_themselves.append(f"{name} ({service.process.returncode})")
                self.start_service(name)

    def left_behind(self) -> list[psutil.Process]:
        """What lives on though its service is gone."""
        current = {service.process.pid for service in self.services.values() if service.process.poll() is None}
        ended = self.sessions - current
        return [each for each in psutil.process_iter() if session_of(each) in ended and is_alive(each)]


def mortal(worker: list[str]) -> list[str]:
    """The command of a worker that dies of the killing report."""
    return ["tests.chaos.killing" if word == "engage" else word for word in worker]


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def words_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def session_of(process: psutil.Process) -> int:
    with suppress(ProcessLookupError):
        return os.getsid(process.pid)
    return 0


class Killer:
    """Lives in the main thread: what it starts dies with the thread that started it."""

    def __init__(self, engage: Running, chance: random.Random) -> None:
        self.engage = engage
        self.chance = chance
        self.kills: Counter[str] = Counter()
        self.ways: dict[str, Callable[[], None]] = {
            "web worker": lambda: self.kill_one(lambda: engage.children("web")),
            "Celery child": lambda: self.kill_one(lambda: engage.children("worker")),
            "PostgreSQL backend": lambda: self.kill_one(engage.backends),
            "Valkey": lambda: engage.kill_server(engage.valkey),
            "PostgreSQL": lambda: engage.kill_server(engage.postgres),
            "Celery worker": lambda: engage.kill_service("worker"),
            "web": lambda: engage.kill_service("web"),
            "beat": lambda: engage.kill_service("beat"),
        }

    def plan(self) -> list[str]:
        """The rare ones are not left to chance."""
        names = [name for name, share in SHARES.items() for _ in range(-(-KILLS * share // 100))]
        self.chance.shuffle(names)
        return names

    def run(self, provider: Provider) -> None:
        names = self.plan()
        for number, name in enumerate(names, 1):
            provider.release(number / len(names))
            provider.wait_for_answers(PATIENCE_SECONDS)
            time.sleep(self.chance.uniform(0, LONGEST_PAUSE_SECONDS))
            self.ways[name]()
            self.kills[name] += 1
            self.engage.start_what_ended()

    def kill_one(self, find: Callable[[], list[psutil.Process]]) -> None:
        """While their parent is being started again there are none; then not always the first moment of their lives."""
        deadline = time.monotonic() + run.START_SECONDS
        while True:
            with suppress(psutil.NoSuchProcess, IndexError):
                self.chance.choice(find()).kill()
                return
            assert time.monotonic() < deadline, "there is nothing to kill"
            self.engage.start_what_ended()
            time.sleep(self.chance.uniform(0, LONGEST_BIRTH_SECONDS))
