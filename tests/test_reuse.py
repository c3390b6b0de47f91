"""Trials that another run in the same folder finished are taken over, and that is said."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from ablate.console.lines import common_line
from ablate.events import Began, TakenOver, Warned
from ablate.folder import RunFolder
from ablate.runs.reuse import FROM
from reports.record import Record
from tests.small_runs import TEXT, start

MORE = TEXT.replace('["identity", "nafblock"]', '["nafblock", "rdcnn"]')


def results(place: RunFolder) -> dict[str, tuple[float, str]]:
    """PSNR, and where it is from, by trial."""
    with place.open() as record:
        measured, facts = record.measurements(), record.trial_facts()
    measured = measured[measured["metric"] == "psnr"].set_index("subject")["value"]
    origin = facts[facts["name"] == FROM].set_index("trial")["value"]
    return {str(key): (value, str(origin.get(key, ""))) for key, value in measured.items()}


def test_finished_trials_of_a_neighbour_are_taken_over_with_their_weights(tmp_path: Path):
    first = start(tmp_path, name="first").place
    second = start(tmp_path, MORE, name="second")
    assert second.trained == 2  # of rdcnn; those of nafblock are there
    assert TakenOver(2, tmp_path / "first") in second.heard
    began = next(event for event in second.heard if isinstance(event, Began))
    assert (began.trials, began.finished) == (2, 2)
    mine, theirs = results(second.place), results(first)
    taken = {key for key, (_, origin) in mine.items() if origin == "first"}
    assert taken == set(mine) & set(theirs)
    assert len(taken) == 2
    for key in taken:
        assert mine[key][0] == theirs[key][0]
        assert second.place.checkpoint(key).read_bytes() == first.checkpoint(key).read_bytes()
    with second.place.open() as record:
        assert len(record.curve()) == 2 * 4
    assert not list(second.place.path.glob("**/*.partial"))


def test_what_was_taken_over_can_be_taken_over_again_from_where_it_began(tmp_path: Path):
    start(tmp_path, name="first")
    start(tmp_path, name="second")
    shutil.rmtree(tmp_path / "first")
    third = start(tmp_path, name="third")
    assert third.trained == 0
    assert {origin for _, origin in results(third.place).values()} == {"first"}


def test_reuse_can_be_switched_off(tmp_path: Path):
    start(tmp_path, name="first")
    assert start(tmp_path, name="second", reuse=False).trained == 4


def test_what_was_made_with_another_torch_or_other_training_code_stays_where_it_is(tmp_path: Path):
    first = start(tmp_path, name="first").place
    with sqlite3.connect(first.record) as connection:
        connection.execute("UPDATE trial_facts SET value = '1.0' WHERE name = 'torch'")
    connection.close()
    assert start(tmp_path, name="second").trained == 4


def test_a_trial_with_damaged_weights_stays_where_it_is_and_is_named(tmp_path: Path):
    first = start(tmp_path, name="first").place
    weights = sorted((first.path / "checkpoints").iterdir())[0]
    weights.write_bytes(b"other")
    second = start(tmp_path, name="second")
    assert second.trained == 1
    assert (
        Warned(f"{weights}: the weights are damaged; the trial is not taken over") in second.heard
    )


def test_a_trial_without_weights_is_taken_over_without(tmp_path: Path):
    first = start(tmp_path, name="first").place
    shutil.rmtree(first.path / "checkpoints")
    assert start(tmp_path, name="second").trained == 0


def test_a_row_that_was_changed_is_not_taken_over(tmp_path: Path):
    first = start(tmp_path, name="first").place
    with sqlite3.connect(first.record) as connection:
        connection.execute(
            "UPDATE measured SET value = 99 "
            "WHERE kind IN (SELECT id FROM kinds WHERE metric = 'psnr')"
        )
    connection.close()
    assert start(tmp_path, name="second").trained == 4


def test_a_record_that_cannot_be_read_is_named_and_passed_over(tmp_path: Path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "record.sqlite").write_bytes(b"")
    heard = start(tmp_path, name="second").heard
    (said,) = [event.text for event in heard if isinstance(event, Warned)]
    assert said == (
        f"no trial is taken over from {tmp_path / 'bad'}: "
        f"{tmp_path / 'bad' / 'record.sqlite'}: is empty (0 bytes), not a record"
    )


def test_weights_are_copied_where_they_cannot_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*given: object) -> None:
        raise OSError("another disk")

    start(tmp_path, name="first")
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    second = start(tmp_path, name="second").place
    for weights in (second.path / "checkpoints").iterdir():
        assert weights.stat().st_nlink == 1
        assert weights.read_bytes() == weights.stem.encode()


def test_another_record_of_the_same_trials_is_never_written(tmp_path: Path):
    first = start(tmp_path, name="first").place
    before = first.record.read_bytes()
    start(tmp_path, name="second")
    assert first.record.read_bytes() == before
    with Record.open(first.record) as record:
        assert len(record.trials()) == 4


def test_what_was_taken_over_is_shown(tmp_path: Path):
    line = common_line(TakenOver(3, tmp_path / "first"))
    assert line == f"3 finished trials are taken over from {tmp_path / 'first'}"
