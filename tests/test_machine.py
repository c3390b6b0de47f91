"""What is said about the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ablate.profiling import machine
from ablate.profiling.machine import commit, describe


def test_the_machine_is_described_in_words():
    facts = describe()
    assert {"cpu", "cores", "system", "python", "torch", "numpy", "threads", "gpu"} <= set(facts)
    assert facts["torch"] == torch.__version__
    assert facts["numpy"] == np.__version__
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert all(isinstance(value, str) and value for value in facts.values())
    assert "\n" not in "".join(facts.values())


def test_the_scan_that_runs_is_said_and_why_others_do_not():
    from blocks.scan import backend_for, backends

    facts = describe()
    assert facts["scan_cpu"] == backend_for(torch.device("cpu"))
    for name, state in backends().items():
        assert f"{name}: {state}" in facts["scan_backends"]


def test_no_gpu_is_said_with_the_reason(monkeypatch):
    def refuse() -> None:
        raise RuntimeError("NVML Shared Library Not Found")

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(nvmlInit=refuse))
    facts = describe()
    assert facts["gpu"] == "none (NVML Shared Library Not Found)"
    assert "gpu_driver" not in facts


def test_no_nvml_is_no_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert describe()["gpu"].startswith("none (")


@pytest.mark.parametrize("name", ["NVIDIA H100", b"NVIDIA H100"])
def test_gpus_are_named_with_their_driver(monkeypatch, name):
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: name,
        nvmlSystemGetDriverVersion=lambda: "580.1",
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    facts = describe()
    assert (facts["gpu"], facts["gpu_driver"]) == ("NVIDIA H100, NVIDIA H100", "580.1")


def test_a_driver_without_a_device_is_no_gpu(monkeypatch):
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 0,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlSystemGetDriverVersion=lambda: "580.1",
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    facts = describe()
    assert (facts["gpu"], facts["gpu_driver"]) == ("none (the driver lists no device)", "580.1")


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_commit_of_a_checkout_has_a_plus_where_files_differ(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "one")
    revision = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == revision
    (tmp_path / "stranger").write_text("untracked")
    assert commit(tmp_path) == revision
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == revision + "+"


def test_what_is_no_checkout_has_no_commit(tmp_path):
    assert commit(tmp_path) == ""
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) == ""


def test_the_processor_has_a_name_even_without_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "Path", lambda _: tmp_path / "absent")
    assert describe()["cpu"]
