"""MTA-STS (RFC 8461): found, fetched from a real HTTPS server, kept for as long as it says, and obeyed."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache import cache

from messaging.delivery.transports.mta_sts import AGAIN_SECONDS, Policies, Policy, PolicyError, policy_in, version_in

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.there.example\r\nmx: *.mail.example\r\nmax_age: 86400\r\n"


class House:
    """The domain there.example: its records, its HTTPS server, and our clock."""

    def __init__(self, certificate: str) -> None:
        self.records, self.now, self.fetched = ["v=STSv1; id=1;"], 1_000_000.0, 0
        self.answer: tuple[int, str, str] = (200, "text/plain", POLICY)
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                house.fetched += 1
                code, kind, text = house.answer
                self.send_response(code)
                self.send_header("Content-Type", kind)
                if code == 301:
                    self.send_header("Location", f"https://{self.headers['Host']}/elsewhere.txt")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.trust = ssl.create_default_context(cafile=certificate)

    def texts(self, name: str) -> list[str]:
        assert name == "_mta-sts.there.example"
        if not self.records:
            raise PolicyError
        return self.records

    @property
    def policies(self) -> Policies:
        place = ("127.0.0.1", self.server.server_address[1])
        return Policies(texts=self.texts, place=lambda _host: place, context=self.trust, clock=lambda: self.now)

    def policy(self) -> Policy | None:
        return self.policies.policy_of("There.example")


def certificate_for(name: str, folder: Path) -> str:
    key, who = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(secret + signed.sign(key, hashes.SHA256()).public_bytes(pem))
    return str(path)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    cache.clear()
    found = House(certificate_for("mta-sts.there.example", tmp_path))
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_policy_is_found_fetched_and_read(house: House) -> None:
    assert house.policy() == Policy("1", "enforce", ("mx.there.example", "*.mail.example"), house.now + 86400)


def test_a_domain_without_a_record_has_none_and_nobody_asks_its_server(house: House) -> None:
    house.records = []

    assert (house.policy(), house.fetched) == (None, 0)


def test_it_is_fetched_once_for_each_version(house: House) -> None:
    for _ in range(3):
        house.policy()
        house.now += AGAIN_SECONDS + 1
    assert house.fetched == 1

    house.records = ["v=STSv1; id=2;"]
    house.answer = (200, "text/plain; charset=utf-8", POLICY.replace("enforce", "testing"))
    found = house.policy()
    assert (found and found.mode, house.fetched) == ("testing", 2)


def test_who_hides_the_record_or_the_policy_does_not_make_us_forget_it(house: House) -> None:
    known = house.policy()
    house.now += AGAIN_SECONDS + 1
    house.records = []
    assert house.policy() == known

    house.now += AGAIN_SECONDS + 1
    house.records, house.answer = ["v=STSv1; id=9;"], (404, "text/plain", "")
    assert house.policy() == known


def test_after_its_time_it_is_no_longer_in_force(house: House) -> None:
    house.policy()
    house.records, house.now = [], house.now + 86401

    assert house.policy() is None


def test_mode_none_takes_it_back(house: House) -> None:
    house.policy()
    house.now += AGAIN_SECONDS + 1
    house.records = ["v=STSv1; id=2;"]
    house.answer = (200, "text/plain", "version: STSv1\nmode: none\nmax_age: 60\n")

    assert house.policy() is None


@pytest.mark.parametrize(
    "answer",
    [
        (301, "text/plain", ""),
        (404, "text/plain", POLICY),
        (200, "text/html", POLICY),
        (200, "text/plain", "x" * 70_000),
    ],
)
def test_what_is_no_proper_answer_is_no_policy_and_is_not_asked_again_at_once(
    house: House, answer: tuple[int, str, str]
) -> None:
    house.answer = answer

    assert house.policy() is None
    assert house.policy() is None
    assert house.fetched == 1


def test_a_certificate_for_another_name_proves_nothing(house: House, tmp_path: Path) -> None:
    other = House(certificate_for("other.example", tmp_path))

    assert other.policy() is None
    assert other.fetched == 0
    other.server.shutdown()
    other.server.server_close()


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("mx.there.example", True), ("MX.There.Example.", True), ("a.mail.example", True),
        ("mail.example", False), ("a.b.mail.example", False), ("evil.example", False), ("xmx.there.example", False),
    ],
)  # fmt: skip
def test_a_wildcard_stands_for_one_label(host: str, *, is_allowed: bool) -> None:
    assert policy_in(POLICY, "1", 0).allows(host) is is_allowed


@pytest.mark.parametrize(
    ("texts", "version"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["v=spf1 -all", "v=STSv1; id=1;"], "1"),
        (["v=STSv1; foo=bar; id=1; x=y"], "1"),
    ],
)
def test_the_record_names_the_version(texts: list[str], version: str) -> None:
    assert version_in(texts) == version


@pytest.mark.parametrize("texts", [["v=STSv1; id=1;", "v=STSv1; id=2;"], ["v=STSv1;"], ["v=STSv2; id=1;"], []])
def test_what_is_no_record_or_more_than_one_is_none(texts: list[str]) -> None:
    with pytest.raises(PolicyError):
        version_in(texts)


@pytest.mark.parametrize(
    "change",
    [("STSv1", "STSv2"), ("enforce", "perhaps"), ("86400", "-1"), ("86400", "99999999"), ("max_age", "age")],
)
def test_what_lacks_a_field_is_no_policy(change: tuple[str, str]) -> None:
    with pytest.raises(PolicyError):
        policy_in(POLICY.replace(*change), "1", 0)


def test_the_first_of_a_field_counts() -> None:
    assert policy_in(f"{POLICY}mode: testing\n", "1", 0).is_enforced
