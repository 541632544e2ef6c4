"""A real Postfix on loopback, with a configuration, a queue and mailboxes of its own. A program, too: gets one.

It needs root: its master process changes to users of its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engage.local import bootstrap

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mx.there.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_transport = error:nothing is local here
smtputf8_enable = yes
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/access, permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
virtual_mailbox_domains = there.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
relay_domains = later.example
smtp_host_lookup = native
disable_dns_lookups = yes
transport_maps = texthash:{folder}/transport
queue_run_delay = 2s
"""
MASTER = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def find() -> str | None:
    return shutil.which("postfix", path=PATH) if os.geteuid() == 0 else None


def get() -> str | None:
    """Debian's, where we may install it."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        bootstrap.apt_install("postfix")
    return find()


@dataclass
class Postfix:
    """Takes mail to there.example into a mailbox, and passes on what transport says."""

    program: str
    folder: Path
    port: int

    def refuse(self, **answers: str) -> None:
        """Recipients by their local part, and what is said to them. All others are taken."""
        self._write("access", "".join(f"{local}@there.example {said}\n" for local, said in answers.items()))
        self.run("reload")

    def run(self, what: str) -> None:
        command = [self.program, "-c", str(self.folder / "etc"), what]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def mails(self, number: int) -> list[bytes]:
        """So many, at least, when they are in the mailbox."""
        until = time.monotonic() + 20
        while len(found := list((self.folder / "mail" / "inbox").glob("new/*"))) < number and time.monotonic() < until:
            time.sleep(0.05)
        return [each.read_bytes() for each in found]

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)


@contextmanager
def running(program: str, port: int, transport: dict[str, int]) -> Iterator[Postfix]:
    """For the block. `transport`: for a domain, the port on loopback to which its mail is passed on."""
    with tempfile.TemporaryDirectory(prefix="engage-postfix-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        for name in ("etc", "queue", "data", "mail"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        shutil.chown(folder / "mail", 65534, 65534)
        (folder / "etc" / "main.cf").write_text(MAIN.format(folder=folder))
        (folder / "etc" / "master.cf").write_text(MASTER.format(port=f"127.0.0.1:{port}"))
        (folder / "transport").write_text("".join(f"{to} smtp:[127.0.0.1]:{at}\n" for to, at in transport.items()))
        (folder / "access").write_text("")
        found = Postfix(program, folder, port)
        found.run("start")
        try:
            yield found
        finally:
            found.run("stop")


if __name__ == "__main__":
    program = find() or get()
    if program:
        print(program)
    else:
        sys.exit("No Postfix was found or could be installed, or this is not root, which it needs.")
