"""Processes of a sitting put together, without starting any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ablate.costs.sitting import LatencyJob, Timed, called, time_together
from ablate.engines.job import Done, Event, Failed, Job, Message
from ablate.profile import Profile
from ablate.profiling.latency import FirstCall, LatencySample, Mode, RoundConditions


def sample(subject: str, process: int) -> LatencySample:
    return LatencySample(
        subject=subject, process=process, round=0, seconds=1.0, cpu_seconds=1.0, flagged=False
    )


PARTS = (
    Timed(
        samples=(sample("a", 0), sample("b", 0)),
        first={"a": FirstCall(seconds=9.0, compile=8.0), "b": FirstCall(seconds=1.0)},
        conditions=(RoundConditions(process=0, round=0, values={"load": 1.0}),),
        absent={"power": "no GPU"},
        ended=("interval",),
    ),
    Timed(
        samples=(sample("a", 1),),
        dropped={"b": "out of memory"},
        first={"a": FirstCall(seconds=2.0, compile=1.0)},
        conditions=(RoundConditions(process=1, round=0, values={"load": 2.0}),),
        ended=("budget",),
    ),
)


def sitting(
    monkeypatch: pytest.MonkeyPatch, parts: tuple[Timed | str, ...], mode: Mode | None = None
) -> tuple[Timed, list[int], list[LatencyJob]]:
    left, told, jobs = iter(parts), [], []

    def run_jobs(given: list[Job], workers: int) -> Iterator[Event]:
        (job,) = given
        jobs.append(job.payload)
        yield Message(job, 2)
        part = next(left)
        yield Failed(job, part, "") if isinstance(part, str) else Done(job, part)

    monkeypatch.setattr("ablate.engines.single.run_jobs", run_jobs)
    found = time_together(
        [],
        size=(16, 16),
        profile=Profile(rounds=5, processes=2),
        device="cpu",
        plugins=(),
        report=told.append,
        mode=mode,
    )
    return found, told, jobs


def test_what_one_process_cannot_run_is_left_out_of_all(monkeypatch):
    found, _, _ = sitting(monkeypatch, PARTS)
    assert found.samples == (sample("a", 0), sample("a", 1))
    assert found.dropped == {"b": "out of memory"}
    assert list(found.first) == ["a"]


def test_the_longest_first_call_is_kept_because_later_processes_find_what_it_left(monkeypatch):
    found, _, _ = sitting(monkeypatch, PARTS)
    assert found.first["a"] == FirstCall(seconds=9.0, compile=8.0)


def test_conditions_and_ends_of_all_processes_are_kept(monkeypatch):
    found, _, _ = sitting(monkeypatch, PARTS)
    assert [(row.process, row.values["load"]) for row in found.conditions] == [(0, 1.0), (1, 2.0)]
    assert found.absent == {"power": "no GPU"}
    assert found.ended == ("interval", "budget")


def test_progress_goes_on_where_a_process_ended_early(monkeypatch):
    _, told, _ = sitting(monkeypatch, PARTS)
    assert told == [2, 5, 7, 10]


def test_a_process_that_fails_ends_the_sitting_with_its_reason(monkeypatch):
    found, _, jobs = sitting(monkeypatch, ("the process was ended by SIGKILL", PARTS[0]))
    assert (found.failure, found.samples, len(jobs)) == ("the process was ended by SIGKILL", (), 1)


def test_only_compiled_sittings_have_a_folder_of_their_own_for_code(monkeypatch):
    _, _, jobs = sitting(monkeypatch, PARTS)
    assert {(job.mode, job.compiled) for job in jobs} == {(Mode(), "")}
    _, _, jobs = sitting(monkeypatch, PARTS, Mode("compiled"))
    (folder,) = {job.compiled for job in jobs}
    assert "ablate-compiled-" in folder


def test_a_network_that_fails_while_it_is_timed_is_called_by_its_label():
    reason = "LatencyError: '0a1b' cannot be timed at 16x16: out of memory"
    assert called(reason, {"ffff": "other", "0a1b": "mwsa | lama"}) == (
        "LatencyError: 'mwsa | lama' cannot be timed at 16x16: out of memory"
    )
