"""Trials are trained as the record lacks them, and every end of one is in it at once."""

from __future__ import annotations

import json
import signal
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

from ablate.engines.job import Done, Event, Job, Kind
from ablate.events import TrialEnded, Warned
from ablate.folder import RunFolder
from ablate.runs.failures import StudyStopped
from ablate.runs.sealing import SEAL, broken_seals
from ablate.study import StudyError, load_study
from ablate.study.schema import schema
from tests.small_runs import TEXT, done, failed, start, write_study

ONE = TEXT.replace('["identity", "nafblock"]', '"nafblock"').replace("seeds = 2", "seeds = 1")
SIX = TEXT.replace("seeds = 2", "seeds = 3")


def rows(place: RunFolder) -> pd.DataFrame:
    with place.open() as record:
        return record.trials()


def facts(place: RunFolder) -> dict[str, str]:
    """Those of the only trial."""
    with place.open() as record:
        table = record.trial_facts()
    return dict(zip(table["name"], table["value"], strict=True))


def failing_first(kind: Kind, times: int) -> Callable[[Job], Event]:
    """Each trial fails so often before it is done."""
    before: dict[str, int] = {}

    def end(job: Job) -> Event:
        before[job.name] = before.get(job.name, 0) + 1
        return failed(job, kind) if before[job.name] <= times else done(job)

    return end


def test_a_job_says_where_its_state_lies_and_how_long_it_may_take(tmp_path: Path):
    text = ONE.replace("steps = 2", "steps = 2\ntimeout = 90")
    (job,) = start(tmp_path, text, save_every=7.0).engine.jobs
    assert job.seconds == 90
    assert (job.payload.every, job.payload.until, job.payload.micro) == (7.0, 0, 0)
    assert job.payload.state == str(tmp_path / "run" / "states" / f"{job.payload.key}.pt")


def test_a_row_says_by_what_it_was_made_and_is_sealed(tmp_path: Path):
    place = start(tmp_path, ONE).place
    kept = facts(place)
    assert {"code", "commit", "device", "torch", "training_code", SEAL} <= set(kept)
    with place.open() as record:
        assert broken_seals(record) == []
        sources = json.loads(record.facts()["sources"])
    assert "blocks/nafblock.py" in sources
    assert "blocks/identity.py" not in sources


def test_what_is_done_is_not_done_again(tmp_path: Path):
    assert start(tmp_path).trained == 4
    assert start(tmp_path).trained == 0


def test_a_trial_without_memory_is_tried_with_half_the_images(tmp_path: Path):
    done_so = start(tmp_path, ONE, failing_first("out of memory", 2))
    assert [job.payload.micro for job in done_so.engine.jobs] == [0, 3, 2]
    said = "one, seed 0: out of memory: it broke; tried again with 3 of its 6 images at a time"
    assert Warned(said.replace("one", "study")) in done_so.heard
    assert rows(done_so.place)["status"].tolist() == ["done"]
    assert facts(done_so.place)["failed_attempts"] == "2"


def test_a_trial_that_vanished_is_tried_once_more(tmp_path: Path):
    done_so = start(tmp_path, ONE, failing_first("lost", 1))
    assert done_so.trained == 2
    assert Warned("study, seed 0: lost: it broke; tried again") in done_so.heard


def test_a_failure_is_a_row_with_kind_and_evidence_and_the_next_run_tries_it_again(tmp_path: Path):
    broken = start(tmp_path, ONE, failing_first("timeout", 1))
    assert broken.trained == 1
    kept = facts(broken.place)
    assert (kept["kind"], kept["evidence"]) == ("timeout", "Traceback")
    (ended,) = [event for event in broken.heard if isinstance(event, TrialEnded)]
    assert (ended.status, ended.kind, ended.reason) == ("failed", "timeout", "it broke")
    assert rows(start(tmp_path, ONE).place)["status"].tolist() == ["done"]


def test_three_trials_that_fail_alike_stop_the_study(tmp_path: Path):
    heard: list[object] = []
    with pytest.raises(StudyStopped, match="3 different trials failed alike: error: it broke; "):
        start(tmp_path, SIX, lambda job: failed(job, "error"), heard=heard)
    assert sum(isinstance(event, TrialEnded) for event in heard) == 3
    assert rows(RunFolder(tmp_path / "run"))["status"].tolist() == ["failed"] * 3
    assert start(tmp_path, SIX).trained == 6


def test_a_full_disk_stops_the_study_at_once_and_what_is_done_stays(tmp_path: Path):
    ends = iter([done, lambda job: failed(job, "environment", "No space left on device")])
    with pytest.raises(StudyStopped, match="cannot run on this machine: environment: No space"):
        start(tmp_path, SIX, lambda job: next(ends)(job))
    assert rows(RunFolder(tmp_path / "run"))["status"].tolist() == ["done", "failed"]


def test_a_signal_ends_the_run_after_what_is_in_progress(tmp_path: Path):
    def end(job: Job) -> Event:
        signal.raise_signal(signal.SIGINT)
        return done(job)

    heard: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, SIX, end, heard=heard)
    assert rows(RunFolder(tmp_path / "run"))["status"].tolist() == ["done"]
    warned = [event.text for event in heard if isinstance(event, Warned)]
    assert warned == [
        "ending: trials in progress finish their step and keep their state; a second time ends "
        "at once"
    ]
    assert start(tmp_path, SIX).trained == 5


def test_a_warning_of_a_trial_is_passed_on(tmp_path: Path):
    def end(job: Job) -> Event:
        ended = done(job)
        told = {**ended.result.facts, "warning": "its state was damaged; it began anew"}
        return Done(job, replace(ended.result, facts=told))

    heard = start(tmp_path, ONE, end).heard
    assert Warned("study, seed 0: its state was damaged; it began anew") in heard


def test_a_partial_result_is_kept_apart_and_the_state_stays(tmp_path: Path):
    def end(job: Job) -> Event:
        state = Path(job.payload.state)
        if not job.payload.until:
            return done(job)
        state.parent.mkdir(exist_ok=True)
        state.write_bytes(b"state")
        return Done(job, replace(done(job).result, status="partial", facts={"warning": "late"}))

    rungs = '[search]\nrungs = [1]\n\n[report]\nobjectives = ["psnr", "params"]\n\n[profile]'
    text = SIX.replace("[profile]", rungs).replace("seeds = 3", "seeds = 1")
    place = start(tmp_path, text.replace("steps = 2", "steps = 4"), end).place
    with place.open() as record:
        partials, trials, notes = record.partials(), record.trials(), record.notes()
    assert set(partials["step"]) == {1}
    warned = notes[(notes["topic"] == "warning") & (notes["text"] == "late")]
    assert set(warned["subject"]) == set(partials["key"])
    assert set(partials["key"]) == {f"{key}@1" for key in partials["trial"]}
    assert not {place.state(key).exists() for key in trials["key"]} & {True}
    assert {place.state(key).exists() for key in set(partials["trial"]) - set(trials["key"])} <= {
        True
    }


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        ("[60, 90]", "timeout is one number of seconds for all trials; got [60, 90]"),
        ("-1", "timeout must be at least 0; got -1"),
        ('"1 h"', "timeout must be a number; got '1 h'"),
    ],
)
def test_a_timeout_is_one_number_of_seconds(tmp_path: Path, timeout: str, said: str):
    text = ONE.replace("steps = 2", f"steps = 2\ntimeout = {timeout}")
    with pytest.raises(StudyError) as error:
        load_study(write_study(tmp_path, text))
    assert said in str(error.value)


def test_the_timeout_is_no_part_of_a_mix_and_in_the_schema():
    plain, timed = (tomllib.loads(text) for text in (ONE, ONE))
    timed["training"]["timeout"] = 60
    first, second = load_study(plain), load_study(timed)
    assert first.mix(()).key == second.mix(()).key
    jsonschema.validate(timed, schema())
