"""Readings of a device: right where the library answers, absent with the reason where not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pynvml
import pytest
import torch

from ablate.engines.job import PARENT_ON_CUDA
from ablate.profiling import nvml
from ablate.profiling.nvml import (
    THROTTLES,
    Absent,
    Device,
    Process,
    devices,
    gpus,
    identity_of,
    open_device,
    reasons_of,
)
from tests.fake_nvml import ANSWERS, FakeNvml, process

CUDA = torch.device("cuda")
READINGS: dict[str, Callable[[Device], Any]] = {
    name: getattr(Device, name)
    for name, found in vars(Device).items()
    if callable(found) and not name.startswith("_")
}
ERRORS: dict[str, BaseException] = {
    name: pynvml.NVMLError(code)
    for name, code in vars(pynvml).items()
    if name.startswith("NVML_ERROR_")
}


class WordlessError(Exception):
    def __str__(self) -> str:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)


ERRORS |= {
    "runtime": RuntimeError("driver fell over\nsecond line"),
    "system": OSError(5, "Input/output error"),
    "value": ValueError(""),
    "wordless": WordlessError(),
}


def device(
    answers: dict[str, Any] | None = None, works: bool = False, parent_works: bool = False
) -> Device:
    return Device(FakeNvml(answers), "handle", lambda: works, parent_works)


def test_every_call_that_is_made_is_one_that_the_library_has() -> None:
    older = {"nvmlDeviceGetTemperature", "nvmlDeviceGetCurrentClocksThrottleReasons"}
    assert all(callable(getattr(pynvml, call, None)) for call in set(ANSWERS) - older)


def test_every_reading_has_its_unit() -> None:
    found = device()
    assert found.name() == "NVIDIA H100"
    assert found.driver() == "580.1"
    assert (found.sm_clock(), found.memory_clock()) == (1755, 2619)
    assert found.temperature() == 41
    assert (found.power(), found.power_limit()) == (212.5, 700)
    assert found.energy() == 5000.25
    assert found.utilisation() == 0.37
    assert found.memory() == (12 * 2**30, 80 * 2**30)
    assert found.throttle_bits() == 0
    assert (found.processes(), found.foreign()) == ((), ())


@pytest.mark.parametrize("call", [*ANSWERS, "import"])
def test_no_call_that_fails_breaks_any_reading_whatever_the_error(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, error in ERRORS.items():
        library = FakeNvml(fails=call, error=error)
        if call == "import":
            monkeypatch.setattr(nvml.importlib, "import_module", refuse(error))
        opened = open_device(CUDA, None if call == "import" else library, uuid="1")
        answers = [read(opened) for read in READINGS.values()]
        absent = [found for found in [*answers, gpus(library)] if isinstance(found, Absent)]
        assert all(found.reason and "\n" not in found.reason for found in absent), name
        if call in ("nvmlInit", "import"):
            assert all(isinstance(found, Absent | bool) for found in answers), name


def refuse(error: BaseException) -> Callable[[str], None]:
    def load(name: str) -> None:
        raise error

    return load


@pytest.mark.parametrize("call", ANSWERS)
def test_a_library_that_lacks_a_function_is_read_without_it(call: str) -> None:
    library = FakeNvml()
    del library._answers[call]
    opened = open_device(CUDA, library, uuid="1")
    for read in READINGS.values():
        read(opened)
    gpus(library)


def test_every_gpu_of_the_machine_can_be_read_without_starting_cuda() -> None:
    found = devices(FakeNvml({"nvmlDeviceGetCount": 2}))
    assert not isinstance(found, Absent)
    assert [device.name() for device in found] == ["NVIDIA H100"] * 2
    broken = FakeNvml(fails="nvmlInit", error=ERRORS["runtime"])
    assert devices(broken) == Absent("driver fell over")


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("1", "GPU-b2"),
        ("GPU-b2", "GPU-b2"),
        ("GPU-a", "GPU-a1"),
        ("GPU-", "GPU-"),  # of both
        ("2", "2"),  # there is none
        ("MIG-c3", "MIG-c3"),
    ],
)
def test_one_gpu_has_one_name_however_it_was_made_visible(name: str, identity: str) -> None:
    library = FakeNvml(
        {
            "nvmlDeviceGetCount": 2,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetUUID": lambda handle: ["GPU-a1", b"GPU-b2"][handle],
        }
    )
    assert identity_of(name, library) == identity


def test_without_a_library_a_gpu_keeps_its_name() -> None:
    broken = FakeNvml(fails="nvmlInit", error=ERRORS["runtime"])
    assert identity_of("1", broken) == "1"


NO_NUMBERS = [None, "", "many", -1, float("nan"), 2**32 - 1, 2**64 - 1, True, object()]


@pytest.mark.parametrize("call", [name for name in ANSWERS if name.startswith("nvmlDeviceGet")])
def test_an_answer_that_is_no_number_is_no_reading(call: str) -> None:
    for answer in NO_NUMBERS:
        opened = Device(FakeNvml({call: answer}), "handle")
        for name, read in READINGS.items():
            found = read(opened)
            assert isinstance(found, Absent | bool | tuple | str) or 0 <= found < 1e9, name


def test_the_reason_is_the_librarys_own_on_one_line() -> None:
    library = FakeNvml(fails="nvmlDeviceGetPowerUsage", error=ERRORS["NVML_ERROR_NO_PERMISSION"])
    assert Device(library, "handle").power() == Absent("Insufficient Permissions")
    library = FakeNvml(fails="nvmlDeviceGetPowerUsage", error=ERRORS["runtime"])
    assert Device(library, "handle").power() == Absent("driver fell over")
    library = FakeNvml(fails="nvmlDeviceGetPowerUsage", error=ERRORS["wordless"])
    assert Device(library, "handle").power() == Absent("WordlessError")
    assert device({"nvmlDeviceGetPowerUsage": None}).power() == Absent("NVML answered None")
    assert device({"nvmlDeviceGetClockInfo": -1}).sm_clock() == Absent("NVML answered -1")


def test_being_interrupted_is_no_failure_of_the_library() -> None:
    library = FakeNvml(fails="nvmlDeviceGetPowerUsage", error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        Device(library, "handle").power()


def test_older_drivers_are_asked_in_older_words() -> None:
    def unknown(*details: object) -> None:
        raise ERRORS["NVML_ERROR_FUNCTION_NOT_FOUND"]

    found = device(
        {
            "nvmlDeviceGetTemperatureV": unknown,
            "nvmlDeviceGetTemperature": 52,
            "nvmlDeviceGetCurrentClocksEventReasons": unknown,
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0x4,
            "nvmlDeviceGetName": b"Tesla",
        }
    )
    assert (found.temperature(), found.throttle_bits(), found.name()) == (52, 0x4, "Tesla")


def test_reasons_for_a_low_clock_are_named() -> None:
    assert reasons_of(0) == ()
    assert reasons_of(0x1 | 0x4 | 0x20) == ("idle", "power cap", "thermal slowdown by software")
    assert reasons_of(0x8 | 0x400) == ("hardware slowdown", "reason 0x400")


@pytest.mark.parametrize(
    ("bits", "slow"),
    [(0x1, False), (0x2, False), (0x10, False), (0x100, False)]
    + [(bit, True) for bit in (0x4, 0x8, 0x20, 0x40, 0x80, 0x1 | 0x4)],
)
def test_power_and_heat_are_slow_downs_while_idling_and_settings_are_not(
    bits: int, slow: bool
) -> None:
    found = device({"nvmlDeviceGetCurrentClocksEventReasons": bits})
    assert found.throttled() is slow
    assert bool(reasons_of(bits & THROTTLES)) is slow


LISTED = "nvmlDeviceGetComputeRunningProcesses"


def test_other_processes_are_those_that_are_neither_this_one_nor_the_one_that_started_it() -> None:
    listed = [process(memory=5), process(os.getppid(), 7), process(99999999, 9)]
    found = device({LISTED: listed}, works=True)
    assert found.foreign() == (Process(99999999, 9),)
    assert found.process_memory() == 5


def test_in_a_container_one_of_the_listed_processes_is_this_one() -> None:
    found = device({LISTED: [process(99999999, 9)]}, works=True)
    assert found.foreign() == ()
    assert found.process_memory() == 9
    found = device({LISTED: [process(99999998, 8), process(99999999, 9)]}, works=True)
    foreign = found.foreign()
    assert isinstance(foreign, tuple)
    assert [one.pid for one in foreign] == [0]
    assert found.process_memory() == Absent("which of 2 listed processes is this one is not known")


def test_in_a_container_the_process_that_started_this_one_is_no_stranger(monkeypatch) -> None:
    listed = [process(99999998, 8), process(99999999, 9)]
    found = device({LISTED: listed}, works=True, parent_works=True)
    assert found.foreign() == ()
    found = device({LISTED: [*listed, process(99999997, 7)]}, works=True, parent_works=True)
    assert len(found.foreign()) == 1
    for said, strangers in (("1", 0), ("", 1)):
        monkeypatch.setenv(PARENT_ON_CUDA, said)
        monkeypatch.setattr(nvml, "_holds_memory", lambda device: True)
        opened = open_device(CUDA, FakeNvml({LISTED: listed}), uuid="1")
        assert len(opened.foreign()) == strangers


def test_a_process_that_holds_nothing_is_none_of_those_listed() -> None:
    found = device({LISTED: [process(99999999, 9)]}, works=False)
    assert found.foreign() == (Process(99999999, 9),)
    assert found.process_memory() == Absent("this process holds no memory on the device")


def test_a_list_without_even_this_process_says_nothing_about_others() -> None:
    assert device(works=True).foreign() == Absent("no process is listed, not even this one")
    assert isinstance(device(works=True).process_memory(), Absent)


def test_memory_that_the_driver_hides_is_absent_while_the_process_is_there() -> None:
    found = device({LISTED: [process(99999999, None)]})
    assert found.foreign() == (Process(99999999, Absent("NVML answered None")),)


def test_a_device_is_found_by_its_own_identity() -> None:
    asked = []

    def find(name: str) -> str:
        asked.append(name)
        if name.startswith("GPU-"):
            raise ERRORS["NVML_ERROR_NOT_FOUND"]
        return "slice"

    library = FakeNvml({"nvmlDeviceGetHandleByUUID": find, "nvmlDeviceGetName": lambda h: h})
    assert open_device(CUDA, library, uuid="12").name() == "slice"
    assert asked == ["GPU-12", "MIG-12"]


def test_nvml_knows_nothing_of_a_processor() -> None:
    found = open_device(torch.device("cpu"))
    assert found.sm_clock() == Absent("NVML knows NVIDIA GPUs only, not 'cpu'")
    assert isinstance(found.throttle_bits(), Absent)


def test_without_the_library_the_reason_is_that_of_the_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = open_device(CUDA)
    assert isinstance(found.power(), Absent)
    assert "pynvml" in found.power().reason  # type: ignore[union-attr]
    assert isinstance(gpus(), Absent)
