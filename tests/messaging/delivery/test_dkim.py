"""Which keys sign whose mail, how they are named, and the record that their owner publishes."""

import stat
from io import StringIO
from pathlib import Path

import dkim
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from messaging.sendouts.dkim import keys_for, keys_of, write_new


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_new(tmp_path / "key.pem", is_ed25519=True)
    return tmp_path / "key.pem"


def test_mail_is_signed_for_its_own_domain_or_else_for_the_nearest_above(path: Path) -> None:
    keys = keys_of(f"a@shop.example={path},b@news.shop.example={path},c@news.shop.example={path}")

    def selectors(sender: str) -> list[str]:
        return [key.selector for key in keys_for(sender, keys)]

    assert selectors("hello@Shop.example") == ["a"]
    assert selectors("hello@se.news.shop.example") == ["b", "c"]
    assert selectors("hello@myshop.example") == selectors("hello@example") == []


def test_a_key_is_found_by_its_domain_in_letters_or_in_ascii(path: Path) -> None:
    for domain in ("straße.example", "xn--strae-oqa.example"):
        (key,) = keys_for("hello@straße.example", keys_of(f"a@{domain}={path}"))
        assert key.domain == "xn--strae-oqa.example"


@pytest.mark.parametrize(
    "value", ["shop.example=/key.pem", "a@shop.example", "a@shop.example=", "a@=/key.pem", "a@sh op.example=/key.pem"]
)
def test_a_setting_that_names_no_key_says_how_one_is_named(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"autumn26@shop\.example="):
        keys_of(value)


def test_a_key_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN nothing")
    for name in ("key.pem", "missing.pem"):
        with pytest.raises(ImproperlyConfigured, match="cannot be read"):
            keys_of(f"a@shop.example={tmp_path / name}")


@pytest.mark.parametrize("kind", [["--ed25519"], []])
def test_a_new_key_is_its_owners_alone_and_its_record_is_printed(
    tmp_path: Path, settings: Settings, kind: list[str]
) -> None:
    path, made, again = tmp_path / "key.pem", StringIO(), StringIO()

    call_command("dkim", "new", "autumn26@shop.example", str(path), *kind, stdout=made)
    settings.DKIM_KEYS = keys_of(f"autumn26@shop.example={path}")
    call_command("dkim", stdout=again)

    line = again.getvalue().strip()
    assert line == made.getvalue().splitlines()[0]
    assert line.startswith('autumn26._domainkey.shop.example. IN TXT "v=DKIM1; k=')
    assert all(len(string) <= 255 for string in line.split('"')[1::2])
    record = "".join(line.split('"')[1::2])
    assert dkim.load_pk_from_dns(b"x", lambda _name, timeout=5: record.encode())[1] in (2048, 256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="exists"):
        call_command("dkim", "new", "autumn26@shop.example", str(path))


def test_without_keys_the_command_says_that_nothing_is_signed(settings: Settings) -> None:
    settings.DKIM_KEYS = []
    with pytest.raises(CommandError, match="not signed"):
        call_command("dkim")
