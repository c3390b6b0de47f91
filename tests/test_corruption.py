"""Damage to a run ends in one clear line, and nothing that was finished is lost."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import shutil
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import ablate
from ablate.cli import BAD_INPUT, main
from ablate.engines.job import Done, Job
from ablate.events import TakenOver, Warned
from ablate.folder import Owner, RunError, RunFolder
from ablate.mix import mix_from_json
from ablate.network import build
from ablate.study import StudyError, load_study
from ablate.training.checkpoint import CheckpointError, save_weights
from reports.record import Record, RecordError
from tests.small_runs import TEXT, Started, done, start


def with_weights(job: Job) -> Done:
    """A trial whose weights are those of an untrained network."""
    ended = done(job)
    model = build(mix_from_json(job.payload.mix).network)
    facts = {"weights_sha256": save_weights(model, Path(job.payload.checkpoint))}
    return Done(job, replace(ended.result, facts=facts))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("kept")
    return start(folder, end=with_weights).place.path


@pytest.fixture
def place(kept: Path, tmp_path: Path) -> RunFolder:
    """A copy of it that may be damaged."""
    shutil.copytree(kept, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def change(place: RunFolder, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(place.record, isolation_level=None)) as connection:
        connection.execute(statement, values)


def values(place: RunFolder) -> dict[str, float]:
    """PSNR by trial."""
    with place.open() as record:
        table = record.measurements()
    table = table[table["metric"] == "psnr"]
    return dict(zip(table["subject"], table["value"], strict=True))


def warnings(started: Started) -> list[str]:
    return [event.text for event in started.heard if isinstance(event, Warned)]


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(bytes(content))


# The record


def test_a_changed_number_in_the_record_is_found_said_and_made_again(
    place: RunFolder, kept: Path, tmp_path: Path
):
    before = values(RunFolder(kept))
    key = sorted(before)[0]
    raw = place.record.read_bytes()
    place.record.write_bytes(raw.replace(packed(before[key]), packed(before[key] + 1)))
    assert values(place)[key] == before[key] + 1
    again = start(tmp_path, end=with_weights)
    assert again.trained == 1
    assert warnings(again) == [
        f"{place.record}: trial {key} is not what was written (its checksum does not hold); "
        "it is trained again"
    ]
    assert values(place) == before


def packed(value: float) -> bytes:
    """As SQLite has it in a file."""
    return struct.pack(">d", value)


def break_table(place: RunFolder, name: str) -> None:
    """Flip a bit of what says which kind of page a table begins with."""
    with closing(sqlite3.connect(place.record)) as connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (root,) = connection.execute(query, (name,)).fetchone()
    flip(place.record, (root - 1) * page)


def test_a_flipped_byte_in_the_structure_of_the_record_is_one_line(
    place: RunFolder, tmp_path: Path
):
    break_table(place, "measured")
    before = place.record.read_bytes()
    with pytest.raises(RecordError, match=r"^.*record.sqlite: (is damaged|not a readable record)"):
        start(tmp_path)
    assert place.record.read_bytes() == before


def test_damage_that_is_met_while_a_record_is_read_is_one_line(
    place: RunFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ablate.cli.signal.signal", lambda *given: None)
    break_table(place, "mixes")
    said = f"{place.record}: cannot be read (database disk image is malformed)"
    with place.open() as record:
        trials = record.trials()  # what is not damaged can be read
        specs = functools.partial(record.specs, list(trials["mix"]))
        for read in (record.mixes, record.settings, specs):
            with pytest.raises(RecordError) as error:
                read()
            assert str(error.value) == said
    with pytest.raises(SystemExit) as ended:
        main(["report", str(place.path)])
    assert (ended.value.code, capsys.readouterr().err) == (BAD_INPUT, f"{said}\n")


def test_a_new_run_passes_by_a_damaged_record_that_it_could_go_on_with(
    place: RunFolder, tmp_path: Path
):
    break_table(place, "mixes")
    beside = start(tmp_path, new_run=True)
    assert (beside.place.path.name, beside.trained) == ("run-2", 0)  # trials are taken over
    assert TakenOver(4, place.path) in beside.heard
    break_table(beside.place, "notes")
    assert start(tmp_path, new_run=True).place.path.name == "run-3"


def test_trials_are_taken_over_without_pictures_that_cannot_be_read(
    place: RunFolder, tmp_path: Path
):
    key, _ = trial(place)
    change(place, "INSERT INTO blobs VALUES ('0', x'00')")
    change(place, "INSERT INTO pictures VALUES (?, 'a', 'input', '0')", key)
    break_table(place, "blobs")
    beside = start(tmp_path, new_run=True)
    assert (beside.place.path.name, beside.trained) == ("run-2", 0)
    assert (
        f"trial {key} is taken over without its pictures: {place.record}: cannot be read "
        "(database disk image is malformed)"
    ) in warnings(beside)


def test_a_record_that_was_cut_off_is_one_line_and_a_new_run_starts_beside_it(
    place: RunFolder, tmp_path: Path
):
    shutil.copytree(place.path, tmp_path / "copy")
    content = place.record.read_bytes()
    place.record.write_bytes(content[: len(content) // 2])
    with pytest.raises(RecordError) as error:
        start(tmp_path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{place.record}: ")
    beside = start(tmp_path, new_run=True)
    assert beside.place.path.name == "run-2"
    assert TakenOver(4, tmp_path / "copy") in beside.heard
    assert beside.trained == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty (0 bytes), not a record"),
        (b"\0" * 4096, "is not an SQLite file, so not a record"),
        (b"PK\x03\x04 a foreign file", "is not an SQLite file, so not a record"),
    ],
)
def test_a_record_that_is_none_is_one_line(
    place: RunFolder, tmp_path: Path, content: bytes, said: str
):
    place.record.write_bytes(content)
    with pytest.raises(RecordError) as error:
        start(tmp_path)
    assert str(error.value) == f"{place.record}: {said}"
    assert place.record.read_bytes() == content


def test_a_database_of_another_program_is_one_line(place: RunFolder, tmp_path: Path):
    change(place, "PRAGMA application_id = 7")
    with pytest.raises(RecordError, match=r"an SQLite file, but not a record \(application_id 7\)"):
        start(tmp_path)


def test_a_record_of_a_newer_version_is_one_line(place: RunFolder, tmp_path: Path):
    change(place, "PRAGMA user_version = 99")
    with pytest.raises(RecordError, match=r"a newer version \(format 99; this one reads"):
        start(tmp_path)


def test_a_record_without_its_log_is_said_and_what_it_lost_is_trained_again(
    tmp_path: Path,
):
    """As when record.sqlite is copied while the run goes on, and record.sqlite-wal is not."""
    run = tmp_path / "run"

    def end(job: Job) -> Done:
        if len(list(run.glob("checkpoints/*.pt"))) == 2:
            shutil.copy(run / "record.sqlite", tmp_path / "early")
        return with_weights(job)

    start(tmp_path, end=end)
    before = values(RunFolder(run))
    shutil.copy(tmp_path / "early", run / "record.sqlite")
    again = start(tmp_path, end=with_weights)
    lost = again.trained
    assert lost > 0
    assert warnings(again) == [
        f"{lost} trials left weights but no row in the record: the run was ended at that moment, "
        "or record.sqlite was copied without record.sqlite-wal; trained again"
    ]
    assert values(RunFolder(run)) == before


def test_a_record_that_cannot_be_written_is_one_line_and_goes_on_when_it_can(tmp_path: Path):
    with writing("PRAGMA query_only = ON"), pytest.raises(RecordError) as error:
        start(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'run' / 'record.sqlite'}: cannot be written "
        "(attempt to write a readonly database)"
    )
    again = start(tmp_path)
    assert (again.trained, len(values(again.place))) == (4, 4)


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(tmp_path: Path):
    with writing("PRAGMA max_page_count = 1"), pytest.raises(RecordError) as error:
        start(tmp_path, end=chatty)
    assert str(error.value).endswith("cannot be written (database or disk is full)")
    done_before = len(values(RunFolder(tmp_path / "run")))
    again = start(tmp_path, end=chatty)
    assert again.trained == 4 - done_before
    assert len(values(again.place)) == 4


def chatty(job: Job) -> Done:
    """A trial whose curve takes many pages."""
    ended = done(job)
    curve = tuple((f"{'x' * 500}{point}", 1, 0.5) for point in range(50))
    return Done(job, replace(ended.result, curve=curve))


@contextmanager
def writing(pragma: str) -> Iterator[None]:
    """While it holds, SQLite keeps this rule from the first trial on."""
    add = Record.add_trial

    def ruled(record: Record, *given: object) -> bool:
        record._connection.execute(pragma)
        return add(record, *given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Record, "add_trial", ruled)
        yield


# Weights and data


def test_weights_with_a_flipped_byte_are_refused(place: RunFolder):
    (key, label) = trial(place)
    flip(place.checkpoint(key), 2000)
    with pytest.raises(CheckpointError, match="the weights are not those that were saved"):
        ablate.Run(place.path).model(label)


def test_weights_of_another_trial_are_refused(place: RunFolder):
    (key, label) = trial(place)
    other = next(path for path in place.path.glob("checkpoints/*.pt") if path.stem != key)
    shutil.copy(other, place.checkpoint(key))
    with pytest.raises(CheckpointError, match="the weights are not those that were saved"):
        ablate.Run(place.path).model(label)


class Bomb:
    """A pickle that makes a file when it is read."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("exploded",)


def test_a_pickle_bomb_in_place_of_weights_does_not_go_off(
    place: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (key, label) = trial(place)
    monkeypatch.chdir(tmp_path)
    place.checkpoint(key).write_bytes(pickle.dumps(Bomb()))
    digest = hashlib.sha256(place.checkpoint(key).read_bytes()).hexdigest()
    change(
        place,
        "UPDATE trial_facts SET value = ? WHERE trial = ? AND name = 'weights_sha256'",
        digest,
        key,
    )
    with pytest.raises(CheckpointError, match="the weights do not fit the network"):
        ablate.Run(place.path).model(label)
    assert not (tmp_path / "exploded").exists()


def test_a_flipped_pixel_in_the_data_for_the_workers_is_mended(
    place: RunFolder, kept: Path, tmp_path: Path
):
    (data,) = place.path.glob("data-*.npy")
    flip(data, data.stat().st_size // 2)
    start(tmp_path)
    (original,) = kept.glob("data-*.npy")
    assert data.read_bytes() == original.read_bytes()


def trial(place: RunFolder) -> tuple[str, str]:
    """Key and label of a trial."""
    with place.open() as record:
        row, mixes = record.trials().iloc[0], record.mixes().set_index("key")
    return str(row["key"]), str(mixes.loc[row["mix"], "label"])


# Names and places


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "..", ""])
def test_a_study_cannot_be_named_out_of_its_folder(name: str, tmp_path: Path):
    (tmp_path / "study.toml").write_text(f'name = "{name}"\n{TEXT}')
    with pytest.raises(StudyError, match="name must start with a letter or digit and be fit for"):
        load_study(tmp_path / "study.toml")


def test_a_key_in_a_foreign_record_cannot_lead_out_of_the_folder(place: RunFolder):
    (key, label) = trial(place)
    with closing(sqlite3.connect(place.record, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE trials SET key = '../../x' WHERE key = ?", (key,))
        connection.execute("UPDATE trial_facts SET trial = '../../x' WHERE trial = ?", (key,))
    said = f"{place.path}: a trial's key is letters and digits; got '../../x'"
    with pytest.raises(RunError) as error:
        ablate.Run(place.path).model(label)
    assert str(error.value) == said
    with pytest.raises(RunError, match="letters and digits"):
        place.state("../../x")


def test_a_record_that_is_a_link_is_refused(place: RunFolder, tmp_path: Path):
    place.record.rename(tmp_path / "elsewhere.sqlite")
    place.record.symlink_to(tmp_path / "elsewhere.sqlite")
    with pytest.raises(RunError) as error:
        start(tmp_path)
    assert str(error.value) == (
        f"{place.record}: is a link to {tmp_path / 'elsewhere.sqlite'}; a record lies in the "
        "folder of its run, or two runs could write it: move it here"
    )


def test_a_folder_that_is_a_link_is_followed(place: RunFolder, tmp_path: Path):
    (tmp_path / "large disk").mkdir()
    place.path.rename(tmp_path / "large disk" / "moved")
    place.path.symlink_to(tmp_path / "large disk" / "moved")
    again = start(tmp_path)
    assert again.trained == 0
    assert place.path.is_symlink()


def test_a_folder_that_is_a_link_to_nowhere_is_one_line(tmp_path: Path):
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    with pytest.raises(RunError) as error:
        start(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'run'}: a run cannot be kept here (it is a link to {tmp_path / 'gone'}, "
        "which is not there); name a folder that can be written: ablate run ... --out FOLDER"
    )


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path: Path, *given: object, **more: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RunError) as error, RunFolder(tmp_path / "run").held():
        pass
    assert str(error.value) == (
        f"{tmp_path / 'run'}: a run cannot be kept here (Read-only file system); "
        "name a folder that can be written: ablate run ... --out FOLDER"
    )


def test_names_may_be_written_in_any_script(tmp_path: Path):
    folder = tmp_path / "Läufe № 1" / "雪 %20#?"
    folder.mkdir(parents=True)
    first = start(folder, name="бег")
    assert first.trained == 4
    assert start(folder, name="бег").trained == 0
    assert start(folder, name="другой").trained == 0  # taken over
    assert len(ablate.Run(first.place.path).results()) == 2


# Time


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_was_moved_changes_nothing(
    place: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
):
    now, clock = datetime.now, time.time

    class Moved(datetime):
        @classmethod
        def now(cls, zone: object = None) -> datetime:
            return now(zone) + timedelta(days=days)

    for name in ("ablate.folder.datetime", "ablate.runs.opening.datetime"):
        monkeypatch.setattr(name, Moved)
    monkeypatch.setattr(time, "time", lambda: clock() + 86400 * days)
    before = values(place)
    again = start(tmp_path)
    assert (again.trained, values(place)) == (0, before)
    more = start(tmp_path, TEXT.replace("seeds = 2", "seeds = 3"))
    assert more.trained == 2


# Two runners


def test_whoever_holds_a_run_is_known_and_free_when_it_ends(tmp_path: Path):
    place = RunFolder(tmp_path / "run")
    assert place.owner() is None
    with place.held():
        owner = place.owner()
        assert owner is not None
        assert owner.pid == os.getpid()
        with pytest.raises(RunError) as error:
            start(tmp_path)
        assert str(error.value) == (
            f"{place.path}: {owner.words}; wait for it, or look on: ablate watch {place.path}"
        )
    assert place.owner() is None


def test_a_lock_that_says_nothing_is_still_a_lock(tmp_path: Path):
    place = RunFolder(tmp_path / "run")
    with place.held():
        (place.path / ".lock").write_text("12")
        assert place.owner() == Owner(0, "an unknown machine", "a moment ago")
