"""Energy per image against counters of known power, under a clock that only work moves."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate.profiling import energy
from ablate.profiling._energy_meter import Lost, Meter, meter_for
from ablate.profiling.conditions import watcher
from ablate.profiling.energy import Energy, energies, protocol
from ablate.profiling.nvml import Absent, Device
from tests.fake_nvml import ANSWERS, FakeNvml

CPU = torch.device("cpu")


class Board:
    """A board that draws `idle` watts, and a counter that steps every `period` seconds."""

    def __init__(self, idle: float = 60.0, period: float = 0.1, drift: float = 0.0) -> None:
        self.now, self.used, self.shown = 0.0, 0.0, 0.0
        self.idle, self.period, self.drift = idle, period, drift
        self.next_step = period
        self.dies_at = math.inf
        self.stops_at = math.inf

    def spend(self, seconds: float, watts: float) -> None:
        end = self.now + seconds
        while self.now < end:
            until = min(end, self.next_step)
            self.used += (watts + self.drift * self.now) * (until - self.now)
            self.now = until
            if until == self.next_step:
                self.next_step += self.period
                self.shown = self.used if self.now < self.stops_at else self.shown

    def call(self, seconds: float, watts: float) -> Callable[[], None]:
        return lambda: self.spend(seconds, watts)

    def meter(self) -> Meter:
        return Meter(
            name="a counter of known power",
            read=lambda: self.shown if self.now < self.dies_at else Absent("GPU is lost"),
            clock=lambda: self.now,
            sleep=lambda seconds: self.spend(seconds, self.idle),
        )


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests may be busy; what is measured is not on it."""
    library = FakeNvml({"nvmlDeviceGetClockInfo": 1700})
    look = watcher(torch.device("cuda"), nvml=Device(library, "handle"))
    monkeypatch.setattr("ablate.profiling._processor.CpuWatch.look", lambda self: Absent("held"))
    monkeypatch.setattr(energy, "watcher", lambda device: look)


def energy_per_image(
    call: Callable[[], object], images: int, device: torch.device, **how: Any
) -> Energy | Absent:
    """Of one network alone."""
    return energies({"": call}, images, device, **how)[""]


def measured(found: Energy | Absent) -> Energy:
    assert isinstance(found, Energy), found
    return found


def test_an_image_costs_the_power_above_idling_times_its_time() -> None:
    board = Board(idle=60)
    found = measured(energy_per_image(board.call(5e-3, 260), 1, CPU, meter=board.meter()))
    assert found.joules == pytest.approx(200 * 5e-3, rel=0.02)
    assert found.low <= found.joules <= found.high
    assert found.high - found.low < 0.04 * found.joules
    assert found.gross == pytest.approx(260 * 5e-3, rel=0.02)
    assert found.watts == pytest.approx(260, rel=0.02)
    assert found.idle_watts == pytest.approx(60, rel=0.02)
    assert found.counter == "a counter of known power"
    assert (found.windows, found.note) == (3, "")


def test_a_batch_shares_its_energy() -> None:
    board = Board()
    found = measured(energy_per_image(board.call(40e-3, 160), 8, CPU, meter=board.meter()))
    assert found.joules == pytest.approx(100 * 40e-3 / 8, rel=0.03)


@pytest.mark.parametrize(("period", "seconds"), [(1e-3, 1.0), (0.02, 1.0), (0.1, 2.0), (0.25, 5.0)])
def test_a_window_is_much_longer_than_the_counters_period(period: float, seconds: float) -> None:
    board = Board(period=period)
    found = measured(energy_per_image(board.call(3e-3, 300), 1, CPU, meter=board.meter()))
    assert found.period == pytest.approx(period, rel=0.5, abs=1e-3)
    assert found.period == pytest.approx(period, rel=0.05) or period < 0.02
    assert found.seconds >= max(seconds, 20 * found.period)
    assert found.joules == pytest.approx(240 * 3e-3, rel=0.03)


def test_many_networks_are_measured_side_by_side_in_their_own_windows() -> None:
    board = Board(idle=50)
    calls = {"a": board.call(2e-3, 150), "b": board.call(30e-3, 350), "c": board.call(8e-3, 51)}
    told: list[tuple[int, int]] = []
    found = energies(
        calls, 1, CPU, meter=board.meter(), repeats=4, report=lambda *done: told.append(done)
    )
    assert list(found) == ["a", "b", "c"]
    joules = {name: measured(each).joules for name, each in found.items()}
    assert joules["a"] == pytest.approx(0.2, rel=0.03)
    assert joules["b"] == pytest.approx(9.0, rel=0.03)
    assert joules["c"] == pytest.approx(8e-3, rel=0.5)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_board_that_warms_up_drops_out_and_is_told() -> None:
    board = Board(idle=60, drift=1.5)  # watts more in each second, idle or not
    found = measured(energy_per_image(board.call(5e-3, 160), 1, CPU, meter=board.meter()))
    assert found.joules == pytest.approx(100 * 5e-3, rel=0.03)
    assert found.note.startswith("idle power moved between ")
    assert found.note.endswith(" W")


def test_what_the_conditions_say_stands_in_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeNvml({"nvmlDeviceGetCurrentClocksEventReasons": 0x4})
    look = watcher(torch.device("cuda"), nvml=Device(library, "handle"))
    monkeypatch.setattr(energy, "watcher", lambda device: look)
    board = Board()
    found = measured(energy_per_image(board.call(5e-3, 160), 1, CPU, meter=board.meter()))
    assert found.note == "throttled: power cap"


def test_work_that_draws_nothing_has_no_energy() -> None:
    board = Board(idle=60)
    found = energy_per_image(board.call(5e-3, 40), 1, CPU, meter=board.meter())
    assert found == Absent("work draws no more than idling: 40.0 W against 60.0 W")


def test_a_counter_that_stands_still_measures_nothing() -> None:
    board = Board()
    board.stops_at = 0.0
    found = energy_per_image(board.call(5e-3, 160), 1, CPU, meter=board.meter())
    assert found == Absent("the counter made no step in 5 s")


def test_a_counter_that_stops_while_it_works_measures_nothing() -> None:
    board = Board()
    board.stops_at = 3.0
    found = energy_per_image(board.call(5e-3, 160), 1, CPU, meter=board.meter())
    assert found == Absent("the counter made no step in 5 s")


def test_a_counter_that_is_lost_on_the_way_measures_nothing() -> None:
    board = Board()
    board.dies_at = 4.0
    found = energies({"a": board.call(5e-3, 160)}, 1, CPU, meter=board.meter())
    assert found == {"a": Absent("GPU is lost")}


def test_a_call_longer_than_the_counters_patience_is_measured() -> None:
    board = Board()
    found = measured(energy_per_image(board.call(7.0, 160), 1, CPU, meter=board.meter()))
    assert found.joules == pytest.approx(700, rel=0.03)


def test_a_network_that_cannot_run_does_not_cost_the_others_their_energy() -> None:
    def fail() -> None:
        raise RuntimeError("out of memory\nsecond line")

    board = Board()
    calls = {"bad": fail, "good": board.call(5e-3, 160)}
    found = energies(calls, 1, CPU, meter=board.meter())
    assert found["bad"] == Absent("cannot be run: out of memory")
    assert measured(found["good"]).joules == pytest.approx(0.5, rel=0.03)


def test_calls_run_without_gradients() -> None:
    board, seen = Board(), set[bool]()

    def call() -> None:
        seen.add(torch.is_inference_mode_enabled())
        board.spend(0.05, 160)

    energy_per_image(call, 1, CPU, meter=board.meter(), repeats=1)
    assert seen == {True}


def package(root: Path, zone: str, name: str, microjoules: int, most: int = 1000) -> Path:
    folder = root / zone
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{most}\n")
    return folder


def test_a_processors_energy_is_the_sum_of_its_packages_without_their_parts(tmp_path: Path) -> None:
    one = package(tmp_path, "intel-rapl:0", "package-0", 100)
    package(tmp_path, "intel-rapl:0:0", "core", 50)
    two = package(tmp_path, "intel-rapl:1", "package-1", 200)
    (tmp_path / "intel-rapl").mkdir()
    meter = meter_for(CPU, powercap=tmp_path)
    assert isinstance(meter, Meter)
    assert meter.name == "RAPL, 2 whole processor packages"
    assert meter.joules() == 0
    (one / "energy_uj").write_text("400")
    (two / "energy_uj").write_text("201")
    assert meter.joules() == pytest.approx(301e-6)


def test_a_counter_that_starts_again_goes_on(tmp_path: Path) -> None:
    zone = package(tmp_path, "intel-rapl:0", "package-0", 0, most=1000)
    meter = meter_for(CPU, powercap=tmp_path)
    assert isinstance(meter, Meter)
    seen = []
    for shown in (900, 100, 900, 50):
        (zone / "energy_uj").write_text(str(shown))
        seen.append(meter.joules())
    assert [round((b - a) * 1e6) for a, b in pairwise([0, *seen])] == [900, 200, 800, 150]


def test_a_processor_without_a_readable_counter_says_why(tmp_path: Path) -> None:
    nowhere = meter_for(CPU, powercap=tmp_path / "none")
    assert isinstance(nowhere, Absent)
    assert nowhere.reason.startswith("the system has no counter of the processor's energy (")
    assert meter_for(CPU, powercap=tmp_path) == Absent(
        f"{tmp_path} has no counter of a processor's package"
    )
    counter = package(tmp_path, "intel-rapl:0", "package-0", 0) / "energy_uj"
    counter.unlink()
    counter.mkdir()
    unreadable = meter_for(CPU, powercap=tmp_path)
    assert isinstance(unreadable, Absent)
    assert "energy_uj" in unreadable.reason


def test_a_counter_that_goes_away_is_lost(tmp_path: Path) -> None:
    zone = package(tmp_path, "intel-rapl:0", "package-0", 0)
    meter = meter_for(CPU, powercap=tmp_path)
    assert isinstance(meter, Meter)
    (zone / "energy_uj").unlink()
    with pytest.raises(Lost, match="No such file"):
        meter.joules()


def test_a_gpus_counter_is_nvmls_in_joules() -> None:
    meter = meter_for(torch.device("cuda"), nvml=Device(FakeNvml(), "handle"))
    assert isinstance(meter, Meter)
    assert meter.joules() == 5000.25


def test_a_gpu_without_a_counter_says_why() -> None:
    library = FakeNvml(
        fails="nvmlDeviceGetTotalEnergyConsumption", error=RuntimeError("Not Supported")
    )
    found = meter_for(torch.device("cuda"), nvml=Device(library, "handle"))
    assert found == Absent("Not Supported")


@pytest.mark.parametrize("call", ANSWERS)
def test_no_failing_call_of_nvml_breaks_a_measurement(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = Device(FakeNvml(fails=call, error=RuntimeError("sensor is lost")), "handle")
    look = watcher(torch.device("cuda"), nvml=nvml)
    monkeypatch.setattr(energy, "watcher", lambda device: look)
    board = Board()
    found = energy_per_image(board.call(5e-3, 160), 1, CPU, meter=board.meter(), repeats=1)
    assert measured(found).joules == pytest.approx(0.5, rel=0.03)


def test_a_device_that_nobody_counts_says_so() -> None:
    device = torch.device("meta")
    assert energy_per_image(lambda: None, 1, device) == Absent("no counter is known for 'meta'")


def test_the_protocol_is_said() -> None:
    assert protocol(CPU).startswith("RAPL, whole packages; windows of at least 1 s and 20 steps")
    assert protocol(torch.device("cuda")).startswith("NVML's counter of the board")
