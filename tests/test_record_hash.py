"""The hash of a record is that of its file at rest, whatever is still in its log."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from reports.record import Metric, Record, RecordError
from reports.record.hashing import record_hash


def test_the_hash_is_the_same_before_and_after_the_log_is_folded_in(tmp_path: Path):
    path = tmp_path / "record.sqlite"
    with Record.create(path, "s", "", "", {}, ("psnr",)) as record:
        record.define([Metric("psnr", "dB", "higher")])
        assert Path(f"{path}-wal").stat().st_size > 0
        before = record_hash(path)
        assert before != hashlib.sha256(path.read_bytes()).hexdigest()
    assert not Path(f"{path}-wal").exists()
    assert record_hash(path) == before == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_copy_has_the_same_hash_and_a_changed_record_another(tmp_path: Path):
    path = tmp_path / "record.sqlite"
    Record.create(path, "s", "", "", {}, ()).close()
    before = record_hash(path)
    shutil.copy(path, tmp_path / "copy.sqlite")
    assert record_hash(tmp_path / "copy.sqlite") == before
    with Record.open(path, writable=True) as record:
        record.note("", "warning", "busy")
    assert record_hash(path) != before


def test_what_is_no_record_has_no_hash(tmp_path: Path):
    with pytest.raises(RecordError, match="no such record"):
        record_hash(tmp_path / "nothing")
