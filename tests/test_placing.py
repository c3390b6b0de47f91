"""Stages are placed in a process of their own, and what is found is told and recorded."""

from __future__ import annotations

import json

import pytest

from ablate.cli import main
from ablate.costs.placing import (
    BOUND,
    PlacingError,
    Roofline,
    as_json,
    limit_words,
    place_stages,
    remarks,
    roofline_metrics,
    roofline_rows,
    table,
)
from ablate.engines.job import Failed
from ablate.mix import Choice, Mix, Network, Stage, Task
from ablate.profile import Profile
from ablate.profiling.nvml import Absent
from ablate.profiling.roofline import NETWORK, StagePlacement
from ablate.profiling.roofs import Work, place
from ablate.study import load_study
from tests.test_ceilings import MACHINE

pytestmark = pytest.mark.usefixtures("forks")

WORK = Work(flops=2e9, bytes_moved=1e9, launches=10)


def stage(slot: str) -> StagePlacement:
    return StagePlacement(
        slot=slot,
        shapes=((1, 8, 32, 32),),
        work=WORK,
        placement=place(WORK, 0.4, MACHINE),
        low=0.39,
        high=0.41,
    )


FOUND = Roofline(stages=(stage("stage1"), stage(NETWORK)), ceilings=MACHINE, precision="float32")


def mix(block: str, width: int = 8) -> Mix:
    slots = ("stage1", "stage2", "decoder1", "decoder2")
    stages = tuple(Stage(slot=slot, blocks=(Choice(name=block),)) for slot in slots)
    network = Network(topology=Choice.of("unet", {"width": width}), stages=stages)
    return Mix(task=Task(degradation=Choice(name="given")), network=network)


def test_networks_are_placed_in_a_fresh_process_under_the_same_roofs():
    mixes = [mix("nafblock"), mix("plain_block")]
    told: list[tuple[int, int]] = []
    found = place_stages(
        mixes,
        (3, 16, 16),
        profile=Profile(rounds=2, batch=2),
        device="cpu",
        report=lambda done, total: told.append((done, total)),
    )
    assert set(found) == {one.key for one in mixes}
    assert told[-1] == (12, 12)  # eight rounds for the ceilings, two for each network
    first, second = found.values()
    assert isinstance(first, Roofline) and isinstance(second, Roofline)
    assert first.ceilings == second.ceilings
    assert [s.slot for s in first.stages] == ["stage1", "stage2", "decoder2", "decoder1", NETWORK]
    assert first.stages[0].shapes == ((2, 8, 16, 16),)
    assert all(0 < s.placement.share < 10 for s in first.stages)


def test_a_network_that_cannot_be_run_is_one_clear_line_and_costs_the_others_nothing():
    wrong, right = mix("mwsa", 6), mix("nafblock")
    profile = Profile(rounds=2)
    found = place_stages([wrong, right], (3, 16, 16), profile=profile, device="cpu")
    refused = found[wrong.key]
    assert isinstance(refused, Absent) and "multiple of heads" in refused.reason
    assert isinstance(found[right.key], Roofline)


def test_a_process_that_dies_is_one_clear_line(monkeypatch: pytest.MonkeyPatch):
    def die(jobs, workers):
        yield Failed(jobs[0], "killed by signal 9", "")

    monkeypatch.setattr("ablate.engines.single.run_jobs", die)
    with pytest.raises(PlacingError, match=r"^the stages cannot be placed: killed by signal 9$"):
        place_stages([mix("nafblock")], (3, 16, 16), profile=Profile(), device="cpu")


def test_a_row_says_how_fast_a_stage_is_and_how_near_its_roof():
    headings, rows = table(FOUND)
    # 1e9 bytes take 0.1 s at 10 GB/s, and the stage took 0.4 s
    assert dict(zip(headings, rows[0], strict=True)) == {
        "stage": "stage1",
        "ms": "400",
        "GFLOP/s": "5.0",
        "GB/s": "2.5",
        "FLOP/byte": "2.00",
        "limit": "memory-bound",
        "of the roof": "25 %",
    }
    assert remarks(FOUND)[0] == (
        "roofs of this machine: 10.0 GB/s copied in main memory, up to 100.0 GB/s in its caches; "
        "80.0 GFLOP/s in float32 products; 2.00 µs an operator"
    )


def test_all_of_it_can_be_written_as_json():
    said = json.loads(json.dumps(as_json(FOUND)))
    assert said["stages"][0]["placement"]["label"] == "memory-bound"
    assert said["ceilings"]["launch"] == 2e-6


def test_rows_of_the_record_name_the_stage_the_limit_and_the_machine():
    numbers, notes = roofline_rows({"abc": FOUND}, "32x32", "cpu", "s1")
    known = {metric.name for metric in roofline_metrics()}
    assert {row.metric for row in numbers} == known | {"latency"}
    by_subject = {(row.subject, row.metric): row for row in numbers}
    share = by_subject["abc:stage1", "roof_share"]
    assert (share.value, share.mode, share.device, share.sitting) == (
        pytest.approx(0.25),
        "32x32",
        "cpu",
        "s1",
    )
    assert by_subject["abc", "intensity"].value == pytest.approx(2)
    assert by_subject["machine", "copy_bandwidth"].value == 10e9
    assert [(note.subject, note.topic, note.text) for note in notes] == [
        ("abc:stage1", BOUND, "memory-bound, at 25 % of the roof"),
        ("abc", BOUND, "memory-bound, at 25 % of the roof"),
    ]
    assert limit_words(FOUND.stages[0]) == notes[0].text


def test_profile_places_the_stages_of_a_study_and_says_what_that_takes(
    capsys: pytest.CaptureFixture[str],
):
    few = ("--no-latency", "--roofline", "--size", "16", "16", "--rounds", "2", "--device", "cpu")
    with pytest.raises(SystemExit) as ended:
        main(["profile", "quickstart", "--mix", first_label(), *few])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "placing its stages takes about " in said
    assert "of the roof" in said
    assert "roofs of this machine: " in said


def first_label() -> str:
    study = load_study("quickstart")
    return study.label(study.at(0))
