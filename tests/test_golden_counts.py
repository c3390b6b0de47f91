"""Operators, blocks and presets against arithmetic, by us, by fvcore and by FlopCounterMode.

`python -m tests.test_golden_counts` writes what the others make of our blocks.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

import blocks
from ablate.profiling.ledger import REST, ledger
from benchmarks.counters import closed_forms
from benchmarks.operators import IMAGE, OPERATORS, flop_counter_macs, fvcore_macs
from blocks._routing import Routed, forcing
from tests.shipped import network

GOLDEN = Path(__file__).parent / "golden" / "counters.json"
CHANNELS, SIDE = 24, 16
FEATURES = (1, CHANNELS, SIDE, SIDE)

every_operator = pytest.mark.parametrize("name", OPERATORS)
every_block = pytest.mark.parametrize("name", list(blocks.blocks))


@every_operator
def test_our_count_of_an_operator_is_its_arithmetic(name):
    case = OPERATORS[name]
    found = ledger(case.make(), IMAGE)
    assert found.total.macs == case.macs
    assert (found.uncounted == {}) is case.counted


def test_a_planted_operator_is_named_as_uncounted():
    found = ledger(OPERATORS["planted custom operator"].make(), IMAGE)
    assert found.uncounted == {"ablate_golden.planted": ""}


def test_a_fourier_transform_and_a_norm_have_columns_of_their_own():
    transform = ledger(OPERATORS["Fourier transform"].make(), IMAGE).total
    assert transform.fft == 2 * 2.5 * 16 * 64 * 6  # there and back; log2 of 64 points
    assert ledger(OPERATORS["LayerNorm"].make(), IMAGE).total.norm == 5 * 16 * 64


@every_operator
def test_fvcore_counts_an_operator_as_recorded_or_has_been_mended(name):
    case = OPERATORS[name]
    recorded = case.macs if case.fvcore is None else case.fvcore
    # it reads four digits of what numpy prints of an einsum
    assert fvcore_macs(case.make(), IMAGE) in map(roughly, (recorded, case.macs))


@every_operator
def test_flop_counter_counts_an_operator_as_recorded_or_has_been_mended(name):
    case = OPERATORS[name]
    recorded = case.macs if case.flop_counter is None else case.flop_counter
    assert flop_counter_macs(case.make(), IMAGE) in (recorded, case.macs)


@every_block
def test_our_count_of_a_block_is_its_closed_form(name):
    block = blocks.make(name, CHANNELS)
    found = ledger(block, FEATURES, strict=True)
    assert found.most.macs == pytest.approx(block.macs(SIDE, SIDE), rel=1e-3)


@every_block
def test_others_count_a_block_as_recorded(name):
    golden = json.loads(GOLDEN.read_text())[name]
    assert ledger(blocks.make(name, CHANNELS), FEATURES).most.macs == golden["macs"]
    assert others(name) == {key: roughly(golden[key]) for key in ("fvcore", "flop_counter")}


PRESETS = ("nafnet-gopro-32", "restormer", "restormixer", "m3snet-32", "mambairv2-light-x2")


@pytest.mark.parametrize("name", PRESETS)
def test_the_blocks_of_a_preset_cost_their_closed_forms(name):
    model = network(name)
    found = ledger(model, (1, 3, 64, 64), strict=True)
    counted = [cost.macs for block, cost in found.by_block.items() if block != REST]
    assert counted == [pytest.approx(n, rel=0.01) for n in closed_forms(model, (1, 3, 64, 64))]


def test_the_closed_forms_of_a_network_are_those_of_all_images_of_a_batch():
    model = network("nafnet-gopro-32")
    one, two = (closed_forms(model, (images, 3, 16, 16)) for images in (1, 2))
    assert two == [2 * macs for macs in one]


@cache
def others(name: str) -> dict[str, int]:
    """What fvcore and FlopCounterMode make of a block, with its most expensive experts."""
    block = blocks.make(name, CHANNELS)
    with forcing(block, Routed.dearest):
        return {
            "fvcore": fvcore_macs(block, FEATURES),
            "flop_counter": flop_counter_macs(block, FEATURES),
        }


def roughly(macs: int) -> object:
    return pytest.approx(macs, rel=1e-3)


if __name__ == "__main__":
    table = {}
    for name in blocks.blocks:
        ours = ledger(blocks.make(name, CHANNELS), FEATURES).most.macs
        table[name] = {"macs": ours, **others(name)}
    GOLDEN.write_text(json.dumps(table, indent=2) + "\n")
