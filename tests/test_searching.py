"""A run goes through its search: what it trains, keeps, times, confirms and leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ablate.runs.runner
import ablate.runs.searching
from ablate.engines.job import Done, Event, Failed, Job, Kind, Message, Waits
from ablate.events import Warned
from ablate.folder import RunFolder
from ablate.identity.sources import Sources
from ablate.mix import Mix, mix_from_json
from ablate.profile import Profile
from ablate.runs.context import Context
from ablate.runs.marks import marks_of
from ablate.runs.opening import open_record
from ablate.runs.preparing import keep, prepare_data
from ablate.runs.runner import Runner
from ablate.runs.seeing import Costs, Sight, measured
from ablate.searches import Proposal
from ablate.study import Study, load_study
from ablate.trials.job import TrialJob, TrialResult
from reports.record import Measurement, Note, Record

BLOCKS = ["identity", "nafblock", "rdcnn", "lama"]
QUALITY = {"identity": 20.0, "nafblock": 27.0, "rdcnn": 22.0, "lama": 26.9}
LATENCY = {"identity": 1.0, "nafblock": 2.0, "rdcnn": 3.0, "lama": 4.0}  # of the reference's


@cache
def _loaded(raw: str) -> Study:
    return load_study(json.loads(raw))


def study(search: dict[str, Any], objectives: Iterable[str] = ("psnr",), **others: Any) -> Study:
    """Four mixes of one stage, 100 steps."""
    raw = {
        "question": "?",
        "task": {"degradation": "gaussian_noise"} | others.pop("task", {}),
        "network": {"width": 8, "stage": [{"block": BLOCKS}]},
        "training": {"steps": 100, "crop": 16, "seeds": others.pop("seeds", 2)},
        "profile": {"size": [16, 16]},
        "search": search,
        "report": {"objectives": list(objectives)},
    }
    return _loaded(json.dumps(raw | others))


def block(mix: Mix) -> str:
    return mix.network.stages[0].blocks[0].name


SOURCES = Sources()  # read once


def counted(mix: Mix, profile: Profile, device: str) -> tuple[list[Measurement], list[Note]]:
    """In place of counting."""
    values = {"params": 100.0, "macs": 1000.0 * LATENCY[block(mix)]}
    return [Measurement(mix.key, name, value) for name, value in values.items()], []


@dataclass
class Training:
    """In place of workers: the numbers of a mix are those of its block, at once.

    Args:
        done: The jobs that came to their end, by name.
        most: After so many of them the run is killed.
        seconds: Of a whole trial.
        broken: The block whose trials fail.
        failing: Seconds that each of these takes.
        waiting: What every trial says twice that it waits for.
        kind: Of their failure.
    """

    done: list[str] = field(default_factory=list)
    most: int = 1000
    seconds: float = 100.0
    broken: str = ""
    failing: float = 0.0
    waiting: str = ""
    kind: Kind = "error"

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool]
    ) -> Iterator[Event]:
        for job in jobs:
            payload = job.payload
            assert isinstance(payload, TrialJob)
            if len(self.done) == self.most:
                raise KeyboardInterrupt
            self.done.append(job.name)
            yield from [Message(job, Waits(self.waiting))] * 2 if self.waiting else []
            name = block(mix_from_json(payload.mix))
            if name == self.broken:
                yield Failed(job, f"{name} broke", "", self.kind, self.failing)
                continue
            psnr = QUALITY[name] + 0.001 * payload.seed + (payload.until or 100) / 100
            yield Done(
                job,
                TrialResult(
                    status="partial" if payload.until else "done",
                    reason="",
                    seconds=self.seconds * (payload.until or 100) / 100,
                    values={"psnr": psnr, "input_psnr": 18.0},
                    curve=(),
                    pictures=(),
                    facts={},
                ),
            )

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class World:
    """A run with this training, in one folder."""

    study: Study
    folder: Path
    training: Training | Here
    told: list[object] = field(default_factory=list)

    def run(self) -> Runner:
        place = RunFolder(self.folder)
        self.folder.mkdir(exist_ok=True)
        data = dict.fromkeys(self.study.data(), "d")
        marks = marks_of(self.study, "cpu", ["d"], (), None, place.path)
        told = self.told.append
        with open_record(self.study, place, marks, (), told, SOURCES) as record:
            context = Context(
                study=self.study,
                place=place,
                record=record,
                device="cpu",
                data=data,
                engine=self.training,
                listener=self.told.append,
                sources=SOURCES,
            )
            runner = Runner(context)
            runner.search(1)
        return runner

    def record(self) -> Record:
        return RunFolder(self.folder).open()

    def rested(self) -> list[tuple[str, int, int]]:
        """Block, seed and step of everything that rested."""
        with self.record() as record:
            names = dict(record.mixes()[["key", "label"]].to_numpy().tolist())
            rows = record.partials()
        return sorted((names[row.mix], row.seed, row.step) for row in rows.itertuples())

    def ended(self) -> list[tuple[str, int]]:
        """Block and seed of every whole training that is done."""
        with self.record() as record:
            names = dict(record.mixes()[["key", "label"]].to_numpy().tolist())
            rows = record.trials()
        rows = rows[rows["status"] == "done"]
        return sorted((names[row.mix], row.seed) for row in rows.itertuples())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    monkeypatch.setattr(ablate.runs.runner, "time_run", lambda *arguments: None)
    monkeypatch.setattr("ablate.runs.trainer.FORECAST_FROM", 1000)
    monkeypatch.setattr(ablate.runs.runner, "count_mix", counted)

    def make(asked: Study, folder: str = "run", **training: Any) -> World:
        return World(asked, tmp_path / folder, Training(**training))

    return make


RUNGS = {"rungs": [25, 50], "keep": 0.5}


def test_what_others_beat_with_confidence_goes_no_further_than_a_rung(world):
    this = world(study(RUNGS))
    runner = this.run()
    every = [(name, seed, 25) for name in BLOCKS for seed in (0, 1)]
    better = [(name, seed, 50) for name in ("lama", "nafblock") for seed in (0, 1)]
    assert this.rested() == sorted(every + better)
    assert this.ended() == [("nafblock", 0), ("nafblock", 1)]
    assert [block(mix) for mix in runner.mixes.values()] == ["nafblock"]  # to be timed in the end


def test_the_record_says_by_which_rules_mixes_were_left(world):
    this = world(study(RUNGS | {"stop": {"trials": 6}}))
    this.run()
    with this.record() as record:
        facts = record.facts()
        notes = record.notes()
    assert json.loads(facts["schedule"]) == {"rungs": [25, 50], "keep": 0.5}
    assert json.loads(facts["stop"]) == {"trials": 6}
    said = "the search ended before its strategy did: 6 of 6 trials were begun"
    assert said in set(notes["text"])
    assert Warned("the search ends here: 6 of 6 trials were begun") in this.told
    assert len({name for name, _, _ in this.rested()}) == 3


@pytest.mark.parametrize("killed", [1, 8, 13])
def test_a_killed_search_goes_on_to_the_same_end_and_trains_nothing_twice(world, killed):
    whole, this = world(study(RUNGS), "whole"), world(study(RUNGS), most=killed)
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        this.run()
    this.training.most = 1000
    this.run()
    assert len(this.training.done) == len(set(this.training.done)) == len(whole.training.done) == 14
    assert (this.rested(), this.ended()) == (whole.rested(), whole.ended())


def test_a_failed_mix_is_left_out_and_the_others_go_on(world):
    this = world(study(RUNGS), broken="lama")
    this.run()
    assert this.ended() == [("nafblock", 0), ("nafblock", 1)]
    with this.record() as record:
        failed = record.trials()
    assert set(failed[failed["status"] == "failed"]["reason"]) == {"lama broke"}


def test_the_front_gets_more_seeds_after_everything_was_timed(world, monkeypatch):
    order = list[str]()
    monkeypatch.setattr(ablate.runs.runner, "time_run", lambda *arguments: order.append("timed"))
    this = world(study({"confirm": 4}, seeds=1))
    train = Runner.train

    def noted(self: Runner, trials: list[Any], workers: int) -> None:
        order.append(f"{len(trials)} trials")
        train(self, trials, workers)

    monkeypatch.setattr(Runner, "train", noted)
    this.run()
    assert order == ["4 trials", "timed", "4 trials"]
    seeds = {name: [s for other, s in this.ended() if other == name] for name in BLOCKS}
    assert seeds == {"identity": [0], "nafblock": [0, 1, 2, 3], "rdcnn": [0], "lama": [0]}


def sat_together(asked: list[list[str]]) -> Callable[..., str]:
    """In place of a sitting: the second one runs on a machine that has become twice as slow."""

    def time_batch(context: Context, mixes: dict[str, Mix], labels: dict[str, str]) -> str:
        asked.append(sorted(block(mix) for mix in mixes.values()))
        pace, sitting = float(len(asked)), f"s{len(asked)}"
        rows = {key: LATENCY[block(mix)] * pace for key, mix in mixes.items()}
        rows["reference"] = pace
        context.record.add_sitting(
            Measurement(key, "latency", v, v - 0.0196, v + 0.0196, 9, "16x16", sitting=sitting)
            for key, v in rows.items()
        )
        return sitting

    return time_batch


def test_latency_that_decisions_weigh_is_measured_before_training(world, monkeypatch):
    asked = list[list[str]]()
    monkeypatch.setattr(ablate.runs.searching, "time_batch", sat_together(asked))
    this = world(study(RUNGS, objectives=("psnr", "latency")))
    this.run()
    assert asked == [sorted(BLOCKS)]  # once: what goes on is not timed again
    assert {name for name, _ in this.ended()} == {"identity", "nafblock"}  # lama is slower


def test_latencies_of_several_sittings_compare_by_the_reference(world, monkeypatch):
    asked = list[list[str]]()
    monkeypatch.setattr(ablate.runs.searching, "time_batch", sat_together(asked))
    monkeypatch.setattr("ablate.searches.stopping.FEWEST", 2)
    this = world(study({"stop": {"flat": 4}}, objectives=("psnr", "latency")))
    searching = ablate.runs.searching.Searching
    seen = list[Any]()
    say = searching._say_why
    monkeypatch.setattr(searching, "_say_why", lambda self: (seen.extend(self.seen), say(self)))
    this.run()
    assert asked == [sorted(BLOCKS[:2]), sorted(BLOCKS[2:])]
    assert [row.values["latency"] for row in seen] == pytest.approx([1.0, 2.0, 3.0, 4.0])
    assert [row.errors["latency"] for row in seen] == pytest.approx(
        [0.01, 0.01, 0.005, 0.005], rel=1e-4
    )


def test_without_a_decision_that_weighs_it_no_latency_is_measured_in_between(world, monkeypatch):
    asked = list[list[str]]()
    monkeypatch.setattr(ablate.runs.searching, "time_batch", sat_together(asked))
    world(study({}, objectives=("psnr", "latency"))).run()
    world(study({"confirm": 4}, objectives=("psnr", "latency")), "confirmed").run()
    world(study(RUNGS, objectives=("psnr", "macs")), "counted").run()
    assert asked == []


def test_device_hours_that_are_spent_end_a_search_when_its_batch_is_done(world, monkeypatch):
    monkeypatch.setattr("ablate.searches.stopping.FEWEST", 2)
    asked = study({"stop": {"device_hours": 1.0}})
    this = world(asked, seconds=1000.0, most=3)
    with pytest.raises(KeyboardInterrupt):
        this.run()
    this.training.most = 1000
    this.run()
    assert this.ended() == [(name, seed) for name in ("identity", "nafblock") for seed in (0, 1)]
    with this.record() as record:
        said = "the search ended before its strategy did: 1.11 of 1 device hours are spent"
        assert said in set(record.notes()["text"])
    again = this.run()  # the search is over, and nothing of it is lost
    assert len(this.training.done) == 4
    assert len(again.mixes) == 2


def test_a_batch_that_was_begun_is_finished_although_time_is_up(world, monkeypatch):
    monkeypatch.setattr("ablate.searches.stopping.FEWEST", 2)
    this = world(study({"stop": {"device_hours": 1.0}}), seconds=9000.0, most=1)
    with pytest.raises(KeyboardInterrupt):
        this.run()
    this.training.most = 1000
    this.run()
    assert len(this.ended()) == 4


def test_a_trial_that_rested_counts_once_among_the_device_hours(world):
    this = world(study(RUNGS | {"stop": {"device_hours": 99.0}}), seconds=100.0)
    this.run()
    assert device_seconds(this) == 2 * (25.0 + 25.0 + 50.0 + 100.0)


def test_a_trial_that_waits_its_turn_says_so_once(world):
    this = world(study(RUNGS, seeds=1), waiting="another run times")
    this.run()
    said = [one.text for one in this.told if isinstance(one, Warned)]
    waited = [text for text in said if text.endswith(": another run times")]
    assert len(waited) == len(set(this.training.done))


def device_seconds(this: World) -> float:
    """As a run that goes on now finds them."""
    with this.record() as record:
        context = Context(
            study=this.study, place=RunFolder(this.folder), record=record, device="cpu", data={}
        )
        return ablate.runs.searching.Searching(Runner(context))._device_seconds()


def test_failed_attempts_count_among_the_device_hours_over_continuations(world):
    asked = study({"stop": {"device_hours": 99.0}}, seeds=1)
    this = world(asked, broken="lama", failing=30.0, kind="crash")  # each is tried twice
    this.run()
    with this.record() as record:
        trials = record.trials().set_index("status")
        assert trials.loc["failed", "seconds"] == 30.0  # of its last attempt
    assert device_seconds(this) == 3 * 100.0 + 2 * 30.0
    this.run()
    assert device_seconds(this) == 3 * 100.0 + 4 * 30.0
    this.training.broken = ""
    this.run()
    assert device_seconds(this) == 4 * 100.0 + 4 * 30.0


def test_what_fails_spends_device_hours_and_ends_a_search(world, monkeypatch):
    monkeypatch.setattr("ablate.searches.stopping.FEWEST", 2)
    asked = study({"stop": {"device_hours": 1.0}}, seeds=1)
    this = world(asked, broken="identity", failing=3600.0)
    this.run()
    assert [name for name, _ in this.ended()] == ["nafblock"]


def test_trials_that_another_run_trained_cost_no_device_hours(world):
    this = world(study({"stop": {"device_hours": 99.0}}, seeds=1))
    this.run()
    with RunFolder(this.folder).open(writable=True) as record:
        key = record.trials()["key"][0]
        record._many("INSERT INTO trial_facts VALUES (?, 'reused_from', 'other')", [(key,)])
    assert device_seconds(this) == 3 * 100.0


def test_wall_clock_hours_add_up_over_continuations(world):
    this = world(study({"stop": {"hours": 0.5}}), most=2)
    with pytest.raises(KeyboardInterrupt):
        this.run()
    with RunFolder(this.folder).open(writable=True) as record:
        assert float(record.facts()["search_seconds"]) < 600
        record.set_fact("search_seconds", "1799.99")
    this.training.most = 1000
    this.run()  # the begun batch is finished, and then time is up
    assert len(this.ended()) == 8


def test_where_the_task_is_asked_about_mixes_compare_by_their_gain(world):
    asked = study({}, task={"degradation": "gaussian_noise", "sigma": [15, 25]}, seeds=1)
    this = world(asked)
    this.run()
    point = (0, 0)
    key = asked.mix(point).key
    with this.record() as record:
        trials = record.trials()
        context = Context(
            study=asked,
            place=RunFolder(this.folder),
            record=record,
            device="cpu",
            data=dict.fromkeys(asked.data(), "d"),
        )
        proposal = Proposal(point)
        batch = ablate.runs.searching.trials_of(context, [proposal])
        (row,) = Sight(asked, record, Costs(asked)).of([proposal], batch)
        (score,) = [r for r in measured(record)[batch[0].key] if r.metric == "psnr"]
    assert key in set(trials["mix"])
    assert row.values["psnr"] == pytest.approx(score.value - 18.0)
    assert row.values["params"] > 0
    assert (row.status, row.rung, row.n) == ("done", 0, 1)


class Here:
    """Trains in this process, and really."""

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool]
    ) -> Iterator[Event]:
        for job in jobs:
            yield Done(job, job.call(lambda message: None))

    def close(self) -> None:
        """Nothing to close."""


def really(folder: Path, search: dict[str, Any]) -> dict[tuple[str, int], tuple[str, float]]:
    """Train two small mixes: digest of the weights and PSNR of each trial."""
    raw = {
        "question": "?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"width": 8, "stage": [{"block": ["identity", "nafblock"]}]},
        "training": {"steps": 4, "batch": 2, "crop": 16, "seeds": 1, "validate": 2, "ema": 0.5},
        "evaluation": {"crop": 32, "crops": 2},
        "profile": {"size": [16, 16]},
        "search": search,
        "report": {"objectives": ["psnr", "params"]},
    }
    asked = load_study(raw)
    for choice, dataset in prepare_data(asked).items():
        folder.mkdir()
        keep(dataset, RunFolder(folder).data(choice))
    World(asked, folder, Here()).run()
    with RunFolder(folder).open() as record:
        facts, trials, values = record.trial_facts(), record.trials(), record.measurements()
    weights = facts[facts["name"] == "weights_sha256"].set_index("trial")["value"]
    psnr = values[values["metric"] == "psnr"].set_index("subject")["value"]
    return {
        (row.mix, row.seed): (weights[row.key], psnr[row.key])
        for row in trials.itertuples()
        if row.status == "done"
    }


def test_trainings_that_rested_come_to_the_same_weights_bit_for_bit(world, tmp_path):
    whole = really(tmp_path / "whole", {})
    rested = really(tmp_path / "rested", {"rungs": [1, 3], "keep": 1.0})
    assert len(whole) == 2
    assert rested == whole
    with RunFolder(tmp_path / "rested").open() as record:
        partials = record.partials()
    assert sorted(partials["step"]) == [1] * 4 + [3] * 2  # two seeds each, to know the scatter
