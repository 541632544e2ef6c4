"""What `make run` refuses before anything slow."""

import fcntl
import os
import re
import socket
from pathlib import Path

import pytest

from engage.local import bootstrap, run
from engage.local.embedded import StartError


@pytest.mark.parametrize("text", ["0", "65536", "-1", "eight", "80 80"])
def test_a_port_that_is_none_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(SystemExit, match="PORT must be a number from 1 to 65535"):
        bootstrap.port()


def test_a_taken_port_is_refused_with_another_to_choose() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"port {port} is taken .* PORT=\d+ make run"):
            bootstrap.refuse_taken_port("127.0.0.1", port)


def test_a_free_port_is_free_again_after_the_look() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    bootstrap.refuse_taken_port("127.0.0.1", port)
    bootstrap.refuse_taken_port("127.0.0.1", port)


def test_a_second_instance_is_told_where_the_first_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", "9000")
    with run.claimed(tmp_path), pytest.raises(SystemExit, match=r"http://127.0.0.1:9000 \(process \d+\)"):
        bootstrap.refuse_second_instance()
    bootstrap.refuse_second_instance()


def test_a_running_instance_tells_where_it_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PORT": "9000", "SMS_ROUTE": "46elks"})
    with run.claimed(tmp_path):
        run.fill_environment(tmp_path)
        said = bootstrap.said_by_running_instance(tmp_path)

    assert said[0].startswith("http://127.0.0.1:9000 (process ")
    assert [line.partition("=")[0] for line in said[1:]] == ["EMAIL_ROUTE", "BOUNCE_LISTEN", "BOUNCE_DOMAIN"]
    assert bootstrap.said_by_running_instance(tmp_path) == []


def test_a_lock_left_by_a_killed_instance_refuses_nobody(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text("http://127.0.0.1:9000 (process 1)\n")
    assert bootstrap.running_instance(tmp_path) == ""


def test_only_one_of_two_that_start_at_once_gets_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    with (tmp_path / "run.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises((SystemExit, StartError)), run.claimed(tmp_path):
            pass


def test_an_ipv6_host_gets_its_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("HOST", "::1")
    assert run.address() == "http://[::1]:9000"
    monkeypatch.setenv("HOST", "0.0.0.0")
    assert run.address() == "http://127.0.0.1:9000"


@pytest.mark.parametrize("url", ["mysql://u:p@127.0.0.1/x", "postgres://u:secret@127.0.0.1:1/x", "postgres://h:x/y"])
def test_a_database_out_of_reach_is_refused_without_giving_the_password_away(url: str) -> None:
    with pytest.raises(StartError, match="DATABASE_URL") as refused:
        run.connect(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "127.0.0.1:6379"])
def test_a_redis_out_of_reach_is_refused(url: str) -> None:
    with pytest.raises(StartError, match="REDIS_URL"):
        run.check_redis(url)


@pytest.mark.parametrize(("urls", "runs"), [(None, False), ("", False), (" ", False), ("smpp://u:p@host/name", True)])
def test_the_smpp_client_runs_where_an_smsc_is_named(
    urls: str | None, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMPP_URLS", raising=False)
    if urls is not None:
        monkeypatch.setenv("SMPP_URLS", urls)
    assert ("smpp" in dict(run.processes())) == runs


@pytest.mark.parametrize(("setting", "name"), [("BOUNCE_LISTEN", "bounce_server"), ("IMAP_URLS", "bounce_mailbox")])
def test_what_takes_bounce_mail_runs_where_it_is_asked_for(
    setting: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(setting, raising=False)
    assert name not in dict(run.processes())

    monkeypatch.setenv(setting, "something")
    assert dict(run.processes())[name] == ["manage.py", name]


def test_the_password_can_be_read_aloud_and_passes_the_validators() -> None:
    password = run.readable_password()
    assert re.fullmatch(r"([a-z]{4}-){3}\d\d", password)


def test_demo_data_loads_once_and_after_a_load_cut_short_again(tmp_path: Path) -> None:
    stamp = tmp_path / "state"
    stamp.write_text("begun")
    assert run.wants_demo(stamp)
    stamp.write_text("loaded")
    assert not run.wants_demo(stamp)
