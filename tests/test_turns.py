"""What is timed has its GPU alone: other timings and trainings say so, and wait."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import ablate.turns
from ablate.engines.job import Stopped
from ablate.events import Event, Warned, warnings
from ablate.turns import TICK, Use, gpu_of, turn

TIMES = f"process {os.getpid()} times on GPU 7"
ROOT = Path(__file__).parents[1]
HOLD = """
import sys
from pathlib import Path

import ablate.turns
from ablate.turns import turn

ablate.turns.PLACES = (Path(sys.argv[1]),)
with turn("7", print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablate.turns, "PLACES", (tmp_path,))


@contextlib.contextmanager
def other_process(place: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that times on GPU 7, with locks in the same place, but other variables."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


class Waiting(threading.Thread):
    """A run that wants its turn, and keeps it until it is told to go."""

    def __init__(self, use: Use = "timing") -> None:
        super().__init__(daemon=True)
        self.use = use
        self.said, self.heard, self.had = list[str](), threading.Event(), threading.Event()
        self.go = threading.Event()

    def run(self) -> None:
        with turn("7", self._hear, self.use):
            self.had.set()
            self.go.wait(30)

    def _hear(self, text: str) -> None:
        self.said.append(text)
        self.heard.set()

    def leave(self) -> None:
        self.go.set()
        self.join(30)


def begun(use: Use) -> Waiting:
    waiting = Waiting(use)
    waiting.start()
    return waiting


def holding(use: Use) -> Waiting:
    """One that has GPU 7."""
    first = begun(use)
    assert first.had.wait(30)
    return first


@pytest.fixture
def holder() -> Iterator[Waiting]:
    first = holding("timing")
    yield first
    first.leave()


@pytest.mark.parametrize(("ending", "use"), [("its end", "training"), ("SIGKILL", "timing")])
def test_a_run_waits_until_what_is_timed_is_done_or_dead(ending: str, use: Use, tmp_path: Path):
    elsewhere = {name: str(tmp_path / "job") for name in ("XDG_RUNTIME_DIR", "TMPDIR", "HOME")}
    with other_process(tmp_path, **elsewhere) as holder:
        _waits_until_it_is_over(holder, ending, use)


def _waits_until_it_is_over(holder: subprocess.Popen[str], ending: str, use: Use):
    waiting = begun(use)
    assert waiting.heard.wait(30)
    expected = f"process {holder.pid} times on GPU 7; this {use} waits until that is done"
    assert set(waiting.said) == {expected}
    assert not waiting.had.is_set()
    if ending == "SIGKILL":
        holder.send_signal(signal.SIGKILL)
    elif holder.stdin:
        holder.stdin.close()
    assert waiting.had.wait(30)
    waiting.leave()


def test_trainings_share_a_gpu_and_a_timing_waits_for_all_of_them():
    first, second = holding("training"), holding("training")
    timing = begun("timing")
    assert timing.heard.wait(30)
    assert set(timing.said) == {"trials train on GPU 7; this timing waits until that is done"}
    second.leave()
    assert not timing.had.wait(3 * TICK)
    first.leave()
    assert timing.had.wait(30)
    timing.leave()


def test_a_training_that_comes_after_a_waiting_timing_lets_it_go_first():
    first = holding("training")
    timing = begun("timing")
    assert timing.heard.wait(30)
    late = begun("training")
    assert late.heard.wait(30)
    assert set(late.said) == {f"{TIMES}; this training waits until that is done"}
    first.leave()
    assert timing.had.wait(30)
    assert not late.had.wait(3 * TICK)
    timing.leave()
    assert late.had.wait(30)
    late.leave()


def test_what_is_told_may_end_the_waiting(holder: Waiting):
    with pytest.raises(Stopped), turn("7", stop, "training"):
        pytest.fail("it has the GPU")


def stop(words: str) -> None:
    raise Stopped


def test_whoever_times_is_told_once_what_it_waits_for(
    holder: Waiting, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ablate.turns, "AGAIN", 0.0)
    heard, enough = list[Event](), 5
    tries = iter(range(enough))

    def sleep(seconds: float) -> None:
        if next(tries, None) is None:
            raise Stopped

    monkeypatch.setattr(ablate.turns.time, "sleep", sleep)
    with pytest.raises(Stopped), turn("7", warnings(heard.append)):
        pytest.fail("it has the GPU")
    said = f"{TIMES}; this timing waits until that is done"
    assert heard == [Warned(said)]


def test_another_gpu_and_a_processor_are_free(holder: Waiting):
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
    monkeypatch.setattr(ablate.turns, "PLACES", (tmp_path / "nowhere",))
    told: list[str] = []
    with turn("7", told.append), turn("7", told.append):
        pass
    assert told == []


def test_the_place_of_locks_does_not_follow_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.undo()
    before = next(ablate.turns._folders())
    assert before.parent == Path("/tmp")
    assert before.stat().st_mode & 0o777 == 0o700
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "TEMP", "TMP", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert next(ablate.turns._folders()) == before


@pytest.mark.parametrize("spoilt", ["missing", "a file", "a link", "open to others"])
def test_a_place_that_is_of_no_use_is_passed_by(
    spoilt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    name, first, second = f"ablate-{os.getuid()}", tmp_path / "first", tmp_path / "second"
    second.mkdir()
    if spoilt != "missing":
        first.mkdir()
    if spoilt == "a file":
        (first / name).touch()
    elif spoilt == "a link":
        (first / name).symlink_to(tmp_path)
    elif spoilt == "open to others":
        (first / name).mkdir()
        (first / name).chmod(0o777)
    monkeypatch.setattr(ablate.turns, "PLACES", (first, second))
    assert list(ablate.turns._folders()) == [second / name]
    assert sorted(second.iterdir()) == [second / name]
    monkeypatch.setattr(ablate.turns, "PLACES", (first,))
    assert list(ablate.turns._folders()) == []


@pytest.mark.parametrize("spoilt", ablate.turns.KINDS)
def test_where_a_lock_file_cannot_be_opened_both_lie_in_the_next_place(
    spoilt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    places = tmp_path / "first", tmp_path / "second"
    for place in places:
        place.mkdir()
    name = f"ablate-{os.getuid()}"
    (places[0] / name / f"gpu-7.{spoilt}.lock").mkdir(parents=True)
    (places[0] / name).chmod(0o700)
    monkeypatch.setattr(ablate.turns, "PLACES", places)
    first = holding("timing")
    monkeypatch.setattr(ablate.turns, "PLACES", places[1:])
    second = begun("training")
    assert second.heard.wait(30)
    first.leave()
    second.leave()
    found = [file.name for file in (places[1] / name).iterdir()]
    assert sorted(found) == ["gpu-7.door.lock", "gpu-7.work.lock"]


@pytest.mark.parametrize("removed", ["a file", "the folder"])
def test_whoever_waited_for_files_that_were_removed_takes_those_that_others_find(
    removed: str, holder: Waiting, tmp_path: Path
):
    waiting = begun("timing")
    assert waiting.heard.wait(30)
    folder = tmp_path / f"ablate-{os.getuid()}"
    if removed == "a file":
        (folder / "gpu-7.work.lock").unlink()
    else:
        shutil.rmtree(folder)
    holder.leave()
    assert waiting.had.wait(30)
    late = begun("training")
    assert late.heard.wait(30)
    assert set(late.said) == {f"{TIMES}; this training waits until that is done"}
    waiting.leave()
    assert late.had.wait(30)
    late.leave()


def test_where_files_are_removed_each_time_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ablate.turns, "_is_there", lambda file: False)
    with turn("7", pytest.fail), turn("7", pytest.fail):
        pass


def test_a_full_disk_hides_who_has_a_gpu_but_not_that_it_is_had(monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        first = holding("timing")
    second = begun("timing")
    assert second.heard.wait(30)
    assert set(second.said) == {"another run times on GPU 7; this timing waits until that is done"}
    assert not second.had.is_set()
    first.leave()
    assert second.had.wait(30)
    second.leave()


def test_a_gpu_is_called_as_it_is_visible(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ablate.turns, "identity_of", lambda name: name)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert (gpu_of("cpu"), gpu_of("cuda")) == ("", "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a1, 3")
    assert gpu_of("cuda") == "GPU-a1"


def test_locks_of_another_user_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / f"ablate-{os.getuid()}"
    folder.mkdir()
    stranger = os.stat_result((0o40700, 0, 0, 2, os.getuid() + 1, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "lstat", lambda self: stranger)
    with turn("7", pytest.fail):
        pass
    monkeypatch.undo()
    assert list(folder.iterdir()) == []
