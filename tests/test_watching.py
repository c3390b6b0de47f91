"""What a run says of itself, and what somebody sees who watches it from outside."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ablate.events import (
    Began,
    Ended,
    PhaseBegan,
    PhaseStep,
    TrialEnded,
    TrialStep,
    Warned,
)
from ablate.folder import RunError, RunFolder
from ablate.profiling.nvml import Absent, Device
from ablate.watching import command, devices, snapshot
from ablate.watching.command import looks, seconds
from ablate.watching.devices import device_lines
from ablate.watching.keeper import Keeper, kept_status
from ablate.watching.snapshot import Snapshot, Watcher
from ablate.watching.standing import standing
from ablate.watching.status import NAME, Running, Status, read_status
from ablate.watching.view import view
from reports.numbers.results import results
from reports.record import MixRow, Record, TrialRow
from tests.conftest import Cli
from tests.fake_nvml import FakeNvml
from tests.simulated_run import simulate

BEGAN = Began(
    study="tiny",
    folder=Path("run"),
    mixes=2,
    trials=4,
    finished=2,
    workers=2,
    device="cpu",
    seconds=100.0,
)


def step(trial: str = "k1", at: int = 5, loss: float = 0.25) -> TrialStep:
    return TrialStep(trial=trial, label="a | b", seed=1, step=at, steps=10, loss=loss)


def ended(trial: str = "k1", status: str = "done") -> TrialEnded:
    return TrialEnded(trial, "a | b", 1, status, "", 28.5, 8.1, 12.4)


SMALL = {"stage1": 2, "stage2": 3}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(folder: Path) -> Status:
    status = read_status(folder)
    assert status is not None
    return status


def test_a_run_says_what_runs_how_far_it_is_and_when_it_will_be_done(tmp_path: Path):
    clock = Clock()
    keeper = Keeper(tmp_path, clock, pause=0.0)
    assert said(tmp_path) == Status(
        pid=os.getpid(), host=socket.gethostname(), started=1000.0, updated=1000.0
    )
    keeper(BEGAN)
    assert said(tmp_path).seconds_left == 100.0, "the forecast, before anything is known"
    clock.now = 1010.0
    keeper(step("k1", 5))
    assert said(tmp_path).seconds_left == 90.0
    keeper(step("k2", 9, loss=float("nan")))
    keeper(ended("k1"))
    status = said(tmp_path)
    assert (status.trials, status.finished, status.ended) == (6, 2, 1)
    assert (status.phase, status.done, status.total) == ("training", 1, 4)
    assert status.running == (
        Running(label="a | b", seed=1, step=9, steps=10, loss=None, device="", since=1010.0),
    )
    assert status.seconds_left == pytest.approx(10 / 1.9 * (4 - 1.9))
    keeper(Warned("it is hot"))
    keeper(PhaseBegan("latency", 30))
    keeper(PhaseStep("latency", 7, 30))
    status = said(tmp_path)
    assert (status.phase, status.done, status.total) == ("latency", 7, 30)
    assert status.warnings == ("it is hot",)


def test_what_changes_all_the_time_is_not_written_all_the_time(tmp_path: Path):
    clock = Clock()
    keeper = Keeper(tmp_path, clock, pause=0.5)
    keeper(BEGAN)
    for at in range(1, 5):
        clock.now += 0.1
        keeper(step(at=at))
    assert said(tmp_path).running == ()
    clock.now += 0.1
    keeper(step(at=5))
    assert [trial.step for trial in said(tmp_path).running] == [5]
    clock.now -= 3600  # somebody set it back
    keeper(step(at=6))
    assert [trial.step for trial in said(tmp_path).running] == [6]


def test_a_search_adds_up_its_batches(tmp_path: Path):
    keeper = Keeper(tmp_path, pause=0.0)
    keeper(BEGAN)
    for trial in ("k1", "k2", "k3", "k4"):
        keeper(ended(trial))
    assert said(tmp_path).seconds_left is None, "nothing is left that is known of"
    keeper(replace(BEGAN, trials=3, finished=0, seconds=None))
    status = said(tmp_path)
    assert (status.trials, status.finished, status.ended) == (9, 2, 4)


ENDS: list[tuple[BaseException | None, str, str]] = [
    (None, "done", ""),
    (KeyboardInterrupt(), "interrupted", ""),
    (SystemExit(143), "interrupted", ""),
    (ValueError("no\nroom"), "failed", "no room"),
    (RuntimeError(), "failed", "RuntimeError"),
]


@pytest.mark.parametrize(("error", "state", "reason"), ENDS)
def test_a_run_says_how_it_ended(
    tmp_path: Path, error: BaseException | None, state: str, reason: str
):
    heard = []

    def go() -> None:
        with kept_status(tmp_path, heard.append) as listener:
            listener(BEGAN)
            listener(step())
            if error:
                raise error
            listener(Ended(Path("run"), Path("run/report.html"), "It does."))

    if error:
        with pytest.raises(type(error)):
            go()
    else:
        go()
    status = said(tmp_path)
    assert (status.state, status.reason, status.running) == (state, reason, ())
    assert heard[0] == BEGAN
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_run_that_returns_before_its_report_was_interrupted(tmp_path: Path):
    with kept_status(tmp_path, lambda event: None) as listener:
        listener(BEGAN)
    assert said(tmp_path).state == "interrupted"


def test_a_status_that_cannot_be_written_ends_no_run(tmp_path: Path):
    keeper = Keeper(tmp_path / "gone", pause=0.0)
    keeper(BEGAN)
    keeper.end("done")
    assert read_status(tmp_path / "gone") is None


GOOD = asdict(Status(pid=1, host="h", started=1.0, updated=2.0))
FOREIGN: dict[str, object] = {
    "torn": '{"pid": 1, "ho',
    "empty": "",
    "a list": [1, 2],
    "a number": 3,
    "another file": {"name": "x"},
    "words for a number": GOOD | {"updated": "soon"},
    "truth for a number": GOOD | {"updated": True},
    "no list of trials": GOOD | {"running": "many"},
    "half a trial": GOOD | {"running": [{"label": "a"}]},
    "numbers for trials": GOOD | {"running": [1]},
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_no_status_is_none(tmp_path: Path, what: str):
    content = FOREIGN[what]
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / NAME).write_text(text)
    assert read_status(tmp_path) is None


def test_a_later_version_may_say_more(tmp_path: Path):
    (tmp_path / NAME).write_text(json.dumps(GOOD | {"mood": "good", "format": 2, "started": 1}))
    assert said(tmp_path).pid == 1


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a record of six mixes and a baseline; nobody runs it."""
    simulate(tmp_path / "record.sqlite", SMALL, seeds=2, pictures=False, broken=2)
    return tmp_path


@pytest.fixture
def live(run: Path) -> Iterator[Path]:
    """The same, run by this process."""
    with RunFolder(run).held():
        Keeper(run, pause=0.0)(BEGAN)
        yield run


def test_a_run_is_running_as_long_as_its_lock_is_held(live: Path):
    assert Watcher(live).look().state == "running"


def test_a_run_whose_lock_is_free_has_ended_as_it_said_or_has_died(run: Path):
    assert Watcher(run).look().state == "idle"
    keeper = Keeper(run)
    assert Watcher(run).look().state == "died"
    states = {"done": "finished", "interrupted": "interrupted", "failed": "failed"}
    for state, seen in states.items():
        keeper.end(state)  # type: ignore[arg-type]
        assert Watcher(run).look().state == seen


def test_a_run_is_starting_until_its_own_process_has_said_something(run: Path):
    with RunFolder(run).held():
        assert Watcher(run).look().state == "starting"
        keeper = Keeper(run)
        keeper.status = replace(keeper.status, pid=1)  # that was another one, and it died
        keeper.write()
        assert Watcher(run).look().state == "starting"
        Keeper(run).end("done")  # it has said its last word, and is about to let go
        assert Watcher(run).look().state == "finished"


def test_a_run_that_is_only_starting_can_be_watched(tmp_path: Path):
    folder = tmp_path / "new"
    with RunFolder(folder).held():
        Keeper(folder)
        now = Watcher(folder).look()
    assert (now.state, now.standing) == ("running", None)
    text = shown(now)
    assert "running as process" in text


def test_where_no_run_is_that_is_said(tmp_path: Path):
    with pytest.raises(RunError, match=r"no run is here \(no record.sqlite\)"):
        Watcher(tmp_path)


def test_time_passes_between_the_last_word_and_the_look(live: Path):
    clock = Clock()
    keeper = Keeper(live, clock, pause=0.0)
    keeper(BEGAN)
    clock.now += 30
    now = Watcher(live, clock).look()
    assert (now.age, now.seconds_left) == (30.0, 70.0)
    clock.now += 200
    assert Watcher(live, clock).look().seconds_left == 0.0
    clock.now -= 3600
    now = Watcher(live, clock).look()
    assert (now.age, now.seconds_left) == (0.0, 100.0)


def contents(folder: Path) -> dict[str, str]:
    """What a run consists of, but for the lists that SQLite keeps of who reads it."""
    files = [path for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal"))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_watching_changes_nothing(live: Path):
    before = contents(live)
    for _ in range(3):
        view(Watcher(live).look())
    assert contents(live) == before


def test_the_record_is_read_again_only_when_it_has_changed(
    run: Path, monkeypatch: pytest.MonkeyPatch
):
    reads = []

    def counted(record: Record) -> object:
        reads.append(record)
        return standing(record)

    monkeypatch.setattr(snapshot, "standing", counted)
    watcher = Watcher(run)
    first = watcher.look()
    assert watcher.look().standing == first.standing
    assert len(reads) == 1
    with Record.open(run / "record.sqlite", writable=True) as record:
        record.add_mixes([MixRow("new", "a new one", "{}")])
    later = watcher.look()
    assert first.standing and later.standing
    assert later.standing.mixes == first.standing.mixes + 1


def test_the_front_so_far_is_that_of_the_report(run: Path):
    with Record.open(run / "record.sqlite") as record:
        now, table = standing(record), results(record)
    expected = table[table["on_front"].astype(bool) & ~table["baseline"]]
    assert {mix.key for mix in now.front} == set(expected.index)
    assert now.metrics == ("psnr", "latency")
    assert now.units == {"psnr": "dB", "latency": "s"}
    assert now.remark == ""
    latencies = [mix.values["latency"] for mix in now.front]
    assert latencies == sorted(latencies)
    assert {mix.key: mix.trials for mix in now.front} == table.loc[
        expected.index, "psnr_n"
    ].to_dict()
    first = now.front[0]
    assert first.values["psnr"] == pytest.approx(table.loc[first.key, "psnr"])


def test_before_latency_is_timed_the_front_is_over_macs_and_says_so(tmp_path: Path):
    path = simulate(tmp_path / "record.sqlite", SMALL, seeds=1, pictures=False)
    with Record.open(path, writable=True) as record:
        record._connection.execute(
            "DELETE FROM measured WHERE kind IN (SELECT id FROM kinds WHERE metric = 'latency')"
        )
        now, table = standing(record), results(record)
    assert now.metrics == ("psnr", "macs")
    assert now.remark == "latency is not measured of every mix yet: macs stands in"
    table = table[~table["baseline"]]
    points = table[["psnr", "macs"]].to_numpy()
    best = [
        not any((p >= q) & (m <= n) & ((p > q) | (m < n)) for p, m in points) for q, n in points
    ]
    assert {mix.key for mix in now.front} == set(table.index[np.array(best)])


def test_without_anything_trained_there_is_no_front(tmp_path: Path):
    with Record.create(
        tmp_path / "record.sqlite", "demo", "", "Why?", {"device": "cpu"}, ("psnr", "latency")
    ) as record:
        assert standing(record).front == ()
        record.add_mixes([MixRow("m1", "one", "{}")])
        now = standing(record)
    assert (now.mixes, now.front, now.metrics, now.remark) == (1, (), (), "")
    assert (now.statuses, now.failures, now.question) == ({}, (), "Why?")


def test_failures_are_told_by_kind_the_last_one_first(run: Path):
    with Record.open(run / "record.sqlite", writable=True) as record:
        mix = record.mixes()["key"].iloc[3]
        facts = {"kind": "crash"}
        record.add_trial(TrialRow("x", mix, 7, "failed", "ended by SIGSEGV", facts=facts))
        now = standing(record)
    assert now.failures[0].reason == "ended by SIGSEGV"
    assert [failure.status for failure in now.failures] == ["failed", "failed", "diverged"]
    assert [failure.kind for failure in now.failures] == ["crash", "", "diverged"]
    assert now.kinds == {"crash": 1, "diverged": 1}
    assert sum(now.statuses.values()) == 7 * 2 + 1


def shown(now: Snapshot, lines: tuple[str, ...] = ()) -> str:
    file = io.StringIO()
    Console(file=file, width=140).print(view(now, lines), markup=False)
    return file.getvalue()


def test_the_view_shows_state_progress_devices_front_failures_and_warnings(live: Path):
    clock = Clock()
    keeper = Keeper(live, clock, pause=0.0)
    for event in (BEGAN, step("k2", 4), Warned("it is hot")):
        keeper(event)
    clock.now += 90
    text = shown(Watcher(live, clock).look(), ("cpu: 2.0 processes want one of 2 cores",))
    assert "where_does_mamba_pay: running as process" in text
    assert "silent for 1 min 30 s" in text
    assert "In which stage does Mamba pay for its latency?" in text
    assert "14 trials of 7 mixes: 12 done, 1 diverged, 1 failed" in text
    assert "training" in text
    assert "about 10 s to go" in text
    assert "a | b, seed 1" in text
    assert "4/10" in text
    assert "loss 0.2500" in text
    assert "cpu: 2.0 processes want one of 2 cores" in text
    assert "front so far" in text
    assert "Latency, ms" in text
    assert "not done: 1 diverged" in text
    assert "seed 0: diverged: loss is nan at step 130" in text
    assert "seed 0: failed: RuntimeError: out of memory" in text
    assert "warning: it is hot" in text


def test_the_view_of_a_run_that_is_over_says_how_to_go_on(run: Path):
    clock = Clock()
    keeper = Keeper(run, clock)
    keeper(BEGAN)
    clock.now += 61
    text = shown(Watcher(run, clock).look())
    assert "died without a word; the same command goes on from here" in text
    assert "last heard of 1 min 01 s ago" in text
    assert "4/10" not in text, "nothing runs"
    keeper.end("failed", "the disk is full")
    assert "ended by an error; the same command goes on from here (the disk is full)" in shown(
        Watcher(run, clock).look()
    )


def test_a_long_front_is_cut(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ablate.watching.view.ROWS", 1)
    now = Watcher(run).look()
    assert now.standing
    assert f"and {len(now.standing.front) - 1} more" in shown(now)


def test_devices_are_told_of_this_machine_only(live: Path, monkeypatch: pytest.MonkeyPatch):
    now = Watcher(live).look()
    assert now.status
    (line,) = device_lines(now)
    assert line.startswith("cpu: ")
    assert "cores" in line
    elsewhere = replace(now, status=replace(now.status, host="another"))
    assert device_lines(elsewhere) == ["cpu on another, which is not this machine"]
    assert device_lines(replace(now, state="finished")) == []
    cuda = replace(now, status=replace(now.status, device="cuda"))
    gpus = (Device(FakeNvml(), "handle"), Device(FakeNvml(), Absent("fell off the bus")))
    monkeypatch.setattr(devices, "devices", lambda: gpus)
    assert device_lines(cuda) == [
        "GPU 0: NVIDIA H100, 37 % busy, 12.0 of 80 GiB, 41 °C",
        "GPU 1: nothing can be read",
    ]
    monkeypatch.setattr(devices, "devices", lambda: Absent("no driver"))
    assert device_lines(cuda) == ["cuda: nothing can be read (no driver)"]


def test_watching_ends_when_the_run_is_over(run: Path, monkeypatch: pytest.MonkeyPatch):
    slept = []
    with RunFolder(run).held():
        keeper = Keeper(run)
        watcher = Watcher(run)

        def sleep(pause: float) -> None:
            slept.append(pause)
            keeper.end("done")

        monkeypatch.setattr(command.time, "sleep", sleep)
        states = [now.state for now in looks(watcher, 2.0)]
    assert states == ["running", "finished"]
    assert slept == [2.0] or slept[0] > 2.0, "a slow look is followed by a longer pause"


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e9"])
def test_a_pause_that_is_none_is_refused(text: str):
    with pytest.raises(RunError, match=r"--every: expected seconds from 0.1 to 86400; got"):
        seconds(text)


def test_watch_shows_a_run_once_where_there_is_no_terminal(cli: Cli, live: Path):
    code, out, errors = cli("watch", live)
    assert (code, errors) == (0, "")
    assert "where_does_mamba_pay: running as process" in out
    assert cli("watch", live, "--once")[1].count("front so far") == 1


def test_watch_speaks_json(cli: Cli, run: Path):
    Keeper(run).end("interrupted")
    code, out, _ = cli("watch", run, "--json")
    (line,) = out.splitlines()
    told = json.loads(line)
    assert code == 0
    assert (told["state"], told["standing"]["study"]) == ("interrupted", "where_does_mamba_pay")
    assert told["standing"]["front"][0]["values"].keys() == {"psnr", "latency"}
    assert told["devices"] == []


def test_watch_says_where_there_is_no_run(cli: Cli, tmp_path: Path):
    code, out, errors = cli("watch", tmp_path / "none")
    assert (code, out) == (2, "")
    assert errors == (
        f"{tmp_path / 'none'}: no run is here (no record.sqlite); start one: ablate run\n"
    )


def test_ctrl_c_is_the_usual_way_to_stop_watching(
    cli: Cli, live: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(pause: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupted)
    code, out, errors = cli("watch", live, "--json")
    assert (code, len(out.splitlines()), errors) == (0, 1, "")


def test_a_terminal_shows_one_look_in_the_place_of_the_other(live: Path):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, height=60)
    keeper, watcher = Keeper(live, pause=0.0), Watcher(live)

    def looked() -> Iterator[Snapshot]:
        for at in (3, 7):
            keeper(BEGAN)
            keeper(step(at=at))
            yield watcher.look()

    command._live(looked(), console)
    text = file.getvalue()
    assert text.index("3/10") < text.index("7/10")
    assert "\x1b[1A" in text, "the cursor goes up again"
