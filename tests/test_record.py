from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reports.record import (
    CurvePoint,
    Measurement,
    Metric,
    MixRow,
    Note,
    Picture,
    Record,
    RecordError,
    Sample,
    StageRow,
    TrialRow,
)

PNG = b"\x89PNG\r\n\x1a\n"
PSNR = Metric("psnr", "dB", "higher", "RGB, float")
LATENCY = Metric("latency", "s", "lower")


def new(folder: Path, name: str = "record.sqlite") -> Record:
    record = Record.create(
        folder / name, "demo", "question = 1", "Why?", {"torch": "2.13"}, ("psnr", "latency")
    )
    record.define([PSNR, LATENCY])
    stage = StageRow("stage1", "rdcnn x2", "cnn", 2)
    record.add_mixes([MixRow("m1", "one", "{}", {"stage1": "rdcnn"}, (stage,))])
    record.add_mixes([MixRow("m2", "two", "{}", {"stage1": "lama"}, (), baseline=True)])
    return record


def trial(key: str = "t1", status: str = "done", seed: int = 0) -> TrialRow:
    return TrialRow(key, "m1", seed, status, seconds=1.5, facts={"device": "cpu"})


def test_everything_written_reads_back(tmp_path):
    with new(tmp_path) as record:
        record.add_trial(
            trial(),
            [Measurement("t1", "psnr", 29.5)],
            [CurvePoint("t1", "loss", 10, 0.5), CurvePoint("t1", "loss", 2, 0.75)],
            [Picture("t1", "a.png", "input", PNG + b"1")],
        )
        record.add_sitting(
            [Measurement("m1", "latency", 0.01, 0.009, 0.011, 90, "64x64", "c", "cpu", "s1")],
            [Sample("m1", "latency", "64x64", "s1", 0, 1, 0.01)],
            [Note("m1", "uncounted", "fft")],
        )
        record.note("", "warning", "busy machine")
        record.set_fact("git_commit", "abc")
    with Record.open(tmp_path / "record.sqlite") as record:
        facts = record.facts()
        assert facts["study_text"] == "question = 1"
        assert (facts["question"], facts["torch"], facts["git_commit"]) == ("Why?", "2.13", "abc")
        assert record.objectives == ("psnr", "latency")
        assert list(record.metrics()["unit"]) == ["dB", "s"]
        assert list(record.mixes()["baseline"]) == [False, True]
        assert list(record.levels()["level"]) == ["rdcnn", "lama"]
        assert record.stages().loc[0].to_list() == ["m1", "stage1", "rdcnn x2", "cnn", 2]
        assert record.trials().loc[0].to_list() == ["t1", "m1", 0, "done", "", 1.5]
        assert record.trial_facts().loc[0].to_list() == ["t1", "device", "cpu"]
        assert list(record.curve()["step"]) == [2, 10]
        assert record.pictures("t1").loc[0, "png"] == PNG + b"1"
        assert record.pictures("t2").empty
        assert list(record.samples()["value"]) == [0.01]
        assert list(record.notes()["text"]) == ["fft", "busy machine"]
        measured = record.measurements()
        assert list(measured["value"]) == [29.5, 0.01]
        assert measured.loc[1, "high"] == 0.011


def test_what_was_not_measured_is_absent_and_never_zero(tmp_path):
    with new(tmp_path) as record:
        record.add_trial(trial(), [Measurement("t1", "psnr", 29.5)])
        measured = record.measurements()
    assert measured["low"].isna().all()
    assert set(measured["metric"]) == {"psnr"}


def test_the_first_result_of_a_trial_stays(tmp_path):
    with new(tmp_path) as record:
        assert record.add_trial(trial(), [Measurement("t1", "psnr", 29.5)])
        assert not record.add_trial(trial(), [Measurement("t1", "psnr", 12.0)])
        assert list(record.measurements()["value"]) == [29.5]


def test_a_failed_trial_is_replaced_by_its_next_attempt(tmp_path):
    with new(tmp_path) as record:
        record.add_trial(
            TrialRow("t1", "m1", 0, "failed", "out of memory"), [Measurement("t1", "psnr", 1.0)]
        )
        assert record.add_trial(trial(), [Measurement("t1", "psnr", 29.5)])
        assert list(record.trials()["status"]) == ["done"]
        assert list(record.measurements()["value"]) == [29.5]


@pytest.mark.parametrize("status", ["done", "failed"])
def test_an_attempt_under_another_key_is_replaced_with_all_that_it_measured(tmp_path, status):
    with new(tmp_path) as record:
        for key, mix, seed in (("old", "m1", 0), ("other seed", "m1", 1), ("other mix", "m2", 0)):
            failed = TrialRow(key, mix, seed, "failed", "out of memory")
            record.add_trial(failed, [Measurement(key, "psnr", 1.0)])
        row = TrialRow("new", "m1", 0, status, "" if status == "done" else "again")
        assert record.add_trial(row, [Measurement("new", "psnr", 29.5)])
        assert set(record.trials()["key"]) == {"other seed", "other mix", "new"}
        assert set(record.measurements()["subject"]) == {"other seed", "other mix", "new"}


def test_a_trial_is_written_whole_or_not_at_all(tmp_path):
    with new(tmp_path) as record:
        with pytest.raises(RecordError, match=r"metric 'ssim' was never defined \(defined: lat"):
            record.add_trial(trial(), [Measurement("t1", "ssim", 0.9)])
        assert record.trials().empty
        assert record.add_trial(trial())


def test_a_trial_of_an_unknown_mix_is_refused(tmp_path):
    with new(tmp_path) as record, pytest.raises(RecordError, match="FOREIGN KEY"):
        record.add_trial(TrialRow("t9", "m9", 0, "done"))


def test_two_mixes_with_one_label_are_refused(tmp_path):
    with new(tmp_path) as record, pytest.raises(RecordError, match=r"UNIQUE.*mixes\.label"):
        record.add_mixes([MixRow("m3", "one", "{}")])


def test_a_mix_written_twice_counts_once(tmp_path):
    with new(tmp_path) as record:
        record.add_mixes([MixRow("m1", "one", "{}", {"stage1": "rdcnn"})])
        assert len(record.mixes()) == 2
        assert len(record.levels()) == 2


def test_levels_and_stages_stand_in_the_order_of_their_mixes_whenever_these_were_added(tmp_path):
    def mix(name: str) -> MixRow:
        slots = ("stage2", "stage1", "decoder1")  # neither by name nor sorted
        stages = tuple(StageRow(slot, f"{name} {slot}", "cnn", 2) for slot in slots)
        return MixRow(name, name, "{}", {slot: f"{name} {slot}" for slot in slots}, stages)

    with Record.create(tmp_path / "record.sqlite", "s", "", "", {}, ()) as record:
        record.add_mixes([mix("z"), mix("b")])
        record.add_mixes([mix("y"), mix("b"), mix("a"), mix("z")])
        record.add_mixes([mix("c")])
        order = record.mixes()["key"].tolist()
        assert order == ["z", "b", "y", "a", "c"]
        filled = [f"{name} {slot}" for name in order for slot in ("stage2", "stage1", "decoder1")]
        assert record.levels()["level"].tolist() == filled
        assert record.stages()["blocks"].tolist() == filled


def test_a_sitting_written_again_is_replaced_and_stands_last(tmp_path):
    first = Measurement("m1", "latency", 0.01, sitting="s1")
    other = Measurement("m1", "latency", 0.02, sitting="s2")
    with new(tmp_path) as record:
        for row in (first, other, first):
            record.add_sitting([row])
        assert list(record.measurements()["sitting"]) == ["s2", "s1"]


def test_equal_pictures_are_kept_once(tmp_path):
    with new(tmp_path) as record:
        for key, seed in (("t1", 0), ("t2", 1)):
            record.add_trial(
                trial(key, seed=seed), pictures=[Picture(key, "a", "target", PNG + b"x")]
            )
        assert len(record.pictures()) == 2
    with sqlite3.connect(tmp_path / "record.sqlite") as raw:
        assert raw.execute("SELECT count(*) FROM blobs").fetchone() == (1,)
    raw.close()


def test_numpy_numbers_are_stored_as_numbers(tmp_path):
    with new(tmp_path) as record:
        record.add_trial(trial(), [Measurement("t1", "psnr", np.float32(0.5), n=np.int64(3))])
        assert record.measurements().loc[0, "value"] == 0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(RecordError, match=r"psnr of t1: a record holds finite numbers only; got"):
        Measurement("t1", "psnr", value)
    with pytest.raises(RecordError, match="psnr of t1, interval: a record holds finite"):
        Measurement("t1", "psnr", 1.0, low=value)
    with pytest.raises(RecordError, match="loss of t1 at step 3: a record holds finite"):
        CurvePoint("t1", "loss", 3, value)
    with pytest.raises(RecordError, match="sample of latency of m1: a record holds finite"):
        Sample("m1", "latency", "", "s", 0, 0, value)


def test_words_outside_the_vocabulary_are_refused():
    with pytest.raises(RecordError, match="status must be done, diverged or failed; got 'ok'"):
        TrialRow("t1", "m1", 0, "ok")
    with pytest.raises(RecordError, match="better must be higher, lower or none; got 'up'"):
        Metric("psnr", "dB", "up")
    with pytest.raises(RecordError, match="kind must be input, target or restored; got 'out'"):
        Picture("t1", "a", "out", PNG)
    with pytest.raises(RecordError, match="picture input of a: not the bytes of a PNG file"):
        Picture("t1", "a", "input", b"GIF89a")


def test_a_record_opened_for_reading_cannot_be_changed(tmp_path):
    new(tmp_path).close()
    with (
        Record.open(tmp_path / "record.sqlite") as record,
        pytest.raises(RecordError, match=r"cannot be written .*readonly"),
    ):
        record.set_fact("a", "b")


def test_a_record_is_read_while_another_process_writes_it(tmp_path):
    with new(tmp_path) as writer, Record.open(tmp_path / "record.sqlite") as reader:
        writer.add_trial(trial())
        assert len(reader.trials()) == 1


def test_a_copy_in_a_folder_that_cannot_be_written_is_read(tmp_path):
    new(tmp_path).close()
    assert not (tmp_path / "record.sqlite-wal").exists()
    folder = tmp_path / "readonly"
    folder.mkdir()
    shutil.copy(tmp_path / "record.sqlite", folder)
    (folder / "record.sqlite").chmod(0o444)
    folder.chmod(0o555)
    try:
        with Record.open(folder / "record.sqlite") as record:
            assert len(record.mixes()) == 2
    finally:
        folder.chmod(0o755)


def test_creating_over_a_file_is_refused(tmp_path):
    new(tmp_path).close()
    with pytest.raises(RecordError, match=r"record\.sqlite: there is a file already"):
        new(tmp_path)


def test_creating_in_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(RecordError, match="cannot be created"):
        new(tmp_path / "nowhere")


def other_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE a (b)")
    connection.commit()
    connection.close()


def newer_record(path: Path) -> None:
    new(path.parent, path.name).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 7")
    connection.commit()
    connection.close()


def record_of_no_format(path: Path) -> None:
    new(path.parent, path.name).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = -5")
    connection.commit()
    connection.close()


def torn_record(path: Path) -> None:
    new(path.parent, path.name).close()
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "x: no such record"),
        (lambda path: path.mkdir(), "x: is a folder; expected the record file inside it"),
        (lambda path: path.write_bytes(b""), r"x: is empty \(0 bytes\), not a record"),
        (lambda path: path.write_text("hello, I am text"), "x: is not an SQLite file"),
        (other_database, r"x: an SQLite file, but not a record \(application_id 0\)"),
        (newer_record, r"x: written by a newer version \(format 7; this one reads up to 3\)"),
        (record_of_no_format, r"x: is damaged \(it says that it is of format -5, which never"),
        (torn_record, "x: not a readable record"),
    ],
)
@pytest.mark.parametrize("writable", [False, True])
def test_what_is_no_record_is_said_in_one_line(tmp_path, make, message, writable):
    make(tmp_path / "x")
    with pytest.raises(RecordError, match=message) as caught:
        Record.open(tmp_path / "x", writable=writable)
    assert "\n" not in str(caught.value)


def test_a_process_killed_after_a_trial_loses_nothing(tmp_path):
    program = (
        "import os, signal, sys; sys.path.insert(0, 'tests'); from pathlib import Path;"
        "from test_record import new, trial; record = new(Path(sys.argv[1]));"
        "record.add_trial(trial());"
        "record._connection.execute('BEGIN'); record._many('DELETE FROM trials WHERE 1', [()]);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=root, check=False)
    assert done.returncode == -9
    with Record.open(tmp_path / "record.sqlite", writable=True) as record:
        assert list(record.trials()["key"]) == ["t1"]


def test_reports_know_neither_torch_nor_the_other_packages():
    program = (
        "import sys, reports.build; "
        "print([m for m in ('torch', 'ablate', 'blocks', 'scipy') if m in sys.modules])"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_a_trial_with_a_hundred_curve_points_costs_less_than_20_kilobytes(tmp_path):
    with new(tmp_path) as record:
        before = record.path.stat().st_size
        for seed in range(20):
            key = f"trial{seed:012d}"
            curve = [CurvePoint(key, "loss", step, 0.1) for step in range(100)]
            record.add_trial(trial(key, seed=seed), [Measurement(key, "psnr", 1.0)], curve)
    assert record.path.stat().st_size - before < 20 * 20_000
