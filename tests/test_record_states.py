"""Whatever state a record is in, there is a report that says so, or one clear line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from reports.build import report_texts, write_report
from reports.record import Measurement, MixRow, Record, RecordError, StageRow, TrialRow
from reports.record.tables import VERSION
from reports.verifying.checking import verify
from tests.older_records import make_older
from tests.simulated_run import METRICS, simulate

OBJECTIVES = ("psnr", "latency")


def new(path: Path, objectives: tuple[str, ...] = OBJECTIVES, mixes: int = 2) -> Record:
    """A record with mixes and no trial."""
    record = Record.create(path, "states", "", "What is there?", {"seeds": "1"}, objectives)
    record.define(METRICS)
    kinds = [("rdcnn", "cnn"), ("emvm", "mamba"), ("lama", "linear_attention")][:mixes]
    record.add_mixes(
        MixRow(f"m{at}", kind, "{}", {"stage1": kind}, (StageRow("stage1", kind, family, 2),))
        for at, (kind, family) in enumerate(kinds)
    )
    return record


def train(record: Record, mix: int, psnr: float, seed: int = 0) -> None:
    key = f"m{mix}-{seed}"
    row = TrialRow(key, f"m{mix}", seed, "done", "", 5.0)
    record.add_trial(row, [Measurement(key, "psnr", psnr), Measurement(key, "input_psnr", 20.0)])


def cost(record: Record, mix: int, seconds: float) -> None:
    ends = (0.99 * seconds, 1.01 * seconds)
    record.add_sitting([Measurement(f"m{mix}", "latency", seconds, *ends, 9, "64x64")], (), ())


def empty(path: Path) -> None:
    Record.create(path, "states", "", "", {}, ()).close()


def waiting(path: Path) -> None:
    new(path).close()


def unfinished(path: Path) -> None:
    with new(path) as record:
        train(record, 0, 29.0)
        cost(record, 0, 0.01)


def all_failed(path: Path) -> None:
    with new(path) as record:
        for mix in range(2):
            record.add_trial(TrialRow(f"m{mix}-0", f"m{mix}", 0, "failed", "out of memory", 1.0))


def all_diverged(path: Path) -> None:
    with new(path) as record:
        for mix in range(2):
            reason = "loss is nan at step 3"
            record.add_trial(TrialRow(f"m{mix}-0", f"m{mix}", 0, "diverged", reason, 1.0))
            cost(record, mix, 0.01)


def single_trial(path: Path) -> None:
    with new(path, mixes=1) as record:
        train(record, 0, 29.0)
        cost(record, 0, 0.01)


def single_objective(path: Path) -> None:
    with new(path, ("psnr",), mixes=3) as record:
        for mix, psnr in enumerate((29.0, 29.4, 28.8)):
            for seed in range(3):
                train(record, mix, psnr + 0.01 * seed, seed)


def costs_alone(path: Path) -> None:
    with new(path, ("latency", "params")) as record:
        for mix in range(2):
            cost(record, mix, 0.01 * (mix + 1))


def partly_failed(path: Path) -> None:
    simulate(path, {"stage1": 2, "stage2": 2}, broken=4, pictures=False)


def only_a_baseline(path: Path) -> None:
    with Record.create(path, "states", "", "", {}, OBJECTIVES) as record:
        record.define(METRICS)
        stage = StageRow("stage1", "identity", "none", 0)
        record.add_mixes([MixRow("m0", "identity", "{}", {}, (stage,), baseline=True)])
        train(record, 0, 20.0)


@dataclass(frozen=True)
class State:
    """A state and what the first lines of its report must say."""

    make: Callable[[Path], None]
    says: tuple[str, ...]


STATES = {
    "empty": State(
        empty, ("There is nothing in this run yet: no mix, no trial.", "No trial is in the record")
    ),
    "waiting": State(
        waiting, ("No mix has been trained to the end yet", "No trial is in the record")
    ),
    "unfinished": State(unfinished, ("1 mix of 2 not trained yet",)),
    "all failed": State(
        all_failed,
        (
            "All 2 trials failed: there is nothing to compare",
            "2 of 2 trials failed",
            "out of memory",
        ),
    ),
    "all diverged": State(
        all_diverged,
        (
            "All 2 trials diverged: there is nothing to compare",
            "2 of 2 trials diverged",
            "loss is nan at step 3",
        ),
    ),
    "single trial": State(single_trial, ("1 mix", "1 seed")),
    "single objective": State(single_objective, ("emvm", "29.41")),
    "costs alone": State(costs_alone, ("No mix has been trained to the end yet",)),
    "partly failed": State(partly_failed, ("2 of 15 trials diverged", "2 of 15 trials failed")),
    "only a baseline": State(
        only_a_baseline, ("No mix that counts has been trained to the end yet",)
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_every_state_of_a_record_has_a_report_that_says_so(name: str, tmp_path: Path):
    path = tmp_path / "record.sqlite"
    STATES[name].make(path)
    texts = report_texts(path)
    page, words = texts["report.html"], texts["report.md"]
    for said in STATES[name].says:
        assert said in page.replace("\u00a0", " "), f"the page does not say: {said}"
        assert said in words.replace("\u00a0", " ").replace("\\", ""), f"not in Markdown: {said}"
    for nonsense in (">nan<", ">NaN<", ">inf<", "None"):
        assert nonsense not in page.partition("<main>")[2].partition("<script")[0], nonsense


@pytest.mark.parametrize("name", ["empty", "all failed"])
def test_every_file_of_a_report_is_there_whatever_the_state(name: str, tmp_path: Path):
    STATES[name].make(tmp_path / "record.sqlite")
    files = write_report(tmp_path / "record.sqlite", tmp_path)
    assert all(file.stat().st_size > 0 for file in files.values())
    assert verify(tmp_path).difference is None


def test_a_record_of_a_newer_format_is_one_clear_line(tmp_path: Path):
    path = tmp_path / "record.sqlite"
    empty(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(RecordError, match=r"record.sqlite: written by a newer version \(format 4;"):
        write_report(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_record_of_an_older_format_has_a_report(tmp_path: Path):
    path = tmp_path / "record.sqlite"
    single_trial(path)
    make_older(path, 1)
    assert "29.00" in report_texts(path)["report.md"]


def test_what_is_no_record_is_one_clear_line(tmp_path: Path):
    other = tmp_path / "record.sqlite"
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("CREATE TABLE trials (key TEXT)")
        raw.commit()
    with pytest.raises(RecordError, match="an SQLite file, but not a record"):
        write_report(other, tmp_path / "out")
