"""Sentences of a report where there is one of something, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.analysis.ranking import Comparison
from reports.answering.answer import answer
from reports.answering.recommending import by_cost
from reports.checks.footing import edge_words
from reports.checks.health import health
from reports.methods.details import details
from reports.methods.settings import settings_of
from reports.numbers.found import Found
from reports.numbers.protocols import protocols
from reports.numbers.rankings import _how
from reports.numbers.rates import zero
from reports.numbers.results import read
from reports.record import Metric
from reports.sections import front, learning, speed, trials
from reports.sections.learning import Learning, Panel
from reports.sections.section import Given
from reports.sections.swaps import swap_table
from tests import one_section
from tests.handmade import PSNR, Made, milliseconds, record


def mix(label: str, psnr: float, latency: float, seeds: int = 3, **others: object) -> Made:
    values = {seed: psnr + 0.01 * seed for seed in range(seeds)}
    return Made(label, values, {"stage1": label}, {"latency": milliseconds(latency)}, **others)


def found(folder: Path, *mixes: Made) -> Found:
    return read(record(folder / "record", mixes))


def front_words(one: Found) -> str:
    shown = front.collect(Given(one.path, one, answer(one)))
    assert shown is not None
    return " ".join(shown.sentences)


def test_where_all_mixes_are_on_the_front_none_off_it_is_spoken_of(tmp_path: Path):
    (tmp_path / "more").mkdir()
    two = mix("a", 30.0, 5.0), mix("b", 31.0, 8.0)
    assert "off it" not in front_words(found(tmp_path, *two))
    assert "Every mix off it is beaten" in front_words(
        found(tmp_path / "more", *two, mix("c", 28.0, 9.0))
    )


def test_a_name_keeps_its_letters_where_a_sentence_begins_with_it(tmp_path: Path):
    never_timed = Made("c plain", {seed: 32.0 + 0.01 * seed for seed in range(3)}, {"stage1": "c"})
    said = answer(found(tmp_path, mix("a", 30.0, 5.0), mix("b", 31.0, 8.0), never_timed)).sentence
    assert "The mix c plain has the best mean PSNR of 3 mixes" in said


def test_one_trial_that_failed_is_spoken_of_as_one(tmp_path: Path):
    one = found(tmp_path, Made("a", {0: "failed"}))
    assert answer(one).sentence == "The one trial failed: there is nothing to compare."
    texts = [finding.text for finding in health(one)]
    assert "1 of 1 trial failed; its mix is judged by the seeds that are left." in texts
    shown = trials.trials(one)
    assert shown is not None
    assert trials.markdown(shown)[2].startswith("1 trial; it is listed on the page")


def test_several_trials_that_failed_are_of_several_mixes(tmp_path: Path):
    made = [mix("a", 30.0, 5.0), Made("b", {0: "failed"}), Made("c", {0: "failed", 1: "failed"})]
    texts = [finding.text for finding in health(found(tmp_path, *made))]
    assert "3 of 6 trials failed; their mixes are judged by the seeds that are left." in texts


def test_one_choice_is_varied_and_two_are(tmp_path: Path):
    path = record(tmp_path / "record", [mix("a", 30.0, 5.0), mix("b", 31.0, 8.0)])
    networks = details(read(path), settings_of(path))[0]
    assert "1 choice is varied: stage1 (a, b)." in networks.text


@pytest.mark.parametrize(("edges", "ending"), [(("a",), "serve it"), (("a", "b"), "serve them")])
def test_a_rate_at_the_edge_may_serve_one_mix_or_several(edges: tuple[str, ...], ending: str):
    assert edge_words(edges).endswith(f"a wider list may {ending} better.")


def test_a_mix_without_a_score_does_not_hide_that_none_is_better_than_nothing(tmp_path: Path):
    made = [Made("b", {0: None}), mix("a", 20.0, 5.0), mix("zero", 25.0, 1.0, baseline=True)]
    said = answer(found(tmp_path, *made)).sentence
    assert said.startswith("No mix is better than the network that does nothing: the best, a, ")


def test_what_a_front_covers_is_never_less_than_nothing(tmp_path: Path):
    made = [mix("a", 30.0, 5.0), mix("b", 30.001, 5.1), mix("c", 30.02, 5.15)]
    said = front_words(found(tmp_path, *made))
    assert "The front covers " in said and "(−" not in said and "(-" not in said


SPEED = Metric("throughput", "", "higher")


def swift(label: str, psnr: float, speed: float) -> Made:
    values = {seed: psnr + 0.01 * seed for seed in range(3)}
    return Made(label, values, {"stage1": label}, {"throughput": speed})


def test_of_a_cost_more_can_be_better(tmp_path: Path):
    one = read(
        record(
            tmp_path / "record",
            [swift("a", 30.0, 200.0), swift("b", 31.0, 120.0), swift("c", 32.0, 100.0)],
            metrics=(PSNR, SPEED),
            objectives=("psnr", "throughput"),
        )
    )
    said = answer(one).sentence
    assert "c instead of a gains 2.00\xa0dB" in said  # a costs least
    assert "and lowers throughput by 100" in said
    assert "at a throughput of 100" in said
    shown = swap_table(one)
    assert shown is not None
    remarks = {(row.before, row.after): row.remark for row in shown.rows}
    assert set(remarks.values()) == {"better, but dearer"}


def test_a_cost_is_spoken_of_in_small_letters(tmp_path: Path):
    made = [
        Made(label, {0: psnr}, {"stage1": label}, {"params": size})
        for label, psnr, size in (("a", 30.0, 1000.0), ("b", 31.0, 2000.0))
    ]
    one = read(record(tmp_path / "record", made, objectives=("psnr", "params")))
    assert answer(one).sentence.endswith(
        "at 2.00\xa0k parameters; with 1 seed to a mix, no difference claimed between the mixes."
    )


@pytest.mark.parametrize(("number", "words"), [(1, "in one fresh process;"), (3, "each of 3 ")])
def test_a_ranking_rests_on_one_process_or_several(number: int, words: str):
    empty = np.zeros((2, 2))
    compared = Comparison(("a", "b"), np.zeros(2), empty, number, 10)
    assert words in _how(compared, busy=True)


def test_a_mix_that_costs_just_the_budget_does_not_cost_less(tmp_path: Path):
    made = [
        Made(label, {seed: psnr + 0.01 * seed for seed in range(3)}, costs={"params": size})
        for label, psnr, size in (("a", 30.0, 1000.0), ("b", 31.0, 1900.0), ("c", 32.0, 5100.0))
    ]
    found = by_cost(
        read(record(tmp_path / "record", made, objectives=("psnr", "params"))), "params"
    )
    assert found is not None
    budgets = [line.budget.replace("\xa0", " ") for line in found.lines]
    assert budgets == ["up to 1 k", "under 2 k", "any"]


def test_gains_are_not_counted_from_a_baseline_that_diverged(tmp_path: Path):
    wild = Made("wild", {0: 5.0, 1: "diverged"}, baseline=True)
    one = found(tmp_path, wild, mix("zero", 25.0, 1.0, baseline=True), mix("a", 30.0, 5.0))
    start = zero(one)
    assert start is not None
    assert start.words == "the network that does nothing (zero)"


def test_one_mix_is_one_where_it_is_drawn(tmp_path: Path):
    page = one_section.html(
        speed.SECTION, one_section.data(speed.SECTION, found(tmp_path, mix("a", 30.0, 5.0)).path)
    )
    assert ", 1 mix; the table of all mixes has the numbers" in page


def test_one_level_that_is_not_drawn_is_one(tmp_path: Path):
    shown = Learning("PSNR", "stage1", (Panel("a", None, "1 mix", ()),), (), (), left_out=1)
    assert "; 1 further level is not drawn." in one_section.html(learning.SECTION, shown)


def test_the_plot_says_which_bars_it_has_and_which_corner_is_better(tmp_path: Path):
    shown = one_section.data(speed.SECTION, found(tmp_path, mix("a", 30.0, 5.0)).path)
    assert shown is not None
    page = one_section.html(speed.SECTION, shown)
    bars = "bars are the 95\xa0% interval over 3 seeds, horizontal bars the 95\xa0% interval of the"
    assert f"{bars} cost. Up and to the " in page
    assert '<span id="speed-corner">left</span> is better.' in page
    made = [swift("a", 30.0, 200.0), swift("b", 31.0, 120.0)]
    path = record(
        tmp_path / "swift", made, metrics=(PSNR, SPEED), objectives=("psnr", "throughput")
    )
    shown = one_section.data(speed.SECTION, path)
    assert shown is not None
    page = one_section.html(speed.SECTION, shown)
    assert "over 3 seeds. Up and to the " in page  # counts have no bars
    assert '<span id="speed-corner">right</span> is better.' in page


def test_scores_of_no_mix_that_counts_have_no_interval(tmp_path: Path):
    wild = Made("wild", {0: 30.0, 1: "diverged"}, {"stage1": "wild"})
    (psnr,) = (row for row in protocols(found(tmp_path, wild)) if row.metric == "psnr")
    assert psnr.spread == "none"
