"""What is said about the instruments of a device."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from ablate import instruments as module
from ablate.instruments import Instruments, instruments, lines
from ablate.profiling.nvml import Absent, Device
from ablate.profiling.selftest import SelfTest
from tests.fake_nvml import ANSWERS, FakeNvml

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
GOOD = SelfTest(
    device="cuda",
    work="a kernel",
    expected=10e-3,
    least=10.02e-3,
    median=10.03e-3,
    high=10.05e-3,
    doubled=2.0,
    host=10.06e-3,
    step=50e-9,
    problems=(),
    disturbances=(),
)


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "self_test", lambda device: GOOD)


def look(library: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> Instruments:
    monkeypatch.setattr(module, "open_device", lambda device: Device(library, "handle"))
    return instruments(CUDA)


@pytest.mark.usefixtures("tested")
def test_a_gpu_that_answers_is_read_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(FakeNvml(), monkeypatch)
    assert (found.verdict, found.driver, found.power_limit) == ("good", "580.1", 700)
    assert found.read["sm_clock"] == 1755
    assert found.energy == "NVML's energy counter of the whole board"
    said = lines(found)
    name, sentence = next(said)
    assert name == "clock, cuda"
    assert sentence.startswith("good: a kernel of 10.00 ms was timed as 10.02 ms (median 10.03 ms")
    assert "sm_clock 1755 MHz" in dict(said)["recorded"]


@pytest.mark.usefixtures("tested")
@pytest.mark.parametrize("call", ANSWERS)
def test_no_failing_call_of_nvml_breaks_the_examination(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(FakeNvml(fails=call, error=OSError(1, "Operation not permitted")), monkeypatch)
    assert json.dumps(asdict(found))
    assert all("\n" not in text for _, text in lines(found))


@pytest.mark.usefixtures("tested")
def test_what_cannot_be_read_is_said_once_for_each_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeNvml(
        {"nvmlDeviceGetTotalEnergyConsumption": None},
        fails="nvmlDeviceGetClockInfo",
        error=OSError(1, "Operation not permitted"),
    )
    found = look(library, monkeypatch)
    said = [text for name, text in lines(found) if name == "not recorded"]
    assert "sm_clock, memory_clock (Operation not permitted)" in said
    assert found.energy == "none (NVML answered None)"


@pytest.mark.usefixtures("tested")
def test_a_device_in_use_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeNvml({"nvmlDeviceGetCurrentClocksEventReasons": 0x40})
    said = dict(lines(look(library, monkeypatch)))
    assert "throttled: thermal slowdown by hardware" in said["at present"]


def test_on_a_processor_the_readings_of_a_gpu_are_not_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "self_test", lambda device: replace(GOOD, device="cpu"))
    found = instruments(CPU)
    assert found.absent["power"] == "NVML knows NVIDIA GPUs only, not 'cpu'"
    assert not any("NVML knows" in text for _, text in lines(found))


@pytest.mark.parametrize(
    ("clock", "verdict", "said"),
    [
        (GOOD, "good", "good: "),
        (replace(GOOD, problems=("the clock is off by -9%",)), "not to be trusted", "the clock is"),
        (replace(GOOD, disturbances=("heat",)), "not quiet", "the machine is not quiet (heat): "),
        (Absent("no device"), "not tested", "not tested (no device)"),
    ],
)
def test_the_verdict_follows_from_the_test(
    clock: SelfTest | Absent, verdict: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "self_test", lambda device: clock)
    found = instruments(CPU)
    assert found.verdict == verdict
    assert dict(lines(found))["clock, cpu"].startswith(said)
