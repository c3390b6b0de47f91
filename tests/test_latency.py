"""The latency protocol under a clock that tests hold in their hands."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ablate.profile import Profile
from ablate.profiling import timing
from ablate.profiling.allocator import steady_allocator
from ablate.profiling.latency import (
    REFERENCE,
    LatencyError,
    LatencySample,
    forecast_seconds,
    measure_networks,
    protocol,
    summarise,
)
from ablate.profiling.reference import reference_network
from ablate.profiling.timing import CpuTimer, CudaTimer, Timed, calls_in_a_visit, warm_up

CPU = torch.device("cpu")
PROFILE = Profile(rounds=4, processes=2)


class HeldClock:
    """Calls for real and says the times that it was given; then the last one for ever."""

    untimed = 1
    aim = 2e-3

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)
        self.stretches: list[int] = []

    def time(self, call: Callable[[], object], calls: int) -> Timed:
        for _ in range(calls):
            call()
        self.stretches.append(calls)
        seconds = self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]
        return Timed(seconds=seconds, cpu_seconds=seconds)


class Counting(nn.Module):
    """Writes its name down each time it is called."""

    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__()
        self.name, self.log = name, log

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        self.log.append(self.name)
        return {"image": image}


def measure(
    models: dict[str, nn.Module], clock: HeldClock, profile: Profile = PROFILE, process: int = 0
) -> list[LatencySample]:
    found = measure_networks(
        models, size=(4, 6), profile=profile, process=process, seed=1, device=CPU, timer=clock
    )
    assert not found.dropped
    return list(found.rounds.samples)


def test_every_round_visits_every_network_and_the_reference_once():
    samples = measure({"a": nn.Identity(), "b": nn.Identity()}, HeldClock(1.0))
    for number in range(4):
        visited = sorted(s.subject for s in samples if s.round == number)
        assert visited == ["a", "b", REFERENCE]
    assert {s.process for s in samples} == {0}


def orders(process: int) -> list[str]:
    models = {name: nn.Identity() for name in "abcdef"}
    return [s.subject for s in measure(models, HeldClock(1.0), process=process)]


def test_each_round_and_each_process_has_an_order_of_its_own_fixed_by_the_seed():
    first = orders(0)
    rounds = [tuple(first[i : i + 7]) for i in range(0, 28, 7)]
    assert len(set(rounds)) == 4
    assert orders(0) == first
    assert orders(1) != first


def test_after_first_call_and_warm_up_a_visit_is_one_untimed_call_and_a_timed_stretch():
    log: list[str] = []
    clock = HeldClock(1.0)
    measure({"a": Counting("a", log)}, clock)
    warm = 5
    assert len(log) == 1 + warm + 4 * (1 + 1)
    assert clock.stretches == [1] * (2 * warm + 2 * 4)


def test_a_quick_network_is_called_often_enough_to_be_timed():
    log: list[str] = []
    clock = HeldClock(1e-4)
    measure({"a": Counting("a", log)}, clock)
    assert clock.stretches[-8:] == [20] * 8
    assert len(log) == 1 + 5 + 4 * (1 + 20)


@pytest.mark.parametrize(("seconds", "calls"), [(1.0, 1), (2e-3, 1), (1.9e-3, 2), (0.0, 10_000)])
def test_a_timed_stretch_lasts_two_milliseconds_at_least(seconds, calls):
    assert calls_in_a_visit(HeldClock(1.0), seconds) == calls


def test_warm_up_ends_when_three_calls_agree_but_not_before_the_fifth():
    assert warm_up(HeldClock(9.0, 5.0, 1.0, 1.0, 1.02, 7.0), lambda: None) == 1.0
    slow = HeldClock(30.0, 9.0, 5.0, 3.0, 2.0, 1.5, 1.2, 1.0, 1.0, 1.0, 8.0)
    assert warm_up(slow, lambda: None) == 1.0
    assert len(slow.stretches) == 10


def test_warm_up_ends_at_last_where_calls_never_agree():
    clock = HeldClock(*[1.0, 2.0] * 30)
    warm_up(clock, lambda: None)
    assert len(clock.stretches) == 20


def test_progress_is_reported_after_each_round():
    told: list[tuple[int, int]] = []
    measure_networks(
        {},
        size=(4, 4),
        profile=PROFILE,
        process=0,
        seed=0,
        device=CPU,
        report=lambda done, rounds: told.append((done, rounds)),
        timer=HeldClock(1.0),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_threads_and_garbage_collection_are_as_they_were_afterwards():
    class Watching(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(
                (torch.get_num_threads(), gc.isenabled(), torch.is_inference_mode_enabled())
            )
            return image

    seen: list[tuple[int, bool, bool]] = []
    before = torch.get_num_threads()
    measure({"a": Watching()}, HeldClock(1.0))
    assert set(seen) == {(1, False, True)}
    assert (torch.get_num_threads(), gc.isenabled()) == (before, True)


@pytest.mark.parametrize("channels_last", [True, False])
def test_the_image_has_the_profiles_batch_and_layout(channels_last):
    class Watching(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(image)
            return image

    seen: list[Tensor] = []
    profile = Profile(rounds=1, batch=3, channels_last=channels_last)
    measure({"a": Watching()}, HeldClock(1.0), profile)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert seen[0].shape == (3, 3, 4, 6)
    assert seen[0].is_contiguous(memory_format=layout)


def test_networks_run_in_evaluation_mode_and_in_the_profiles_precision():
    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 3, 1)

        def forward(self, image: Tensor) -> Tensor:
            seen.append((self.training, self.layer(image).dtype))
            return image

    seen: list[tuple[bool, torch.dtype]] = []
    for precision in ("float32", "bfloat16"):
        measure({"a": Watching()}, HeldClock(1.0), Profile(rounds=1, precision=(precision,)))
    assert set(seen) == {(False, torch.float32), (False, torch.bfloat16)}


def test_a_network_that_cannot_run_is_named_and_costs_the_others_nothing():
    models = {"wide": nn.Conv2d(4, 4, 1), "a": nn.Identity()}
    found = measure_networks(
        models, size=(4, 6), profile=PROFILE, process=0, seed=0, device=CPU, timer=HeldClock(1.0)
    )
    assert list(found.dropped) == ["wide"] and "4 channels" in found.dropped["wide"]
    assert {sample.subject for sample in found.rounds.samples} == {"a", REFERENCE}


def test_a_network_may_not_take_the_references_name():
    with pytest.raises(LatencyError, match="'reference' is the network that all sittings share"):
        measure({REFERENCE: nn.Identity()}, HeldClock(1.0))


def test_the_reference_is_the_same_network_every_time_and_leaves_the_random_state_alone():
    state = torch.random.get_rng_state()
    first, second = reference_network(), reference_network()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert sum(p.numel() for p in first.parameters()) == 22_032 + 5 * 24 + 3
    image = torch.rand(1, 3, 8, 8)
    assert first(image)["image"].shape == image.shape


def test_the_cpu_clock_reads_both_clocks(monkeypatch):
    wall, cpu = iter([10.0, 16.0]), iter([1.0, 6.0])
    fake = SimpleNamespace(perf_counter=lambda: next(wall), thread_time=lambda: next(cpu))
    monkeypatch.setattr(timing, "time", fake)
    timed = CpuTimer(threads=1).time(lambda: None, 2)
    assert timed == Timed(seconds=3.0, cpu_seconds=2.5, flagged=True, host=3.0)


def test_cpu_time_is_not_believed_of_several_threads(monkeypatch):
    wall, cpu = iter([0.0, 1.0]), iter([0.0, 1.0])
    fake = SimpleNamespace(perf_counter=lambda: next(wall), thread_time=lambda: next(cpu))
    monkeypatch.setattr(timing, "time", fake)
    timed = CpuTimer(threads=2).time(lambda: None, 1)
    assert math.isnan(timed.cpu_seconds)
    assert not timed.flagged


def test_on_a_cpu_the_caches_are_overwritten_before_what_is_timed(monkeypatch):
    log: list[str] = []
    monkeypatch.setattr(timing, "largest_cache", lambda: 8)
    flushing = CpuTimer(threads=1, flush=True)
    rubbish = torch.ones(16, dtype=torch.int8)
    assert flushing._rubbish.shape == rubbish.shape
    flushing._rubbish = rubbish
    readings = iter([10.0, 13.0])

    def clock() -> float:
        log.append(f"rubbish {int(rubbish.sum())}")
        return next(readings)

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=clock, thread_time=lambda: 0))
    assert flushing.time(lambda: log.append("call"), 1).seconds == 3.0
    assert log == ["rubbish 0", "call", "rubbish 0"]
    assert calls_in_a_visit(flushing, 1e-6) == 1  # another would find the caches warm
    assert calls_in_a_visit(CpuTimer(threads=1), 1e-3) == 2


def test_the_largest_cache_is_read_from_the_system(tmp_path):
    assert timing.largest_cache(tmp_path) == 64 << 20
    for number, size in enumerate(("32K", "2M", "1024K")):
        (tmp_path / f"index{number}").mkdir()
        (tmp_path / f"index{number}" / "size").write_text(f"{size}\n")
    assert timing.largest_cache(tmp_path) == 2 << 20
    (tmp_path / "index0" / "size").write_text("1048576K")
    assert timing.largest_cache(tmp_path) == 256 << 20


class FakeCuda:
    """Stands in for torch.cuda: a clock in milliseconds that each call moves on."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.now = 0.0

    def device(self, device: torch.device) -> FakeCuda:
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def Event(self, *, enable_timing: bool) -> FakeEvent:
        assert enable_timing
        return FakeEvent(self)

    def synchronize(self) -> None:
        self.log.append("synchronize")

    def run(self) -> None:
        self.log.append("call")
        self.now += 5.0


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda, self.at = cuda, -1.0

    def record(self) -> None:
        self.cuda.log.append("record")
        self.at = self.cuda.now

    def synchronize(self) -> None:
        self.cuda.log.append("wait")

    def elapsed_time(self, end: FakeEvent) -> float:
        return end.at - self.at


def host_clock(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    readings = iter(seconds)
    fake = SimpleNamespace(perf_counter=lambda: next(readings))
    monkeypatch.setattr(timing, "time", fake)


def test_the_cuda_clock_waits_only_before_the_first_and_after_the_last_call(monkeypatch):
    cuda = FakeCuda()
    monkeypatch.setattr(torch, "cuda", cuda)
    host_clock(monkeypatch, 0.0, 0.1, 0.4, 0.4, 0.5, 0.5)
    timed = CudaTimer(torch.device("cuda"), slowed=lambda: True).time(cuda.run, 2)
    assert cuda.log == ["synchronize", "record", "call", "call", "record", "wait"]
    assert timed.seconds == 5e-3
    assert timed.flagged
    assert math.isnan(timed.cpu_seconds)
    assert timed.issued == pytest.approx(0.1)  # the lesser of 0.3 and 0.1
    assert timed.host == 0.25  # 0.5 seconds, read before and after, of two calls


def test_with_a_flush_each_call_is_timed_by_itself_and_the_flush_is_not_timed(monkeypatch):
    cuda = FakeCuda()
    monkeypatch.setattr(torch, "cuda", cuda)
    monkeypatch.setattr(timing, "_cache_filler", lambda device: rubbish)

    class Rubbish:
        def zero_(self) -> None:
            cuda.log.append("flush")
            cuda.now += 100.0

    rubbish = Rubbish()
    timed = CudaTimer(torch.device("cuda"), slowed=lambda: False, flush=True).time(cuda.run, 2)
    assert cuda.log == ["synchronize", *["flush", "record", "call", "record"] * 2, "wait"]
    assert timed.seconds == 5e-3
    assert math.isnan(timed.host)  # it would count the flush


def test_the_cache_is_overwritten_twice_over(monkeypatch):
    made = []
    properties = SimpleNamespace(L2_cache_size=50 << 20)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch, "empty", lambda size, **kind: made.append((size, kind["dtype"])))
    CudaTimer(torch.device("cuda"), slowed=lambda: False, flush=True)
    assert made == [(100 << 20, torch.int8)]


@pytest.mark.parametrize(
    ("reasons", "slowed"), [(0x0, False), (0x1, False), (0x4, True), (0x40, True)]
)
def test_power_and_heat_flag_a_visit_and_idling_does_not(monkeypatch, reasons, slowed):
    uuid = "11111111-2222-3333-4444-555555555555"
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID={f"GPU-{uuid}": "handle"}.__getitem__,
        nvmlDeviceGetCurrentClocksEventReasons={"handle": reasons}.__getitem__,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    properties = SimpleNamespace(uuid=uuid)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    assert timing.throttle_check(torch.device("cuda"))() is slowed


def test_without_nvml_nothing_is_flagged(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert timing.throttle_check(torch.device("cuda"))() is False


def samples_of(
    seconds: dict[str, float],
    *,
    processes: int = 3,
    rounds: int = 20,
    noise: float = 0.0,
    drift: Callable[[int, int], float] = lambda process, number: 1.0,
    busy: float = 0.0,
) -> list[LatencySample]:
    """Samples of networks that take so long; drift slows whole rounds, noise single visits."""
    rng = np.random.default_rng(0)
    return [
        LatencySample(
            subject=subject,
            process=process,
            round=number,
            seconds=true * drift(process, number) * float(np.exp(rng.normal(0, noise))),
            cpu_seconds=true * (1 + float(rng.exponential(noise))),
            flagged=bool(rng.random() < busy),
        )
        for process in range(processes)
        for number in range(rounds)
        for subject, true in seconds.items()
    ]


TRUE = {REFERENCE: 0.010, "a": 0.020, "b": 0.040}


def test_without_noise_the_summary_is_what_was_measured():
    found = summarise(samples_of(TRUE))
    for subject, seconds in TRUE.items():
        row = found[subject]
        assert (row.seconds, row.low, row.high, row.p90) == pytest.approx([seconds] * 4)
        assert row.relative == pytest.approx(seconds / 0.010)
        assert (row.n, row.note) == (60, "")


def test_what_slows_whole_rounds_drops_out_of_the_ratios():
    def drift(process: int, number: int) -> float:
        return 1 + process + 0.3 * number

    found = summarise(samples_of(TRUE, drift=drift))
    assert found["b"].seconds / found["a"].seconds == pytest.approx(2)
    assert found["b"].low == pytest.approx(found["b"].high)
    level = 1 + 1 + 0.3 * 9.5
    assert found["a"].seconds == pytest.approx(0.020 * level)


def test_a_single_outlier_changes_nothing():
    samples = samples_of(TRUE)
    outlier = next(i for i, s in enumerate(samples) if s.subject == "a")
    samples[outlier] = LatencySample(
        subject="a", process=0, round=0, seconds=9.0, cpu_seconds=9.0, flagged=True
    )
    assert summarise(samples)["a"].seconds == pytest.approx(0.020)


def test_the_interval_holds_the_truth_and_narrows_with_rounds():
    few, many = (summarise(samples_of(TRUE, noise=0.1, rounds=rounds))["a"] for rounds in (8, 200))
    assert few.low < few.seconds < few.high
    assert many.low < 0.020 < many.high
    assert many.high - many.low < few.high - few.low


def test_the_same_samples_and_seed_give_the_same_summary():
    samples = samples_of(TRUE, noise=0.1)
    assert summarise(samples, seed=3) == summarise(samples, seed=3)
    assert summarise(samples, seed=3) == summarise(samples[::-1], seed=3)


def test_a_busy_machine_is_said_and_the_least_cpu_time_given():
    found = summarise(samples_of(TRUE, noise=0.05, drift=lambda p, r: 3.0, busy=0.5))["a"]
    assert found.seconds == pytest.approx(0.020, rel=0.01)
    assert found.note.startswith("the machine was busy: ")
    assert found.note.endswith(" % of the timed visits were disturbed; least CPU time is given")


def test_a_busy_machine_without_cpu_time_gives_wall_time_and_says_so():
    samples = [
        LatencySample(**{**vars(s), "cpu_seconds": math.nan}) for s in samples_of(TRUE, busy=1.0)
    ]
    found = summarise(samples)["a"]
    assert found.seconds == pytest.approx(0.020)
    assert found.note == (
        "the machine was busy: 100 % of the timed visits were disturbed; "
        "the time is given all the same"
    )


def test_a_fifth_of_disturbed_visits_is_still_believed():
    samples = [LatencySample(**{**vars(s), "flagged": s.round % 5 == 0}) for s in samples_of(TRUE)]
    assert summarise(samples)["a"].note == ""


def test_without_samples_there_is_nothing_to_summarise():
    with pytest.raises(
        ValueError, match="samples to summarise; expected at least 1 of every network"
    ):
        summarise([])


def test_a_round_that_lacks_a_network_is_an_error():
    with pytest.raises(ValueError, match=r"^round 19 of process 2 lacks 'b'; every round of"):
        summarise(samples_of(TRUE)[:-1])


def test_samples_without_the_reference_have_no_relative_time():
    found = summarise(samples_of({"a": 0.02, "b": 0.04}))
    assert found["a"].seconds == pytest.approx(0.02)
    assert math.isnan(found["a"].relative)


def test_a_forecast_grows_with_processes_rounds_and_networks():
    profile = Profile(rounds=30, processes=3)
    once = forecast_seconds(0.010, profile, 19)
    assert once == pytest.approx(3 * (5 + 20 * (8 * 0.010 + 30 * (2 * 0.010 + 1e-3))))
    assert forecast_seconds(0.010, Profile(rounds=30, processes=6), 19) == pytest.approx(2 * once)
    assert forecast_seconds(1e-5, profile, 0) == pytest.approx(3 * (5 + 8e-5 + 30 * 3.01e-3))


def test_the_protocol_is_said_in_words():
    said = protocol(Profile(rounds=30, processes=3), CPU)
    assert said.startswith("wall time of one call, batch 1, float32, threads 1; 3 processes x 30")
    assert protocol(Profile(), torch.device("cuda")).startswith("CUDA events of one call")


class Mallopt:
    """Refuses values that are too large for it, as some versions of glibc do."""

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self.set: dict[int, int] = {}

    def __call__(self, parameter: int, value: int) -> int:
        if value > self.largest:
            return 0
        self.set[parameter] = value
        return 1


@pytest.mark.parametrize(
    ("largest", "words"),
    [
        (1 << 40, "mmap threshold 1024 MiB, trim threshold 2048 MiB, top pad 64 MiB"),
        (1 << 26, "mmap threshold 32 MiB, trim threshold refused, top pad 64 MiB"),
    ],
)
def test_the_allocator_says_what_was_set(largest, words):
    assert steady_allocator(Mallopt(largest)) == f"glibc malloc, {words}"


def test_the_allocator_gives_mallopt_its_numbers():
    mallopt = Mallopt(1 << 40)
    steady_allocator(mallopt)
    assert mallopt.set == {-3: 1 << 30, -1: (1 << 31) - 1, -2: 64 << 20}


def test_real_networks_are_timed_by_the_real_clock():
    models: Sequence[int] = (2, 4)
    measured = measure_networks(
        {str(width): nn.Conv2d(3, width, 3) for width in models},
        size=(16, 16),
        profile=Profile(rounds=3),
        process=0,
        seed=0,
        device=CPU,
    )
    samples = measured.rounds.samples
    assert len(samples) == 3 * 3
    assert all(0 < s.seconds < 10 and 0 <= s.cpu_seconds < 10 for s in samples)
    found = summarise(samples)
    assert all(row.low <= row.seconds <= row.high for row in found.values())
