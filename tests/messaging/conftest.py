"""Messages to report about."""

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection

from contacts.history import save_contact
from contacts.models import Channel, Contact
from messaging.models import Message

SENT_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
_numbers = count(1)


def make_contact(**fields: object) -> Contact:
    number = next(_numbers)
    values = {"first_name": "Anna", "email": f"anna{number}@example.org", "mobile": f"+4670{number:07}"} | fields
    contact = Contact(**values)
    save_contact(contact, actor_id=None)
    contact.email_consent_at = contact.sms_consent_at = SENT_AT - timedelta(days=30)
    contact.save()
    return contact


def make_message(channel: Channel = Channel.EMAIL, contact: Contact | None = None, **fields: object) -> Message:
    contact = contact or make_contact()
    address = contact.email_address if channel == Channel.EMAIL else contact.mobile_address
    assert address is not None
    values = {
        "channel": channel, "contact": contact, "address": address, "status": "unknown", "sent_at": SENT_AT,
        "due_at": SENT_AT + timedelta(hours=48) if channel == Channel.SMS else None, "subject": "Autumn letter",
    } | fields  # fmt: skip
    return Message.objects.create(**values)


@pytest.fixture
def new_message(db: None) -> Callable[..., Message]:
    return make_message


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
    path = tmp_path / "server.pem"
    path.write_bytes(secret + signed.public_bytes(pem))
    return str(path)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
