"""The clock's test: under clocks of known faults, with work that only moves a held clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, cycle

import pytest
import torch

from ablate.profiling import _known_work
from ablate.profiling._known_work import cpu_kernel, cuda_kernel
from ablate.profiling.nvml import Absent, Device
from ablate.profiling.selftest import Kernel, SelfTest, self_test, words
from ablate.profiling.timing import Timed
from tests.fake_nvml import ANSWERS, FakeNvml

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Machine:
    """Work moves the time; a timer of this machine can be wrong, disturbed or both.

    Args:
        fault: Times as long as the truth, what the timer says.
        overhead: Seconds that the timer adds to every stretch.
        delays: Seconds that other processes add, one stretch after the other.
        flagged: Whether the timer flags what was delayed.
    """

    untimed, aim = 1, 2e-3

    def __init__(
        self,
        fault: float = 1.0,
        overhead: float = 0.0,
        delays: Iterator[float] | None = None,
        flagged: bool = False,
    ) -> None:
        self.now = 0.0
        self.fault, self.overhead, self.flagged = fault, overhead, flagged
        self.delays = delays or cycle([0.0])

    def spend(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        self.now += 25e-9
        return self.now

    def time(self, call: Callable[[], object], calls: int) -> Timed:
        begun = self.now
        for _ in range(calls):
            call()
        delay = next(self.delays)
        self.now += delay
        seconds = (self.now - begun) * self.fault + self.overhead
        return Timed(seconds=seconds / calls, flagged=self.flagged and delay > 0)

    def kernel(self) -> Kernel:
        return Kernel(
            name="a known stretch",
            seconds=10e-3,
            known=lambda: self.spend(10e-3),
            work=lambda parts: self.spend(parts * 4e-3),
            tolerance=0.01,
        )

    def test(self, kernel: Kernel | None = None) -> SelfTest:
        kernel = kernel or self.kernel()
        found = self_test(CPU, kernel=kernel, timer=self, clock=self.clock)
        assert isinstance(found, SelfTest), found
        return found


def test_a_clock_that_is_right_is_good() -> None:
    found = Machine().test()
    assert (found.expected, found.problems, found.disturbances) == (10e-3, (), ())
    assert found.least == pytest.approx(10e-3)
    assert found.median == pytest.approx(10e-3)
    assert found.high == pytest.approx(10e-3)
    assert found.host == pytest.approx(10e-3, rel=1e-4)
    assert found.doubled == pytest.approx(2)
    assert found.step == pytest.approx(25e-9, rel=1e-3)
    assert words(found) == (
        "good: a known stretch of 10.00 ms was timed as 10.00 ms (median 10.00 ms of 20 repeats; "
        "10.00 ms by the host's clock, which steps by 25 ns); twice the work took 2.00 times as "
        "long"
    )


def test_a_clock_that_runs_fast_is_off() -> None:
    found = Machine(fault=1.02).test()
    assert found.problems == ("the clock is off by +2.0%",)
    assert words(found).startswith("the clock is off by +2.0%: a known stretch of 10.00 ms was")
    assert Machine(fault=0.98).test().problems == ("the clock is off by -2.0%",)


def test_a_clock_that_differs_from_the_hosts_is_told() -> None:
    machine = Machine(fault=1.1)
    unknown = replace(machine.kernel(), seconds=Absent("Not Supported"))
    found = machine.test(unknown)
    assert found.expected == Absent("Not Supported")
    assert found.problems == ("the host's clock says 10.00 ms",)
    assert "a known stretch, of unknown length (Not Supported), was timed as 11.00" in words(found)


def test_a_timer_with_an_overhead_does_not_double() -> None:
    found = Machine(overhead=1e-3).test()
    assert found.doubled == pytest.approx(9 / 5)
    assert "equal work takes unequal time" in found.problems
    assert words(found).endswith("; twice the work took 1.80 times as long")


def test_work_that_others_interrupt_says_nothing_about_the_clock() -> None:
    delays = chain([0.0], cycle([2e-3, 0.0, 3e-3]))  # once warm; then known, once, twice
    found = Machine(delays=delays, flagged=True).test()
    assert found.problems == ()
    assert found.disturbances == (
        "100% of the repeats were slowed down by heat, power or other processes",
        "the clock is off by +20.0%",
        "the host's clock says 10.00 ms",
        "equal work takes unequal time",
    )
    assert words(found).startswith("the machine is not quiet (100% of the repeats were slowed")


def test_others_do_not_make_work_shorter() -> None:
    delays = chain([0.0], cycle([0.0, 0.0, 0.0, 5e-3, 0.0, 0.0]))
    found = Machine(fault=0.9, delays=delays).test()
    assert found.problems[0] == "the clock is off by -10.0%"
    assert found.disturbances


def test_a_busy_machine_is_told_from_a_wrong_clock() -> None:
    found = Machine(delays=cycle([0.0, 1e-3, 2e-3, 4e-3, 0.0]), flagged=True).test()
    assert found.problems == ()
    assert found.least == pytest.approx(10e-3)
    assert len(found.disturbances) == 2
    assert found.disturbances[0].endswith("slowed down by heat, power or other processes")
    assert found.disturbances[1] == "one repeat in ten took 40% longer or more"
    assert words(found).startswith("the machine is not quiet (")


def test_a_clock_that_stands_still_is_said() -> None:
    machine = Machine()
    found = self_test(CPU, kernel=machine.kernel(), timer=machine, clock=lambda: 1.0)
    assert found == Absent("the host's clock stands still: 20 of 20 timings took 0 s by it")
    still = self_test(CPU, kernel=machine.kernel(), timer=Machine(fault=0.0), clock=machine.clock)
    assert still == Absent("the timer stands still: 40 of 40 timings took 0 s by it")
    assert "which made no step)" in words(replace(machine.test(), step=None))


def test_work_that_fails_is_a_reason_and_no_error() -> None:
    def fail() -> None:
        raise RuntimeError("device is lost\nsecond line")

    machine = Machine()
    broken = replace(machine.kernel(), known=fail)
    assert self_test(CPU, kernel=broken, timer=machine) == Absent("device is lost")


def test_without_a_gpu_its_clock_cannot_be_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert self_test(CUDA) == Absent("PyTorch sees no CUDA device")


def test_the_processors_loop_lasts_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    monkeypatch.setattr(_known_work.time, "clock_gettime", lambda which: machine.clock())
    kernel = cpu_kernel()
    begun = machine.now
    kernel.known()
    assert machine.now - begun == pytest.approx(kernel.seconds, rel=1e-4)


def test_the_processors_work_is_twice_as_much_where_it_is_doubled() -> None:
    work = cpu_kernel().work
    once, twice = work(1), work(2)
    assert isinstance(once, list)
    assert isinstance(twice, list)
    assert len(twice) == 2 * len(once)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_known_work.time, "sleep", lambda seconds: None)


@pytest.mark.usefixtures("at_once")
def test_a_gpus_kernel_has_as_many_cycles_as_its_clock_makes() -> None:
    launched: list[int] = []
    kernel = cuda_kernel(
        CUDA, nvml=Device(FakeNvml(), "handle"), sleep=launched.append, finish=launched.clear
    )
    assert kernel.name == "a kernel of 17,550,000 cycles at 1755 MHz"
    assert kernel.seconds == pytest.approx(10e-3)
    launched.clear()
    kernel.known()
    kernel.work(1)
    kernel.work(2)
    assert launched == [17_550_000, 8_775_000, 17_550_000]
    kernel.finish()
    assert not launched


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("call", ANSWERS)
def test_a_gpu_whose_clock_cannot_be_read_is_tested_against_the_host(call: str) -> None:
    machine = Machine()
    library = FakeNvml(fails=call, error=RuntimeError("Not Supported"))
    kernel = cuda_kernel(
        CUDA,
        nvml=Device(library, "handle"),
        sleep=lambda cycles: machine.spend(cycles / 1.755e9),
        finish=lambda: None,
    )
    found = self_test(CUDA, kernel=kernel, timer=machine, clock=machine.clock)
    assert isinstance(found, SelfTest)
    assert math.isclose(found.doubled, 2, rel_tol=1e-6)
    if call == "nvmlDeviceGetClockInfo":
        assert found.work == "a kernel of 15,000,000 cycles"
        assert found.expected == Absent("Not Supported")
    assert found.problems == ()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_real_gpus_events_agree_with_its_clock() -> None:
    found = self_test(CUDA)
    assert isinstance(found, SelfTest)
    assert found.doubled == pytest.approx(2, rel=0.05)
