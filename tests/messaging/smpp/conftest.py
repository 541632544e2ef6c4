"""SMSCs, and clients of ours that are bound to them."""

import os
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection

from messaging.smpp import keeper
from messaging.smpp.connections import Connection
from tests.messaging.smpp.fake_smsc import FakeSmsc

Start = Callable[..., Thread]


@pytest.fixture
def smsc() -> Iterator[FakeSmsc]:
    smsc = FakeSmsc()
    yield smsc
    smsc.close()


@pytest.fixture
def stop() -> Event:
    return Event()


@pytest.fixture
def start(smsc: FakeSmsc, stop: Event, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Our client in a thread of this process, bound to the fake SMSC and quick to come back."""
    monkeypatch.setattr(keeper, "FIRST_WAIT_SECONDS", 0.05)
    threads: list[Thread] = []

    def start(**fields: object) -> Thread:
        known = {"name": "telia", "host": "127.0.0.1", "port": smsc.port, "user": "engage", "password": "s3cret"}
        threads.extend(keeper.keep_all_bound([Connection(**known | fields)], stop))  # type: ignore[arg-type]
        return threads[-1]

    yield start
    stop.set()
    smsc.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """That of the tests' own database, for a process of its own."""
    given, name = os.environ["DATABASE_URL"], str(connection.settings_dict["NAME"])
    base, _, options = given.partition("?")
    return f"{base.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


@pytest.fixture
def ca(tmp_path: Path) -> str:
    """A certificate for 127.0.0.1 that nobody else has signed; its key lies in the same file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, addresses = datetime.now(UTC), x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(addresses, critical=True).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "smsc.pem"
    path.write_bytes(secret + signed.public_bytes(pem))
    return str(path)


@pytest.fixture
def smpps(ca: str) -> Iterator[FakeSmsc]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca)
    smsc = FakeSmsc(context)
    yield smsc
    smsc.close()
