"""The embedded servers: start, stop, attach, and what they survive."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from engage.local import bootstrap, embedded, keys, unprivileged

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short and open, as pytest's own temporary folders are not."""
    with tempfile.TemporaryDirectory(prefix="engage-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """var/ of a machine on which nothing is set."""
    for name in ("DATABASE_URL", "REDIS_URL", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAR_DIR", str(folder / "var"))
    return folder / "var"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """Made once, to be copied: initdb takes longer than all the rest."""
    with tempfile.TemporaryDirectory(prefix="engage-test-") as name, pytest.MonkeyPatch.context() as environment:
        environment.delenv("DATABASE_URL")
        with embedded.Postgres(Path(name), durable=False).attached_or_running():
            pass
        yield Path(name, "postgres")


@pytest.fixture
def var(bare: Path, cluster: Path) -> Path:
    """var/ of a machine on which Engage ran before."""
    bare.mkdir()
    shutil.copytree(cluster, bare / "postgres")
    return bare


def postgres(var: Path) -> embedded.Postgres:
    return embedded.Postgres(var, durable=False)


def write(server: embedded.Postgres, text: str) -> None:
    with server.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def read(server: embedded.Postgres) -> list[str]:
    with server.connect() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note")]


def postmaster(server: embedded.Postgres) -> subprocess.Popen[bytes]:
    assert server.process is not None
    return server.process


def let_go_as_if_killed(server: embedded.Server) -> None:
    assert server.lock_held is not None
    os.close(server.lock_held)


def is_lock_free(server: embedded.Server, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            os.close(server.take_lock(attach=False) or -1)
        except embedded.StartError:
            time.sleep(0.1)
        else:
            return True
    return False


def test_data_outlives_a_stop(var: Path) -> None:
    with postgres(var).attached_or_running():
        write(postgres(var), "kept")
    with postgres(var).attached_or_running():
        assert read(postgres(var)) == ["kept"]


def test_it_listens_on_a_socket_only_and_keeps_utf_8(var: Path) -> None:
    server = postgres(var)
    with server.attached_or_running(), server.connect() as connection:
        show = connection.execute("SELECT current_setting('listen_addresses'), current_setting('server_encoding')")
        assert show.fetchone() == ("", "UTF8")
        assert connection.execute("SELECT upper('åäö')").fetchone() == ("ÅÄÖ",)


@pytest.mark.parametrize(
    ("limits", "megabytes"),
    [({"memory.max": 4096}, 512), ({"memory.max": "max", "v1": 2048}, 256), ({"v1": 100}, 128)],
)
def test_a_container_s_memory_says_how_many_pages_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int | str], megabytes: int
) -> None:
    for name, limit in limits.items():
        (tmp_path / name).write_text(f"{limit if isinstance(limit, str) else limit * embedded.MEGABYTE}\n")
    monkeypatch.setattr(embedded, "MEMORY_LIMITS", (tmp_path / "memory.max", tmp_path / "v1"))

    assert embedded.shared_buffers() == megabytes * embedded.MEGABYTE


def test_a_large_machine_s_memory_is_not_all_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MEMORY_LIMITS", ())
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * 2**18}.get)

    assert embedded.shared_buffers() == 1024 * embedded.MEGABYTE


def test_nothing_is_left_of_a_stopped_server_but_data_log_and_lock(bare: Path) -> None:
    with embedded.environment():
        assert (bare / "postgres.run").exists()
    assert {path.name for path in bare.iterdir()} == {"postgres", "postgres.lock", "valkey.lock", "log"}


def test_the_variables_of_libpq_do_not_lead_elsewhere(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "203.0.113.1")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    server = postgres(var)
    with server.attached_or_running():
        assert "PGPORT" not in os.environ
        assert server.is_up()


def test_a_given_url_is_left_alone(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://them@example.com/theirs")
    monkeypatch.setenv("REDIS_URL", "redis://example.com/0")
    with embedded.environment():
        assert os.environ["DATABASE_URL"] == "postgres://them@example.com/theirs"
    assert not (bare / "postgres").exists()


def test_valkey_answers_at_its_url(bare: Path) -> None:
    bare.mkdir()
    with embedded.Valkey(bare).attached_or_running(), redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.config_get("port")["port"] == "0"


def test_a_second_terminal_attaches_to_the_running_server(var: Path) -> None:
    first, second = postgres(var), postgres(var)
    with first.attached_or_running():
        with second.attached_or_running():
            assert second.process is None
        assert first.is_up()


def test_a_second_server_on_the_same_files_is_refused(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "STOP_SECONDS", 1)
    with postgres(var).attached_or_running(), pytest.raises(embedded.StartError, match="in use by another process"):
        postgres(var).start()


def test_it_starts_after_a_kill_9_with_all_that_was_committed(bare: Path) -> None:
    bare.mkdir()
    server = embedded.Postgres(bare)
    server.start()
    write(server, "committed")
    os.killpg(postmaster(server).pid, signal.SIGKILL)
    postmaster(server).wait()
    let_go_as_if_killed(server)
    again = embedded.Postgres(bare)
    with again.attached_or_running():
        assert read(again) == ["committed"]


def test_an_initdb_cut_short_is_begun_anew(bare: Path) -> None:
    draft = bare / "postgres.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18")
    with postgres(bare).attached_or_running():
        assert (bare / "postgres" / "global").is_dir()
    assert not draft.exists()


def test_the_servers_go_down_with_a_parent_killed_by_kill_9(var: Path) -> None:
    script = "from engage.local import embedded\nwith embedded.environment(): print('up', flush=True); input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=bootstrap.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    assert parent.stdout.readline() == b"up\n"
    parent.kill()
    assert is_lock_free(postgres(var), within_seconds=20)
    assert is_lock_free(embedded.Valkey(var), within_seconds=20)
    parent.communicate()


def test_a_path_too_long_for_a_socket_is_got_round_and_leaves_nothing(bare: Path, cluster: Path) -> None:
    deep = bare / ("x" * 60) / ("y" * 60)
    shutil.copytree(cluster, deep / "postgres")
    with postgres(deep).attached_or_running():
        run_folder = (deep / "postgres.run").resolve()
        assert run_folder.is_relative_to(tempfile.gettempdir())
        assert stat.S_IMODE(run_folder.stat().st_mode) == 0o700
    assert not run_folder.exists()


def test_the_temporary_folder_of_a_killed_server_is_removed_by_the_next(bare: Path) -> None:
    bare.mkdir()
    embedded.make_temporary_folder(bare / "valkey.run")
    stale = (bare / "valkey.run").resolve()
    with embedded.Valkey(bare).attached_or_running():
        assert not stale.exists()


def test_a_path_with_blanks_and_signs_works(bare: Path, cluster: Path) -> None:
    odd = bare / 'My Böse, "quoted" Projects +50%#?'
    shutil.copytree(cluster, odd / "postgres")
    with postgres(odd).attached_or_running():
        assert postgres(odd).is_up()
    with embedded.Valkey(odd).attached_or_running(), redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping()


def test_a_failed_start_ends_in_words_not_in_a_stack_trace(bare: Path) -> None:
    (bare / "postgres").mkdir(parents=True)  # not a cluster at all
    with pytest.raises(SystemExit, match=r"^engage: PostgreSQL did not start. The end of "), embedded.environment():
        pass


def test_a_folder_of_somebody_else_is_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/checkout/var/run.lock")

    monkeypatch.setattr(embedded.Postgres, "start", refuse)
    with pytest.raises(SystemExit, match=r"may not use /checkout/var/run.lock"), embedded.environment():
        pass


def test_a_second_terminal_goes_by_the_address_of_make_run_and_sends_where_that_does(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["http://127.0.0.1:9000 (process 1)", "EMAIL_ROUTE=mx://127.0.0.1:2525", "SMS_ROUTE=smpp:tryout"]
    monkeypatch.setattr(bootstrap, "said_by_running_instance", lambda _: said)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    os.environ.pop("EMAIL_ROUTE", None)
    monkeypatch.setenv("SMS_ROUTE", "smpp:ours")
    monkeypatch.setenv("DATABASE_URL", "postgres://them@example.com/theirs")
    monkeypatch.setenv("REDIS_URL", "redis://example.com/0")
    with embedded.environment():
        assert os.environ["PUBLIC_URL"] == "http://127.0.0.1:9000"
        assert os.environ["EMAIL_ROUTE"] == "mx://127.0.0.1:2525"
        assert os.environ["SMS_ROUTE"] == "smpp:ours"


@as_root
def test_root_changes_no_owner_where_user_namespaces_are_to_be_had(var: Path) -> None:
    way = unprivileged.find_way(var, Path("/usr/bin/env"))
    if not way or way.needs_open_binary:
        pytest.skip("user namespaces are forbidden here")
    assert way.owner == (0, 0)
    with postgres(var).attached_or_running():
        assert (var / "postgres").stat().st_uid == 0


@as_root
def test_root_runs_it_as_the_owner_of_a_checkout_in_a_closed_folder(bare: Path) -> None:
    somebody = pwd.getpwnam("nobody")
    for path in (bare.parent, made(bare)):
        os.chown(path, somebody.pw_uid, somebody.pw_gid)
        path.chmod(0o700)
    with postgres(bare).attached_or_running():
        assert (bare / "postgres").stat().st_uid == somebody.pw_uid
        assert postgres(bare).is_up()


@as_root
def test_without_user_namespaces_nobody_walks_through_closed_folders(bare: Path, no_namespaces: None) -> None:
    made(bare).parent.chmod(0o700)
    with postgres(bare).attached_or_running():
        copy = (bare / "postgres.bin").resolve()
        assert copy.is_relative_to(tempfile.gettempdir())
        assert (bare / "postgres").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        write(postgres(bare), "by nobody")
    assert not copy.exists()


@as_root
def test_a_cluster_made_one_way_opens_the_other_way(var: Path, request: pytest.FixtureRequest) -> None:
    with postgres(var).attached_or_running():
        write(postgres(var), "one way")
    request.getfixturevalue("no_namespaces")
    with postgres(var).attached_or_running():
        assert read(postgres(var)) == ["one way"]


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`unshare` says what it says where they are forbidden."""
    stub = tmp_path / "unshare"
    stub.write_text("#!/bin/sh\necho 'unshare: unshare failed: No space left on device' >&2\nexit 1\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert shutil.which("unshare") == str(stub)


def made(var: Path) -> Path:
    var.mkdir(exist_ok=True)
    return var


def test_a_secret_is_made_once_and_is_its_owners_only(folder: Path) -> None:
    path = folder / "deep" / "secret"
    first = keys.kept(path, keys.new_token)
    assert keys.kept(path, keys.new_token) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


def test_psycopg_is_refused_where_nothing_listens(var: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        postgres(var).connect()
