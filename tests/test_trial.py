"""A trial in a worker: interrupted, killed, at rest, in micro-batches, with bad states."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate.engines.job import Stopped, Waits
from ablate.engines.kinds import kind_of
from ablate.mix import Choice, mix_from_json
from ablate.runs.preparing import keep, prepare_data
from ablate.study import load_study
from ablate.training.checkpoint import load_state, save_state
from ablate.training.progress import Progress
from ablate.trials import learning as trial_learning
from ablate.trials import state as trial_state
from ablate.trials import trial as trial_module
from ablate.trials.trial import TrialJob, TrialResult, run_trial
from ablate.turns import turn

STEPS = 4


def study(block: str = "nafblock", **training: object) -> dict[str, Any]:
    brief = {"steps": STEPS, "batch": 3, "crop": 16, "validate": 2, "ema": 0.9, **training}
    return {
        "question": "?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"width": 4, "stage": [{"block": block}]},
        "training": brief,
        "evaluation": {"crop": 32, "crops": 2},
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped photographs, as workers read them."""
    path = tmp_path_factory.mktemp("prepared") / "data"
    (dataset,) = prepare_data(load_study(study())).values()
    keep(dataset, path)
    return path


def job(data: Path, folder: Path, raw: dict[str, Any] | None = None, **changes: Any) -> TrialJob:
    asked = load_study(raw or study())
    plain = TrialJob(
        key="one",
        mix=asked.mix(()).to_json(),
        seed=1,
        evaluation=asked.evaluation,
        data=str(data),
        checkpoint=str(folder / "weights.pt"),
        device="cpu",
        pictures=False,
        state=str(folder / "states" / "one.pt"),
    )
    return replace(plain, **changes)


def quiet(message: object) -> None:
    """Listens and says nothing."""


def stopping_at(step: int) -> Callable[[object], None]:
    def report(message: object) -> None:
        assert isinstance(message, Progress)
        if message.step == step:
            raise Stopped

    return report


def stopped(job: TrialJob, step: int) -> Path:
    """The state of a trial that was told to end after a step."""
    with pytest.raises(Stopped):
        run_trial(job, stopping_at(step))
    return Path(job.state)


def numbers(result: TrialResult) -> tuple[object, ...]:
    """All of a result that must not depend on how it came about."""
    facts = {k: v for k, v in result.facts.items() if k not in ("resumed_from", "warning")}
    return result.status, result.reason, result.values, result.curve, result.pictures, facts


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    folder = tmp_path_factory.mktemp("undisturbed")
    result = run_trial(job(data, folder), quiet)
    assert result.status == "done" and set(result.facts) == {"weights_sha256"}
    assert files(folder) == {"weights.pt"}
    return result


# interrupted


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_trial_that_was_stopped_goes_on_to_the_same_numbers(
    step: int, data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    stopped(job(data, tmp_path), step)
    assert files(tmp_path) == {"states/one.pt"}
    result = run_trial(job(data, tmp_path), quiet)
    assert numbers(result) == numbers(undisturbed)
    assert result.facts["resumed_from"] == f"step {step}" and "warning" not in result.facts
    assert files(tmp_path) == {"weights.pt"}


def test_steps_go_on_where_they_ended(data: Path, tmp_path: Path) -> None:
    stopped(job(data, tmp_path), 3)
    seen: list[Progress] = []
    run_trial(job(data, tmp_path), seen.append)  # type: ignore[arg-type]
    assert [(progress.step, progress.steps) for progress in seen] == [(4, 4)]


TRIED = study(rates=[1e-5, 2e-2], probe=2)


@pytest.fixture(scope="module")
def tried(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    return run_trial(job(data, tmp_path_factory.mktemp("tried"), TRIED), quiet)


@pytest.mark.parametrize("step", [1, 2, 5, 8])
def test_so_does_one_that_tries_rates(
    step: int, data: Path, tried: TrialResult, tmp_path: Path
) -> None:
    stopped(job(data, tmp_path, TRIED), step)
    seen: list[Progress] = []
    result = run_trial(job(data, tmp_path, TRIED), seen.append)  # type: ignore[arg-type]
    assert numbers(result) == numbers(tried)
    assert [progress.step for progress in seen] == list(range(step + 1, 2 * 2 + STEPS + 1))
    assert "warning" not in result.facts


class Killed(BaseException):
    """Ends a trial on the spot, as SIGKILL does: nobody catches it, nothing more is kept."""


def test_a_trial_that_is_killed_goes_on_from_its_last_state(
    data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    def to_the_third(message: object) -> None:
        if isinstance(message, Progress) and message.step == 3:
            raise Killed

    with pytest.raises(Killed):
        run_trial(job(data, tmp_path, every=1e-9), to_the_third)
    assert files(tmp_path) == {"states/one.pt"}
    result = run_trial(job(data, tmp_path), quiet)
    assert numbers(result) == numbers(undisturbed)
    assert result.facts["resumed_from"] == "step 2"
    assert files(tmp_path) == {"weights.pt"}


def test_a_trial_waits_while_something_is_timed_on_its_gpu(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.turns.PLACES", (tmp_path,))
    monkeypatch.setattr(trial_module, "gpu_of", lambda device: "7")
    said = list[object]()

    def told(message: object) -> None:
        said.append(message)
        raise Stopped

    with turn("7", pytest.fail), pytest.raises(Stopped):
        run_trial(job(data, tmp_path), told)
    here = f"process {os.getpid()} times on GPU 7; this training waits until that is done"
    assert said == [Waits(here)]


def test_without_a_place_for_its_state_a_trial_keeps_none(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run_trial(job(data, tmp_path, state="", every=1e-9), stopping_at(3))
    assert files(tmp_path) == set()


def test_a_trial_that_is_shorter_than_the_time_between_states_keeps_none(
    data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    def look(message: object) -> None:
        assert files(tmp_path) == set()

    assert numbers(run_trial(job(data, tmp_path, every=3600.0), look)) == numbers(undisturbed)


def test_the_seconds_before_an_interruption_count(data: Path, tmp_path: Path) -> None:
    path = stopped(job(data, tmp_path), 2)
    notes, tensors = load_state(path)
    save_state(path, {**notes, "seconds": 1000.0}, tensors)
    assert 1000 < run_trial(job(data, tmp_path), quiet).seconds < 1100


# resting


def test_a_trial_that_rests_is_scored_and_goes_on_as_if_it_had_not(
    data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    first = run_trial(job(data, tmp_path, until=1, key="one@1"), quiet)
    assert (first.status, first.facts) == ("partial", {"step": "1"})
    assert first.values.keys() == undisturbed.values.keys() and first.values != undisturbed.values
    assert files(tmp_path) == {"states/one.pt"}
    again = run_trial(job(data, tmp_path, until=1, key="one@1"), quiet)
    assert again.values == first.values
    second = run_trial(job(data, tmp_path, until=3, key="one@3"), quiet)
    assert (second.status, second.facts) == ("partial", {"step": "3", "resumed_from": "step 1"})
    assert numbers(run_trial(job(data, tmp_path), quiet)) == numbers(undisturbed)
    assert files(tmp_path) == {"weights.pt"}


def test_what_a_trial_has_at_a_step_does_not_depend_on_having_rested_before(
    data: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run_trial(job(data, one, until=1), quiet)
    with_rest = run_trial(job(data, one, until=2), quiet)
    without = run_trial(job(data, two, until=2), quiet)
    assert (with_rest.values, with_rest.curve) == (without.values, without.curve)


def test_a_state_that_has_gone_further_is_no_use_for_an_earlier_step(
    data: Path, tmp_path: Path
) -> None:
    first = run_trial(job(data, tmp_path, until=1), quiet)
    run_trial(job(data, tmp_path, until=3), quiet)
    again = run_trial(job(data, tmp_path, until=1), quiet)
    assert again.values == first.values
    assert "it is of step 3, after step 1; the training began anew" in again.facts["warning"]


# states that cannot be used


def flipped(contents: bytes) -> bytes:
    middle = len(contents) // 2
    return contents[:middle] + bytes([contents[middle] ^ 1]) + contents[middle + 1 :]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda contents: b"", "it is empty (0 bytes)"),
        (lambda contents: contents[:-1], "it is damaged (SHA-256 "),
        (flipped, "it is damaged (SHA-256 "),
        (lambda contents: b"PK\x03\x04" + contents, "it is not the state of a training"),
        (lambda contents: contents.replace(b"state 1", b"state 9", 1), "it is in format 9, "),
    ],
)
def test_with_a_state_that_is_spoilt_the_trial_begins_anew(
    spoil: Callable[[bytes], bytes],
    said: str,
    data: Path,
    undisturbed: TrialResult,
    tmp_path: Path,
) -> None:
    path = stopped(job(data, tmp_path), 2)
    path.write_bytes(spoil(path.read_bytes()))
    result = run_trial(job(data, tmp_path), quiet)
    assert numbers(result) == numbers(undisturbed)
    start = "the state that the training had left was not used: "
    assert result.facts["warning"].startswith(start + said)
    assert result.facts["warning"].endswith("; the training began anew")
    assert "\n" not in result.facts["warning"] and "resumed_from" not in result.facts
    assert files(tmp_path) == {"weights.pt"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mix": study("rdcnn")}, "mix"),
        ({"mix": study(rate=1e-3)}, "mix"),
        ({"seed": 2}, "seed"),
        ({"micro": 2}, "size of micro-batches"),
        ({"code": "abc"}, "version of the code"),
    ],
)
def test_a_state_of_another_training_is_not_gone_on_from(
    change: dict[str, Any], said: str, data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    if "mix" in change:
        change = {"mix": load_study(change["mix"]).mix(()).to_json()}
    stopped(job(data, tmp_path, **change), 2)
    result = run_trial(job(data, tmp_path), quiet)
    assert numbers(result) == numbers(undisturbed)
    assert f"not used: it is of another {said}; " in result.facts["warning"]


NOTES = "its notes are not those of a trial"


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"losses": 3}, f"{NOTES} (TypeError: 'int' object is not iterable)"),
        ({"identity": 3}, f"{NOTES} ('identity' is 3, expected a table)"),
        ({"step": 9}, "it is of step 9 of 4"),
        ({"losses": [[1e-3, 0.5]]}, "its learning rates are 0.001; those of the trial: none"),
        ({"training": {}}, "it does not fit the training ('updates')"),
    ],
)
def test_a_state_that_was_tampered_with_is_no_crash(
    notes: dict[str, Any], said: str, data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    path = stopped(job(data, tmp_path), 2)
    written, tensors = load_state(path)
    save_state(path, {**written, **notes}, tensors)
    result = run_trial(job(data, tmp_path), quiet)
    assert numbers(result) == numbers(undisturbed)
    assert f"not used: {said}; " in result.facts["warning"]


def test_a_folder_in_the_place_of_the_state_ends_no_trial(
    data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    Path(job(data, tmp_path).state).mkdir(parents=True)
    result = run_trial(job(data, tmp_path), quiet)
    assert numbers(result) == numbers(undisturbed)
    assert "it cannot be read (Is a directory)" in result.facts["warning"]


def test_a_training_that_goes_on_with_another_torch_says_so(
    data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    path = stopped(job(data, tmp_path), 2)
    notes, tensors = load_state(path)
    save_state(path, {**notes, "machine": {**notes["machine"], "torch": "1.0"}}, tensors)
    result = run_trial(job(data, tmp_path), quiet)
    assert numbers(result) == numbers(undisturbed)
    now = torch.__version__
    said = f"the training began with torch 1.0 and went on with torch {now}"
    assert result.facts["warning"] == said


def test_where_the_disk_is_full_the_trial_goes_on_and_says_so(
    data: Path, undisturbed: TrialResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(trial_state, "save_state", full)
    result = run_trial(job(data, tmp_path, every=1e-9), quiet)
    assert numbers(result) == numbers(undisturbed)
    said = "the state of the training could not be kept (No space left on device)"
    assert result.facts["warning"] == said
    with pytest.raises(Stopped):
        run_trial(job(data, tmp_path), stopping_at(2))
    resting = run_trial(job(data, tmp_path, until=2), quiet)
    assert (resting.status, resting.facts["warning"]) == ("partial", said)


# micro-batches, and networks that cannot be built


def test_micro_batches_are_told_and_come_to_nearly_the_same(
    data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    result = run_trial(job(data, tmp_path, micro=2), quiet)
    assert result.facts.keys() == {"weights_sha256", "micro_batch"}
    assert result.facts["micro_batch"] == "2"
    assert result.values["psnr"] == pytest.approx(undisturbed.values["psnr"], abs=1e-3)


def test_a_micro_batch_as_large_as_the_batch_is_the_batch(
    data: Path, undisturbed: TrialResult, tmp_path: Path
) -> None:
    assert numbers(run_trial(job(data, tmp_path, micro=3), quiet)) == numbers(undisturbed)


def test_with_batch_statistics_micro_batches_are_not_comparable(data: Path, tmp_path: Path) -> None:
    result = run_trial(job(data, tmp_path, study("rdcnn"), micro=1), quiet)
    assert (result.facts["micro_batch"], result.facts["comparable"]) == ("1", "no")
    assert result.facts["warning"] == (
        "not comparable with other trials: it saw 1 images at a time instead of 3, "
        "which matters to BatchNorm2d"
    )


def test_a_network_that_cannot_be_built_is_a_failure_of_that_kind(
    data: Path, tmp_path: Path
) -> None:
    mix = mix_from_json(job(data, tmp_path).mix)
    (stage, *others) = mix.network.stages
    odd = replace(stage, blocks=(Choice.of("nafblock", {"wings": 2}),))
    network = replace(mix.network, stages=(odd, *others))
    with pytest.raises(ValueError, match="no nafblock knob is named 'wings'") as caught:
        run_trial(job(data, tmp_path, mix=replace(mix, network=network).to_json()), quiet)
    assert kind_of(caught.value) == "build" and "\n" not in str(caught.value)


def test_memory_that_runs_out_while_it_is_built_is_no_fault_of_the_network(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(network: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 B")

    monkeypatch.setattr(trial_learning, "build", build)
    with pytest.raises(RuntimeError) as caught:
        run_trial(job(data, tmp_path), quiet)
    assert kind_of(caught.value) == "out of memory"
