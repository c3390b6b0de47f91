"""Failures are told apart by what the machine and the exception say, not by guessing."""

from __future__ import annotations

import errno
import signal

import pytest
import torch

from ablate.engines.kinds import KINDS, KernelKills, how_it_ended, kind_of
from ablate.plugins import PluginError
from ablate.tasks.dataset import DataError


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


def test_the_kernels_count_of_processes_killed_for_memory_is_evidence_when_it_rises(tmp_path):
    machine, group = tmp_path / "vmstat", tmp_path / "memory.events"
    machine.write_text("nr_free_pages 7\noom_kill 3\n")
    group.write_text("low 0\noom 1\noom_kill 0\noom_group_kill 0\n")
    kills = KernelKills((machine, group, tmp_path / "not there"))
    assert kills.new() == ""
    machine.write_text("nr_free_pages 9\noom_kill 4\n")
    assert kills.new() == f"{machine}: oom_kill rose from 3 to 4"
    assert kills.new() == ""


def test_the_kernel_counts_somewhere_or_nowhere():
    assert isinstance(KernelKills().new(), str)
