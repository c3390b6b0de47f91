"""A run's stages: placed once for each network, recorded for each mix, forecast before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ablate.costs import stage_phase
from ablate.costs.counts import cost_metrics
from ablate.costs.phase import Phase
from ablate.costs.placing import BOUND, PlacingError, Roofline
from ablate.costs.sitting import Timed
from ablate.events import PhaseBegan, PhaseStep, Warned
from ablate.mix import Mix
from ablate.profile import Profile
from ablate.profiling.nvml import Absent
from ablate.runs.context import Context
from ablate.runs.timing import time_run
from reports.record import Record
from tests.test_placing import FOUND, mix

PROFILE = Profile(size=((16, 16),), rounds=30, processes=3, stages=True)


class Placer:
    """Places without timing, and remembers what it was asked."""

    def __init__(self, reason: str = "") -> None:
        self.reason, self.asked = reason, list[tuple[list[str], Profile]]()

    def __call__(self, mixes: Sequence[Mix], shape: object, **how: object) -> dict[str, Roofline]:
        profile, report = how["profile"], how["report"]
        assert isinstance(profile, Profile) and callable(report)
        self.asked.append(([one.network.key for one in mixes], profile))
        if self.reason:
            raise PlacingError(self.reason)
        report(1, 18)
        return {one.key: FOUND for one in mixes}


@pytest.fixture
def record(tmp_path):
    with Record.create(tmp_path / "record.sqlite", "s", "", "q", {}, ["psnr"]) as opened:
        opened.define(cost_metrics(PROFILE, "cpu"))
        yield opened


def place(record: Record, mixes: Sequence[Mix], profile: Profile = PROFILE) -> list[object]:
    heard: list[object] = []
    by_key = {one.key: one for one in mixes}
    stage_phase.place_run(
        Phase(
            record=record,
            mixes=by_key,
            profile=profile,
            device="cpu",
            plugins=(),
            listener=heard.append,
        )
    )
    return heard


def twins() -> tuple[Mix, Mix]:
    """Two mixes of one network, trained differently."""
    one = mix("nafblock")
    return one, replace(one, training=replace(one.training, steps=7))


def test_a_network_is_placed_once_and_recorded_for_each_of_its_mixes(record, monkeypatch):
    placer = Placer()
    monkeypatch.setattr(stage_phase, "place_stages", placer)
    one, other = twins()
    heard = place(record, [one, other])
    assert [keys for keys, _ in placer.asked] == [[one.network.key]]
    assert heard[0] == PhaseBegan("stages", 18) and isinstance(heard[1], PhaseStep)
    rows = record.measurements()
    latency = rows[rows["metric"] == "latency"].set_index("subject")
    assert set(latency.index) == {f"{one.key}:stage1", f"{other.key}:stage1"}
    assert latency["value"].tolist() == [0.4, 0.4]
    assert latency["low"].tolist() == [0.39, 0.39] and latency["high"].tolist() == [0.41, 0.41]
    assert set(record.notes()["topic"]) == {BOUND}


def test_a_few_rounds_in_one_process_are_enough(record, monkeypatch):
    placer = Placer()
    monkeypatch.setattr(stage_phase, "place_stages", placer)
    place(record, twins())
    profile = placer.asked[0][1]
    assert (profile.rounds, profile.processes) == (10, 1)


def test_what_is_recorded_is_not_placed_again(record, monkeypatch):
    placer = Placer()
    monkeypatch.setattr(stage_phase, "place_stages", placer)
    place(record, twins())
    assert place(record, twins()) == []
    assert len(placer.asked) == 1


def test_nothing_happens_where_the_study_does_not_ask(record, monkeypatch):
    placer = Placer()
    monkeypatch.setattr(stage_phase, "place_stages", placer)
    assert place(record, twins(), replace(PROFILE, stages=False)) == []
    assert placer.asked == []
    assert stage_phase.forecast_seconds(1.0, replace(PROFILE, stages=False), 2, "cpu") == 0


def test_a_failure_is_told_and_noted_and_costs_nothing_else(record, monkeypatch):
    monkeypatch.setattr(stage_phase, "place_stages", Placer("the stages cannot be placed: why"))
    heard = place(record, twins())
    assert Warned("the stages cannot be placed: why") in heard
    assert record.measurements().empty
    assert record.notes()["text"].tolist() == ["the stages cannot be placed: why"]


def test_a_network_that_cannot_be_placed_is_named_and_the_others_are_recorded(record, monkeypatch):
    one, other = mix("nafblock"), mix("plain_block")

    def placer(mixes: Sequence[Mix], shape: object, **how: object) -> dict[str, object]:
        return {one.key: FOUND, other.key: Absent("out of memory")}

    monkeypatch.setattr(stage_phase, "place_stages", placer)
    heard = place(record, [one, other])
    text = "16x16: the stages cannot be placed: out of memory"
    assert Warned(text) in heard
    notes = record.notes()
    assert notes[notes["subject"] == other.key]["text"].tolist() == [text]
    assert f"{one.key}:stage1" in set(record.measurements()["subject"])


def test_what_stages_took_is_not_taken_for_the_latency_of_their_networks(record, monkeypatch):
    monkeypatch.setattr(stage_phase, "place_stages", Placer())
    one = mix("nafblock")
    place(record, [one])
    sittings: list[object] = []

    def time_together(networks: object, **how: object) -> Timed:
        sittings.append(how["size"])
        return Timed(failure="no core is free")

    monkeypatch.setattr("ablate.runs.timing.time_together", time_together)
    study = SimpleNamespace(profile=PROFILE)
    context = Context(study=study, place=None, record=record, device="cpu", data={})
    time_run(context, {one.key: one}, {one.key: "one"})
    assert sittings == [(16, 16)]


def test_a_forecast_grows_with_calls_and_networks():
    short = stage_phase.forecast_seconds(0.01, PROFILE, 2, "cpu")
    assert stage_phase.forecast_seconds(0.02, PROFILE, 2, "cpu") > short
    assert stage_phase.forecast_seconds(0.01, PROFILE, 4, "cpu") > short
