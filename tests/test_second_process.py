"""The part of a large record's report that a second process makes, and who makes it without one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reports import build, second_process
from reports.build import FILES, write_report
from reports.numbers.found import Found
from reports.record import Reading, RecordError
from reports.second_process import UNUSED, Second, _lean, second
from tests.simulated_run import simulate


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "record.sqlite"
    return simulate(path, {"stage1": 2, "stage2": 2}, seeds=2, pictures=False)


@pytest.fixture(scope="module")
def alone(record: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process writes, which is what reports of so few trials are made by."""
    folder = tmp_path_factory.mktemp("alone")
    return {name: path.read_bytes() for name, path in write_report(record, folder).items()}


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_process, "MANY", 0)
    monkeypatch.setattr(second_process, "_processors", lambda: 2)


def forbidden(*_: object) -> None:
    raise AssertionError("the first process did the second one's work")


def written(record: Path, folder: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in write_report(record, folder).items()}


def test_the_report_is_the_same_byte_for_byte(
    record: Path,
    alone: dict[str, bytes],
    many: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("budgets", "write_files"):
        monkeypatch.setattr(second_process, name, forbidden)
    assert set(alone) == set(FILES)
    assert written(record, tmp_path / "out") == alone


def test_of_what_it_needs_nothing_is_held_back(record: Path):
    """What is not handed over can't be used by mistake: to ask for it is an error."""
    lean = _lean(build.sections(record).found)
    assert lean.table.equals(build.sections(record).found.table)
    for name in UNUSED:
        with pytest.raises(AttributeError, match=name):
            getattr(lean, name)


def test_one_that_breaks_off_half_way_has_its_work_done_again(
    record: Path,
    alone: dict[str, bytes],
    many: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """It gives the budgets back, and has no curves to draw."""
    monkeypatch.setattr(second_process, "UNUSED", (*UNUSED, "curve"))
    done: list[Path] = []
    write = second_process.write_files

    def writing(found: Found, folder: Path) -> None:
        done.append(folder)
        write(found, folder)

    monkeypatch.setattr(second_process, "write_files", writing)
    monkeypatch.setattr(second_process, "budgets", forbidden)
    assert written(record, tmp_path / "out") == alone
    assert done == [tmp_path / "out"]


@pytest.mark.parametrize("python", ["no-such-program", shutil.which("false") or "false"])
def test_without_a_process_that_works_the_first_does_it_all(
    record: Path,
    alone: dict[str, bytes],
    many: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    python: str,
):
    monkeypatch.setattr(second_process.sys, "executable", python)
    assert written(record, tmp_path / "out") == alone


def test_few_trials_and_single_processors_have_none(record: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(second_process, "_started", forbidden)
    monkeypatch.setattr(second_process, "_processors", lambda: 2)
    with Reading.open(record) as reading:
        trials = reading.trial_count()
        assert trials == len(reading.trials()) > 0
    monkeypatch.setattr(second_process, "MANY", trials)
    with second(record, Path("out")):
        pass
    monkeypatch.setattr(second_process, "MANY", trials - 1)
    monkeypatch.setattr(second_process, "_processors", lambda: 1)
    with second(record, Path("out")):
        pass
    monkeypatch.setattr(second_process, "_processors", lambda: 2)
    with pytest.raises(AssertionError, match="second one's work"), second(record, Path("out")):
        pass


def test_it_ends_with_the_first(record: Path, many: None, tmp_path: Path):
    started: list[Second] = []
    with pytest.raises(KeyboardInterrupt), second(record, tmp_path / "out") as process:
        started.append(process)
        raise KeyboardInterrupt
    assert started[0]._process is not None
    assert started[0]._process.poll() is not None
    assert not (tmp_path / "out").exists()


def test_a_record_that_is_none_is_refused_as_ever(many: None, tmp_path: Path):
    with pytest.raises(RecordError, match="no such record"):
        write_report(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()
