"""The first step of `make run` and `make test`: checks what can be checked at once, then makes .venv and goes on in it.

Runs before anything is installed, so it uses the standard library only, and nothing of ours. As a program:

    python3 -I engage/local/bootstrap.py [--tests] MODULE [ARGUMENT…]
"""

import errno
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

BASE_DIR = Path(__file__).resolve().parents[2]
VENV = BASE_DIR / ".venv"
PYTHON = VENV / "bin" / "python"
# There while pip works: a kill may leave a package half unpacked, and pip would take it for installed.
UNFINISHED = VENV / "unfinished"


def main() -> None:
    arguments = sys.argv[1:]
    requirements = ["requirements.txt"]
    if arguments[0] == "--tests":
        arguments.pop(0)
        requirements.append("tests/requirements.txt")
    os.chdir(BASE_DIR)
    try:
        if arguments == ["engage.local.run"]:
            refuse_second_instance()
            refuse_taken_port(host(), port())
        prepare(requirements)
    except KeyboardInterrupt:
        fail("stopped before everything was installed; the next start goes on.")
    except PermissionError as error:
        fail(not_ours(error))
    go_on_in_venv(arguments)


def fail(message: str) -> NoReturn:
    sys.exit(f"engage: {message}")


def not_ours(error: PermissionError) -> str:
    """What a `sudo make run` of yesterday leads to, for one."""
    remedy = f"Run this as its owner, or make all of it yours: sudo chown -R $(id -un) {BASE_DIR}"
    return f"may not use {error.filename}. {remedy}"


def var_dir() -> Path:
    return Path(os.environ.get("VAR_DIR") or BASE_DIR / "var").absolute()


def host() -> str:
    return os.environ.get("HOST") or "127.0.0.1"


def port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        fail(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def refuse_second_instance() -> None:
    other = running_instance(var_dir())
    if other:
        fail(f"already running on {var_dir()}: {other}. Stop that one first, or set VAR_DIR and PORT for another.")


def running_instance(var: Path) -> str:
    """Address and process of the running instance, or nothing."""
    return (said_by_running_instance(var) or [""])[0]


def said_by_running_instance(var: Path) -> list[str]:
    """The lines that it wrote into its lock: its address and process, then settings that it made up, NAME=value."""
    try:
        with (var / "run.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        pass
    except BlockingIOError:
        return (var / "run.lock").read_text().splitlines()
    return []


def refuse_taken_port(host: str, port: int) -> None:
    """Bind the port as gunicorn will, so that one in TIME_WAIT counts as free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                another = port + 1000 if port < 60000 else 8000
                fail(f"port {port} is taken by another program. Choose another one: PORT={another} make run")
            fail(f"cannot listen on {host}, port {port}: {error.strerror}. Set HOST and PORT to what this machine has.")


def prepare(requirements: list[str]) -> None:
    """Make .venv and install what changed. One at a time: `make test` may run beside `make run`."""
    VENV.mkdir(exist_ok=True)
    descriptor = os.open(VENV, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not is_venv_usable():
            make_venv()
        for name in requirements:
            install(BASE_DIR / name)
    finally:
        os.close(descriptor)


def is_venv_usable() -> bool:
    """It works, and where this runs under another Python (PYTHON=… was given), it is of the same version."""
    if UNFINISHED.exists():
        return False
    script = "import sys, pip; print(sys.version_info[:2])"
    try:
        done = subprocess.run([PYTHON, "-I", "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == str(sys.version_info[:2])


def make_venv() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    say(f"Making .venv with Python {version} …")
    ensure_venv_module()
    for path in VENV.iterdir():  # what an interrupted attempt left; not the folder itself, on which the lock is
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    python = base_python()
    done = subprocess.run([python, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"{python} could not make .venv:\n{done.stdout}{done.stderr}")


def base_python() -> str:
    """This Python; where that is .venv's own, the one .venv was made with."""
    return getattr(sys, "_base_executable", sys.executable)


def ensure_venv_module() -> None:
    """Debian keeps a part of the standard library in a package of its own."""
    if has_ensurepip():
        return
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"Installing {package}, without which Debian's Python can't make .venv …")
        apt_install(package)
    if not has_ensurepip():
        fail(f"this Python has no venv module. Install it: sudo apt install {package} (or name another: PYTHON=…)")


def has_ensurepip() -> bool:
    return subprocess.run([base_python(), "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0


def apt_install(package: str) -> bool:
    """Only where root on Debian; says itself what went wrong."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "-qq", package]
    for command in (install, ["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if command is install and not done.returncode:
            return True
    sys.stderr.write(done.stderr.decode(errors="replace"))
    return False


def install(requirements: Path) -> None:
    """Bring .venv to the pins, if they changed since it was last done."""
    stamp = VENV / f"installed-{requirements.parent.name if requirements.parent != BASE_DIR else 'product'}"
    pins = hashlib.sha256(b"".join(path.read_bytes() for path in (BASE_DIR / "requirements.txt", requirements)))
    if stamp.exists() and stamp.read_text() == pins.hexdigest():
        return
    started = time.monotonic()
    say(f"Installing {requirements.relative_to(BASE_DIR)} into .venv; once, about half a minute …")
    UNFINISHED.touch()
    pip_with_progress(["install", "--disable-pip-version-check", "--no-input", "-r", str(requirements)])
    stamp.write_text(pins.hexdigest())
    UNFINISHED.unlink()
    say(f"  done in {time.monotonic() - started:.0f} s")


def pip_with_progress(arguments: list[str]) -> None:
    """Without a line per package, which is too much to read, yet not so silent that it seems to hang."""
    lines = []
    command = [*until_parent_dies("TERM"), str(PYTHON), "-m", "pip", *arguments]
    # What a killed pip leaves behind goes with .venv.
    temporary = VENV / "tmp"
    temporary.mkdir(exist_ok=True)
    here = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip:
        for line in pip.stdout or []:
            lines.append(line.decode(errors="replace").strip())
            if sys.stdout.isatty():
                print(f"\r  {lines[-1][:70]:70}", end="", flush=True)
    if sys.stdout.isatty():
        print(f"\r{'':72}\r", end="", flush=True)
    if pip.returncode:
        told = "\n".join(lines[-12:])
        fail(f"pip could not install the packages. Is there a way to the package index? It said:\n{told}")


def go_on_in_venv(arguments: list[str]) -> NoReturn:
    """In the place of this process, and not longer than `make`: `kill -9` of make is not to leave it behind."""
    command = [*until_parent_dies("TERM"), str(PYTHON), "-m", *arguments]
    os.execvp(command[0], command)  # noqa: S606


def until_parent_dies(signal_name: str) -> list[str]:
    """A prefix by which a program gets the signal once its parent is gone, even by kill -9. Nothing on macOS."""
    return ["setpriv", "--pdeathsig", signal_name, "--"] if shutil.which("setpriv") else []


def say(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    main()
