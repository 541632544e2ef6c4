"""The demo never takes Engage down, and does not keep it from being announced."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from engage.local import run
from engage.local.run import Demo


def demo(script: str, stamp: Path) -> Demo:
    return Demo(subprocess.Popen([sys.executable, "-c", script]), stamp)


def test_a_demo_that_fails_is_said_and_tried_again_the_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp = tmp_path / "state"
    stamp.write_text("begun")

    assert demo("raise SystemExit(1)", stamp).is_over(30)
    assert "Engage is up, and the next start tries again" in capsys.readouterr().out
    assert run.wants_demo(stamp)


def test_a_demo_that_is_whole_is_not_loaded_again(tmp_path: Path) -> None:
    stamp = tmp_path / "state"
    stamp.write_text("begun")

    assert demo("pass", stamp).is_over(30)
    assert not run.wants_demo(stamp)


def test_a_demo_that_takes_long_goes_on_and_is_stopped_with_engage(tmp_path: Path) -> None:
    found = demo("import time; time.sleep(600)", tmp_path / "state")
    with ExitStack() as running:
        running.callback(found.stop)
        assert not found.is_over(0.1)

    assert found.process.returncode is not None
    assert not (tmp_path / "state").exists()
