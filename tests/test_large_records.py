"""Records of very many trials: what a page holds, by which rules, and that it says so."""

from __future__ import annotations

from csv import DictReader
from io import StringIO
from pathlib import Path

import pytest

from reports.answering.answer import answer
from reports.build import sections
from reports.numbers import results
from reports.numbers.found import Found
from reports.numbers.rankings import RankRow, Ranks
from reports.numbers.results import read
from reports.page.page import Parts, html
from reports.record import Reading
from reports.sections import fidelity, learning
from reports.sections.ranks import shortened
from reports.sections.section import Given
from reports.tables import csv
from tests.simulated_large import CHECKPOINTS, KINDS, STAGES, Large, simulate_large

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
    assert short.basis == (
        "Round by round. Listed are the fastest and the front, 4 mixes of 10; all latencies are in "
        "results.csv."
    )
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


def test_curves_of_very_many_trials_are_read_of_some_mixes_and_the_front_and_that_is_said(
    record: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(results, "MANY", 100)
    monkeypatch.setattr(results, "FOLLOWED", 300)
    found = read(record)
    assert found.followed is not None and found.followed >= set(found.letters)
    assert 300 <= len(found.followed) <= 300 + len(found.letters)
    assert found.curve["trial"].nunique() == len(found.followed)
    note = f"Curves were read of {len(found.followed)} of 2,100 mixes"
    given = Given(record, found, answer(found))
    shown = fidelity.collect(given), learning.collect(given)
    assert shown[0] is not None and shown[1] is not None
    assert (
        shown[0].sentences[0].startswith(f"At step\u00a0200 of 400 the {len(found.followed)} mix")
    )
    assert shown[0].sentences[-1].startswith(note)
    assert shown[1].note.startswith(note)
    assert any(line.startswith(note) for line in learning.markdown(shown[1]))
    with Reading.open(record) as whole:
        assert len(results.collect(whole).curve) == MIXES * len(CHECKPOINTS)


def test_the_table_of_very_many_mixes_has_every_number_to_the_last_digit(parts: Parts):
    found = parts.found
    rows = list(DictReader(StringIO(csv(found))))[:-1]  # the last is the degraded input
    assert [row["mix"] for row in rows] == found.table.index.tolist()
    for name, column in {"psnr": "psnr_dB", "psnr_n": "psnr_n", "latency": "latency_s"}.items():
        assert [float(row[column]) for row in rows] == found.table[name].tolist()
    assert {row["psnr_sd_dB"] for row in rows} == {""}  # of one seed


def test_the_simulation_writes_what_it_says(parts: Parts):
    found: Found = parts.found
    assert len(found.trials) == MIXES
    assert found.levels.drop_duplicates().shape == (MIXES, STAGES)
    assert set(found.levels.to_numpy().ravel()) == {kind[0] for kind in KINDS}
