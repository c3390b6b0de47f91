"""Points at which tests can end a run: known by name, counted over processes, free otherwise."""

from __future__ import annotations

import ast
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.faults import DEEDS, FAULT, FOLDER, POINTS, Broken, armed, fault, passings

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.delenv(FAULT, raising=False)
    return tmp_path


def test_outside_of_tests_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setenv(FAULT, armed("raise", "run.settled", 1))
    monkeypatch.chdir(tmp_path)
    fault("run.settled")
    assert list(tmp_path.iterdir()) == []


def test_passings_are_counted(folder: Path):
    for _ in range(3):
        fault("run.settled")
    fault("run.held")
    assert passings(folder) == {"run.settled": 3, "run.held": 1}


def test_a_fault_comes_at_the_passing_that_was_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(FAULT, armed("raise", "run.settled", 2))
    fault("run.settled")
    fault("run.held")
    with pytest.raises(Broken, match=r"a test asked for a fault at run\.settled"):
        fault("run.settled")
    fault("run.settled")


def test_a_full_disk_is_the_errror_of_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FAULT, armed("disk-full", "run.held", 1))
    with pytest.raises(OSError, match="No space left on device") as error:
        fault("run.held")
    assert error.value.errno == errno.ENOSPC


def test_a_signal_comes_at_once_and_counts_over_processes(folder: Path):
    command = [sys.executable, "-c", "from ablate.faults import fault; fault('run.held')"]
    environment = {**os.environ, FAULT: armed("kill", "run.held", 2)}
    codes = [subprocess.run(command, env=environment, cwd=ROOT).returncode for _ in range(3)]
    assert codes == [0, -signal.SIGKILL, 0]
    assert passings(folder) == {"run.held": 3}


def test_an_interrupt_is_that_of_the_keyboard(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(FAULT, armed("interrupt", "run.held", 1))
    with pytest.raises(KeyboardInterrupt):
        fault("run.held")


def test_faults_that_cannot_come_are_refused(folder: Path):
    with pytest.raises(
        ValueError, match=r"no fault point is named 'run\.hold' \(points: run\.held"
    ):
        armed("kill", "run.hold", 1)
    with pytest.raises(ValueError, match=r"a fault is kill, raise, disk-full.*; got 'burn'"):
        armed("burn", "run.held", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="passings are counted from 1; got 0"):
        armed("kill", "run.held", 0)
    with pytest.raises(ValueError, match=r"no fault point is named 'run\.hold'"):
        fault("run.hold")


def test_every_point_is_in_the_code_and_every_one_in_the_code_is_listed():
    named = []
    for package in ("ablate", "reports"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text if "fault(" in text or "passing(" in text else "")):
                if isinstance(node, ast.Call) and _name(node.func) in ("fault", "passing"):
                    named += _points(*node.args)
    assert set(named) == set(POINTS)
    assert len(set(POINTS)) == len(POINTS)
    assert len(set(DEEDS)) == 5


def _points(argument: ast.expr) -> list[str]:
    """The points that a call names: its text, or an ending for each kind of checkpoint."""
    if isinstance(argument, ast.JoinedStr):
        ending = argument.values[-1]
        assert isinstance(ending, ast.Constant)
        return [f"{kind}{ending.value}" for kind in ("state", "weights")]
    assert isinstance(argument, ast.Constant)
    return [argument.value]


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))
