"""The state of the machine: numbers that could be read, reasons for the others, and verdicts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from ablate.profiling._nvml_answers import Absent
from ablate.profiling._processor import CpuShares, CpuWatch, cpu_clock
from ablate.profiling.conditions import MEANINGS, Conditions, disturbed, usual, watcher
from ablate.profiling.nvml import Device
from tests.fake_nvml import ANSWERS, FakeNvml, process

CPU = torch.device("cpu")
GPU_READINGS = {
    "sm_clock",
    "memory_clock",
    "temperature",
    "power",
    "utilisation",
    "throttle_bits",
    "foreign",
    "process_memory",
}


def look(library: FakeNvml) -> Conditions:
    return watcher(torch.device("cuda"), nvml=Device(library, "handle"))()


def test_every_reading_is_a_number_or_has_a_reason_and_each_is_explained() -> None:
    now = look(FakeNvml())
    names = {field.name for field in fields(Conditions)}
    assert names == set(MEANINGS)
    assert now.as_numbers().keys() | now.reasons_absent().keys() == names
    assert not now.as_numbers().keys() & now.reasons_absent().keys()


def test_the_devices_numbers_are_those_that_nvml_gives() -> None:
    listed = [process(memory=5), process(99999998), process(99999999)]
    numbers = look(FakeNvml({"nvmlDeviceGetComputeRunningProcesses": listed})).as_numbers()
    expected = {
        "sm_clock": 1755,
        "memory_clock": 2619,
        "temperature": 41,
        "power": 212.5,
        "utilisation": 0.37,
        "throttle_bits": 0,
        "foreign": 2,
        "process_memory": 5,
    }
    assert {name: numbers[name] for name in GPU_READINGS} == expected


@pytest.mark.parametrize("call", ANSWERS)
def test_a_reading_that_fails_costs_only_itself(call: str) -> None:
    library = FakeNvml(fails=call, error=RuntimeError("sensor is lost"))
    now = look(library)
    whole = look(FakeNvml()).as_numbers().keys() & GPU_READINGS
    lost = whole - now.as_numbers().keys()
    assert len(lost) <= 2  # both clocks are one call; so are the two that list processes
    assert all(now.reasons_absent()[name] == "sensor is lost" for name in lost)


def test_on_a_processor_the_readings_of_a_gpu_are_absent_with_the_reason() -> None:
    absent = watcher(CPU)().reasons_absent()
    assert absent.keys() >= GPU_READINGS
    assert absent["power"] == "NVML knows NVIDIA GPUs only, not 'cpu'"


def test_the_usual_state_is_the_median_of_what_could_be_read() -> None:
    seen = [{"sm_clock": 1000.0}, {"sm_clock": 1700.0, "load": 2.0}, {"sm_clock": 1800.0}]
    assert usual(seen) == {"sm_clock": 1700, "load": 2}
    assert usual([]) == {}


USUAL = {"sm_clock": 1000.0, "memory_clock": 2000.0, "cpu_clock": 3000.0}


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        ({}, ()),
        (USUAL, ()),
        ({"throttle_bits": 0x1 | 0x2}, ()),
        ({"throttle_bits": 0x1 | 0x4}, ("throttled: power cap",)),
        (
            {"throttle_bits": 0x8 | 0x40},
            ("throttled: hardware slowdown, thermal slowdown by hardware",),
        ),
        ({"sm_clock": 971.0}, ()),
        ({"sm_clock": 960.0}, ("sm_clock 960 MHz, 4% under the usual 1000 MHz",)),
        ({"memory_clock": 1000.0}, ("memory_clock 1000 MHz, 50% under the usual 2000 MHz",)),
        ({"cpu_clock": 2800.0}, ()),
        ({"cpu_clock": 2400.0}, ("cpu_clock 2400 MHz, 20% under the usual 3000 MHz",)),
        ({"foreign": 1.0}, ("shared: 1 other process on the device",)),
        ({"foreign": 3.0}, ("shared: 3 other processes on the device",)),
        ({"others_cpu": 0.2, "stolen_cpu": 0.04}, ()),
        ({"others_cpu": 0.5}, ("shared: other processes used 50% of the processor",)),
        ({"stolen_cpu": 0.1}, ("shared: the hypervisor took 10% of the processor",)),
        (
            {"throttle_bits": 0x20, "foreign": 1.0},
            (
                "throttled: thermal slowdown by software",
                "shared: 1 other process on the device",
            ),
        ),
    ],
)
def test_a_disturbed_round_is_told_with_its_reasons(
    now: dict[str, float], reasons: tuple[str, ...]
) -> None:
    assert disturbed(now, USUAL) == reasons


def test_a_clock_without_a_usual_one_is_not_judged() -> None:
    assert disturbed({"sm_clock": 10.0}, {}) == ()


def system(root: Path, *, core: int = 1, governed: int = 0, info: str = "") -> Path:
    stat = root / "proc/thread-self/stat"
    stat.parent.mkdir(parents=True)
    numbers = ["S", *["0"] * 35, str(core), "0"]
    stat.write_text(f"12 (a ) name) {' '.join(numbers)}\n")
    (root / "proc/cpuinfo").write_text(info)
    if governed:
        clock = root / f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq"
        clock.parent.mkdir(parents=True)
        clock.write_text(f"{governed}\n")
    return root


def test_the_clock_is_that_of_the_core_that_runs_the_thread(tmp_path: Path) -> None:
    info = "processor: 0\ncpu MHz\t\t: 1800.5\nprocessor: 1\ncpu MHz\t\t: 2400.25\n"
    assert cpu_clock(system(tmp_path / "plain", info=info)) == 2400.25
    assert cpu_clock(system(tmp_path / "governed", governed=3_100_000, info=info)) == 3100


def test_a_clock_that_is_nowhere_is_absent(tmp_path: Path) -> None:
    reason = "neither cpufreq nor /proc/cpuinfo has the clock of core 1"
    assert cpu_clock(system(tmp_path / "plain")) == Absent(reason)
    missing = cpu_clock(tmp_path / "elsewhere")
    assert isinstance(missing, Absent)
    assert "No such file" in missing.reason


class Held:
    """Clocks and counters that a test sets, on a machine of four cores."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.ours = root, 0.0, 0.0
        (root / "proc").mkdir()
        self.count(user=0)

    def count(self, user: int, stolen: int = 0) -> None:
        text = f"cpu  {user} 0 0 999 999 0 0 {stolen} 0 0\ncpu0 1 1 1\n"
        (self.root / "proc/stat").write_text(text)

    def watch(self) -> CpuWatch:
        return CpuWatch(self.root, lambda: self.now, lambda: self.ours, cores=4)


def test_the_work_of_others_is_what_is_not_ours(tmp_path: Path) -> None:
    held = Held(tmp_path)
    watch = held.watch()
    held.now, held.ours = 10.0, 8.0
    held.count(user=1800, stolen=400)  # hundredths of a second: 18 s of 40 were worked, 4 taken
    assert watch.look() == CpuShares(others=0.25, stolen=0.1)


def test_counters_that_disagree_by_a_little_are_no_work_of_others(tmp_path: Path) -> None:
    held = Held(tmp_path)
    watch = held.watch()
    held.now, held.ours = 1.0, 1.02
    held.count(user=100)
    assert watch.look() == CpuShares(others=0, stolen=0)


def test_a_look_too_soon_reaches_back_to_an_earlier_one(tmp_path: Path) -> None:
    held = Held(tmp_path)
    watch = held.watch()
    held.now = 0.1
    assert watch.look() == Absent("watched for less than 0.2 s")
    for step in range(2, 5):  # the last looks back 0.2 s, in which half of a core was used
        held.now = step / 10
        held.count(user=5 * step)
        seen = watch.look()
    assert isinstance(seen, CpuShares)
    assert seen.others == pytest.approx(0.5 / 4)


def test_without_the_systems_counters_the_shares_are_absent(tmp_path: Path) -> None:
    seen = CpuWatch(tmp_path).look()
    assert isinstance(seen, Absent)
    assert "No such file" in seen.reason
