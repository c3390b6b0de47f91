"""Energy in a run: counted in a process of its own, written as rows, or a reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablate.costs import energy_phase, energy_sitting
from ablate.costs import phase as costs
from ablate.costs.counts import cost_metrics
from ablate.costs.energy_rows import energy_metrics, energy_rows
from ablate.costs.energy_sitting import (
    Energies,
    EnergyJob,
    count_energy,
    energy_together,
    forecast_seconds,
)
from ablate.engines.job import Failed, Job
from ablate.events import Warned
from ablate.mix import Choice, Mix, Task, Training
from ablate.profile import Profile
from ablate.profiling import energy
from ablate.profiling.conditions import watcher
from ablate.profiling.energy import Energy, Meter
from ablate.profiling.latency import REFERENCE, Mode
from ablate.profiling.nvml import Absent, Device
from reports.record import Measurement, Note, Record
from tests.fake_nvml import FakeNvml
from tests.test_network import stage, unet

PROFILE = Profile(size=((16, 16),), batch=2, energy=True)
FOUND = Energy(
    joules=0.5,
    low=0.4,
    high=0.6,
    gross=0.8,
    watts=160,
    idle_watts=60,
    windows=3,
    seconds=1.0,
    period=0.02,
    counter="a counter",
)


def mix(*blocks: str, crop: int = 16) -> Mix:
    task = Task(degradation=Choice.of("gaussian_noise"))
    network = unet(stage("stage1", *blocks), stage("decoder1"), width=8)
    return Mix(task=task, network=network, training=Training(crop=crop, batch=1))


def rows(counted: Energies, *mixes: Mix) -> tuple[list[Measurement], list[Note]]:
    return energy_rows(mixes, counted, (16, 16), PROFILE, "cpu", "s1")


def test_an_image_has_its_energy_with_the_spread_of_the_windows() -> None:
    one = mix("nafblock")
    counted = {one.network.key: FOUND, REFERENCE: replace(FOUND, joules=0.1)}
    found, notes = rows(Energies(found=counted), one)
    row = next(row for row in found if row.subject == one.key and row.metric == "energy")
    assert (row.value, row.low, row.high, row.n) == (0.5, 0.4, 0.6, 3)
    assert (row.mode, row.device, row.sitting) == ("16x16 batch 2", "cpu", "s1")
    values = {(row.subject, row.metric): row.value for row in found}
    assert values[one.key, "energy_gross"] == 0.8
    assert values[one.key, "power_working"] == 160
    assert values[REFERENCE, "energy"] == 0.1
    assert values["machine", "power_idle"] == 60
    assert notes == []


def test_a_network_that_runs_again_and_again_does_not_find_its_caches_emptied() -> None:
    one = mix("nafblock")
    counted = Energies(found={one.network.key: FOUND, REFERENCE: FOUND})
    flushed = replace(PROFILE, flush=True)
    found, _ = energy_rows([one], counted, (16, 16), flushed, "cpu", "s1")
    assert {row.mode for row in found} == {"16x16 batch 2"}


def test_mixes_that_are_the_same_network_share_their_energy() -> None:
    one, other = mix("nafblock"), mix("nafblock", crop=8)
    found, _ = rows(Energies(found={one.network.key: FOUND, REFERENCE: FOUND}), one, other)
    assert {one.key, other.key} <= {row.subject for row in found}
    assert one.key != other.key


def test_what_could_not_be_counted_has_a_reason_and_no_row() -> None:
    one, other = mix("nafblock"), mix()
    counted = Energies(
        found={
            one.network.key: Absent("out of memory"),
            other.network.key: replace(FOUND, note="idle power moved between 1.0 W and 2.0 W"),
            REFERENCE: FOUND,
        }
    )
    found, notes = rows(counted, one, other)
    assert one.key not in {row.subject for row in found}
    assert [(note.subject, note.topic, note.text) for note in notes] == [
        (one.key, "energy", "not counted: out of memory"),
        (other.key, "energy", "idle power moved between 1.0 W and 2.0 W"),
    ]


def test_a_machine_without_a_counter_has_one_note() -> None:
    found, notes = rows(Energies(failure="Not Supported"), mix())
    assert found == []
    assert [note.text for note in notes] == ["not counted: Not Supported"]


def test_every_row_has_a_metric_with_its_protocol() -> None:
    one = mix()
    found, _ = rows(Energies(found={one.network.key: FOUND, REFERENCE: FOUND}), one)
    metrics = {metric.name: metric for metric in energy_metrics("cuda")}
    assert {row.metric for row in found} == set(metrics)
    assert (metrics["energy"].unit, metrics["energy"].better) == ("J", "lower")
    assert "NVML's counter of the board" in metrics["energy"].protocol


class Board:
    """Every finished stretch took 30 ms at 160 W; idling takes 60 W."""

    def __init__(self) -> None:
        self.now = self.used = 0.0

    def spend(self, seconds: float, watts: float) -> None:
        self.now += seconds
        self.used += seconds * watts

    def meter(self) -> Meter:
        return Meter(
            name="a counter of known power",
            read=lambda: self.used,
            finish=lambda: self.spend(30e-3, 160),
            clock=lambda: self.now,
            sleep=lambda seconds: self.spend(seconds, 60),
        )


def test_networks_are_counted_side_by_side_with_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board, look = Board(), watcher(torch.device("cuda"), nvml=Device(FakeNvml(), "handle"))
    monkeypatch.setattr(energy_sitting, "meter_for", lambda device: board.meter())
    monkeypatch.setattr(energy, "watcher", lambda device: look)
    one = mix("nafblock")
    job = EnergyJob(
        mixes=(one.to_json(),), size=(16, 16), profile=PROFILE, mode=Mode(), device="cpu"
    )
    told: list[object] = []
    counted = count_energy(job, told.append)
    assert counted.failure == ""
    assert set(counted.found) == {one.network.key, REFERENCE}
    for found in counted.found.values():
        assert isinstance(found, Energy)
        assert found.joules == pytest.approx(100 * 30e-3 / 2, rel=0.05)  # two images in a call
    assert told == [1, 2, 3]


def test_without_a_counter_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy_sitting, "meter_for", lambda device: Absent("Not Supported"))
    job = EnergyJob(mixes=("no mix",), size=(16, 16), profile=PROFILE, mode=Mode(), device="cpu")
    assert count_energy(job, lambda message: None) == Energies(failure="Not Supported")


@pytest.mark.usefixtures("forks")
def test_a_fresh_process_counts_or_says_why_not() -> None:
    one = mix()
    counted = energy_together([one], size=(16, 16), profile=PROFILE, device="cpu", plugins=())
    if counted.failure:
        assert "counter" in counted.failure or "energy_uj" in counted.failure
    else:
        assert set(counted.found) == {one.network.key, REFERENCE}


def test_a_process_that_dies_is_a_failure_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(jobs: list[Job], workers: int) -> Iterator[Failed]:
        yield Failed(jobs[0], "killed by signal 9", "")

    monkeypatch.setattr("ablate.engines.single.run_jobs", die)
    counted = energy_together([mix()], size=(16, 16), profile=PROFILE, device="cpu", plugins=())
    assert counted == Energies(failure="killed by signal 9")


class Phase:
    """A record with one mix, and a count of how often its energy was counted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, failure: str = "") -> None:
        self.mix, self.failure, self.counted = mix(), failure, 0
        self.events: list[object] = []
        monkeypatch.setattr(energy_phase, "energy_together", self.together)
        self.record = Record.create(folder / "record.sqlite", "a", "b", "c", {}, ("psnr",))
        self.record.define(cost_metrics(PROFILE, "cpu"))

    def together(self, networks: list[Mix], **settings: object) -> Energies:
        self.counted += 1
        found = {network.network.key: FOUND for network in networks}
        return (
            Energies(failure=self.failure)
            if self.failure
            else Energies(found={**found, REFERENCE: FOUND})
        )

    def run(self, profile: Profile) -> None:
        energy_phase.count_energies(
            costs.Phase(
                record=self.record,
                mixes={self.mix.key: self.mix},
                profile=profile,
                device="cpu",
                plugins=(),
                listener=self.events.append,
            )
        )


def test_a_run_records_energy_once_for_every_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = Phase(tmp_path, monkeypatch)
    profile = replace(PROFILE, size=((16, 16), (8, 8)), flush=True)
    for _ in range(2):
        phase.run(profile)
    assert phase.counted == 2
    rows = phase.record.measurements()
    energy = rows[(rows["metric"] == "energy") & (rows["subject"] == phase.mix.key)]
    assert sorted(energy["mode"]) == ["16x16 batch 2", "8x8 batch 2"]


def test_a_run_that_does_not_ask_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = Phase(tmp_path, monkeypatch)
    phase.run(replace(PROFILE, energy=False))
    assert phase.counted == 0
    assert not phase.events


def test_a_run_without_a_counter_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = Phase(tmp_path, monkeypatch, failure="Not Supported")
    for _ in range(2):
        phase.run(PROFILE)
    warned = [event for event in phase.events if isinstance(event, Warned)]
    assert warned == [Warned("energy was not counted: Not Supported")]
    assert phase.record.notes()["text"].tolist() == ["not counted: Not Supported"]


def test_a_forecast_has_every_window_idle_ones_too() -> None:
    windows = 3 * (4 + 1) + 3 + 1  # four networks and the reference; idling around each round
    assert forecast_seconds(4, torch.device("cuda")) == pytest.approx(5 + windows * 1.2)


def test_what_is_not_counted_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy_sitting, "meter_for", lambda device: Absent("Not Supported"))
    assert forecast_seconds(4, torch.device("cpu")) == 0


def test_energy_is_a_metric_of_those_records_only_that_asked_for_it() -> None:
    asked, other = PROFILE, replace(PROFILE, energy=False)
    assert "energy" in {metric.name for metric in cost_metrics(asked, "cpu")}
    assert "energy" not in {metric.name for metric in cost_metrics(other, "cpu")}
    assert "energy" in repr(asked)
    assert "energy" not in repr(other)
