"""Mixes that lack seeds: fair means, differences by the seeds that both have, honest words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.analysis.seeds import scatter
from reports.analysis.statistics import t_quantile
from reports.answering.answer import answer, quality_effects
from reports.answering.caveats import caveats
from reports.answering.recommending import by_cost
from reports.checks.health import health
from reports.ink.front import _ends
from reports.methods.details import in_text
from reports.methods.measuring import how_sure
from reports.methods.settings import Settings
from reports.methods.training import training
from reports.numbers.found import Found
from reports.numbers.measured import quality_values
from reports.numbers.mixes import mixes as table_of_mixes
from reports.numbers.protocols import protocols
from reports.numbers.results import read
from reports.paper.results_table import results_sheet
from reports.plot.plot import plot
from reports.sections.mixes import table_intro
from reports.wording.front import margin
from tests.handmade import Made, milliseconds, record

SEEDS = (0.0, 0.3, 0.6)  # what each seed adds for all mixes alike
TRUE = (30.0, 30.1, 30.2, 30.3)


def quality(at: int, seed: int, noise: float = 0.01) -> float:
    rng = np.random.default_rng((at, seed))
    return TRUE[at] + SEEDS[seed] + noise * float(rng.standard_normal())


def mixes(seeds_of: dict[int, tuple[int, ...]]) -> list[Made]:
    return [
        Made(
            f"block{at}",
            {seed: quality(at, seed) for seed in seeds_of.get(at, (0, 1, 2))},
            {"stage1": f"block{at}"},
            {"latency": milliseconds(5.0 + at)},
        )
        for at in range(len(TRUE))
    ]


@pytest.fixture
def lucky(tmp_path: Path) -> Found:
    """The worst mix was trained with the kindest seed alone."""
    return read(record(tmp_path / "record", mixes({0: (2,)}), facts={"seeds": "3"}))


def test_a_mix_that_only_has_the_kindest_seed_does_not_lead_by_it(lucky: Found):
    means = lucky.table["psnr"].to_numpy()
    assert means == pytest.approx(np.array(TRUE) + 0.3, abs=0.02)
    assert list(lucky.table["on_front"]) == [True] * 4
    said = answer(lucky)
    assert lucky.label(said.best) == "block3"
    assert "(block3) has the best mean PSNR of 4 mixes" in said.sentence


def test_values_by_seed_stay_as_they_were_measured(lucky: Found):
    values = lucky.per_seed["psnr"]
    assert values.loc["mix block0", 2] == quality(0, 2)
    assert values.loc["mix block1", 2] == quality(1, 2)


def test_differences_to_a_mix_with_fewer_seeds_are_over_those_that_both_have(lucky: Found):
    found = by_cost(lucky, "latency")
    assert found is not None
    first, *_, last = found.lines
    behind = quality(0, 2) - quality(3, 2)
    assert first.best.label == "block0"
    assert first.behind.startswith(f"−{abs(behind):.2f} (")
    assert last.as_good == "none"


def test_the_best_mix_with_fewer_seeds_is_told_from_the_others(tmp_path: Path):
    found = read(record(tmp_path / "record", mixes({3: (0, 1)}), facts={"seeds": "3"}))
    said = answer(found).sentence
    assert "(block3) has the best mean PSNR of 4 mixes: 30.61" in said
    assert said.endswith("it beats every other mix by more than the seeds differ.")


def test_mixes_without_a_seed_in_common_are_not_compared(tmp_path: Path):
    alone = mixes({0: (0,), 1: (1,), 2: (2,)})[:3]
    said = answer(read(record(tmp_path / "record", alone))).sentence
    assert "as it shares no seed with them, no difference claimed between it and the others" in said


def test_a_cheap_mix_is_not_offered_for_want_of_seeds(tmp_path: Path):
    noise = {0: 0.2, 1: -0.1, 2: 0.0}
    made = [
        Made("a", {0: 30.0}, {"stage1": "a"}, {"latency": milliseconds(5.0)}),
        Made("b", noise_of(30.2, noise), {"stage1": "b"}, {"latency": milliseconds(8.0)}),
        Made("c", noise_of(30.3, {}), {"stage1": "c"}, {"latency": milliseconds(10.0)}),
    ]
    found = read(record(tmp_path / "record", made))
    said = answer(found)
    assert found.label(said.best) == "c"
    assert found.label(said.cheaper) == "b"  # nobody can tell a from c, which has one seed


def noise_of(mean: float, noise: dict[int, float]) -> dict[int, float]:
    return {seed: mean + noise.get(seed, 0.0) for seed in range(3)}


@pytest.fixture
def confirmed(tmp_path: Path) -> Found:
    """Six mixes with one seed, of which the best two were trained with two seeds more."""
    made = [
        Made(
            f"{first} {second}",
            {
                seed: 30.0 + 0.4 * at + 0.2 * to + SEEDS[seed] + 0.01 * (at + to + seed) % 0.03
                for seed in ((0, 1, 2) if at == 2 else (0,))
            },
            {"stage1": first, "stage2": second},
            {"latency": milliseconds(5.0 + at + 0.4 * to)},
        )
        for at, first in enumerate("abc")
        for to, second in enumerate("xy")
    ]
    return read(record(tmp_path / "record", made, facts={"seeds": "1"}))


def test_confirmed_mixes_are_told_from_the_others_but_choices_are_not(confirmed: Found):
    said = answer(confirmed)
    assert said.sentence.startswith("With 1 seed to most mixes, no difference claimed between any")
    assert said.sentence.endswith("it beats every other mix by more than the seeds differ.")
    assert not any("all claims hold together" in doubt for doubt in said.doubts)
    assert "Intervals of PSNR are 95\u00a0%, each by itself." in said.doubts
    notes = [finding.text for finding in health(confirmed)]
    assert "1 seed to most mixes: nothing is claimed of the choices." in notes
    assert caveats(quality_effects(confirmed), quality_values(confirmed)) == (
        "1 seed, as most mixes have, can't support a claim.",
    )
    assert table_intro(confirmed).startswith("Means over 1 to 3 seeds. From mixes with fewer is")


def test_intervals_say_over_how_many_seeds_they_are(confirmed: Found):
    rows = {row.metric: row for row in protocols(confirmed)}
    assert rows["psnr"].spread == "95\u00a0% over 3 seeds (t)"
    said = " ".join(how_sure(confirmed))
    assert "by Student's t over 3 seeds; differences" in said
    assert "From means over fewer seeds than others have is taken what these seeds add" in said
    shown = plot(confirmed, answer(confirmed)).measure("psnr")
    assert shown.spread == "95\u00a0% interval over 3 seeds"
    sentences = training(confirmed, Settings())
    opening = "Mixes are trained with 1 to 3 seeds each (of 0, 1, 2);"
    assert in_text(sentences[0]).startswith(opening)
    assert "Means over 1 to 3 seeds." in results_sheet(confirmed, table_of_mixes(confirmed)).caption


def test_figures_have_bars_where_there_are_seeds_enough(confirmed: Found):
    found = _ends(confirmed.ranked, "psnr", 1.0)
    assert found is not None
    assert [(each > 0).tolist() for each in found] == [[False] * 4 + [True] * 2] * 2


def test_a_seed_of_its_own_for_each_mix_is_one_seed_to_a_mix(tmp_path: Path):
    alone = mixes({0: (0,), 1: (1,), 2: (2,)})[:3]
    found = read(record(tmp_path / "record", alone))
    assert answer(found).sentence.startswith("With 1 seed to a mix, no difference claimed")
    assert "1 seed to a mix: no spread can be shown." in [each.text for each in health(found)]
    assert table_intro(found).startswith("Means over 1 seed. ")


def test_one_mix_that_stopped_is_spoken_of_as_one(confirmed: Found):
    said = caveats(quality_effects(confirmed), quality_values(confirmed), stopped=1)
    assert said[0].startswith("1 mix stopped at a rung is not in: ")


def test_mixes_that_were_never_scored_count_no_seeds(tmp_path: Path):
    unscored = [
        Made(f"u{at}", {0: None}, {}, {"latency": milliseconds(3.0 + at)}) for at in range(5)
    ]
    scored = mixes({})[:2]
    found = read(record(tmp_path / "record", [*scored, *unscored]))
    sd, degrees = scatter(found.per_seed["psnr"].to_numpy())
    assert margin(found, "psnr") == pytest.approx(t_quantile(0.975, degrees) * sd * (2 / 3) ** 0.5)
