"""Runs joined into one: every trial once, nothing of what does not belong together."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from ablate.collection.command import merged_lines
from ablate.collection.merging import merge
from ablate.folder import RunError, RunFolder
from reports.numbers.results import read
from reports.record import Record
from tests.runs_by_hand import ALL, STUDY, a_run, key_of, mix_of, rest

HALVES = (ALL[::2], ALL[1::2])


def everything(folder: Path) -> dict[str, pd.DataFrame]:
    """All that a record says of trials, in one order, but for where it was taken from."""
    with RunFolder(folder).open() as record:
        facts = record.trial_facts()
        tables = {
            "trials": record.trials(),
            "facts": facts[facts["name"] != "reused_from"],
            "values": record.measurements(),
            "curve": record.curve(),
            "pictures": record.pictures(),
            "mixes": record.mixes(),
            "levels": record.levels(),
            "stages": record.stages(),
        }
    return {
        name: _as_texts(table).sort_values(list(table.columns)).reset_index(drop=True)
        for name, table in tables.items()
    }


def _as_texts(table: pd.DataFrame) -> pd.DataFrame:
    """A category knows of texts that stand in no row, and sorts by when they were met."""
    return table.astype(dict.fromkeys(table.select_dtypes("category"), object))


@pytest.fixture
def halves(tmp_path: Path) -> list[Path]:
    return [a_run(tmp_path / f"half-{n}", half).path for n, half in enumerate(HALVES, 1)]


def test_shares_joined_are_the_run_that_one_host_would_have_made(
    halves: list[Path], tmp_path: Path
):
    whole = a_run(tmp_path / "whole").path
    merged = merge(halves, tmp_path / "out")
    assert (merged.mixes, merged.trials, merged.failed, merged.twice) == (3, 6, 0, 0)
    assert (merged.left_out, merged.remarks) == (0, ())
    expected, found = everything(whole), everything(tmp_path / "out")
    for name, table in expected.items():
        pd.testing.assert_frame_equal(table, found[name], check_exact=True)
    weights = {file.name: file.read_bytes() for file in (whole / "checkpoints").iterdir()}
    there = tmp_path / "out" / "checkpoints"
    assert {file.name: file.read_bytes() for file in there.iterdir()} == weights
    assert not list(tmp_path.glob(".*"))


def test_the_runs_stay_as_they_are_and_the_new_one_says_where_it_is_from(
    halves: list[Path], tmp_path: Path
):
    before = [everything(half) for half in halves]
    merge(halves, tmp_path / "out")
    for tables, half in zip(before, halves, strict=True):
        for name, table in everything(half).items():
            pd.testing.assert_frame_equal(table, tables[name])
    with RunFolder(tmp_path / "out").open() as record:
        facts, of_trials = record.facts(), record.trial_facts()
    assert json.loads(facts["merged_from"]) == ["half-1", "half-2"]
    assert facts["study_text"] == STUDY
    taken = of_trials[of_trials["name"] == "reused_from"].set_index("trial")["value"]
    assert taken[key_of(*HALVES[1][0])] == "half-2"


def test_a_trial_in_two_runs_counts_once_and_the_first_one_named_is_kept(tmp_path: Path):
    first = a_run(tmp_path / "a", ALL[:3]).path
    second = a_run(tmp_path / "b", ALL[2:], better=1.0).path
    merged = merge([first, second], tmp_path / "out")
    assert (merged.trials, merged.twice, merged.differing) == (6, 1, 1)
    values = everything(tmp_path / "out")["values"].set_index("subject")["value"]
    assert values[key_of(*ALL[2])] == 26.0
    assert values[key_of(*ALL[3])] == pytest.approx(27.1)
    lines = merged_lines(merged)
    assert lines[0].endswith("3 mixes, 6 trials")
    assert lines[1:3] == [
        "1 trial stood in more than one run, and counts once",
        "1 of these has other numbers in one run than in another; those of the run that was "
        "named first are kept",
    ]


def test_a_failed_trial_gives_way_to_a_run_in_which_it_was_finished(tmp_path: Path):
    failed = a_run(tmp_path / "a", ALL[:2], status="failed").path
    done = a_run(tmp_path / "b", ALL[:1]).path
    merged = merge([failed, done], tmp_path / "out")
    assert (merged.trials, merged.failed) == (2, 1)
    trials = everything(tmp_path / "out")["trials"].set_index("key")
    assert trials.loc[key_of(*ALL[0]), "status"] == "done"
    assert trials.loc[key_of(*ALL[1]), "reason"] == "it broke"
    assert merged_lines(merged)[0].endswith("2 trials, 1 of them failed")


def test_latencies_of_different_machines_are_not_joined(tmp_path: Path):
    one = a_run(tmp_path / "a", ALL[:3], latency=0.1).path
    other = a_run(tmp_path / "b", ALL[3:], latency=0.2).path
    merged = merge([one, other], tmp_path / "out")
    assert "latency" not in set(everything(tmp_path / "out")["values"]["metric"])
    assert "ablate run STUDY --out" in merged_lines(merged)[-1]


def test_what_was_noted_comes_along_but_for_what_one_machine_measured(
    halves: list[Path], tmp_path: Path
):
    own = [  # subject, topic, text
        (mix_of(1).key, "uncounted", "aten::fft in stage1"),
        (mix_of(1).key, "peak_memory", "32x32: not known: too many"),
        (f"{key_of(1, 0)}@2", "warning", "the state was kept by another torch"),
        ("", "warning", "the run began with torch 2.12.0 and went on with 2.13.0"),
    ]
    of_a_machine = [
        (mix_of(1).key, "latency", "32x32: slow to settle"),
        ("", "launch", "3 of 3 networks are launch-bound"),
        ("machine", "conditions", "32x32: shared in 5 of 9 rounds of timing"),
        ("machine", "sensors", "not read: temperature"),
        ("", "energy", "not counted: no counter"),
        (f"{mix_of(1).key}:stage1", "bound", "memory"),
        (mix_of(1).key, "stages", "the stages cannot be placed"),
        ("", "search", "the search ended before its strategy did"),
    ]
    for half, noted in zip(halves, (own + of_a_machine, own[:1]), strict=True):
        with RunFolder(half).open(writable=True) as record:
            for note in noted:
                record.note(*note)
    merge(halves, tmp_path / "out")
    with RunFolder(tmp_path / "out").open() as record:
        assert list(record.notes().itertuples(index=False, name=None)) == own


def test_what_rests_comes_along_unless_it_was_finished_elsewhere(tmp_path: Path):
    one, other = a_run(tmp_path / "a", ALL[:1]), a_run(tmp_path / "b", ALL[4:5])
    rest(one, 1, 0)
    rest(one, 2, 0)
    merge([one.path, other.path], tmp_path / "out")
    out = RunFolder(tmp_path / "out")
    with out.open() as record:
        assert set(record.partials()["trial"]) == {key_of(1, 0), key_of(2, 0)}
        values = record.measurements().set_index("subject")["value"]
    assert values[f"{key_of(1, 0)}@2"] == 20.0
    assert out.state(key_of(1, 0)).read_bytes() == b"a state"
    assert not out.state(key_of(2, 0)).exists()


def test_damaged_weights_are_taken_from_another_run_or_left_out(tmp_path: Path):
    one, other = a_run(tmp_path / "a", ALL[:2]), a_run(tmp_path / "b", ALL[1:2])
    for key in (key_of(*ALL[0]), key_of(*ALL[1])):
        one.checkpoint(key).write_bytes(b"flipped")
    merged = merge([one.path, other.path], tmp_path / "out")
    assert (merged.trials, merged.left_out) == (1, 1)
    assert [
        line.endswith("the weights are damaged; the trial is not taken over")
        for line in merged.remarks
    ] == [True, True]
    assert "1 trial is damaged and left out; a run makes it again" in merged_lines(merged)
    assert set(everything(tmp_path / "out")["trials"]["key"]) == {key_of(*ALL[1])}


def test_a_trial_that_is_not_what_was_written_is_left_out(tmp_path: Path, halves: list[Path]):
    key = key_of(*HALVES[0][0])
    with sqlite3.connect(halves[0] / "record.sqlite") as connection:
        connection.execute("UPDATE measured SET value = 99 WHERE subject = ?", (key,))
    connection.close()
    merged = merge(halves, tmp_path / "out")
    assert (merged.trials, merged.left_out) == (5, 1)
    assert merged.remarks == (
        f"half-1: trial {key} is not what was written (its checksum does not hold)",
    )


def test_weights_that_were_removed_on_purpose_are_not_missed(tmp_path: Path, halves: list[Path]):
    shutil.rmtree(halves[0] / "checkpoints")
    assert merge(halves, tmp_path / "out").trials == 6


def test_the_joined_run_can_be_reported(halves: list[Path], tmp_path: Path):
    merge(halves, tmp_path / "out")
    table = read(tmp_path / "out" / "record.sqlite").table.set_index("label")
    assert table["psnr"].to_dict() == pytest.approx(
        {"identity": 25.05, "lama": 26.05, "emvm": 27.05}
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"data_digest": "e" * 16}, "other images"),
        ({"latency_models": '{"a": "1"}'}, "other latency models"),
        (
            {"sources": json.dumps({"blocks/lama.py": "2" * 16})},
            "made with another version of blocks/lama.py",
        ),
        (
            {"study_fingerprint": "0" * 16},
            "another study (as another version reads it)",
        ),
    ],
)
def test_runs_that_do_not_fit_together_are_refused_by_name(
    tmp_path: Path, changed: dict[str, str], reason: str
):
    one, other = a_run(tmp_path / "a").path, a_run(tmp_path / "b", facts=changed).path
    with pytest.raises(RunError) as error:
        merge([one, other], tmp_path / "out")
    assert str(error.value) == f"{other}: does not fit together with {one}: {reason}"
    assert not (tmp_path / "out").exists()


def test_runs_that_other_code_trained_are_refused_and_one_that_does_not_say_is_told(
    tmp_path: Path,
):
    one = a_run(tmp_path / "a", ALL[:3], facts={"training_code": "1" * 16}).path
    other = a_run(tmp_path / "b", ALL[3:], facts={"training_code": "2" * 16}).path
    old = a_run(tmp_path / "c", ALL[3:]).path  # began before it was kept
    with pytest.raises(RunError) as error:
        merge([one, other], tmp_path / "out")
    assert str(error.value) == (
        f"{other}: does not fit together with {one}: trained by other code "
        f"({'1' * 16} and {'2' * 16})"
    )
    merged = merge([one, old], tmp_path / "out")
    assert merged.remarks == (f"c was trained by code that is unknown, a by the code {'1' * 16}",)


def test_another_study_is_refused_with_what_is_different(tmp_path: Path):
    facts = {"study_fingerprint": "0" * 16}
    text = STUDY.replace("steps = 4", "steps = 5").replace('"?"', '"!"')
    one, other = a_run(tmp_path / "a").path, a_run(tmp_path / "b", facts=facts, study=text).path
    with pytest.raises(RunError, match=r"another study \(may not change: training.steps: 4 -> 5\)"):
        merge([one, other], tmp_path / "out")


def test_trials_of_other_code_are_refused(tmp_path: Path):
    one, other = a_run(tmp_path / "a", ALL[:1]).path, a_run(tmp_path / "b", ()).path
    with Record.open(other / "record.sqlite", writable=True) as record:
        record._connection.execute(
            "INSERT INTO trials (key, mix, seed, status, reason, seconds) "
            "VALUES ('another', ?, 0, 'done', '', 1)",
            (mix_of(0).key,),
        )
    with pytest.raises(RunError) as error:
        merge([one, other], tmp_path / "out")
    assert str(error.value).endswith(
        "'identity' with seed 0 was made with another version of its code"
    )


def test_mixes_that_are_called_otherwise_are_refused(tmp_path: Path):
    one, other = a_run(tmp_path / "a").path, a_run(tmp_path / "b").path
    with Record.open(other / "record.sqlite", writable=True) as record:
        record._connection.execute("UPDATE mixes SET label = 'new' WHERE label = 'lama'")
    with pytest.raises(RunError, match=r"one mix is 'lama' here and 'new' there$"):
        merge([one, other], tmp_path / "out")


def test_another_torch_is_said_and_not_refused(tmp_path: Path):
    one = a_run(tmp_path / "a", ALL[:3]).path
    other = a_run(tmp_path / "b", ALL[3:], facts={"torch": "2.12.0"}).path
    merged = merge([one, other], tmp_path / "out")
    assert merged.remarks == ("b was made with torch 2.12.0, a with 2.13.0",)
    with RunFolder(tmp_path / "out").open() as record:
        assert list(record.notes()["text"]) == list(merged.remarks)


def test_what_cannot_be_joined_is_said_in_one_line(halves: list[Path], tmp_path: Path):
    nothing = tmp_path / "nothing"
    with pytest.raises(RunError, match=r"nothing: no run is here \(no record.sqlite\)"):
        merge([halves[0], nothing], tmp_path / "out")
    assert not nothing.exists()
    with pytest.raises(RunError, match=r"half-1: is named twice; each run is joined once"):
        merge([halves[0], halves[0]], tmp_path / "out")
    with pytest.raises(RunError, match=r"merge: expected at least two runs; got 1"):
        merge(halves[:1], tmp_path / "out")
    with pytest.raises(RunError, match=r"half-2: exists already; name a folder that does not"):
        merge(halves, halves[1])
    with RunFolder(halves[1]).held(), pytest.raises(RunError, match="has been running this study"):
        merge(halves, tmp_path / "out")


def test_a_command_that_was_killed_leaves_nothing_in_the_way(halves: list[Path], tmp_path: Path):
    draft = tmp_path / ".out.merging"
    draft.mkdir()
    (draft / "record.sqlite").write_bytes(b"half")
    assert merge(halves, tmp_path / "out").trials == 6
    assert not draft.exists()
