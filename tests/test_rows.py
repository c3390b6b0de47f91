"""A mix as the record tells it to readers without torch."""

from __future__ import annotations

import pytest

from ablate.mix import Choice, Mix, Network, Stage, Task
from ablate.runs.rows import mix_row

EMVM, MWSA = Choice.of("emvm"), Choice.of("mwsa", {"window": 16, "heads": 4})


def row_of(*filled: Choice):
    stages = (Stage(slot="stage1", blocks=filled),)
    network = Network(topology=Choice.of("unet"), stages=stages)
    mix = Mix(task=Task(degradation=Choice.of("haze")), network=network)
    return mix_row(mix, "label", {"stage1": "x"})


@pytest.mark.parametrize(
    ("filled", "words", "family", "depth"),
    [
        ((), "empty", "none", 0),
        ((EMVM, EMVM, EMVM), "emvm", "mamba", 3),
        ((EMVM, MWSA, EMVM, MWSA), "emvm + mwsa window=16", "mamba + attention", 4),
        ((EMVM, EMVM, MWSA), "emvm + emvm + mwsa window=16", "mamba + attention", 3),
    ],
)
def test_a_stage_is_told_as_its_shortest_cycle_with_the_knobs_that_were_turned(
    filled: tuple[Choice, ...], words: str, family: str, depth: int
):
    (stage,) = row_of(*filled).stages
    assert (stage.blocks, stage.family, stage.depth) == (words, family, depth)


def test_only_a_mix_of_identities_is_a_baseline():
    identity = Choice.of("identity")
    assert row_of(identity, identity).baseline
    assert not row_of(identity, EMVM).baseline
