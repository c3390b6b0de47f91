"""A study shared out over hosts and joined again is the study that one host would have run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ablate.cli import main
from ablate.collection.merging import merge
from ablate.engines.job import Done, Event, Job, never
from ablate.events import Began, Ended
from ablate.folder import RunError
from ablate.runs import running
from ablate.runs.runner import Runner
from ablate.runs.sharing import Share
from ablate.study import load_study
from ablate.trials.job import TrialJob, TrialResult
from tests.test_running import TINY


class Pretending:
    """An engine whose trials come to numbers that follow from their keys."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never
    ) -> Iterator[Event]:
        for job in jobs:
            assert isinstance(job.payload, TrialJob)
            self.done.append(job.name)
            yield Done(job, result_of(job.payload))

    def close(self) -> None:
        """Nothing is kept."""


def result_of(job: TrialJob) -> TrialResult:
    number = int(job.key[:4], 16)
    Path(job.checkpoint).parent.mkdir(exist_ok=True)
    Path(job.checkpoint).write_bytes(job.key.encode())
    return TrialResult(
        status="done",
        reason="",
        seconds=1.0,
        values={"psnr": 20 + number / 65536, "ssim": 0.5, "input_psnr": 19.0, "input_ssim": 0.4},
        curve=(("loss", 1, number / 65536),),
        pictures=(),
        facts={"weights_sha256": hashlib.sha256(job.key.encode()).hexdigest()},
    )


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of four mixes with two seeds; nothing is read, counted, timed or reported."""
    images = SimpleNamespace(digest="d" * 64)
    monkeypatch.setattr(running, "prepare_data", lambda study: dict.fromkeys(study.data(), images))
    monkeypatch.setattr(running, "keep", lambda dataset, path: None)
    monkeypatch.setattr(Runner, "_count", lambda self, mix: None)
    monkeypatch.setattr(Runner, "time", lambda self: None)
    monkeypatch.setattr(running, "_report", lambda place: place.report)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def scores(folder: Path) -> dict[str, float]:
    with running.RunFolder(folder).open() as record:
        measured = record.measurements()
    return dict(measured[measured["metric"] == "psnr"][["subject", "value"]].to_numpy().tolist())


def test_shares_that_are_joined_hold_every_trial_once_and_nothing_is_left_to_do(
    study: Path, tmp_path: Path
):
    engines = [Pretending() for _ in range(4)]
    loaded, parts = load_study(study), []
    for number in (1, 2, 3):
        events: list[object] = []
        place = running.run(
            loaded,
            tmp_path / f"part-{number}",
            engine=engines[number - 1],
            share=Share(number, 3),
            listener=events.append,
            reuse=False,
        )
        ended = events[-1]
        assert isinstance(ended, Ended)
        assert ended.answer.startswith(f"share {number}/3 is trained; when all are: ablate merge")
        parts.append(place.path)
        with place.open() as record:
            assert record.facts()["shard"] == f"{number}/3"
            assert len(record.mixes()) == 4
    assert sorted(len(runs.done) for runs in engines[:3]) == [2, 3, 3]
    assert len({name for runs in engines for name in runs.done}) == 8
    merge(parts, tmp_path / "whole")
    running.run(loaded, tmp_path / "whole", engine=engines[3], reuse=False)
    assert engines[3].done == []
    alone = Pretending()
    running.run(loaded, tmp_path / "alone", engine=alone, reuse=False)
    assert len(alone.done) == 8
    assert scores(tmp_path / "whole") == scores(tmp_path / "alone")


def test_a_share_that_is_run_again_trains_nothing(study: Path, tmp_path: Path):
    for expected in (4, 0):
        runs, events = Pretending(), []
        where = {"share": Share(2, 2), "engine": runs, "reuse": False}
        running.run(load_study(study), tmp_path / "part", listener=events.append, **where)
        (began,) = (event for event in events if isinstance(event, Began))
        assert (len(runs.done), began.trials, began.finished) == (expected, expected, 4 - expected)


def test_the_command_line_hands_the_share_on(
    study: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    given: list[dict[str, object]] = []
    monkeypatch.setattr(running, "run", lambda study, folder, **more: given.append(more))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(study), "--shard", "2/3", "--quiet"])
    assert ended.value.code == 0
    assert given[0]["share"] == Share(2, 3)


def test_a_share_has_a_folder_of_its_own(
    study: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    place = running.run(load_study(study), share=Share(1, 4), engine=Pretending())
    assert place.path == Path("runs/tiny-shard-1-of-4")


def test_a_search_is_not_shared_out(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    study.write_text(TINY + '\n[search]\nstrategy = "tpe"\n')
    with pytest.raises(RunError, match="proposes by what it has seen"):
        running.run(load_study(study), tmp_path / "part", share=Share(1, 2), engine=Pretending())
    assert not (tmp_path / "part").exists()
    with pytest.raises(SystemExit) as ended:
        main(["run", str(study), "--shard", "3/2"])
    assert ended.value.code == 2
    assert "--shard: expected i/n" in capsys.readouterr().err
