"""How to run a program that refuses root (PostgreSQL) where we are root, without opening a folder for anybody.

The ways are tried, not guessed: what a container, a mount or an administrator forbids shows only on trying.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Demotion:
    """A command prefix, and who must own the folders the program writes to, as seen from here."""

    prefix: tuple[str, ...]
    owner: tuple[int, int]
    # access(2) ignores ambient capabilities, so this program can't find itself under a closed folder.
    needs_open_binary: bool = False


def find_way(reach: Path, binary: Path) -> Demotion | None:
    """The first way by which `binary` runs as somebody other than root and gets into the folder `reach`."""
    return next((way for way in ways(reach, binary) if way.needs_open_binary or is_usable(way, reach, binary)), None)


def ways(reach: Path, binary: Path) -> Iterator[Demotion]:
    """Every way there may be, the least intrusive first."""
    if os.geteuid() != 0:
        if has_name(os.geteuid()) or not shutil.which("unshare"):
            yield Demotion((), (os.geteuid(), os.getegid()))
        else:  # a container with a made-up user id: initdb wants a name for it
            yield Demotion(new_user_namespace(), (os.geteuid(), os.getegid()))
    elif sys.platform == "linux":
        # In a user namespace the same root goes by another number, so nothing changes hands. But what lies in
        # somebody's own checkout stays theirs, and a closed folder can't be entered but as its owner.
        in_namespace = Demotion(new_user_namespace(), (0, 0))
        as_owners = [as_user(entry) for entry in owners_above(reach, binary)]
        is_somebodys = any(folder.stat().st_uid for folder in (reach, reach.parent))
        yield from [*as_owners, in_namespace] if is_somebodys else [in_namespace, *as_owners]
        yield as_nobody()


def new_user_namespace() -> tuple[str, ...]:
    ordinary = min((entry for entry in pwd.getpwall() if entry.pw_uid), key=lambda entry: entry.pw_uid)
    return ("unshare", "--user", f"--map-user={ordinary.pw_uid}", f"--map-group={ordinary.pw_gid}")


def as_user(entry: pwd.struct_passwd) -> Demotion:
    owner = (entry.pw_uid, entry.pw_gid)
    return Demotion(("setpriv", f"--reuid={owner[0]}", f"--regid={owner[1]}", "--clear-groups"), owner)


def as_nobody() -> Demotion:
    """Where user namespaces are forbidden: an unprivileged user who may walk through closed folders."""
    nobody = as_user(pwd.getpwnam("nobody"))
    walk = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return Demotion((*nobody.prefix, *walk), nobody.owner, needs_open_binary=True)


def owners_above(*paths: Path) -> list[pwd.struct_passwd]:
    """The ordinary users with a name who own one of the paths or a folder above it, in that order."""
    folders = (folder for path in paths for folder in (path, *path.parents))
    uids = dict.fromkeys(folder.stat().st_uid for folder in folders)
    return [pwd.getpwuid(uid) for uid in uids if uid and has_name(uid)]


def has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def is_usable(way: Demotion, reach: Path, binary: Path) -> bool:
    """Try it. `.` is free to enter for whoever got there, so the folder is named."""
    script = 'cd "$1" && exec "$2" --version'
    command = [*way.prefix, "sh", "-c", script, "sh", str(reach), str(binary)]
    try:
        return subprocess.run(command, cwd="/", capture_output=True, check=False, timeout=30).returncode == 0
    except OSError:
        return False
