"""`make run`: all of Engage on one machine, in the foreground, started and stopped as one."""

import fcntl
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import environ
import psycopg
import redis

from engage.local import bootstrap, embedded, keys
from engage.local.bootstrap import BASE_DIR, until_parent_dies
from engage.local.embedded import StartError

# A first start on a machine that is busy with other things takes minutes, and comes up.
START_SECONDS = 300
# So long the demo is waited for; then it goes on in the background.
DEMO_SECONDS = 120
STOP_SECONDS = 15
# The beginning of an EMAIL_ROUTE to a receiver on this machine (messaging/demo/receiver.py), and of one of SMPP_URLS
# (messaging/demo/phones.py).
TRY_OUT = "mx://127.0.0.1:"
TRY_OUT_SMS = "smpp://tryout:tryout@127.0.0.1:"
WORKER_NICENESS = 10
LOG_INS = "marketer, administrator, support"
# The commands that bring reports in otherwise than by webhook, and the setting that asks for each.
CARRIERS = {"smpp": "SMPP_URLS", "bounce_server": "BOUNCE_LISTEN", "bounce_mailbox": "IMAP_URLS"}
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (what to call it from here, not a default)


class Stop(BaseException):
    """Somebody pressed Ctrl-C, closed the terminal or asked with SIGTERM."""


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask_to_stop)
    with suppress(Stop), embedded.plain_errors(), ExitStack() as running:
        services, demo = bring_up(running)
        watch(services, demo)
    say("Engage has stopped.")


def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
    """Once: the stop itself takes a few seconds, and an impatient second Ctrl-C would leave it half done."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Stop


def bring_up(running: ExitStack) -> tuple[list["Service"], "Demo | None"]:
    """Everything that is not there yet, in order; and the demo, where it takes long and is not whole yet.

    What is pushed on `running` is stopped in the opposite order.
    """
    var = embedded.var_dir()
    running.enter_context(claimed(var))
    bootstrap.refuse_taken_port(bootstrap.host(), bootstrap.port())
    say(f"Starting Engage with Python {'.'.join(map(str, sys.version_info[:3]))}")
    stamp = demo_stamp(var)
    servers = start_servers(var, running, stamp)
    fill_environment(var)
    with step("Bringing the database and the static files up to date"):
        manage(var, ["migrate", "--no-input"], *([] if is_static_current(var) else [["collectstatic", "--no-input"]]))
    services = [*servers, *start_services(var, running)]
    demo = load_demo_once(var, stamp, running)
    announce(var, stamp)
    if demo is not None:
        say("The demo's messages are still being sent: that takes long here, and goes on in the background.")
    running.callback(say, "\nStopping Engage …")
    return services, demo


@contextmanager
def claimed(var: Path) -> Iterator[None]:
    """Ours alone for the block: two instances on one var/ would start two servers on the same files."""
    with (var / "run.lock").open("a+") as lock:
        for _ in range(10):  # somebody may just be looking whether it is taken
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            bootstrap.refuse_second_instance()
            raise StartError(f"already running on {var}. Stop that one first.")
        lock.truncate(0)
        lock.write(f"{address()} (process {os.getpid()})\n")
        lock.flush()
        yield


def address() -> str:
    host = EVERYWHERE.get(bootstrap.host(), bootstrap.host())
    return f"http://{f'[{host}]' if ':' in host else host}:{bootstrap.port()}"


def start_servers(var: Path, running: ExitStack, stamp: Path) -> list["Service"]:
    """PostgreSQL and Valkey: those of the environment, if they answer, else our own."""
    services = []
    if os.environ.get("DATABASE_URL"):
        with step("Looking for the PostgreSQL of DATABASE_URL"):
            connect(os.environ["DATABASE_URL"]).close()
    elif not (var / "postgres").exists():
        stamp.unlink(missing_ok=True)  # what it told of went with the data
    if os.environ.get("REDIS_URL"):
        with step("Looking for the Redis of REDIS_URL"):
            check_redis(os.environ["REDIS_URL"])
    for server in embedded.missing_servers(var):
        with step(f"Starting {server.title} in {shown(var)}"):
            running.callback(server.stop)
            server.start()
        if server.process is not None:
            services.append(Service(server.title, server.process, server.log))
    return services


def connect(url: str) -> psycopg.Connection:
    """As Django would: the settings read DATABASE_URL in the same way. Raises StartError."""
    if not url.startswith(("postgres://", "postgresql://")):
        raise StartError("DATABASE_URL must name a PostgreSQL database: postgres://user:password@host:5432/name")
    try:
        config = environ.Env.db_url_config(url)
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
        given = {name: config[theirs] for name, theirs in names.items() if config[theirs]}
        return psycopg.connect(**{"connect_timeout": 5, **given, **config.get("OPTIONS", {})})
    except (psycopg.Error, ValueError) as error:
        raise StartError(
            f"cannot reach the PostgreSQL of DATABASE_URL: {str(error).strip()}\n"
            "Start it or correct DATABASE_URL; unset, Engage brings its own."
        ) from error


def check_redis(url: str) -> None:
    try:
        with redis.Redis.from_url(url.replace("redis+socket://", "unix://", 1), socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise StartError(
            f"cannot reach the Redis of REDIS_URL: {error}\n"
            "Start it or correct REDIS_URL (redis://host:6379/0); unset, Engage brings its own."
        ) from error


def fill_environment(var: Path) -> None:
    """What the children read and nobody has set."""
    keys.fill(var)
    os.environ["VAR_DIR"] = str(var)
    os.environ.setdefault("PUBLIC_URL", address())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engage.settings")
    world = missing_world()
    os.environ.update(world)
    with (var / "run.lock").open("a") as lock:  # for a second terminal
        lock.writelines(f"{name}={value}\n" for name, value in world.items())


def missing_world() -> dict[str, str]:
    """Where nobody has said how emails or SMS leave: a receiver of ours stands in for everybody's, and its bounces and
    receipts come home.

    docs/marketers.md, Trying it out.
    """
    receiver, bounces, phones = free_ports(3)
    world = {}
    if not (os.environ.get("EMAIL_ROUTE") or os.environ.get("BOUNCE_LISTEN")):
        world["EMAIL_ROUTE"] = f"{TRY_OUT}{receiver}"
        world["BOUNCE_LISTEN"] = f"smtp://127.0.0.1:{bounces}"
        world["BOUNCE_DOMAIN"] = os.environ.get("BOUNCE_DOMAIN") or "bounces.localhost"
    if not (os.environ.get("SMS_ROUTE") or os.environ.get("SMPP_URLS")):
        world["SMPP_URLS"] = f"{TRY_OUT_SMS}{phones}/tryout?codes=map"
        world["SMS_ROUTE"] = "smpp:tryout"
    return world


def free_ports(count: int) -> list[int]:
    with ExitStack() as open_ones:
        found = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


def manage(var: Path, *commands: list[str]) -> None:
    """Run commands of manage.py side by side. Raises StartError with the end of what the failed one said."""
    with ExitStack() as stack:
        started = []
        for command in commands:
            started.append(start_service(command[0], ["manage.py", *command], var))
            stack.callback(started[-1].stop)
        for service in started:
            if service.process.wait():
                told = tail(service.log)
                raise StartError(f"manage.py {service.name} failed. The end of {shown(service.log)}:\n{told}")


def is_static_current(var: Path) -> bool:
    """Collected after the last change. By ctime: an unpacked release brings mtimes of its own along."""
    manifest = var / "static" / "staticfiles.json"
    sources = [bootstrap.VENV / "installed-product", BASE_DIR / "engage" / "settings.py", *BASE_DIR.glob("static/**/*")]
    return manifest.exists() and all(path.stat().st_ctime < manifest.stat().st_ctime for path in sources)


@dataclass(slots=True)
class Service:
    """A process that has to live as long as all others."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        code = self.process.poll()
        if code is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            told = tail(self.log)
            raise StartError(f"{self.name} {how}, so everything was stopped. The end of {shown(self.log)}:\n{told}")

    def stop(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self.process.kill()
        self.process.wait()


def start_services(var: Path, running: ExitStack) -> list[Service]:
    """Started so that they are stopped in this order: what brings reports in, beat, web, worker."""
    started = []
    with step("Starting worker, web server and beat"):
        for name, command in processes():
            service = start_service(name, command, var)
            running.callback(service.stop)
            started.append(service)
        wait_for_web(started)
    return started


def processes() -> list[tuple[str, list[str]]]:
    """What runs, by name; what brings reports in only where somebody has said from where."""
    wanted = [name for name, setting in CARRIERS.items() if os.environ.get(setting, "").strip(" ,")]
    carriers = [(name, ["manage.py", name]) for name in wanted]
    trials = {"EMAIL_ROUTE": TRY_OUT, "SMPP_URLS": TRY_OUT_SMS}
    is_trial = any(os.environ.get(setting, "").startswith(beginning) for setting, beginning in trials.items())
    world = [("tryout", ["manage.py", "tryout_receiver"])] if is_trial else []
    return [("worker", worker()), ("web", web()), ("beat", beat()), *carriers, *world]


def web() -> list[str]:
    host = bootstrap.host()
    bind = f"{f'[{host}]' if ':' in host else host}:{bootstrap.port()}"
    memory = ["--worker-tmp-dir", "/dev/shm"] if os.access("/dev/shm", os.W_OK) else []  # noqa: S108
    threads = ["--worker-class", "engage.web.PatientWorker", "--workers", "2", "--threads", "4"]
    # The application is loaded once and shared. The control socket would lie in the home folder.
    sparing = ["--preload", "--no-control-socket", "--graceful-timeout", "10", "--log-level", "warning"]
    return ["-m", "gunicorn", "engage.wsgi:application", "--bind", bind, *threads, *sparing, *memory]


def worker() -> list[str]:
    # Root's own machine is root's own business; the warning would only frighten.
    calm = ["-W", "ignore:You're running the worker with superuser privileges"]
    alone = ["--without-gossip", "--without-mingle"]
    # Where in its line an error arose is told by marks that take half a megabyte.
    sparing = ["-X", "no_debug_ranges"]
    return [*calm, *sparing, *celery("worker"), "--concurrency", "2", "--loglevel", "INFO", *alone]


def beat() -> list[str]:
    return [*celery("beat"), "--loglevel", "WARNING"]


def celery(command: str) -> list[str]:
    return ["-m", "engage", command]


def start_service(name: str, command: list[str], var: Path) -> Service:
    """In a session of its own: Ctrl-C in the terminal is ours, and what follows from it has an order."""
    path = var / "log" / f"{name}.log"
    path.parent.mkdir(exist_ok=True)
    with embedded.private_log(path) as log:
        process = subprocess.Popen(
            [*until_parent_dies("TERM"), *priority(name), sys.executable, *command],
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield_to_others(name, process.pid)
    return Service(name, process, path)


def priority(name: str) -> list[str]:
    """The worker steps back where the machine is busy: a page that somebody waits for goes before any reports."""
    return ["nice", "-n", str(WORKER_NICENESS)] if name == "worker" else []


def yield_to_others(name: str, pid: int) -> None:
    """Linux weighs sessions, not processes, where it groups them by itself (sched(7): The autogroup feature)."""
    if name == "worker":
        with suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(WORKER_NICENESS))


def wait_for_web(services: list[Service]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_web_up():
        for service in services:
            service.check()
        if time.monotonic() > deadline:
            raise StartError(
                f"the web server did not answer at {address()} in {START_SECONDS} s. See {services[1].log}."
            )
        time.sleep(0.1)


def is_web_up() -> bool:
    """Any answer but a failure of its own. By hand, as a proxy of the environment can't know about us."""
    host = EVERYWHERE.get(bootstrap.host(), bootstrap.host())
    connection = http.client.HTTPConnection(host, bootstrap.port(), timeout=10)
    try:
        connection.request("GET", "/login/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def demo_stamp(var: Path) -> Path:
    """Says "begun" or "loaded" about the demo data of one database, so that a load cut short is made up for."""
    url = os.environ.get("DATABASE_URL")
    return var / "demo" / f"state-{keys.fingerprint(url) if url else 'embedded'}"


@dataclass(slots=True)
class Demo:
    """The process that loads the demo data. Whatever becomes of it, Engage stays up."""

    process: subprocess.Popen[bytes]
    stamp: Path

    def is_over(self, seconds: float = 0) -> bool:
        """Whether it has ended, waiting for so long; what became of it is said, and kept for the next start."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        if code:
            say("  The demo data could not be loaded, as said above. Engage is up, and the next start tries again.")
        else:
            self.stamp.write_text("loaded")
        return True

    def stop(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self.process.kill()
        self.process.wait()


def load_demo_once(var: Path, stamp: Path, running: ExitStack) -> Demo | None:
    """Load it where there is none. Returns it where that is still going on after DEMO_SECONDS."""
    if not wants_demo(stamp):
        return None
    password = var / "demo" / "password"
    if os.environ.get("DEMO_PASSWORD"):
        password.unlink(missing_ok=True)
    else:
        os.environ["DEMO_PASSWORD"] = keys.kept(password, readable_password)
    stamp.write_text("begun")
    say("  Loading the demo data, once:")
    command = [*until_parent_dies("TERM"), sys.executable, "manage.py", "demo", "--url", address()]
    demo = Demo(subprocess.Popen(command, cwd=BASE_DIR, start_new_session=True), stamp)
    running.callback(demo.stop)
    return None if demo.is_over(DEMO_SECONDS) else demo


def wants_demo(stamp: Path) -> bool:
    """Not twice, and never into a database of somebody's own that people work with already."""
    if stamp.exists():
        return stamp.read_text() != "loaded"
    with connect(os.environ["DATABASE_URL"]) as connection:
        return connection.execute("SELECT 1 FROM auth_user LIMIT 1").fetchone() is None


def readable_password() -> str:
    """Three words nobody knows, of 12 bits each, and a number: enough behind a limit on failed log-ins."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    words = ["".join(secrets.choice(syllables) for _ in range(2)) for _ in range(3)]
    return "-".join([*words, str(secrets.randbelow(90) + 10)])


def announce(var: Path, stamp: Path) -> None:
    """Last, and with room around it, so that it is found at once."""
    log_ins = ["Log-ins    your own; 'manage.py createsuperuser' makes the first"]
    if stamp.exists():
        password = var / "demo" / "password"
        secret = password.read_text() if password.exists() else "the DEMO_PASSWORD that you set on the first start"
        log_ins = [f"Log-ins    {LOG_INS}", f"Password   {secret}"]
    lines = [f"Engage     {address()}/", *log_ins, f"Logs       {shown(var / 'log')}/", "Stop       Ctrl-C"]
    rule = "─" * (max(map(len, lines)) + 4)
    say("\n".join(["", rule, *(f"  {line}" for line in lines), rule, ""]))


def watch(services: list[Service], demo: Demo | None) -> None:
    """Until one of them ends; asked to stop, Stop comes out of the sleep."""
    while True:
        for service in services:
            service.check()
        if demo is not None and demo.is_over():
            demo = None
        time.sleep(0.3)


@contextmanager
def step(title: str) -> Iterator[None]:
    print(f"  {title} … ", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        say("")
        raise
    say(f"{time.monotonic() - started:.1f} s")


def shown(path: Path) -> Path:
    return path.relative_to(BASE_DIR) if path.is_relative_to(BASE_DIR) else path


def tail(path: Path) -> str:
    return embedded.tail(path, 12)


def say(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    main()
