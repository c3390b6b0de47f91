"""The file of all swaps: every one, with the numbers that results.csv comes to by hand."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reports.numbers.found import Found
from reports.numbers.results import read
from reports.page.rendering import environment
from reports.sections import swaps as section
from reports.swaps import csv
from reports.tables import csv as results_csv
from tests.simulated_run import simulate


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    path = tmp_path_factory.mktemp("run") / "record.sqlite"
    return read(simulate(path, {"stage1": 3, "stage2": 4}, pictures=False))


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def test_every_change_is_the_difference_of_the_means_in_the_other_file(found: Found):
    made, results = table(csv(found)), table(results_csv(found))
    results = results[results["status"] == "done"]
    assert len(made) == 3 + 6
    for row in made.to_dict("records"):
        mixes = results[~results["baseline"].astype(bool)].groupby(row["axis"])
        for column in ("psnr_dB", "latency_s", "params", "peak_memory_byte"):
            means = mixes[column].mean()
            by_hand = means[row["to"]] - means[row["from"]]
            assert row[f"change_{column}"] == pytest.approx(by_hand, rel=1e-9), column
        assert row["change_psnr_low_dB"] < row["change_psnr_dB"] < row["change_psnr_high_dB"]
        assert row["change_latency_low_s"] < row["change_latency_s"] < row["change_latency_high_s"]
        assert row["psnr_pairs"] == row["pairs_possible"] == {"stage1": 4, "stage2": 3}[row["axis"]]
        assert row["seeds"] == 3
    assert made["psnr_fit"].isna().all()
    assert made["change_params_low"].isna().all()  # a count


def test_rows_stand_in_the_order_of_the_page(found: Found):
    shown, made = section.swap_table(found), table(csv(found))
    assert shown is not None
    rows = [(row.axis, row.before, row.after) for row in (*shown.rows, *shown.more)]
    assert rows == list(made[["axis", "from", "to"]].itertuples(index=False, name=None))
    assert made["claimed"].tolist() == [row.quality.sure for row in (*shown.rows, *shown.more)]


def test_what_is_read_off_a_fit_says_of_how_many_mixes(found: Found):
    kept = [key for at, key in enumerate(found.table.index) if at % 5 != 1]
    part = replace(
        found,
        table=found.table.loc[kept],
        per_seed={name: of.loc[of.index.isin(kept)].copy() for name, of in found.per_seed.items()},
    )
    made = table(csv(part))
    ranked = len(part.ranked)
    assert ranked < 12
    assert (made["psnr_pairs"].isna() != made["psnr_fit"].isna()).all()
    assert set(made["psnr_fit"].dropna()) == {ranked}


def test_a_cost_that_was_measured_of_some_is_empty_for_the_others(found: Found):
    few = found.table.copy()
    few.loc[found.levels["stage2"] == "emvm", "peak_memory"] = float("nan")
    made = table(csv(replace(found, table=few)))
    of_emvm = (made["from"] == "emvm") | (made["to"] == "emvm")
    of_stage2 = made["axis"] == "stage2"
    columns = ["change_peak_memory_byte", "peak_memory_pairs", "peak_memory_fit"]
    assert made.loc[of_emvm & of_stage2, columns].isna().all(axis=None)
    assert made.loc[~of_emvm & of_stage2, "change_peak_memory_byte"].notna().all()
    assert made["change_psnr_dB"].notna().all()


def test_swaps_that_the_page_leaves_out_are_in_the_file_that_it_names(tmp_path: Path):
    found = read(simulate(tmp_path / "record.sqlite", {"stage1": 10}, seeds=1, pictures=False))
    shown, made = section.swap_table(found), table(csv(found))
    assert shown is not None
    assert len(made) == 45 == len(shown.rows) + len(shown.more) + shown.left_out
    assert shown.left_out == 35
    assert "35 smaller swaps not listed: swaps.csv." in section.markdown(shown)
    page = environment().get_template("sections/swaps.html").render(shown=shown)
    assert "35 still smaller swaps not listed: swaps.csv." in page.replace("\u00a0", " ")


def test_without_two_levels_there_are_headings_alone(tmp_path: Path):
    found = read(simulate(tmp_path / "record.sqlite", {"stage1": 1}, seeds=1, pictures=False))
    assert csv(found) == "axis,from,to,claimed,seeds,pairs_possible\n"
