"""Trainings share a GPU by memory; what is timed has its device alone."""

from __future__ import annotations

import os
import random
from contextlib import closing
from dataclasses import dataclass

import pytest

from ablate.engines import EngineError
from ablate.engines.devices import (
    CONTEXT,
    Device,
    Placer,
    devices_for,
    find_devices,
    look,
    needed,
)
from ablate.engines.job import Done, Failed, Job
from ablate.engines.local import LocalEngine
from ablate.workplace import worker_count
from tests import engine_jobs as jobs
from tests.engine_jobs import job

GIB = 1 << 30


def training(name: str, gibibytes: float) -> Job:
    return job(jobs.interval, 0.02, name, memory=int(gibibytes * GIB) - CONTEXT)


def timing(name: str, **settings) -> Job:
    return job(jobs.interval, 0.02, name, alone=True, **settings)


def test_trainings_share_a_device_while_their_memory_fits():
    placer = Placer([Device("0", 10 * GIB)])
    first, second, third = (training(name, 4) for name in "abc")
    assert [placer.place(j) for j in (first, second, third)] == ["0", "0", None]
    placer.free(first, "0")
    assert placer.place(third) == "0"


def test_a_job_goes_where_most_is_free():
    placer = Placer([Device("0", 10 * GIB), Device("1", 12 * GIB)])
    assert [placer.place(training(name, 4)) for name in "abcde"] == ["1", "0", "1", "0", "1"]


def test_what_is_timed_waits_for_an_empty_device_and_keeps_it_empty():
    placer = Placer([Device("0", 10 * GIB)])
    first, timed = training("a", 1), timing("t")
    placer.place(first)
    assert placer.place(timed) is None
    placer.free(first, "0")
    assert placer.place(timed) == "0"
    assert placer.place(training("b", 1)) is None


def test_a_job_of_unknown_memory_shares_no_gpu():
    placer = Placer([Device("0", 10 * GIB)])
    assert placer.place(job(jobs.nothing, name="a")) == "0"
    assert placer.place(training("b", 1)) is None


def test_a_job_larger_than_any_device_is_tried_on_an_empty_one():
    placer = Placer([Device("0", GIB)])
    assert placer.place(training("a", 99)) == "0"
    assert placer.place(training("b", 0.9)) is None


def test_a_job_can_ask_for_a_device():
    placer = Placer([Device("0", 10 * GIB), Device("1", 10 * GIB)])
    assert placer.place(timing("t", devices="0")) == "0"
    assert placer.place(timing("u", devices="0")) is None
    assert placer.place(training("a", 4)) == "1"
    assert placer.place(timing("v", devices="0,1")) == "0,1"  # not one that we share out


def test_a_processor_holds_any_number_of_trainings_and_one_timing():
    placer = Placer()
    assert {placer.place(job(jobs.nothing, name=str(i))) for i in range(99)} == {""}
    assert placer.place(timing("t")) is None
    assert needed(training("a", 4), Device("", 1 << 62)) == 0


@dataclass(frozen=True)
class Span:
    """From when to when a job had a device."""

    job: Job
    device: str
    began: float
    ended: float

    def overlaps(self, other: Span) -> bool:
        return self.began < other.ended and other.began < self.ended


def hold_invariant(spans: list[Span], devices: dict[str, Device]) -> None:
    """No timing beside anything else on its device, and never more memory than there is."""
    for span in spans:
        beside = [s for s in spans if s.device == span.device and s.overlaps(span)]
        if span.job.alone:
            assert beside == [span]
        elif len(beside) > 1:
            there = [s for s in beside if s.began <= span.began]
            device = devices[span.device]
            assert sum(needed(s.job, device) for s in there) <= device.memory


@pytest.mark.parametrize("seed", range(20))
def test_no_training_is_beside_a_timing_in_any_order_of_events(seed):
    """A simulation of what an engine does: place in order, end in any order."""
    draw = random.Random(seed)
    devices = [Device("0", 10 * GIB), Device("1", 6 * GIB)]
    placer, waiting = Placer(devices), []
    for number in range(60):
        timed = draw.random() < 0.3
        waiting.append(timing(str(number)) if timed else training(str(number), draw.uniform(1, 7)))
    running: list[tuple[Job, str, int]] = []
    spans: list[Span] = []
    now = 0
    while waiting or running:
        now += 1
        place = placer.place(waiting[0]) if waiting else None
        if place is not None:
            running.append((waiting.pop(0), place, now))
            continue
        done, device, began = running.pop(draw.randrange(len(running)))
        placer.free(done, device)
        spans.append(Span(done, device, began, now))
    assert len(spans) == 60
    hold_invariant(spans, {device.name: device for device in devices})


def test_no_training_is_beside_a_timing_in_processes():
    devices = [Device("7", 10 * GIB), Device("8", 6 * GIB)]
    todo = [timing(str(i)) if i % 4 == 1 else training(str(i), 3) for i in range(16)]
    with closing(LocalEngine(devices=devices, modules=())) as local:
        events = list(local(todo, 6))
    assert all(isinstance(event, Done) for event in events)
    spans = [Span(event.job, *event.result) for event in events]
    assert {span.device for span in spans} == {"7", "8"}
    hold_invariant(spans, {device.name: device for device in devices})


HERE = (Device("0", 4 * GIB, "a GPU"), Device("1", 8 * GIB, "another"))


def test_devices_are_all_or_those_that_are_asked_for(monkeypatch):
    monkeypatch.setattr("ablate.engines.devices._visible", lambda: HERE)
    assert find_devices() == HERE
    assert find_devices("1") == HERE[1:]
    assert find_devices("1, 0") == HERE[::-1]


@pytest.mark.parametrize(
    ("asked", "here", "said"),
    [
        ("0,2", HERE, "--devices 0,2: there is no GPU 2 (here: GPUs 0, 1)"),
        ("0", (), "--devices 0: there is no GPU 0 (here: no GPU that PyTorch can use)"),
        ("cuda:0", HERE, "--devices: expected auto or different numbers like 0,1; got 'cuda:0'"),
        ("0,0", HERE, "--devices: expected auto or different numbers like 0,1; got '0,0'"),
    ],
)
def test_devices_that_are_not_there_are_named(monkeypatch, asked, here, said):
    monkeypatch.setattr("ablate.engines.devices._visible", lambda: here)
    with pytest.raises(EngineError) as raised:
        find_devices(asked)
    assert str(raised.value) == said


def test_devices_that_cannot_be_looked_at_are_an_error(monkeypatch):
    def failing(todo, workers):
        yield Failed(todo[0], "the driver is asleep", "")

    monkeypatch.setattr("ablate.engines.local.run_jobs", failing)
    with pytest.raises(EngineError, match=r"^--devices: the GPUs could not be looked at: the dri"):
        find_devices()


def test_a_device_is_named_as_a_job_has_to_name_it(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda index: (10 * GIB, 16 * GIB))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda index: f"GPU number {index}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [device.name for device in look(None, print)] == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    found = look(None, print)
    assert [device.name for device in found] == ["3", "5"]
    assert {device.memory for device in found} == {9 * GIB}
    assert found[0].product == "GPU number 0"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert look(None, print) == ()


def test_devices_that_are_listed_are_the_only_visible_ones_from_then_on(monkeypatch):
    monkeypatch.setattr("ablate.engines.devices._visible", lambda: HERE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices_for("") == ()
    assert devices_for("auto") == HERE
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert devices_for("1") == HERE[1:]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(
    ("workers", "device", "devices", "count"),
    [(7, "cuda", 2, 7), ("auto", "cuda", 0, 1), ("auto", "cuda", 2, 8), ("auto", "cpu", 0, 16)],
)
def test_trials_share_gpus_only_where_gpus_are_asked_for(
    monkeypatch, workers, device, devices, count
):
    monkeypatch.setattr("ablate.workplace.cores", lambda: 16)
    assert worker_count(workers, device, devices) == count
