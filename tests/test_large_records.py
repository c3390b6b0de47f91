"""Records of very many trials: what a page holds, by which rules, and that it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.build import sections
from reports.numbers import results
from reports.numbers.found import Found
from reports.numbers.rankings import RankRow, Ranks
from reports.numbers.results import read
from reports.page.page import Parts, html
from reports.sections.ranks import shortened
from tests.simulated_large import KINDS, STAGES, Large, simulate_large

MIXES = 2100


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "record.sqlite"
    return simulate_large(path, Large(MIXES, 1, losses=3))


@pytest.fixture(scope="module")
def parts(record: Path) -> Parts:
    return sections(record)


@pytest.fixture(scope="module")
def page(parts: Parts) -> str:
    return html(parts, [])


def test_a_page_of_very_many_mixes_stays_small(page: str):
    assert len(page.encode()) < 1_500_000


def test_a_long_ranking_lists_the_fastest_and_the_front_and_says_so():
    rows = tuple(
        RankRow(
            f"m{at}", f"mix {at}", "A" if at == 9 else "", str(at), at, "1", "", "", (), 0.0, ()
        )
        for at in range(10)
    )
    long = Ranks("64x64", rows, 45, 45, "All can be told apart.", "Round by round.", False)
    short = shortened(long, most=3)
    assert [row.mix for row in short.rows] == ["m0", "m1", "m2", "m9"]
    assert short.basis == "Round by round. Listed are the fastest and the front, 4 mixes of 10."
    assert shortened(long, most=10) is long


def test_what_is_left_out_is_said(page: str):
    text = page.replace("\u00a0", " ")
    assert "a page holds 24 at most" in text
    assert "ablate export RUN --csv trials.csv" in text


def test_every_mix_counts_although_few_are_listed(parts: Parts):
    found = parts.found
    assert len(found.table) == MIXES
    assert found.table["psnr_n"].eq(1).all()
    assert parts.said.best == found.ranked["psnr"].idxmax()


def test_the_front_of_very_many_is_that_of_all_pairs(parts: Parts):
    table = parts.found.table
    values = table[["psnr", "latency"]].to_numpy(dtype=float)
    for key in parts.found.letters:
        psnr, latency = table.loc[key, ["psnr", "latency"]]
        beaten = (values[:, 0] >= psnr) & (values[:, 1] <= latency)
        assert beaten.sum() == 1  # itself


def test_curves_of_losses_stay_in_the_record_of_very_many_trials(
    record: Path, monkeypatch: pytest.MonkeyPatch
):
    assert set(read(record).curve["name"]) == {"loss", "psnr"}
    monkeypatch.setattr(results, "MANY", 100)
    assert set(read(record).curve["name"]) == {"psnr"}


def test_the_simulation_writes_what_it_says(parts: Parts):
    found: Found = parts.found
    assert len(found.trials) == MIXES
    assert found.levels.drop_duplicates().shape == (MIXES, STAGES)
    assert set(found.levels.to_numpy().ravel()) == {kind[0] for kind in KINDS}
