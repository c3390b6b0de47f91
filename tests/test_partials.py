"""What trials came to before their last step stands in the record beside whole trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.record import (
    Measurement,
    Metric,
    MixRow,
    Note,
    PartialRow,
    Record,
    RecordError,
    TrialRow,
)
from tests.older_records import make_older


def new(folder: Path) -> Record:
    record = Record.create(folder / "record.sqlite", "demo", "", "Why?", {}, ("psnr",))
    record.define([Metric("psnr", "dB", "higher")])
    record.add_mixes([MixRow("m1", "one", "{}")])
    return record


def row(step: int = 25, mix: str = "m1") -> PartialRow:
    return PartialRow(f"t1@{step}", "t1", mix, 0, step, 1.5)


def test_a_step_before_the_last_has_a_row_and_numbers_of_its_own(tmp_path):
    with new(tmp_path) as record:
        assert record.add_partial(row(25), [Measurement("t1@25", "psnr", 28.0)])
        assert record.add_partial(row(50), [Measurement("t1@50", "psnr", 29.0)])
        assert record.partials().to_dict("list") == {
            "key": ["t1@25", "t1@50"],
            "trial": ["t1", "t1"],
            "mix": ["m1", "m1"],
            "seed": [0, 0],
            "step": [25, 50],
            "seconds": [1.5, 1.5],
        }
        assert record.measurements()["value"].tolist() == [28.0, 29.0]
        assert record.trials().empty


def test_a_remark_on_a_step_is_kept_with_it_once(tmp_path):
    remark = Note("t1@25", "warning", "it began anew")
    with new(tmp_path) as record:
        record.add_partial(row(25), [], [remark])
        record.add_partial(row(25), [], [Note("t1@25", "warning", "another")])
        assert record.notes().to_numpy().tolist() == [["t1@25", "warning", "it began anew"]]


def test_the_whole_training_stands_beside_its_steps(tmp_path):
    with new(tmp_path) as record:
        record.add_partial(row(), [Measurement("t1@25", "psnr", 28.0)])
        record.add_trial(TrialRow("t1", "m1", 0, "done"), [Measurement("t1", "psnr", 31.0)])
        assert len(record.partials()) == len(record.trials()) == 1
        assert record.measurements()["subject"].tolist() == ["t1@25", "t1"]


def test_the_first_result_of_a_step_stays(tmp_path):
    with new(tmp_path) as record:
        record.add_partial(row(), [Measurement("t1@25", "psnr", 28.0)])
        assert not record.add_partial(row(), [Measurement("t1@25", "psnr", 1.0)])
        assert record.measurements()["value"].tolist() == [28.0]


def test_a_step_is_written_whole_or_not_at_all(tmp_path):
    with new(tmp_path) as record:
        with pytest.raises(RecordError, match="metric 'ssim' was never defined"):
            record.add_partial(row(), [Measurement("t1@25", "ssim", 0.8)])
        assert record.partials().empty


def test_what_cannot_be_a_step_is_refused(tmp_path):
    with pytest.raises(RecordError, match="partial t1@0: step must be at least 1; got 0"):
        row(0)
    with new(tmp_path) as record, pytest.raises(RecordError, match="cannot be written"):
        record.add_partial(row(mix="m9"))


def test_an_older_record_is_read_and_when_written_to_becomes_one_of_this_format(tmp_path):
    new(tmp_path).close()
    path = tmp_path / "record.sqlite"
    make_older(path, 1)
    with Record.open(path) as record:
        assert record.partials().empty
        assert list(record.partials()) == ["key", "trial", "mix", "seed", "step", "seconds"]
    with Record.open(path, writable=True) as record:
        assert record.add_partial(row())
    with Record.open(path) as record:
        assert len(record.partials()) == 1
