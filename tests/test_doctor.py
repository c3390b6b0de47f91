from __future__ import annotations

import importlib.metadata
import json
import shutil
from dataclasses import asdict, replace

import pytest
import torch

from ablate import doctor
from blocks.scan import backends
from tests.conftest import Cli

APT = "sudo apt-get install -y gcc"
BUILD = "MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation --no-deps mamba-ssm"


@pytest.fixture(scope="module")
def found() -> doctor.Examination:
    return doctor.examine()


def test_every_back_end_is_there_with_its_state(found: doctor.Examination) -> None:
    assert {b.name: b.state for b in found.scan} == backends()
    assert all(not b.add for b in found.scan if b.state == "live")


def test_exactly_one_back_end_runs_on_each_kind_of_device(found: doctor.Examination) -> None:
    kinds = [kind for b in found.scan for kind in b.runs_on]
    assert sorted(kinds) == ["cpu"] + ["cuda"] * torch.cuda.is_available()


def test_the_machine_is_described(found: doctor.Examination) -> None:
    assert {"cpu", "system", "python"} <= set(found.machine)
    assert found.torch.startswith(torch.__version__)
    assert found.devices[0] == "cpu"
    assert found.allocator
    assert found.nvml
    assert found.compiler


def test_as_words_it_names_what_is_missing_and_the_command_on_lines_of_their_own(
    found: doctor.Examination,
) -> None:
    missing = doctor.ScanBackend("selective_scan_cuda", "selective_scan_cuda is lost", (), BUILD)
    live = doctor.ScanBackend("c", "live", ("cpu",), "")
    said = list(doctor.lines(replace(found, devices=("cpu",), scan=(live, missing))))
    assert "  c                    live, runs on cpu" in said
    assert "  selective_scan_cuda  selective_scan_cuda is lost (needs an NVIDIA GPU)" in said
    assert f"                       to add it: {BUILD}" in said
    assert all("\n" not in line for line in said)


def test_the_clock_of_every_device_is_tested_and_what_is_read_beside_it_is_said(
    found: doctor.Examination,
) -> None:
    assert found.instruments[0].device == "cpu"
    assert len(found.instruments) == len(found.devices)
    said = list(doctor.lines(found))
    begun = said.index("instruments")
    assert said[begun + 1].startswith("  clock, cpu")
    assert "a loop by the system's raw clock of 10.00 ms was timed as " in said[begun + 1]
    assert any(line.startswith("  energy") for line in said[begun:])


@pytest.mark.parametrize(
    ("name", "state", "gpu", "command"),
    [
        (
            "c",
            "no C compiler found (looked for gcc): install gcc or clang",
            False,
            APT,
        ),
        ("c", "no C compiler works: gcc: fatal error: no disk left", False, ""),
        ("selective_scan_cuda", "selective_scan_cuda is not installed", False, BUILD),
        ("selective_scan_cuda", "selective_scan_cuda does not load: undefined", True, BUILD),
        ("triton", "triton is not installed", True, "pip install --no-deps 'triton==3.7.1'"),
        ("triton", "triton 3.1 is too old: ...", True, "pip install --no-deps 'triton==3.7.1'"),
        ("triton", "no CUDA device", False, ""),
        ("triton", "no CUDA device", True, "pip install --force-reinstall torch==2.13.0"),
        ("triton", "probe failed: off from the reference by 1e-1", True, ""),
    ],
)
def test_one_command_adds_what_a_command_can(
    name: str, state: str, gpu: bool, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    monkeypatch.setattr(shutil, "which", lambda tool: "/usr/bin/apt-get" * (tool == "apt-get"))
    needs = ["filelock", 'triton==3.7.1; platform_system == "Linux"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda package: needs)
    assert doctor.remedy(name, state, gpu_seen=gpu) == command


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2.60.0", "2.60.0"),
        (
            "",
            "not installed; trials on several machines need it: "
            "pip install 'ablate-restoration[ray]'",
        ),
    ],
)
def test_ray_is_named_with_its_version_or_the_command_that_adds_it(
    found: doctor.Examination, version: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(package: str) -> str:
        if package == "ray" and not version:
            raise importlib.metadata.PackageNotFoundError(package)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    lines = list(doctor.lines(replace(found, ray=doctor._ray())))
    assert f"  Ray         {said}" in lines


def test_a_torch_without_a_triton_of_its_own_takes_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda package: None)
    command = doctor.remedy("triton", "triton is not installed", gpu_seen=False)
    assert command == "pip install --no-deps 'triton>=3.3'"


def test_the_command_prints_it_and_ends_well(
    found: doctor.Examination, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: found)
    code, out, _ = cli("doctor", "--json")
    assert (code, json.loads(out)) == (0, json.loads(json.dumps(asdict(found))))
    code, out, _ = cli("doctor")
    assert code == 0
    assert out.splitlines() == list(doctor.lines(found))
