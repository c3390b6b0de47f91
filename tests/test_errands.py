"""A job done on another host: files go there and come back, and nothing of it stays behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ablate.engines import host
from ablate.engines.errand import News, Parcel, keep_files, marks, pack, write_whole
from ablate.engines.files import BOTH, READ, WRITE, at_places, files_of
from ablate.engines.host import clean, run_errand, seldom
from ablate.engines.job import Done, Event, Failed, Interrupted, Job, Message, Stopped
from ablate.engines.room import RoomError, room, sweep
from ablate.trials.job import TrialJob


@dataclass(frozen=True, kw_only=True)
class Task:
    """Letters to count; a state to go on from; a place for the result."""

    data: str = field(metadata=READ)
    out: str = field(metadata=WRITE)
    state: str = field(default="", metadata=BOTH)
    until: int = 0
    note: str = ""


def count(task: Task, report: Callable[[object], None]) -> int:
    """Counts; goes on from what the state says; leaves a state where it is to rest."""
    state = Path(task.state) if task.state else None
    before = int(state.read_text()) if state and state.exists() else 0
    found = before + len(Path(task.data).read_text())
    report(("at", task.data))
    if state and task.until:
        state.write_text(str(found))
        state.with_name(f"{state.name}.json").write_text("{}")
    elif state:
        state.unlink(missing_ok=True)
    Path(task.out).write_text(f"{found} letters")
    return found


def talk(task: Task, report: Callable[[object], None]) -> None:
    for number in range(100):
        report(number)


def fail(task: Task, report: Callable[[object], None]) -> None:
    raise ValueError("window must be positive")


def rest(task: Task, report: Callable[[object], None]) -> None:
    Path(task.state).write_text("7")
    raise Stopped


def here(
    jobs: list[Job], workers: int, *, stop: Callable[[], bool] = lambda: False
) -> Iterator[Event]:
    """An engine that runs jobs in this very process."""
    for job in jobs:
        said: list[object] = []
        try:
            result = job.call(said.append)
            yield from (Message(job, content) for content in said)
            yield Done(job, result)
        except Stopped:
            yield Interrupted(job)
        except ValueError as error:
            yield Failed(job, str(error), "evidence", "error", 1.5)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data.txt").write_text("abcde")
    paths = {name: str(tmp_path / "home" / f"{name}.txt") for name in ("data", "out", "state")}
    return Task(**paths)


def job(function: Callable[..., object], task: Task, **more: object) -> Job:
    name = f"{__name__}:{function.__name__}"
    return Job(name="a", function=name, payload=task, **more)  # type: ignore[arg-type]


def sent(
    work: Job, base: Path, *, elsewhere: bool = True, fetched: list[str] | None = None
) -> list[News]:
    """What another host tells of a job; it has none of the files unless they are said to be."""
    errand = pack(work, "run-1", {})
    if elsewhere:
        moved = {path: replace(p, changed=p.changed + 1) for path, p in errand.parcels.items()}
        errand = replace(errand, parcels=moved)

    def fetch(parcel: Parcel) -> bytes:
        if fetched is not None:
            fetched.append(parcel.path)
        return Path(parcel.path).read_bytes()

    return list(run_errand(errand, fetch, lambda: False, base=base, engine=here))


def test_a_payload_says_which_of_its_fields_are_files(task: Task):
    assert [(f.field, f.use) for f in files_of(task)] == [
        ("data", "read"),
        ("out", "write"),
        ("state", "both"),
    ]
    assert [f.field for f in files_of(replace(task, state=""))] == ["data", "out"]
    assert files_of({"data": "no dataclass"}) == ()
    assert at_places(task, {"out": Path("/x")}) == replace(task, out="/x")


def test_a_trial_says_which_of_its_fields_are_files():
    uses = {f.name: f.metadata.get("file") for f in TrialJob.__dataclass_fields__.values()}
    assert {name: use for name, use in uses.items() if use} == {
        "data": "read",
        "checkpoint": "write",
        "state": "both",
    }


def test_files_go_there_and_what_the_job_leaves_comes_back(task: Task, tmp_path: Path):
    news = sent(job(count, task), tmp_path / "there")
    assert [n.kind for n in news] == ["began", "message", "done"]
    assert news[-1].content == 5
    assert str(news[1].content[1]).startswith(str(tmp_path / "there"))  # type: ignore[index]
    assert not Path(task.out).exists()
    keep_files(news[-1].files)
    assert Path(task.out).read_text() == "5 letters"
    assert list((tmp_path / "home").glob("*.partial")) == []


def test_a_file_is_fetched_once_for_all_jobs_of_a_run_and_never_where_it_lies_already(
    task: Task, tmp_path: Path
):
    fetched: list[str] = []
    with room("run-1", tmp_path / "there"):
        for _ in range(2):
            sent(job(count, task), tmp_path / "there", fetched=fetched)
    assert fetched == [task.data]
    news = sent(job(count, task), tmp_path / "there", elsewhere=False, fetched=fetched)
    assert fetched == [task.data]
    assert news[1].content == ("at", task.data)


def test_a_state_goes_along_with_all_that_belongs_to_it_and_its_removal_too(
    task: Task, tmp_path: Path
):
    rested = sent(job(count, replace(task, until=1)), tmp_path / "there")
    keep_files(rested[-1].files)
    home = tmp_path / "home"
    assert (home / "state.txt").read_text() == "5"
    assert (home / "state.txt.json").read_text() == "{}"
    (home / "other.txt").write_text("not of this trial")
    on = sent(job(count, task), tmp_path / "there")
    assert on[-1].content == 10
    assert on[-1].files[str(home / "state.txt")] is None
    keep_files(on[-1].files)
    assert sorted(path.name for path in home.iterdir()) == [
        "data.txt",
        "other.txt",
        "out.txt",
        "state.txt.json",
    ]


def test_a_state_comes_back_from_a_job_that_was_interrupted(task: Task, tmp_path: Path):
    news = sent(job(rest, task), tmp_path / "there")
    assert news[-1].kind == "interrupted"
    assert news[-1].files == {task.state: b"7"}


def test_a_failure_there_is_the_failure_it_would_be_here(task: Task, tmp_path: Path):
    work = job(fail, task)
    assert sent(work, tmp_path / "there")[-1].event(work) == Failed(
        work, "window must be positive", "evidence", "error", 1.5
    )


def test_news_stand_for_events_of_the_job_as_it_was_given(task: Task):
    work = job(count, task)
    assert News(kind="began", content="a host").event(work) is None
    assert News(kind="message", content=1).event(work) == Message(work, 1)
    assert News(kind="done", content=1).event(work) == Done(work, 1)
    assert News(kind="interrupted").event(work) == Interrupted(work)


def test_of_many_messages_at_once_one_is_passed_on(task: Task, tmp_path: Path):
    news = sent(job(talk, task), tmp_path / "there")
    assert [n.content for n in news if n.kind == "message"] == [0]


def test_plug_ins_go_along_under_their_own_names(task: Task, tmp_path: Path):
    plugin = tmp_path / "home" / "my_block.py"
    plugin.write_text("# a block")
    seen: list[tuple[str, ...]] = []

    def engine(jobs: list[Job], workers: int, *, stop: Callable[[], bool]) -> Iterator[Event]:
        seen.append(jobs[0].plugins)
        assert Path(jobs[0].plugins[0]).read_text() == "# a block"
        yield Done(jobs[0], None)

    errand = pack(job(count, task, plugins=(str(plugin),)), "run-1", {})
    moved = {path: replace(p, changed=0) for path, p in errand.parcels.items()}
    errand = replace(errand, parcels=moved)
    read = lambda parcel: Path(parcel.path).read_bytes()  # noqa: E731
    list(run_errand(errand, read, lambda: False, base=tmp_path / "there", engine=engine))
    assert Path(seen[0][0]).name == "my_block.py"
    assert seen[0][0] != str(plugin)


def test_a_host_with_other_code_refuses_and_says_what_differs(task: Task, tmp_path: Path):
    errand = pack(job(count, task), "run-1", {**marks(), "torch": "1.0"})
    news = list(run_errand(errand, lambda p: b"", lambda: False, base=tmp_path, engine=here))
    assert [n.kind for n in news] == ["began", "failed"]
    assert news[-1].failure == "environment"
    version = marks()["torch"]
    assert news[-1].reason.endswith(
        f"torch is another version ({version}) than where the run was started (1.0); "
        "install the same on all hosts"
    )
    same = replace(errand, marks=marks())
    assert (
        list(run_errand(same, lambda p: b"", lambda: False, base=tmp_path, engine=here))[-1].kind
        == "done"
    )


def test_a_host_without_room_says_so(task: Task, tmp_path: Path):
    (tmp_path / "there").write_text("a file")
    news = sent(job(count, task), tmp_path / "there")
    assert news[-1].failure == "environment"
    assert "the job's files could not be kept (" in news[-1].reason


def test_a_missing_file_is_found_before_anything_is_sent(task: Task):
    Path(task.data).unlink()
    with pytest.raises(FileNotFoundError):
        pack(job(count, task), "run-1", {})


def test_a_question_is_asked_seldom_and_a_yes_stays():
    answers = iter([False, True])
    asking = seldom(lambda: next(answers), 0.0)
    assert [asking() for _ in range(4)] == [False, True, True, True]
    rarely = seldom(lambda: next(iter([False])), 1000.0)
    assert [rarely() for _ in range(3)] == [False] * 3


def test_marks_change_with_the_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "__init__.py").write_text("")
    found = type("Found", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr("importlib.util.find_spec", lambda package: found)
    before = marks()["ablate"]
    (tmp_path / "scan.c").write_text("int x;")
    assert marks()["ablate"] != before


def test_what_runs_left_goes_when_nobody_holds_it(tmp_path: Path):
    with room("run-1", tmp_path) as first:
        (first / "data").write_text("x")
        with room("run-1", tmp_path) as again:
            assert again == first
        with room("run-2", tmp_path):
            assert (first / "data").exists()
            assert sweep(tmp_path) == []
        assert sweep(tmp_path) == ["run-2"]
    clean("run-1", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_others_can_write_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    place = tmp_path / f"ablate-{os.getuid()}"
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(RoomError, match=r"is not ours alone; remove it, or set TMPDIR"), room("a"):
        pass
    place.rmdir()
    place.write_text("in the way")
    with pytest.raises(RoomError, match=r"no place for a job's files \(File exists\)"), room("a"):
        pass
    place.unlink()
    with room("run-1") as folder:
        assert folder.parent == place


def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "file", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_engine_is_kept_for_the_next_job():
    assert host._engine() is host._engine()
