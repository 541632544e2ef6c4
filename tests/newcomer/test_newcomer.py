"""Does with a fresh copy what a newcomer does with it: `make run`, a look round, and all the ways to end it."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from http.cookies import SimpleCookie
from pathlib import Path

import psutil
import pytest

from engage.local.bootstrap import BASE_DIR

pytestmark = pytest.mark.newcomer

FIRST_START_SECONDS = 600  # most of it is the package index
NEXT_START_SECONDS = 60  # under 10 on an idle machine; this one runs on busy ones, too
STOP_SECONDS = 60
LAST_LINE = "Stop       Ctrl-C"
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis")
# What these tests or a developer's shell have set; a newcomer has none of it.
OURS = ["DATABASE_URL", "REDIS_URL", "SECRET_KEY", "VAR_DIR", "PUBLIC_URL", "HOST", "DJANGO_SETTINGS_MODULE", "PYTHON"]
OURS += ["SENDGRID_WEBHOOK_KEYS", "TWILIO_WEBHOOK_KEYS", "DEMO_SENDGRID_KEY_FILE", "DEMO_PASSWORD"]
OURS += ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"]


class Engage:
    """One `make run` in a checkout, and a browser's worth of HTTP."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.port = spare_port()
        self.cookies: SimpleCookie = SimpleCookie()
        self.make: subprocess.Popen[bytes] | None = None
        self.log = checkout.parent / "make-run.log"

    def start(self, seconds: float) -> None:
        """In a session of its own, as a terminal would; returns once the block with the address is printed."""
        with self.log.open("wb") as log:
            self.make = subprocess.Popen(
                ["make", "run"],
                cwd=self.checkout,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while LAST_LINE not in self.said():
            assert self.make.poll() is None, f"make run ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"make run took over {seconds} s:\n{self.said()}"
            time.sleep(0.1)

    def environment(self) -> dict[str, str]:
        theirs = {name: value for name, value in os.environ.items() if name not in OURS}
        return theirs | {"PORT": str(self.port)}

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def password(self) -> str:
        found = re.search(r"Password   (\S+)", self.said())
        assert found, self.said()
        return found[1]

    def processes(self) -> list[psutil.Process]:
        """Whatever runs from the checkout or in it; the server processes of PostgreSQL change their names."""
        return [process for process in psutil.process_iter() if self.is_ours(process)]

    def is_ours(self, process: psutil.Process) -> bool:
        try:
            return str(self.checkout) in " ".join([process.cwd(), *process.cmdline()])
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False

    def press_ctrl_c(self) -> None:
        """As a terminal does: the signal goes to make and to all that runs in the foreground."""
        assert self.make is not None
        os.killpg(self.make.pid, signal.SIGINT)
        self.make.wait(STOP_SECONDS)

    def kill_everything(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it went with its parent, as it should
                process.kill()
        if self.make is not None:
            self.make.wait(STOP_SECONDS)

    def get(self, path: str) -> str:
        return self.request("GET", path)

    def log_in(self, username: str) -> None:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("/login/"))
        assert token
        fields = {"csrfmiddlewaretoken": token[1], "username": username, "password": self.password()}
        self.request("POST", "/login/", urllib.parse.urlencode(fields))
        assert "sessionid" in self.cookies, f"{username} was not let in"

    def request(self, method: str, path: str, body: str | None = None) -> str:
        """The page, after redirects; no proxy of the environment comes between."""
        headers = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())}
        headers |= {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            self.cookies.load(cookie)
        if answer.status in {301, 302}:
            return self.request("GET", answer.headers["Location"])
        assert answer.status == 200, f"{method} {path}: {answer.status}\n{page[:500]}"
        return page


def spare_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def engage() -> Iterator[Engage]:
    """In a closed folder whose name has a blank, as folders of newcomers have."""
    home = Path(tempfile.mkdtemp(prefix="engage-newcomer-"))
    shutil.copytree(BASE_DIR, home / "my projects" / "engage", ignore=NOT_COPIED)
    instance = Engage(home / "my projects" / "engage")
    try:
        yield instance
    finally:
        instance.kill_everything()
        shutil.rmtree(home)


def contacts(engage: Engage) -> list[str]:
    return re.findall(r'href="(/contacts/[0-9a-f-]{36}/)"', engage.get("/contacts/"))


def test_a_newcomer_runs_it_looks_round_kills_it_and_comes_back(engage: Engage) -> None:
    engage.start(FIRST_START_SECONDS)
    for name in ("marketer", "administrator", "support"):
        assert name in engage.said()
    engage.log_in("marketer")
    first = contacts(engage)
    assert first, "the demo data is not there"
    assert "Messages" in engage.get(first[0])

    refuses_a_second_instance(engage)

    engage.kill_everything()
    engage.start(NEXT_START_SECONDS)
    assert contacts(engage) == first, "the session or the data of the first start is gone"
    shell_joins_in(engage, len(first))

    engage.press_ctrl_c()
    left_nothing(engage)


def refuses_a_second_instance(engage: Engage) -> None:
    other = engage.environment() | {"PORT": str(spare_port())}
    done = subprocess.run(["make", "run"], cwd=engage.checkout, env=other, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"http://127.0.0.1:{engage.port}" in done.stderr
    assert "Traceback" not in done.stderr


def shell_joins_in(engage: Engage, at_least: int) -> None:
    """manage.py in a second terminal sees the data of the running instance."""
    count = "from contacts.models import Contact; print(Contact.objects.count())"
    command = [".venv/bin/python", "manage.py", "shell", "--verbosity", "0", "--command", count]
    done = subprocess.run(
        command, cwd=engage.checkout, env=engage.environment(), capture_output=True, text=True, check=False
    )
    assert int(done.stdout) >= at_least, done.stderr


def left_nothing(engage: Engage) -> None:
    assert "Engage has stopped." in engage.said()
    assert "Traceback" not in engage.said()
    assert engage.processes() == []
    assert [path.name for path in (engage.checkout / "var").iterdir() if path.suffix in {".run", ".bin"}] == []
