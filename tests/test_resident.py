"""Resident memory: what a fresh process grows by, against arithmetic and the allocator's record."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ablate.costs.memory_rows import memory_metrics
from ablate.costs.phase import Phase
from ablate.costs.resident import (
    ResidentJob,
    forecast_seconds,
    measure_resident,
    measure_residents,
)
from ablate.engines.job import Failed
from ablate.events import PhaseBegan, PhaseStep
from ablate.mix import Choice, Mix, Task, Training
from ablate.profile import Profile
from ablate.profiling import resident
from ablate.profiling.allocator import returning_allocator
from ablate.profiling.resident import resident_inference, resident_training
from reports.record import Record
from tests.test_network import stage, unet

MEBIBYTE = 2**20
IMAGE = (1, 3, 512, 512)  # 3 MiB
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")


class Twelve(nn.Module):
    """Keeps twelve copies of the image alive at once, and a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor) -> Tensor:
        copies = [image * self.weight for _ in range(12)]
        return copies[-1]


FRESH = """
from ablate.profiling.resident import resident_inference
from tests.test_resident import IMAGE, Twelve
found = resident_inference(Twelve, IMAGE, allocator="returning")
print(found.peak, found.allocated)
"""


@linux
def test_a_fresh_process_grows_by_what_is_alive():
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, text=True, check=True, cwd=root
    )
    peak, allocated = map(int, done.stdout.split())
    alive = 13 * 3 * MEBIBYTE
    # The layout of the image is made from a copy that is gone before the network runs.
    assert alive <= allocated <= alive + 4096
    assert alive - MEBIBYTE <= peak <= alive + 4 * MEBIBYTE


class Run:
    """A record, what was told, and mixes to be measured."""

    def __init__(self, folder: Path, *blocks: str) -> None:
        self.record = Record.create(folder / "record.sqlite", "a", "b", "c", {}, ("psnr",))
        self.record.define(memory_metrics("cpu"))
        self.mixes = {mix(block).key: mix(block) for block in blocks}
        self.told: list[object] = []

    def measure(self, device: str = "cpu", resident: bool = True) -> dict[tuple[str, str], float]:
        profile = Profile(size=((24, 24),), resident=resident)
        measure_residents(
            Phase(
                record=self.record,
                mixes=self.mixes,
                profile=profile,
                device=device,
                plugins=(),
                listener=self.told.append,
            )
        )
        rows = self.record.measurements()
        return dict(zip(zip(rows["metric"], rows["mode"], strict=True), rows["value"], strict=True))


@linux
@pytest.mark.usefixtures("forks")
def test_each_call_of_a_mix_is_measured_in_a_process_of_its_own_once(tmp_path):
    run = Run(tmp_path, "nafblock")
    found = run.measure()
    assert set(found) == {
        ("peak_memory_resident", "24x24"),
        ("peak_memory_allocated", "24x24"),
        ("training_memory_resident", "1 crops of 16x16"),
        ("training_memory_allocated", "1 crops of 16x16"),
    }
    assert all(value > 0 for (metric, _), value in found.items() if "allocated" in metric)
    assert run.told == [
        PhaseBegan("resident memory", 2),
        PhaseStep("resident memory", 1, 2),
        PhaseStep("resident memory", 2, 2),
    ]
    run.told.clear()
    assert run.measure() == found
    assert run.told == [PhaseBegan("resident memory", 0)]


def test_a_process_that_fails_is_noted_with_the_reason(monkeypatch, tmp_path):
    def died(jobs, workers):
        yield Failed(jobs[0], "the process was ended by SIGKILL", "")

    monkeypatch.setattr("ablate.engines.single.run_jobs", died)
    run = Run(tmp_path, "nafblock", "plain_block")
    assert run.measure() == {}
    notes = run.record.notes()
    assert sorted(notes["topic"]) == ["peak_memory_resident"] * 2 + ["training_memory_resident"] * 2
    assert notes["text"][0] == "24x24: was not measured: the process was ended by SIGKILL"
    run.told.clear()
    assert run.measure() == {}  # and is not tried again
    assert run.told == [PhaseBegan("resident memory", 0)]


@pytest.mark.parametrize(("device", "asked"), [("cuda", True), ("cpu", False)])
def test_nothing_is_measured_where_nobody_asks_or_the_networks_run_elsewhere(
    tmp_path, device, asked
):
    run = Run(tmp_path, "nafblock")
    assert run.measure(device, asked) == {}
    assert run.told == []


def test_the_forecast_grows_with_mixes_and_sizes():
    sizes = ((24, 24), (48, 48))
    assert forecast_seconds(5, Profile(size=sizes)) == 0
    once = forecast_seconds(1, Profile(size=sizes[:1], resident=True))
    assert forecast_seconds(4, Profile(size=sizes, resident=True)) == 4 * once * 3 / 2


def test_where_the_system_forgets_no_peak_the_rise_of_the_highest_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(resident, "_PROCESS", tmp_path / "nowhere")
    found = resident_inference(Twelve, (1, 3, 8, 8), allocator="system")
    assert found.how == "by how much the process' highest resident memory rose"
    assert found.peak >= 0 and found.before > MEBIBYTE
    assert found.allocator == "system default"


@pytest.mark.parametrize("entry", ["VmRSS", "VmHWM"])
def test_a_system_that_does_not_say_all_of_a_process_is_asked_otherwise(
    monkeypatch, tmp_path, entry
):
    (tmp_path / "status").write_text(f"Name:\tpython\n{entry}:\t 4000 kB\n")
    monkeypatch.setattr(resident, "_PROCESS", tmp_path)
    found = resident_inference(Twelve, (1, 3, 8, 8), allocator="system")
    assert found.how == "by how much the process' highest resident memory rose"
    assert found.peak >= 0


@linux
def test_a_step_is_measured_with_its_recipe():
    recipe = Training(channels_last=False, ema=0.9)
    found = resident_training(Twelve, (2, 3, 16, 16), recipe, allocator="system")
    assert found.flags["channels_last"] == "off"
    assert found.allocated >= 13 * 2 * 3 * 16 * 16 * 4


@linux
def test_a_job_measures_the_shape_that_it_is_given():
    small, large = (measure_resident(job(side), print).allocated for side in (16, 64))
    assert large > 4 * small  # 16 times the pixels, the same weights


def test_freed_memory_can_be_given_back_at_once():
    asked = []

    def mallopt(parameter: int, value: int) -> int:
        asked.append((parameter, value))
        return 1

    assert returning_allocator(mallopt) == "glibc malloc, mmap threshold 64 KiB"
    assert asked == [(-3, 64 << 10)]
    assert returning_allocator(lambda *_: 0) == "glibc malloc, mmap threshold refused"


def mix(block: str) -> Mix:
    network = unet(stage("stage1", block), stage("decoder1"), width=8)
    task = Task(degradation=Choice.of("gaussian_noise"))
    return Mix(task=task, network=network, training=Training(crop=16, batch=1))


def job(side: int) -> ResidentJob:
    return ResidentJob(
        mix=mix("nafblock").to_json(),
        metric="peak_memory",
        shape=(1, 3, side, side),
        precision="float32",
        channels_last=True,
        allocator="system",
    )
