"""Whatever is done to a run, in whatever order, it comes to what an undisturbed one has.

A machine that starts, steps, interrupts, kills and resumes a run, damages its checkpoints, sends a
second runner after it and edits its study, in orders that Hypothesis makes up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ablate.faults import POINTS
from tests.chaos import Place, Started, Warm, fault, statuses, until
from tests.warm_runner import TINY

SLOW = int(os.environ.get("ABLATE_CHAOS", "50")) > 50
EARLY = [point for point in POINTS if point not in ("record.drafted", "record.created")]
SAID = {
    "longer": ("steps = 2", "steps = 3", "steps 2 -> 3"),
    "wider": ("width = 8", "width = 16", "width 8 -> 16"),
    "other crops": ("crop = 32", "crop = 48", "crop 32 -> 48"),
}

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="finds processes in /proc: Linux only"
)


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("exploded",))


def bomb(content: bytes) -> bytes:
    import pickle

    return pickle.dumps(_Bomb())


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a flipped byte": flipped,
    "cut short": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "foreign": lambda content: b"PK\x03\x04 something else altogether",
    "a pickle bomb": bomb,
}


class RunStates(RuleBasedStateMachine):
    """One run, and everything that can happen to it."""

    warm: Warm
    undisturbed: Place
    folder: Path
    numbers: Iterator[int]

    @initialize()
    def begin(self) -> None:
        """A study, and nothing done yet."""
        self.place = Place(self.warm, self.folder / str(next(self.numbers)))
        self.edited = ""

    def _go(self, ahead: str = "", *options: str) -> tuple[Started, int]:
        started = self.place.start(ahead, *options)
        return started, started.wait()

    @precondition(lambda self: not self.edited)
    @rule()
    def resume(self) -> None:
        """Start or resume it, and let it come to its end."""
        started, code = self._go()
        assert code == 0, started.said

    @precondition(lambda self: not self.edited)
    @rule(number=st.integers(1, 2))
    def step(self, number: int) -> None:
        """Let one or two trials end, then ask it to end: it keeps the states of the others."""
        started, code = self._go(fault("interrupt", "run.settled", number))
        assert code in (0, 130), started.said
        if code == 130:
            assert "the same command goes on from here" in started.said

    @precondition(lambda self: not self.edited)
    @rule(point=st.sampled_from(EARLY), passing=st.integers(1, 3))
    def kill(self, point: str, passing: int) -> None:
        """Kill the process that passes a point, be it the run's or a trial's."""
        _, code = self._go(fault("kill", point, passing))
        assert code in (0, -9, 2)

    @precondition(lambda self: not self.edited)
    @rule(
        point=st.sampled_from(["state.kept", "trial.trained"]), how=st.sampled_from(sorted(DAMAGE))
    )
    def corrupt_a_state(self, point: str, how: str) -> None:
        """Kill it in the middle of a training, and damage what that left: it must begin anew."""
        started = self.place.start(fault("pause", point))
        until(lambda: self.place.passings().get(point, 0) > 0 or started.ended() is not None, "-")
        for pid in started.processes():
            started.kill(pid)
        started.wait()
        for path in sorted(self.place.run.glob("states/*.pt")):
            path.write_bytes(DAMAGE[how](path.read_bytes()))

    @precondition(lambda self: not self.edited)
    @rule(point=st.sampled_from(["run.data_kept", "run.heard", "run.settled", "run.trained"]))
    def second_runner(self, point: str) -> None:
        """Start it twice: the second says who holds it and leaves, whatever the first does."""
        first = self.place.start(fault("pause", point))
        until(lambda: self.place.passings().get(point, 0) > 0 or first.ended() is not None, "none")
        if first.ended() is None:
            second = self.place.start("", keep=True)
            assert second.wait() == 2
            assert f"process {first.pid} on " in second.said
            assert second.said.count("\n") == 1
        for pid in first.processes():
            first.kill(pid)
        first.wait()

    @precondition(lambda self: not self.edited)
    @rule(how=st.sampled_from(sorted(SAID)))
    def edit_the_study(self, how: str) -> None:
        """Change what may not change: the run is refused, with what is different."""
        if not (self.place.run / "record.sqlite").exists():
            return  # nothing that it could differ from
        before, after, _ = SAID[how]
        self.place.study.write_text(TINY.replace(before, after, 1))
        self.edited = how
        started, code = self._go()
        assert code == 2
        assert SAID[how][2] in started.said, started.said
        assert started.said.count("\n") == 1

    @precondition(lambda self: self.edited)
    @rule()
    def put_the_study_back(self) -> None:
        """As it was, with a remark more, which may change."""
        self.place.study.write_text("# a remark\n" + TINY)
        self.edited = ""

    @invariant()
    def what_was_accepted_stays(self) -> None:
        """Byte for byte, and each key once."""
        if hasattr(self, "place"):
            self.place.look()
            assert not Path("exploded").exists()

    def teardown(self) -> None:
        """In the end it has what an undisturbed run has."""
        if hasattr(self, "place"):
            self.place.study.write_text(TINY)
            self.place.finish()
            self.place.require_like(self.undisturbed)
            shutil.rmtree(self.place.folder)


@pytest.mark.timeout(3000 if SLOW else 600)
def test_whatever_is_done_to_a_run_it_comes_to_the_same(tmp_path: Path):
    with Warm() as warm:
        undisturbed = Place(warm, tmp_path / "undisturbed")
        undisturbed.finish()
        assert set(statuses(undisturbed.run).values()) == {"done"}
        RunStates.warm, RunStates.undisturbed = warm, undisturbed
        RunStates.folder, RunStates.numbers = tmp_path, iter(range(10**6))
        run_state_machine_as_test(
            RunStates,
            settings=settings(
                max_examples=40 if SLOW else 4,
                stateful_step_count=20 if SLOW else 7,
                deadline=None,
                derandomize=not SLOW,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
