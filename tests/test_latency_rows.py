"""Timings as rows of the record: modes, first calls, raw samples, conditions and remarks."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ablate.costs.counts import cost_metrics
from ablate.costs.latency_rows import latency_rows
from ablate.mix import Choice, Mix, Task
from ablate.profile import Profile
from ablate.profiling.latency import REFERENCE, FirstCall, LatencySample, Mode, RoundConditions
from reports.record import Measurement, Note, Sample
from tests.test_latency import samples_of
from tests.test_network import stage, unet

PROFILE = Profile(rounds=4, processes=2)
SIZE = (16, 24)


def mix(sigma: int) -> Mix:
    network = unet(stage("stage1", "rdcnn"), stage("decoder1"), width=8)
    return Mix(
        task=Task(degradation=Choice.of("gaussian_noise", {"sigma": sigma})), network=network
    )


ONE, OTHER = mix(10), mix(50)  # two mixes, one network
KEY = ONE.network.key


def timed(**how: object) -> list[LatencySample]:
    return samples_of({KEY: 0.02, REFERENCE: 0.01}, processes=2, rounds=4, **how)


def rows(
    samples: list[LatencySample], **how: object
) -> tuple[list[Measurement], list[Sample], list[Note]]:
    profile = how.pop("profile", PROFILE)
    return latency_rows([ONE, OTHER], samples, SIZE, profile, "cpu", "s1", **how)


def test_mixes_that_are_one_network_share_its_timing():
    measurements, raw, notes = rows(timed())
    assert {row.subject: row.value for row in measurements} == pytest.approx(
        {ONE.key: 0.02, OTHER.key: 0.02, REFERENCE: 0.01}
    )
    assert {(row.metric, row.mode, row.n, row.sitting) for row in measurements} == {
        ("latency", "16x24", 8, "s1")
    }
    assert sum(row.metric == "latency" for row in raw) == 3 * 8
    assert notes == []


def test_a_mode_stands_beside_the_size():
    measurements, raw, _ = rows(timed(), mode=Mode("compiled", "bfloat16"))
    assert {row.mode for row in [*measurements, *raw]} == {"16x24 compiled bfloat16"}


def test_what_came_before_the_steady_state_is_kept_apart():
    first = {KEY: FirstCall(seconds=3.0, compile=2.5), REFERENCE: FirstCall(seconds=0.1)}
    measurements, _, _ = rows(timed(), first=first)
    found = {(row.subject, row.metric): row.value for row in measurements}
    assert found[ONE.key, "first_call"] == 3.0
    assert found[ONE.key, "compile"] == 2.5
    assert (REFERENCE, "compile") not in found
    assert found[ONE.key, "latency"] == pytest.approx(0.02)


def test_other_clocks_are_kept_beside_where_they_say_something_else():
    samples = [
        replace(s, cpu_seconds=math.nan, host=s.seconds + 1, issued=0.001, flagged=s.round == 2)
        for s in timed()
    ]
    _, raw, _ = rows(samples)
    kept = [(row.metric, row.value) for row in raw if row.subject == ONE.key and row.process == 0]
    assert kept[:3] == [("latency", 0.02), ("latency_host", 1.02), ("latency_issued", 0.001)]
    assert sum(metric == "disturbed" for metric, _ in kept) == 1
    same = [replace(s, host=s.seconds) for s in timed()]
    assert {row.metric for row in rows(same)[1]} == {"latency", "latency_cpu"}


def seen(reasons: dict[int, tuple[str, ...]], count: int = 8) -> list[RoundConditions]:
    return [
        RoundConditions(
            process=0,
            round=n,
            values={"load": n / 2, "sm_clock": 1700.0},
            reasons=reasons.get(n, ()),
        )
        for n in range(count)
    ]


def test_the_state_of_the_machine_is_kept_with_each_round():
    _, raw, notes = rows(timed(), conditions=seen({}))
    found = [row for row in raw if row.subject == "machine"]
    assert len(found) == 2 * 8
    assert found[6] == Sample("machine", "load", "16x24", "s1", 0, 3, 1.5)
    assert notes == []


def test_disturbed_rounds_are_told_by_kind():
    slow = "sm_clock 1500 MHz, 12% under the usual 1700 MHz"
    reasons = {
        1: ("throttled: power cap", slow),
        2: ("throttled: power cap",),
        5: ("throttled: h",),
    }
    _, _, notes = rows(timed(), conditions=seen(reasons))
    assert {(note.subject, note.topic) for note in notes} == {("machine", "conditions")}
    assert [note.text for note in notes] == [
        "16x24: throttled in 3 of 8 rounds of timing (throttled: power cap)",
        f"16x24: sm_clock in 1 of 8 rounds of timing ({slow})",
    ]
    assert rows(timed(), conditions=seen({1: (slow,)}, count=40))[2] == []  # one in forty


def test_what_could_not_be_read_is_said_once_for_each_reason():
    absent = {"sm_clock": "no GPU", "power": "no GPU", "cpu_clock": "no such file"}
    _, _, notes = rows(timed(), absent=absent)
    assert [(note.subject, note.topic, note.text) for note in notes] == [
        ("machine", "sensors", "not read: sm_clock, power (no GPU)"),
        ("machine", "sensors", "not read: cpu_clock (no such file)"),
    ]


def test_networks_that_wait_for_the_host_are_called_launch_bound_in_eager_alone():
    samples = [replace(s, issued=(0.95 if s.subject == KEY else 0.3) * s.seconds) for s in timed()]
    _, _, notes = rows(samples)
    assert [(note.topic, note.text) for note in notes] == [
        (
            "launch",
            "16x24: 1 of 2 networks are launch-bound: the host takes 95% or more of a call to "
            "issue its work, and the device waits; run = 'graph' shows what the device can do",
        )
    ]
    assert rows(samples, mode=Mode("graph"))[2] == []


def test_an_interval_that_is_wider_than_was_asked_for_is_said():
    profile = replace(PROFILE, interval=0.001)
    assert rows(timed(), profile=profile)[2] == []
    _, _, notes = rows(timed(noise=0.1), profile=profile)
    assert {note.subject for note in notes} == {ONE.key, OTHER.key, REFERENCE}
    assert all(note.text.startswith("16x24: known to ") for note in notes)
    assert notes[0].text.endswith(
        "%, and 0.1% was asked for: more rounds, processes or budget narrow it"
    )


def test_every_row_has_its_metric():
    defined = {metric.name for metric in cost_metrics(PROFILE, "cpu")}
    first = {KEY: FirstCall(seconds=3.0, compile=2.5)}
    samples = [replace(s, host=1.0, issued=0.1, flagged=True) for s in timed()]
    measurements, raw, _ = rows(samples, first=first, conditions=seen({}))
    assert {row.metric for row in [*measurements, *raw]} <= defined


def test_where_wall_time_is_not_believed_a_sample_says_so():
    busy = [replace(s, flagged=True, cpu_seconds=s.seconds) for s in timed()]
    marks = [row for row in rows(busy)[1] if row.metric == "latency_by_cpu"]
    assert marks == [Sample("reference", "latency_by_cpu", "16x24", "s1", 0, 0, 1.0)]
    unknown = [replace(s, cpu_seconds=math.nan) for s in busy]
    assert not [row for row in rows(unknown)[1] if row.metric == "latency_by_cpu"]
