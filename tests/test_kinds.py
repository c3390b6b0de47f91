"""Failures are told apart by what the machine and the exception say, not by guessing."""

from __future__ import annotations

import errno
import signal
from contextlib import closing
from pathlib import Path

import pytest
import torch

from ablate.engines import kinds
from ablate.engines.kinds import KINDS, KernelKills, how_it_ended, kind_of
from ablate.engines.local import LocalEngine
from ablate.plugins import PluginError
from ablate.tasks.dataset import DataError
from tests import engine_jobs

DYING = {"broke": signal.SIGSEGV, "one": signal.SIGKILL, "two": signal.SIGKILL}


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you"), "out of memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when"), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "environment"),
        (PermissionError(errno.EACCES, "Permission denied"), "environment"),
        (OSError(errno.EROFS, "Read-only file system"), "environment"),
        (ModuleNotFoundError("No module named 'mamba_ssm'"), "environment"),
        (RuntimeError("CUDA error: no kernel image is available for ex"), "environment"),
        (RuntimeError("Found no NVIDIA driver on your system"), "environment"),
        (PluginError("plug-in x"), "environment"),
        (RuntimeError("CUDA error: an illegal memory access was enc"), "crash"),
        (DataError("a.png: cannot be read"), "data"),
        (ValueError("window must be positive"), "error"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "error"),
        (caused(ValueError("no state"), OSError(errno.ENOSPC, "full")), "environment"),
        (caused(ValueError("no state"), ValueError("nothing known")), "error"),
    ],
)
def test_an_exception_has_a_kind(error, kind):
    assert kind_of(error) == kind


def test_an_exception_can_say_its_kind_itself():
    for kind in KINDS:
        error = ValueError()
        error.kind = kind
        assert kind_of(error) == kind
    error.kind = "of wood"
    assert kind_of(error) == "error"


@pytest.mark.parametrize(
    ("code", "evidence", "reason", "kind"),
    [
        (0, "", "the process ended with exit code 0 before its job was done", "crash"),
        (-signal.SIGSEGV, "", "the process was ended by SIGSEGV", "crash"),
        (-signal.SIGSEGV, "seen", "the process was ended by SIGSEGV", "crash"),
        (-40, "", "the process was ended by signal 40", "crash"),
        (-9, "", "the process was ended by SIGKILL (often: out of memory)", "crash"),
        (
            -9,
            "seen",
            "the process was ended by SIGKILL: the machine is out of memory",
            "out of memory",
        ),
        (None, "", "the process is gone, and nobody knows how it ended", "lost"),
    ],
)
def test_how_a_process_ended_has_a_kind(code, evidence, reason, kind):
    assert how_it_ended(code, evidence) == (reason, kind)


def kills_of(folder: Path, now: list[float]) -> KernelKills:
    """Those of a control group; the machine's and a file that is not there stand behind it."""
    (folder / "vmstat").write_text("nr_free_pages 7\noom_kill 3\n")
    group(folder, 0)
    names = ("not there", "memory.events", "vmstat")
    return KernelKills([folder / name for name in names], lambda: now[0])


def group(folder: Path, count: int) -> None:
    """The group's file, after so many were killed."""
    text = f"low 0\noom 1\noom_kill {count}\noom_group_kill 0\n"
    (folder / "memory.events").write_text(text)


def test_each_process_that_the_kernel_killed_is_evidence_for_one_death(tmp_path: Path):
    kills = kills_of(tmp_path, [0.0])
    assert kills.take() == ""
    group(tmp_path, 2)
    said = f"{tmp_path / 'memory.events'}: oom_kill rose from 0 to 2"
    assert [kills.take() for _ in range(3)] == [said, said, ""]


def test_evidence_expires_when_it_was_noticed_in_time(tmp_path: Path):
    now = [0.0]
    kills = kills_of(tmp_path, now)
    group(tmp_path, 1)  # of a process that is not ours
    kills.look()
    now[0] = 9.0
    group(tmp_path, 2)
    kills.look()
    now[0] = 11.0
    assert kills.take().endswith("rose from 1 to 2")
    assert kills.take() == ""


def test_the_kernel_is_not_asked_again_and_again(tmp_path: Path):
    now = [0.0]
    kills = kills_of(tmp_path, now)
    kills.look()
    group(tmp_path, 1)
    now[0] = 0.1
    kills.look()  # too soon: noticed by the next look, as of then
    now[0] = 10.05
    assert kills.take() != ""


def test_the_machine_counts_only_where_no_group_does(tmp_path: Path):
    kills = kills_of(tmp_path, [0.0])
    (tmp_path / "vmstat").write_text("oom_kill 4\n")
    assert kills.take() == ""
    alone = KernelKills([tmp_path / "not there", tmp_path / "vmstat"])
    (tmp_path / "vmstat").write_text("oom_kill 5\n")
    assert alone.take() == f"{tmp_path / 'vmstat'}: oom_kill rose from 4 to 5"


def test_the_kernel_counts_somewhere_or_nowhere():
    assert isinstance(KernelKills().take(), str)
    assert KernelKills(()).take() == ""


def test_two_workers_that_the_kernel_kills_at_once_are_both_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    group(tmp_path, 0)
    monkeypatch.setattr(kinds, "_LASTING", 1e9)  # however long workers take to begin
    monkeypatch.setattr(kinds, "_counters", lambda: (tmp_path / "memory.events",))
    todo = [engine_jobs.job(engine_jobs.kill, number, name) for name, number in DYING.items()]

    def stop() -> bool:  # asked at each turn, before anything is heard
        group(tmp_path, 2)
        return False

    with closing(LocalEngine(warm=False)) as local:
        ended = {event.job.name: event.kind for event in local(todo, 3, stop=stop)}
    assert sorted(ended.values()) == ["crash", "out of memory", "out of memory"]
    assert ended["broke"] == "crash"  # and has used up no evidence
