"""The sections on choices, their interplay and their swaps, read from simulated runs."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from reports.analysis.power import smallest_difference
from reports.numbers.measured import cost_values, finer, quality_values
from reports.numbers.results import read
from reports.numbers.units import Scale
from reports.page.rendering import environment
from reports.sections import choices, interactions, swaps
from reports.sections.section import Part
from tests.simulated_run import simulate

COUNTS = {"stage1": 3, "stage2": 4, "stage3": 3}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "record.sqlite"
    return read(simulate(path, COUNTS, pictures=False))


@pytest.fixture(scope="module")
def searched(found):
    """The same run with every fifth combination left out."""
    kept = [key for at, key in enumerate(found.table.index) if at % 5 != 1]
    return part_of(found, kept)


def part_of(found, kept):
    per_seed = {
        name: values.loc[values.index.isin(kept)] for name, values in found.per_seed.items()
    }
    return replace(found, table=found.table.loc[kept], per_seed=per_seed)


def test_swaps_go_towards_the_better_quality_and_the_largest_comes_first(found):
    shown = swaps.swap_table(found)
    rows = [*shown.rows, *shown.more]
    assert len(rows) == 3 + 6 + 3
    sizes = [row.quality.swap.value for row in rows]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] >= 0.0
    assert (len(shown.rows), shown.left_out) == (swaps.FIRST, 0)
    first = rows[0]
    assert (first.axis, first.before, first.after) == ("stage3", "rdcnn", "emvm")
    assert first.quality.sure
    assert first.remark == "better, but dearer"
    assert first.basis == "12 pairs"
    assert shown.title.startswith("The swap that changes most: emvm for rdcnn at stage3, +0.3")


def test_a_swap_says_what_it_costs(found):
    shown = swaps.swap_table(found)
    assert shown.headings[0] == "PSNR, dB"
    assert shown.headings[1].startswith("Latency")
    table, levels = found.table, found.levels
    means = table["latency"].groupby(levels["stage3"]).mean()
    cost = shown.rows[0].costs[0]
    assert cost.swap.value == pytest.approx(means["emvm"] - means["rdcnn"])
    assert cost.sure and " to " in cost.interval


def test_differences_that_could_not_have_been_seen_are_named(found):
    shown = swaps.swap_table(found)
    said = " ".join((*shown.sentences, shown.unseen))
    assert re.search(r"With 3 seeds, a true difference in PSNR under 0\.0\d", said)
    assert "with a probability of 80\u00a0%, below with less (one comparison alone)" in said
    assert "95\u00a0% over all 12 comparisons (Holm)" in said


def test_where_a_claim_is_not_due_the_row_says_so(tmp_path):
    run = read(simulate(tmp_path / "r.sqlite", COUNTS, seeds=2, pictures=False))
    shown = swaps.swap_table(run)
    rows = [*shown.rows, *shown.more]
    assert not any(row.quality.sure for row in rows)
    assert {row.remark.partition(",")[0] for row in rows} == {"no difference claimed"}
    assert shown.title == "What one swap changes"
    assert "No difference is claimed with fewer than 3 seeds to a mix." in shown.sentences
    assert "2 seeds can't support a claim." in choices.choices(run).notes


def test_a_search_is_told_apart_from_a_whole_design(searched):
    said = " ".join(swaps.swap_table(searched).sentences)
    assert "29 of 36 combinations were tried" in said
    shown = choices.choices(searched)
    assert not shown.complete
    assert "29 of 36 combinations were tried" in shown.notes[0]
    assert shown.sources.importance.startswith("Optuna's importances are left out: fewer than 30")


def test_shares_of_the_variance_add_up_and_the_strongest_choice_has_the_most(found):
    rows = choices.choices(found).sources.rows
    assert rows[0].name == "stage3"
    assert rows[0].share > 0.4
    assert sum(row.share for row in rows) == pytest.approx(1.0, abs=0.003)
    names = [row.name for row in rows]
    assert "The seed, for all mixes alike" in names and "Chance" in names


def test_a_heat_map_shows_every_cell_and_a_verdict(found):
    shown = interactions.heat(found)
    assert len(shown.pairs) == 3
    pair = next(each for each in shown.pairs if each.axes == ("stage1", "stage2"))
    assert [len(cells) for _, cells in pair.rows] == [4, 4, 4]
    assert all(-4 <= cell.step <= 4 for _, cells in pair.rows for cell in cells)
    steps = {cell.step for each in shown.pairs for _, cells in each.rows for cell in cells}
    assert steps & {-4, 4}
    assert pair.verdict in ("interact", "can't be told")


def test_choices_that_interact_are_named_in_the_title(found):
    per_seed = dict(found.per_seed)
    values = per_seed["psnr"].copy()
    levels = found.levels.reindex(values.index)
    both = (levels["stage1"] == "rdcnn") & (levels["stage2"] == "rdcnn")
    values.loc[both] += 1.0
    per_seed["psnr"] = values
    shown = interactions.heat(replace(found, per_seed=per_seed))
    assert "stage1 × stage2, by up to 0." in shown.title
    assert shown.pairs[0].rows[0][1][0].claimed
    lines = interactions.markdown(shown)
    assert any(line.startswith("| rdcnn | \\+0.") for line in lines)


def test_pairs_that_never_meet_are_named(found):
    levels = found.levels
    met = (levels["stage1"] != "lama") | (levels["stage2"] != "emvm")
    kept = [key for key in found.table.index if met.get(key, True)]
    shown = interactions.heat(part_of(found, kept))
    assert shown.untold.startswith("1 pair can't be judged")
    assert "stage1 × stage2" in shown.untold


def test_one_choice_alone_has_swaps_and_no_heat_map(tmp_path):
    run = read(simulate(tmp_path / "one.sqlite", {"stage1": 3}, pictures=False))
    assert interactions.heat(run) is None
    shown = swaps.swap_table(run)
    assert {row.basis for row in shown.rows} == {"1 pair"}
    assert choices.choices(run).sources is not None


def test_a_run_without_trials_has_neither(tmp_path):
    run = read(simulate(tmp_path / "none.sqlite", {"stage1": 1}, seeds=0, pictures=False))
    assert swaps.swap_table(run) is None
    assert interactions.heat(run) is None


@pytest.mark.parametrize("section", [choices, interactions, swaps])
def test_markdown_has_a_heading_and_whole_tables(found, section):
    shown = {
        choices: choices.choices,
        interactions: interactions.heat,
        swaps: swaps.swap_table,
    }[section](found)
    lines = section.markdown(shown)
    assert lines[0].startswith("## ")
    assert lines[-1] == ""
    for first, second in pairwise(lines):
        if first.startswith("|") and second.startswith("|"):
            bars = [len(re.findall(r"(?<!\\)\|", line)) for line in (first, second)]
            assert bars[0] == bars[1]


@pytest.mark.parametrize("section", [choices, interactions, swaps])
def test_pages_show_the_section_without_a_script(found, searched, section):
    make = {
        choices: choices.choices,
        interactions: interactions.heat,
        swaps: swaps.swap_table,
    }[section]
    for run in (found, searched):
        part = Part(section.SECTION.name, make(run), ())
        page = environment().get_template(f"sections/{part.name}.html").render(shown=part.shown)
        assert f'<section id="{part.name}" aria-labelledby="{part.name}-title">' in page
        assert f'id="{part.name}-title"' in page
        assert " style=" not in page and "onclick" not in page


def test_values_of_a_run_leave_out_baselines(found):
    measured = quality_values(found)
    assert (measured.model.design.mixes, measured.seeds) == (36, 3)
    costs = cost_values(found, "params")
    assert costs.exact and costs.model.design.mixes == 36
    assert not cost_values(found, "latency").exact


def test_differences_have_as_many_decimals_as_their_intervals_need():
    shown = Scale("psnr", 1.0, "dB", 2)
    assert finer(shown, [0.04, 0.05, math.nan]).decimals == 2
    assert finer(shown, [0.004]).decimals == 3
    assert finer(shown, []).decimals == 2
    assert finer(Scale("latency", 1e-3, "ms", 1), [3e-6]).decimals == 3


def test_the_smallest_difference_is_that_of_the_error(found):
    row = swaps.swap_table(found).rows[0]
    swap = row.quality.swap
    assert swap.smallest > 0.5 * (swap.high - swap.low)
    assert swap.smallest < smallest_difference(1.0, 3)
