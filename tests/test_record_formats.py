"""Records of earlier formats are read as they are, and written to become one of today's."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from reports.build import report_texts
from reports.record import Measurement, Metric, MixRow, Reading, Record, RecordError, TrialRow, file
from reports.record import tables as formats
from reports.record.hashing import record_hash
from tests.older_records import make_older
from tests.simulated_run import simulate

TABLES = ("metrics", "mixes", "levels", "stages", "trials", "trial_facts", "measurements")
TABLES += ("partials", "samples", "curve", "notes", "pictures")
OLDER = (1, 2)


def new(path: Path) -> Record:
    record = Record.create(path, "demo", "", "Why?", {}, ("psnr",))
    record.define([Metric("psnr", "dB", "higher"), Metric("latency", "s", "lower")])
    record.add_mixes([MixRow("m1", "one", "{}")])
    return record


def measured(path: Path) -> Path:
    """A record whose rows do not stand in the order of their kinds, one of which is gone."""
    with new(path) as record:
        record.add_sitting([Measurement("m1", "latency", 0.5, device="cuda", sitting="s2")])
        gone = [Measurement("t0", "psnr", 1.0, mode="gone")]
        record.add_trial(TrialRow("t0", "m1", 0, "done"), gone)
        record.forget("t0")
        for seed in (2, 1):
            key = f"t{seed}"
            values = [Measurement(key, "psnr", 29.5 + seed, 29, 32, 3, "64x64", "", "cpu")]
            record.add_trial(TrialRow(key, "m1", seed, "done"), values)
        record.add_sitting([Measurement("m1", "latency", 0.25, sitting="s1", backend="c")])
        record.add_sitting([Measurement("m1", "latency", 0.75, device="cuda", sitting="s2")])
    return path


def everything(path: Path) -> dict[str, pd.DataFrame]:
    with Reading.open(path) as record:
        return {name: getattr(record, name)() for name in TABLES}


def require_same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    """To the order of categories, which is that in which rows have them."""
    for name in TABLES:
        pd.testing.assert_frame_equal(found[name], expected[name], check_exact=True)


def format_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        (version,) = raw.execute("PRAGMA user_version").fetchone()
    return int(version)


@pytest.mark.parametrize("version", OLDER)
def test_an_older_record_says_the_same_before_and_after_it_is_written_to(
    tmp_path: Path, version: int
):
    path = measured(tmp_path / "record.sqlite")
    today = everything(path)
    make_older(path, version)
    require_same(everything(path), today)
    Record.open(path, writable=True).close()
    assert format_of(path) == formats.VERSION
    require_same(everything(path), today)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_record_that_was_brought_to_this_format_has_the_tables_of_a_new_one(tmp_path: Path):
    query = "SELECT name, type, sql FROM sqlite_master ORDER BY name"

    def tables(path: Path) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(path)) as raw:
            return raw.execute(query).fetchall()

    new(tmp_path / "new").close()
    new(tmp_path / "old").close()
    Record.open(make_older(tmp_path / "old", 1), writable=True).close()
    assert tables(tmp_path / "old") == tables(tmp_path / "new")


@pytest.mark.parametrize("version", OLDER)
def test_reading_an_older_record_leaves_every_byte_of_it(tmp_path: Path, version: int):
    path = simulate(tmp_path / "record.sqlite", {"stage1": 2}, seeds=2, pictures=False)
    texts = report_texts(path)
    before, named = make_older(path, version).read_bytes(), record_hash(path)
    with Reading.open(path) as record:
        record.require_whole()
    older = report_texts(path)
    assert path.read_bytes() == before
    assert record_hash(path) == named
    assert format_of(path) == version
    assert older["results.csv"] == texts["results.csv"]


def test_measuring_goes_on_in_an_older_record_where_it_stood(tmp_path: Path):
    path = make_older(measured(tmp_path / "record.sqlite"), 2)
    with Record.open(path, writable=True) as record:
        record.add_sitting([Measurement("m1", "latency", 0.3, sitting="s1", backend="c")])
        table = record.measurements()
    assert table["value"].tolist() == [31.5, 30.5, 0.75, 0.3]
    assert table["sitting"].cat.categories.tolist() == ["", "s2", "s1"]


def test_a_record_that_cannot_be_brought_to_this_format_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = make_older(measured(tmp_path / "record.sqlite"), 1)
    before, bytes_before = everything(path), path.read_bytes()
    failing = (*formats.STEPS[2], "SELECT * FROM a_table_that_is_not_there")
    monkeypatch.setitem(formats.STEPS, 2, failing)
    with pytest.raises(RecordError) as caught:
        Record.open(path, writable=True)
    assert str(caught.value) == (
        f"{path}: cannot be brought to format 3, and is as it was "
        "(no such table: a_table_that_is_not_there)"
    )
    assert path.read_bytes() == bytes_before
    require_same(everything(path), before)
    monkeypatch.undo()
    Record.open(path, writable=True).close()
    require_same(everything(path), before)


def test_a_process_killed_while_it_brings_a_record_to_this_format_leaves_it_as_it_was(
    tmp_path: Path,
):
    with new(tmp_path / "record.sqlite") as record:
        rows = [Measurement(f"x{at}", "psnr", at, sitting=f"s{at % 7}") for at in range(2000)]
        record.add_sitting(rows)
    path = make_older(tmp_path / "record.sqlite", 2)
    before = everything(path)
    program = (
        "import os, signal, sqlite3, sys; from reports.record.tables import upgrade;"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "connection.execute('PRAGMA cache_size = 10');"  # so that pages are written on the way
        "kill = lambda text: 'CREATE VIEW' in text and os.kill(os.getpid(), signal.SIGKILL);"
        "connection.set_trace_callback(kill); upgrade(connection)"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, check=False)
    assert done.returncode == -9
    assert Path(f"{path}-wal").stat().st_size > 2**16
    assert format_of(path) == 2
    require_same(everything(path), before)
    Record.open(path, writable=True).close()
    assert format_of(path) == 3
    require_same(everything(path), before)


def several(path: Path) -> Path:
    """An older record of some hundred measurements."""
    with new(path) as record:
        place = {"mode": "128x128", "device": "cuda", "sitting": "one of an evening"}
        record.add_sitting([Measurement(f"x{at}", "latency", at, **place) for at in range(700)])
    return make_older(path, 2)


def test_a_record_is_not_larger_after_it_was_brought_to_this_format(tmp_path: Path):
    path = several(tmp_path / "record.sqlite")
    before, size = everything(path), path.stat().st_size
    Record.open(path, writable=True).close()
    assert path.stat().st_size < size
    require_same(everything(path), before)


def test_a_record_that_cannot_be_made_smaller_is_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = several(tmp_path / "record.sqlite")
    before, opened = everything(path), file._writable

    def unshrinkable(path: Path) -> sqlite3.Connection:
        connection = opened(path)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # VACUUM attaches a file
        with pytest.raises(sqlite3.OperationalError):
            connection.execute("VACUUM")
        return connection

    monkeypatch.setattr(file, "_writable", unshrinkable)
    with Record.open(path, writable=True) as record:
        require_same(everything(path), before)
        record.add_sitting([Measurement("m1", "psnr", 31.0)])
    assert format_of(path) == 3
    assert len(everything(path)["measurements"]) == 701


def test_a_record_that_another_process_brought_to_this_format_is_left_alone(tmp_path: Path):
    path = measured(tmp_path / "record.sqlite")
    before = everything(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        formats.upgrade(raw)
    require_same(everything(path), before)


def test_measurements_can_be_asked_for_in_sql_as_ever(tmp_path: Path):
    path = measured(tmp_path / "record.sqlite")
    with closing(sqlite3.connect(path)) as raw:
        found = raw.execute("SELECT * FROM measurements ORDER BY id")
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found]
    assert " ".join(names) == ("id subject metric value low high n mode backend device sitting")
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    table = everything(path)["measurements"].astype(object)
    expected = table.where(table.notna(), None).to_dict("records")
    assert [{name: row[name] for name in table} for row in rows] == expected


def test_texts_that_are_the_same_for_many_measurements_are_kept_once(tmp_path: Path):
    place = {"mode": "128x128", "backend": "c", "device": "cpu", "sitting": "evening"}
    with new(tmp_path / "record.sqlite") as record:
        for batch in range(2):
            keys = [f"m{batch}{at}" for at in range(50)]
            record.add_sitting([Measurement(key, "latency", 0.5, **place) for key in keys])
        assert record.measurements()["sitting"].tolist() == ["evening"] * 100
    with closing(sqlite3.connect(tmp_path / "record.sqlite")) as raw:
        assert raw.execute("SELECT count(*) FROM kinds").fetchone() == (1,)


def test_kinds_that_no_measurement_has_any_more_are_no_categories(tmp_path: Path):
    table = everything(measured(tmp_path / "record.sqlite"))["measurements"]
    assert table["metric"].cat.categories.tolist() == ["psnr", "latency"]
    assert table["mode"].cat.categories.tolist() == ["64x64", ""]
    assert table["device"].cat.categories.tolist() == ["cpu", "", "cuda"]
    assert table["value"].tolist() == [31.5, 30.5, 0.25, 0.75]


def test_a_measurement_of_a_kind_that_is_not_there_is_one_line(tmp_path: Path):
    path = measured(tmp_path / "record.sqlite")
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE measured SET kind = 77 WHERE value = 30.5")
    with Reading.open(path) as record, pytest.raises(RecordError) as caught:
        record.measurements()
    assert str(caught.value) == (
        f"{path}: cannot be read (a measurement is of kind 77, which is not there)"
    )
