"""The world that a mail server under test sees: a DNS, and receivers that answer from a script.

Runs on the server's own loopback only, in a network namespace of its own (see README.md). Every domain of
scenarios.toml has an address of its own from the documentation ranges of RFC 5737, so that a receiver can answer
already to the connection. Mail to bounces.shop.example is kept: one file for each, named after the local part.
"""

import asyncio
import struct
import sys
import tomllib
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, cast

HERE: Final = Path(__file__).parent
SENDER_HOST: Final = ("mx.shop.example", "198.51.100.5")
SINK: Final = ("bounces.shop.example", "198.51.100.10")
FIRST_RECEIVER: Final = IPv4Address("203.0.113.1")
UNREACHABLE: Final = "10.20.30.40"
STAGES: Final = ("connect", "ehlo", "mail", "rcpt", "data", "end")
# One domain whose users fare differently; what each hears is in FATES.
MIXED: Final = "mixed.example"
FATES: Final = {
    "anna": "250 2.1.5 Ok",
    "bert": "550 5.1.1 <bert@mixed.example>: Recipient address rejected: User unknown in local recipient table",
    "carl": "552 5.2.2 <carl@mixed.example>: mailbox full",
    "dora": "550 5.2.1 <dora@mixed.example>: account disabled",
    "emil": "450 4.2.0 <emil@mixed.example>: Greylisted, try again in 300 seconds",
    "fred": "551 5.1.6 User has moved; please try <fred@new.example>",
    "gina": "553 5.3.0 <gina@mixed.example>: blocked by recipient, no mail from you wanted",
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """How one domain fares: where it answers what, and what that means."""

    domain: str
    stage: str
    reason: str
    bounce: str
    reply: tuple[str, ...]
    address: str

    @property
    def is_network(self) -> bool:
        """Whether DNS or network fail, so that no receiver says anything."""
        return not self.reply


def scenarios() -> dict[str, Scenario]:
    """Every scenario of scenarios.toml by its domain."""
    table = tomllib.loads((HERE / "scenarios.toml").read_text(encoding="utf-8"))
    rows = [(*row[:4], tuple(row[4:])) for row in table["answers"]] + [(*row, ()) for row in table["network"]]
    found = {}
    for number, (domain, stage, reason, bounce, reply) in enumerate(rows):
        found[domain] = Scenario(domain, stage, reason, bounce, reply, str(FIRST_RECEIVER + number))
    return found


def spoken(lines: tuple[str, ...], *, sender: str, rcpt: str) -> list[str]:
    """The reply as sent: with the addresses of this session, and hyphens in all lines but the last (RFC 5321 4.2)."""
    words = {"{rcpt}": rcpt, "{sender}": sender, "{user}": rcpt.partition("@")[0]}
    out = list(lines)
    for name, value in words.items():
        out = [line.replace(name, value) for line in out]
    return [line[:3] + "-" + line[4:] for line in out[:-1]] + out[-1:]


class Receiver:
    """One SMTP session (RFC 5321), answered from the script of the domain whose address was called."""

    def __init__(self, known: dict[str, Scenario], kept: Path) -> None:
        self.by_address = {scenario.address: scenario for scenario in known.values()}
        self.kept = kept

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: C901  # one branch for each command
        address = writer.get_extra_info("sockname")[0]
        scenario = self.by_address.get(address)
        stage = scenario.stage if scenario else ""
        host = f"mx1.{scenario.domain}" if scenario else "mx1.accepts.example"
        sender = rcpt = ""
        rcpts: list[str] = []

        def say(*lines: str) -> None:
            writer.write("".join(line + "\r\n" for line in lines).encode())

        def refused(at: str) -> bool:
            if scenario and stage == at and scenario.reply:
                say(*spoken(scenario.reply, sender=sender, rcpt=rcpt))
                return True
            return False

        if stage == "mute":
            await asyncio.sleep(600)
        if stage == "hangup":
            return
        if refused("connect"):
            if scenario and scenario.reply[-1].startswith(("421", "521")):
                await writer.drain()
                return
            stage = "refused-all"
        else:
            say(f"220 {host} ESMTP")
        while line := (await reader.readline()).decode(errors="replace").strip():
            verb, rest = line[:4].upper(), line
            if verb == "QUIT":
                say("221 2.0.0 Bye")
                await writer.drain()
                return
            if stage == "refused-all":
                say("503 5.5.1 Bad sequence of commands")
            elif verb == "EHLO":
                if not refused("ehlo"):
                    say(f"250-{host}", "250-SIZE 52428800", "250-8BITMIME", "250-ENHANCEDSTATUSCODES", "250 SMTPUTF8")
            elif verb == "HELO":
                if not refused("ehlo"):
                    say(f"250 {host}")
            elif verb == "MAIL":
                sender, rcpts = _address(rest), []
                if not refused("mail"):
                    say("250 2.1.0 Ok")
            elif verb == "RCPT":
                rcpt = _address(rest)
                fate = (
                    FATES.get(rcpt.partition("@")[0], "250 2.1.5 Ok") if rcpt.endswith("@" + MIXED) else "250 2.1.5 Ok"
                )
                if not refused("rcpt"):
                    say(fate)
                    if fate.startswith("250"):
                        rcpts.append(rcpt)
            elif verb == "DATA":
                if not rcpts:
                    say("554 5.5.1 Error: no valid recipients")
                elif not refused("data"):
                    say("354 End data with <CR><LF>.<CR><LF>")
                    await writer.drain()
                    if stage == "hangup_data":
                        return
                    body = await _message(reader)
                    if not refused("end"):
                        if any(to.endswith("@" + SINK[0]) for to in rcpts):
                            self._keep(rcpts[0], body)
                        say("250 2.0.0 Ok: queued as 1A2B3C4D5E")
            elif verb in {"RSET", "NOOP"}:
                say("250 2.0.0 Ok")
            else:
                say("502 5.5.2 Error: command not recognized")
            await writer.drain()

    def _keep(self, rcpt: str, body: bytes) -> None:
        name = rcpt.partition("@")[0]
        number = 1 + len(list(self.kept.glob(f"{name}.*")))
        (self.kept / f"{name}.{number}").write_bytes(body)


def _address(command: str) -> str:
    return command.partition("<")[2].partition(">")[0] or command.partition(":")[2].strip().partition(" ")[0]


async def _message(reader: asyncio.StreamReader) -> bytes:
    """The data up to the lonely dot, with doubled dots undone (RFC 5321 4.5.2) and LF as line end."""
    lines = []
    while (line := await reader.readline()) not in {b".\r\n", b""}:
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return b"".join(lines).replace(b"\r\n", b"\n")


class Names(asyncio.DatagramProtocol):
    """A DNS server (RFC 1035) for the made-up world: one question in, one answer out."""

    A, NS, SOA, PTR, MX, TXT = 1, 2, 6, 12, 15, 16

    def __init__(self, known: dict[str, Scenario]) -> None:
        self.known = known
        self.accepting = {MIXED, "accepts.example", "new.example", "elsewhere.example"}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        labels, at = [], 12
        while size := data[at]:
            labels.append(data[at + 1 : at + 1 + size].decode("latin-1"))
            at += 1 + size
        name, kind = ".".join(labels).lower(), struct.unpack(">H", data[at + 1 : at + 3])[0]
        answer = self.answer(name, kind)
        if answer is None:
            return
        code, records = answer
        question = data[12 : at + 5]
        head = data[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(records), 0, 0)
        body = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", rtype, 1, 60, len(rdata)) + rdata for rtype, rdata in records
        )
        self.transport.sendto(head + question + body, addr)

    def answer(self, name: str, kind: int) -> tuple[int, list[tuple[int, bytes]]] | None:  # noqa: C901  # one for each fault
        """The response code and the records; None is no answer at all."""
        domain = name.removeprefix("mx1.").removeprefix("mx2.")
        scenario = self.known.get(domain)
        what = scenario.stage if scenario and scenario.is_network else ""
        if name == SENDER_HOST[0] or name == "shop.example":
            return 0, self._host(name, kind, SENDER_HOST[1], SENDER_HOST[0])
        if name in {SINK[0], "mx1." + SINK[0]}:
            return 0, self._host(name, kind, SINK[1], "mx1." + SINK[0])
        if name == "5.100.51.198.in-addr.arpa":
            return 0, [(self.PTR, _encoded(SENDER_HOST[0]))] if kind == self.PTR else []
        if domain in self.accepting:
            return 0, self._host(name, kind, "198.51.100.20", "mx1." + domain)
        if scenario is None or what == "nxdomain" or (what == "mx_nxdomain" and name != domain):
            return 3, []
        if what == "silent":
            return None
        if what == "servfail":
            return 2, []
        if what == "nodata":
            return 0, []
        if what == "nullmx":
            return 0, [(self.MX, struct.pack(">H", 0) + b"\0")] if kind == self.MX else []
        if what == "myself":
            return 0, self._host(name, kind, SENDER_HOST[1], SENDER_HOST[0])
        if what == "mx_nxdomain":
            return 0, [(self.MX, struct.pack(">H", 10) + _encoded("mx1." + domain))] if kind == self.MX else []
        address = {"unreachable": UNREACHABLE, "refused": "192.0.2.250"}.get(what, scenario.address)
        return 0, self._host(name, kind, address, "mx1." + domain)

    def _host(self, name: str, kind: int, address: str, mx: str) -> list[tuple[int, bytes]]:
        if kind == self.MX and name != mx:
            return [(self.MX, struct.pack(">H", 10) + _encoded(mx))]
        if kind == self.A:
            return [(self.A, IPv4Address(address).packed)]
        return []


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".")) + b"\0"


async def main(kept: Path) -> None:
    known = scenarios()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Names(known), local_addr=("127.0.0.1", 53))
    receiver = Receiver(known, kept)
    addresses = [scenario.address for scenario in known.values()] + [SINK[1], "198.51.100.20"]
    servers = [await asyncio.start_server(receiver.serve, address, 25) for address in addresses]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
