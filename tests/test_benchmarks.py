"""The benchmarks' plain versions of the blocks compute what the blocks compute."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import blocks
from ablate.profiling.timing import Timed
from benchmarks.contestants import ELSEWHERE, Contestant, agree, contestants, peak
from benchmarks.every_block import main as measure_blocks
from benchmarks.every_block_page import CONVOLUTIONS, Row, losses, table
from benchmarks.side_by_side import FEW, FEWEST, ratio, time_calls
from benchmarks.straightforward import TWINS, straightforward
from benchmarks.straightforward.scans import of_backend
from tests.test_blocks import WIDER, image, perturbed

SCANNING = [name for name, twin in TWINS.items() if "scan" in signature(twin).parameters]

every_block = pytest.mark.parametrize("name", list(blocks.blocks))


def hold_together(name: str, size: tuple[int, int], training: bool = False, **knobs) -> None:
    channels = WIDER.get(name, 8)
    block = perturbed(name, channels, **knobs).double().train(training)
    x, weight = (image(2, channels, *size, seed=seed).double() for seed in (1, 2))
    ours = both(block, x, weight, block)
    plain = both(block, x, weight, lambda x: straightforward(block, x))
    torch.testing.assert_close(plain, ours, rtol=1e-7, atol=1e-9)


def both(block: nn.Module, x: Tensor, weight: Tensor, run) -> dict[str, Tensor]:
    """Value and gradients; a parameter that was not reached has a gradient of 0."""
    block.zero_grad()
    x = x.clone().requires_grad_()
    torch.manual_seed(3)  # blocks that draw noise in training draw the same
    y = run(x)
    (y * weight).sum().backward()
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in block.named_parameters()
    }
    return {"value": y.detach(), "input": x.grad, **gradients}


def test_every_block_has_a_plain_version():
    assert sorted(TWINS) == list(blocks.blocks)


@every_block
def test_a_block_and_its_plain_version_agree_in_value_and_gradient(name):
    hold_together(name, (6, 9))


@every_block
def test_they_agree_in_training_with_the_same_noise(name):
    hold_together(name, (8, 8), training=True)


@pytest.mark.parametrize(
    ("name", "knobs", "size"),
    [
        ("assb", {"window": 4}, (9, 8)),
        ("maib", {}, (5, 11)),
        ("mwsa", {"window": 3}, (7, 6)),
        ("swin", {"window": 4}, (9, 12)),
        ("swin", {"window": 4}, (4, 8)),
    ],
)
def test_the_second_block_of_a_stage_agrees_too(name, knobs, size):
    hold_together(name, size, index=1, **knobs)


@pytest.mark.parametrize("name", SCANNING)
def test_plain_versions_take_any_scan(name):
    block, x = perturbed(name), image(1, 8, 6, 5)
    with torch.no_grad():
        looped, torch_scan = (straightforward(block, x, s) for s in (None, of_backend("torch")))
    torch.testing.assert_close(looped, torch_scan, rtol=1e-4, atol=1e-5)


# The benchmark itself.


class HeldClock:
    """Calls for real; says how long its name says that a call takes."""

    untimed, aim = 1, 1.0

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.calls = seconds, dict.fromkeys(seconds, 0)

    def call(self, name: str):
        def run() -> None:
            self.calls[name] += 1
            self.last = name

        return run

    def time(self, call, calls: int) -> Timed:
        for _ in range(calls):
            call()
        return Timed(seconds=self.seconds[self.last])


def test_slow_calls_take_part_in_the_first_rounds_only():
    clock = HeldClock(ours=0.01, plain=2.0)
    calls = {name: clock.call(name) for name in clock.seconds}
    found = time_calls(calls, clock, most=12, seconds=1e3, seed=0)
    assert {name: len(values) for name, values in found.items()} == {"ours": 12, "plain": FEW}
    assert clock.calls["plain"] == 1 + FEW  # once to warm up; none untimed


def test_rounds_are_as_many_as_the_time_allows_but_never_very_few():
    clock = HeldClock(ours=0.01, plain=0.02)
    calls = {name: clock.call(name) for name in clock.seconds}
    counts = [
        len(time_calls(calls, clock, most=most, seconds=seconds, seed=0)["ours"])
        for most, seconds in ((30, 1e3), (30, 1e-3), (2, 1e-3))
    ]
    assert counts == [30, FEWEST, 2]


def test_a_ratio_is_the_median_over_rounds_and_lies_in_its_interval():
    ours = np.array([1.0, 2.0, 4.0, 1.0, 1.0])
    steady = ratio(3 * ours, ours)
    assert (steady.median, steady.low, steady.high) == (3.0, 3.0, 3.0)
    found = ratio(np.array([1.0, 4.0, 12.0]), ours)
    assert found.median == 2.0
    assert found.low == 1.0
    assert found.high == 3.0


def test_blocks_that_do_not_agree_are_not_timed():
    block, x = perturbed("rcab"), image(1, 8, 6, 5)
    wrong = Contestant("wrong", "contiguous", lambda block, x: 1.01 * block(x))
    with pytest.raises(AssertionError, match=r"wrong, contiguous: .* is off by"):
        agree([contestants(block)[0], wrong], block, x)


def test_peak_memory_is_the_same_followed_on_real_tensors_and_forecast():
    block, x = perturbed("vss"), image(1, 8, 6, 5)
    plain = next(way for way in contestants(block) if way.loops)
    for timed in ("forward", "both"):
        followed, forecast = (
            peak(replace(plain, loops=loops), block, x, timed) for loops in (True, False)
        )
        assert followed == forecast > peak(contestants(block)[0], block, x, timed)


def row(block: str, ratio: tuple[float, float, float] | None, against: str = "plain") -> Row:
    median, low, high = ratio or (None, None, None)
    ours, other = (0.002, 0.001) if ratio else (None, None)
    return Row(block, 64, "forward", against, "contiguous", ours, other, median, low, high, 5, 1, 2)


def test_a_block_that_is_slower_is_named_with_the_reason():
    even, lost = row("vss", (0.9, 0.8, 1.1)), row("rcab", (0.6, 0.5, 0.7))
    assert list(losses([even, row("vss", (0.5, 0.4, 0.6), ELSEWHERE)])) == [
        "No block is slower than any of its plain versions by more than the interval."
    ]
    assert list(losses([even, lost, lost])) == [
        f"- rcab is slower somewhere: {CONVOLUTIONS}.",
    ]


def test_contiguous_memory_is_shown_only_where_a_block_is_slower():
    beaten = [row("rcab", (0.6, 0.5, 0.7))] * 2 + [row("rcab", (0.7, 0.6, 0.8), ELSEWHERE)] * 2
    even = [row("vss", (1.5, 1.2, 1.6))] * 2 + [row("vss", (0.7, 0.6, 0.8), ELSEWHERE)] * 2
    lines = list(table([*beaten, *even]))[2:]
    assert [line.split(" | ")[2] for line in lines] == ["plain", ELSEWHERE, "plain"]
    assert "| 2.00 | 0.60 (0.50 to 0.70; slower) |" in lines[0]
    assert "| 2.00 | 1.50 (1.20 to 1.60) |" in lines[2]


def test_what_did_not_fit_into_memory_says_how_much_it_needs():
    rows = [replace(row("vss", None), bytes_other=8 * 2**30)] * 2
    assert "not run: 8 GiB" in list(table(rows))[2]


def test_the_command_writes_a_table_and_its_numbers(tmp_path, monkeypatch):
    command = ["every_block", "--rounds", "1", "--sizes", "8", "--channels", "16", "--seconds", "0"]
    command += ["--blocks", "nafblock", "vss", "--out", str(tmp_path / "blocks.json")]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr("benchmarks.every_block.steady_allocator", lambda: "as it is")
    measure_blocks()
    measured = json.loads((tmp_path / "blocks.json").read_text())
    against = [(row["block"], row["against"], row["timed"]) for row in measured["rows"]]
    assert against[:2] == [("nafblock", "plain", "forward"), ("nafblock", "plain", "both")]
    assert ("vss", "plain, scan `torch`", "both") in against
    assert all(row["ratio"] > 0 and row["bytes_other"] > 0 for row in measured["rows"])
    assert measured["machine"]["torch"] == torch.__version__
    text = (tmp_path / "blocks.md").read_text()
    assert "| nafblock | 8 | plain |" in text
    assert "| vss | 8 | plain, the block's scan |" in text
