"""The part of a large record's report that a second process makes, and who makes it without one."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest

from reports import build, second_process
from reports.build import FILES, write_report
from reports.numbers.found import Found
from reports.page.page import Parts
from reports.record import Reading, RecordError
from reports.second_process import UNUSED, Alone, Second, _lean, second
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


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first process may not do what the second one does."""
    for name in ("budgets", "write_files"):
        monkeypatch.setattr(second_process, name, forbidden)
    for name in ("levels", "stages"):
        monkeypatch.setattr(Reading, name, forbidden)
    monkeypatch.setattr("reports.numbers.found.record_hash", forbidden)


def test_the_report_is_the_same_byte_for_byte(
    record: Path, alone: dict[str, bytes], many: None, only: None, tmp_path: Path
):
    assert set(alone) == set(FILES)
    assert written(record, tmp_path / "out") == alone
    assert not list((tmp_path / "out").glob(".drafts-*"))


def test_what_others_print_in_it_is_not_taken_for_its_words(
    record: Path,
    alone: dict[str, bytes],
    many: None,
    only: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Whatever is installed may print as it is imported, more than a pipe holds, too."""
    (tmp_path / "sitecustomize.py").write_text("print('N.B. ' + 200_000 * 'x', flush=True)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert written(record, tmp_path / "out") == alone


def test_of_what_it_needs_nothing_is_held_back(record: Path):
    """What is not handed over can't be used by mistake: to ask for it is an error."""
    found = build.sections(record).found
    lean = _lean(found)
    assert lean.table.equals(found.table)
    for name in (*UNUSED, "stages"):
        with pytest.raises(AttributeError, match=name):
            getattr(lean, name)
        assert name in vars(found)


def test_one_that_breaks_off_half_way_has_its_work_done_again(
    record: Path,
    alone: dict[str, bytes],
    many: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """It gives the budgets back, writes the table, and has no curves to draw."""
    monkeypatch.setattr(second_process, "UNUSED", (*UNUSED, "curve"))
    monkeypatch.setattr(second_process, "budgets", forbidden)
    done: list[Path] = []
    write = second_process.write_files

    def writing(found: Found, folder: Path) -> None:
        done.append(folder)
        write(found, folder)

    monkeypatch.setattr(second_process, "write_files", writing)
    assert written(record, tmp_path / "out") == alone
    assert done == [tmp_path / "out"]
    assert not list((tmp_path / "out").glob(".drafts-*"))


@pytest.mark.parametrize("python", [None, "no-such-program", shutil.which("false") or "false"])
def test_without_a_process_that_works_the_first_does_it_all(
    record: Path,
    alone: dict[str, bytes],
    many: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    python: str | None,
):
    monkeypatch.setattr(sys, "executable", python)
    assert written(record, tmp_path / "out") == alone


def test_what_is_no_text_in_the_search_path_is_passed_by(
    record: Path, many: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "path", [*sys.path, Path("there")])
    with second(record) as other:
        assert isinstance(other, Second)


def test_a_report_that_cannot_be_made_leaves_the_one_before(
    record: Path,
    alone: dict[str, bytes],
    many: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Although the second process was done with its files."""
    (tmp_path / "figures").mkdir()
    for name in alone:
        (tmp_path / name).write_text("before")

    def failing(parts: Parts, _: object) -> str:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob(".drafts-*/figures/*.svg"))) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        raise MemoryError

    monkeypatch.setattr(build, "html", failing)
    with pytest.raises(MemoryError):
        write_report(record, tmp_path)
    assert all((tmp_path / name).read_text() == "before" for name in alone)
    assert not list(tmp_path.glob(".drafts-*"))


def test_few_trials_and_single_processors_have_none(record: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(second_process, "_processors", lambda: 2)
    with Reading.open(record) as reading:
        trials = reading.trial_count()
        assert trials == len(reading.trials()) > 0
    for most, processors, kind in ((trials, 2, Alone), (trials - 1, 1, Alone), (0, 2, Second)):
        monkeypatch.setattr(second_process, "MANY", most)
        monkeypatch.setattr(second_process, "_processors", lambda known=processors: known)
        with second(record) as other:
            assert type(other) is kind


def test_it_ends_with_the_first(record: Path, many: None):
    started: list[Alone] = []
    with pytest.raises(KeyboardInterrupt), second(record) as other:
        started.append(other)
        raise KeyboardInterrupt
    assert isinstance(started[0], Second)
    assert started[0]._process.poll() is not None


def test_a_record_that_is_none_is_refused_as_ever(many: None, tmp_path: Path):
    with pytest.raises(RecordError, match="no such record"):
        write_report(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()
