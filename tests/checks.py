"""Every check there is, as one list, for developers and the CI machine alike; `make test` runs all of it.

.venv/bin/python -m tests.checks [lint] [unit] [postfix] [browser] [newcomer] [chaos]
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from engage.local.bootstrap import BASE_DIR, fail, until_parent_dies

PYTHON = sys.executable
PYTEST = [PYTHON, "-m", "pytest"]
# What somebody would need to do who wants the skipped ones.
MISSING = {
    "browser": "no Chromium could be had. CHROMIUM=/path/to/chromium names one.",
    "postfix": "no Postfix could be had. It needs root, and on Debian: apt install postfix.",
}
# Where the tests of a group are: to look for them among all takes a quarter of a minute each time.
PLACES = {
    "postfix": "tests/messaging/delivery/test_postfix.py",
    "browser": "tests/browser",
    "newcomer": "tests/newcomer",
    "chaos": "tests/chaos",
}
# For checks that read the settings and need no server; nothing listens there.
NOWHERE = {
    "SECRET_KEY": "not-used",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


@dataclass(frozen=True, slots=True)
class Check:
    group: str
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def checks() -> Iterator[Check]:
    """In the order of what tells most in the least time."""
    makemigrations = ["manage.py", "makemigrations", "--check", "--dry-run"]
    yield Check("lint", "ruff", [PYTHON, "-m", "ruff", "check"])
    yield Check("lint", "format", [PYTHON, "-m", "ruff", "format", "--check"])
    yield Check("lint", "walls between rooms", [PYTHON, "-m", "tests.walls"])
    yield Check("lint", "templates", [PYTHON, "-m", "djhtml", "--check", "--tabwidth", "2", "templates"])
    yield Check("lint", "types", [PYTHON, "-m", "mypy"], NOWHERE)
    yield Check("lint", "migrations", [PYTHON, "-W", "ignore::RuntimeWarning", *makemigrations], NOWHERE)
    slow = "not postfix and not browser and not newcomer and not chaos"
    yield Check("unit", "unit and database tests", [*PYTEST, "-n", "2", "-m", slow])
    names = {
        "postfix": "tests against Postfix", "browser": "browser tests", "newcomer": "newcomer test",
        "chaos": "chaos test",
    }  # fmt: skip
    for group, place in PLACES.items():
        yield Check(group, names[group], [*PYTEST, "-m", group, place])


def main() -> None:
    wanted = sys.argv[1:]
    skipped = []
    for check in checks():
        if check.group not in wanted:
            continue
        if (check.group == "browser" and not has_browser()) or (check.group == "postfix" and not has_postfix()):
            skipped.append(check)
        else:
            run(check)
    for check in skipped:
        say(f"\n!!!!!!  SKIPPED: {check.name}; {MISSING[check.group]}  !!!!!!")


def has_browser() -> bool:
    """Leaves its path in the environment for the tests. On a CI machine nothing is skipped in silence."""
    say("── a browser")
    found = subprocess.run([PYTHON, "-m", "tests.chromium"], stdout=subprocess.PIPE, text=True, check=False)
    os.environ["CHROMIUM"] = found.stdout.strip()
    if found.returncode and os.environ.get("CI"):
        fail("browser tests are not skipped where CI is set.")
    return found.returncode == 0


def has_postfix() -> bool:
    say("── a Postfix")
    found = subprocess.run([PYTHON, "-m", "tests.postfix"], stdout=subprocess.DEVNULL, check=False)
    if found.returncode and os.environ.get("CI"):
        fail("tests against Postfix are not skipped where CI is set.")
    return found.returncode == 0


def run(check: Check) -> None:
    """Ends the program where the check fails: what comes after it costs more and tells less."""
    say(f"── {check.name}")
    started = time.monotonic()
    command = [*until_parent_dies("TERM"), *check.command]
    # Importing engage has set it here; pytest would read the settings before tests/conftest.py has made them readable.
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(command, cwd=BASE_DIR, env=inherited | check.environment, check=False)
    took = f"{time.monotonic() - started:.1f} s"
    if done.returncode:
        fail(f"{check.name} failed after {took}. Again with: make {check.group}")
    say(f"   {check.name}: good, {took}")


def say(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
