"""Ceilings are the best that was seen, and bounds follow from them by arithmetic."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from ablate.profiling import ceilings
from ablate.profiling.ceilings import CeilingError, Ceilings, measure_ceilings, protocol
from ablate.profiling.timing import Call, Timed

CPU = torch.device("cpu")
MACHINE = Ceilings(
    device="cpu",
    threads=1,
    copies=((2**20, 100e9), (2**22, 50e9), (2**28, 10e9)),
    products=(("float32", 80e9), ("bfloat16", 160e9)),
    launch=2e-6,
)


class Held:
    """A clock on which every call takes 20 ms, or longer now and then."""

    untimed = 0
    aim = 1e-3

    def __init__(self) -> None:
        self.slow = itertools.cycle((3.0, 1.0, 1.5))

    def time(self, call: Call, calls: int) -> Timed:
        call()
        return Timed(seconds=0.02 * next(self.slow))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "_touched", lambda kind: (2**16, 2**20))


def test_between_measured_sizes_the_bandwidth_is_interpolated_on_logarithms():
    assert MACHINE.bandwidth(2**21) == pytest.approx(math.sqrt(100e9 * 50e9))


def test_beyond_the_measured_sizes_the_outermost_bandwidth_holds():
    assert MACHINE.bandwidth(1) == pytest.approx(100e9)
    assert MACHINE.bandwidth() == pytest.approx(10e9)
    assert MACHINE.memory == 10e9


def test_what_was_reached_with_more_bytes_can_be_reached_with_fewer():
    overhead = replace(MACHINE, copies=((2**20, 1e9), (2**24, 40e9), (2**28, 10e9)))
    assert overhead.bandwidth(2**20) == pytest.approx(40e9)
    rates = [overhead.bandwidth(2.0**exponent) for exponent in range(16, 32)]
    assert rates == sorted(rates, reverse=True)


def test_the_ridge_is_where_the_roofs_meet():
    assert MACHINE.ridge() == pytest.approx(8)
    assert MACHINE.ridge("bfloat16", 2**22) == pytest.approx(160 / 50)


def test_a_precision_that_was_not_measured_has_no_ceiling():
    with pytest.raises(CeilingError) as raised:
        MACHINE.product("float16")
    assert str(raised.value) == ("no ceiling was measured in float16 (measured: float32, bfloat16)")


@pytest.mark.usefixtures("small")
def test_the_best_round_counts():
    found = measure_ceilings(CPU, timer=Held(), rounds=3)
    assert found.copies == (
        (2**16, pytest.approx(2**16 / 0.02)),
        (2**20, pytest.approx(2**20 / 0.02)),
    )
    assert dict(found.products) == {"float32": pytest.approx(2 * 256**3 / 0.02)}
    assert found.launch == pytest.approx(0.02)
    assert (found.device, found.threads) == ("cpu", 1)


@pytest.mark.usefixtures("small")
def test_a_real_machine_moves_and_multiplies_something(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ceilings, "_LARGEST_SIDE", {"cpu": 256})
    told: list[tuple[int, int]] = []
    before = torch.get_num_threads()
    found = measure_ceilings(CPU, rounds=2, report=lambda done, rounds: told.append((done, rounds)))
    assert told == [(1, 2), (2, 2)]
    assert torch.get_num_threads() == before
    assert all(1e7 < rate < 1e13 for _, rate in (*found.copies, *found.products))
    assert 0 < found.launch < 1e-2
    assert "best of" in protocol(found)


@pytest.mark.parametrize("name", ["tf32", "int8"])
def test_a_precision_that_the_device_lacks_is_one_clear_line(name: str):
    with pytest.raises(CeilingError) as raised:
        measure_ceilings(CPU, precisions=[name])  # type: ignore[list-item]
    assert str(raised.value) == (
        f"no ceiling in '{name}' can be measured on cpu; expected one of float32, bfloat16, float16"
    )


def test_the_largest_copy_is_several_times_what_the_largest_cache_holds(
    monkeypatch: pytest.MonkeyPatch,
):
    largest = {}
    for cache in (0, 32 << 20, 100 << 20, 504 << 20, 64 << 30):
        monkeypatch.setattr(ceilings, "cache_bytes", lambda cache=cache: cache)
        largest[cache >> 20] = ceilings._touched("cpu")[-1] >> 20
    assert largest == {0: 256, 32: 256, 100: 512, 504: 2048, 65536: 2048}
    assert ceilings._touched("cuda")[-1] == 2**30
