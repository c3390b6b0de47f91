"""Two runs do not time on one GPU at once: the second says so, and waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.runs.turns import gpu_of, turn

ROOT = Path(__file__).parents[1]
HOLD = """
import sys
from ablate.runs.turns import turn

with turn("7", print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """Another process that holds GPU 7."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        yield other
        other.kill()


class Waiting(threading.Thread):
    """A run that wants its turn."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.said, self.heard, self.had = list[str](), threading.Event(), threading.Event()

    def run(self) -> None:
        with turn("7", self._hear):
            self.had.set()

    def _hear(self, text: str) -> None:
        self.said.append(text)
        self.heard.set()


@pytest.mark.parametrize("ending", ["its end", "SIGKILL"])
def test_a_run_waits_until_the_other_is_done_or_dead(holder: subprocess.Popen[str], ending: str):
    waiting = Waiting()
    waiting.start()
    assert waiting.heard.wait(30)
    expected = f"process {holder.pid} times on GPU 7; this run waits until that is done"
    assert waiting.said == [expected]
    assert not waiting.had.is_set()
    if ending == "SIGKILL":
        holder.send_signal(signal.SIGKILL)
    elif holder.stdin:
        holder.stdin.close()
    assert waiting.had.wait(30)
    waiting.join(30)


def test_another_gpu_and_a_processor_are_free(holder: subprocess.Popen[str]):
    told: list[str] = []
    for name in ("8", "GPU-1234/5", ""):
        with turn(name, told.append):
            pass
    assert told == []


def test_a_turn_can_be_had_again():
    told: list[str] = []
    for _ in range(2):
        with turn("7", told.append):
            pass
    assert told == []


def test_where_no_lock_can_be_kept_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    told: list[str] = []
    with turn("7", told.append), turn("7", told.append):
        pass
    assert told == []


def test_a_gpu_is_called_as_it_is_visible(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert (gpu_of("cpu"), gpu_of("cuda")) == ("", "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a1, 3")
    assert gpu_of("cuda") == "GPU-a1"


def test_locks_of_another_user_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / f"ablate-{os.getuid()}"
    folder.mkdir()
    stranger = os.stat_result((0o40700, 0, 0, 2, os.getuid() + 1, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda self, **_: stranger)
    with turn("7", pytest.fail):
        pass
    monkeypatch.undo()
    assert list(folder.iterdir()) == []
