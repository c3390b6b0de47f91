"""Several learning rates are tried briefly, and the best of them trains."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ablate.mix import Mix, Training, mix_from_json
from ablate.runs.preparing import keep, prepare_data
from ablate.runs.rehearsing import trial_seconds
from ablate.study import StudyError, load_study
from ablate.training.loop import Progress
from ablate.training.probe import (
    JUDGED,
    Probed,
    at_rate,
    judged_steps,
    probe_rates,
    probe_steps,
    shifted,
)
from ablate.trials.trial import TrialJob, TrialResult, run_trial

CPU = torch.device("cpu")
TRIED = Training(steps=6, probe=4, rates=(1e-4, 3e-2), batch=16, crop=8, final_rate=0.0)


class Shift(nn.Module):
    """Adds one number to every pixel: what is to be learnt is 0.5."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        return {"image": image + self.shift}


def batches(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    clean = torch.rand(16, 3, 8, 8, generator=generator)
    return clean - 0.5, clean


def nothing(progress: Progress) -> None:
    """Listens and says nothing."""


def test_the_rate_that_comes_nearest_in_the_same_steps_is_chosen() -> None:
    probed = probe_rates(Shift, batches, TRIED, device=CPU, report=nothing)
    # AdamW moves by about the rate in each step, so 0.5 is farther away with the small rate
    assert probed.best == 3e-2
    (slow, slow_loss), (fast, fast_loss) = probed.losses
    assert (slow, fast) == (1e-4, 3e-2)
    assert fast_loss < slow_loss < 0.5 and slow_loss == pytest.approx(0.5, abs=4e-4)


def test_a_probe_is_the_same_every_time() -> None:
    found = [probe_rates(Shift, batches, TRIED, device=CPU, report=nothing) for _ in range(2)]
    assert found[0] == found[1]


def test_every_rate_sees_the_same_crops_and_is_judged_on_crops_that_never_train() -> None:
    asked: list[int] = []

    def noted(step: int) -> tuple[Tensor, Tensor]:
        asked.append(step)
        return batches(step)

    probe_rates(Shift, noted, TRIED, device=CPU, report=nothing)
    judged = list(judged_steps(TRIED))
    assert asked == [*judged, *range(4), *range(4)]
    assert min(judged) >= max(TRIED.steps, TRIED.probe)
    assert len(judged) * TRIED.batch >= JUDGED
    longer = replace(TRIED, probe=40)
    assert min(judged_steps(longer)) == 40


def test_a_rate_that_diverges_is_out_and_equal_losses_take_the_smaller_rate() -> None:
    assert Probed(((0.1, math.inf), (0.01, 0.3))).best == 0.01
    assert Probed(((0.1, 0.3), (0.01, 0.3))).best == 0.01
    assert Probed(((0.1, math.inf),)).best is None
    assert Probed(((0.1, math.inf), (0.01, 0.25))).words == "0.1: diverged, 0.01: 0.25"


def test_a_network_that_breaks_at_a_large_rate_is_seen_to() -> None:
    class Brittle(Shift):
        def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
            broken = torch.where(self.shift > 0.05, math.nan, 1.0)
            return {"image": image + self.shift * broken}

    probed = probe_rates(Brittle, batches, TRIED, device=CPU, report=nothing)
    assert probed.losses[1] == (3e-2, math.inf) and probed.best == 1e-4


def test_steps_count_through_all_rates() -> None:
    seen: list[tuple[int, int]] = []
    report = shifted(lambda progress: seen.append((progress.step, progress.steps)), 0, 14)
    probe_rates(Shift, batches, TRIED, device=CPU, report=report)
    assert seen == [(step, 14) for step in range(1, 9)]
    assert probe_steps(TRIED) == 8


def test_a_settled_rate_is_a_training_that_tries_nothing() -> None:
    assert at_rate(TRIED, 3e-2) == replace(TRIED, rate=3e-2, rates=(), probe=50)


# keys and the study file


def study(**training: object) -> Mix:
    raw = {
        "question": "?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"width": 8, "stage": [{"block": "rdcnn"}]},
        "training": training,
    }
    return load_study(raw).mix(())


def test_a_mix_that_tries_no_rates_has_the_key_it_had_before_that_could_be_asked() -> None:
    mix = load_study("quickstart").mix((0, 0))
    assert mix.key == "5eb96f945fd890be"  # as records of before have it
    written = json.loads(mix.to_json())["training"]
    assert "rates" not in written and "probe" not in written


def test_a_mix_that_tries_rates_has_a_key_of_its_own_and_survives_json() -> None:
    mix = study(rates=[1e-3, 3e-3], probe=20)
    assert mix_from_json(mix.to_json()) == mix
    assert len({mix.key, study().key, study(rates=[1e-3, 4e-3], probe=20).key}) == 3
    assert mix.key != study(rates=[1e-3, 3e-3]).key


def test_settings_of_a_probe_that_do_nothing_leave_the_key_as_it_is() -> None:
    assert study(rates=[1e-3], probe=20).key == study(rate=1e-3).key
    assert study(rates=[1e-3]).key == study(rate=1e-3).key
    assert study(rates=[3e-3, 1e-3]).key == study(rates=[1e-3, 3e-3]).key
    assert study(rates=[1e-3, 2e-3]).training.rate == Training.rate


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"rates": [1e-3, 2e-3], "rate": 1e-3}, "rate is not used where rates are tried"),
        ({"rates": [1e-3, 1e-3]}, "rates tries each rate once; got [0.001, 0.001]"),
        ({"rates": [1e-3, 2e-3], "final_rate": 2e-3}, "at most the smallest of rates, 0.001"),
        ({"rates": [0.0, 2e-3]}, "each item of rates must be above 0; got [0.0, 0.002]"),
        ({"rates": 1e-3}, "rates must be a list of numbers; got 0.001"),
        ({"rates": [1e-3, 2e-3], "probe": 0}, "probe must be at least 1; got 0"),
        ({"probe": 20}, "several rates is tried; write rates, or leave it out; got probe = 20"),
    ],
)
def test_a_probe_that_cannot_work_is_refused(training: dict[str, object], said: str) -> None:
    with pytest.raises(StudyError) as caught:
        study(**training)
    assert said in str(caught.value)


def test_a_list_of_lists_of_rates_is_a_question(tmp_path: Path) -> None:
    raw = {
        "question": "?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"width": 8, "stage": [{"block": "rdcnn"}]},
        "training": {"rates": [[1e-3, 3e-3], [1e-2, 3e-2]]},
    }
    asked = load_study(raw)
    assert asked.axes[0].labels == ("[0.001, 0.003]", "[0.01, 0.03]")
    assert asked.mix((1,)).training.rates == (1e-2, 3e-2)


# a whole trial


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped photographs, as workers read them."""
    folder = tmp_path_factory.mktemp("prepared")
    path = folder / "data"
    (dataset,) = prepare_data(load_study(settings_of_a_trial())).values()
    keep(dataset, path)
    return path


def settings_of_a_trial(**training: object) -> dict[str, object]:
    brief = {"steps": 3, "batch": 2, "crop": 16, "validate": 1, **training}
    return {
        "question": "?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"width": 4, "stage": [{"block": "nafblock"}]},
        "training": brief,
        "evaluation": {"crop": 32, "crops": 2},
    }


def trial(data: Path, folder: Path, **training: object) -> tuple[TrialResult, list[Progress]]:
    study, seen = load_study(settings_of_a_trial(**training)), list[Progress]()
    job = TrialJob(
        key="one",
        mix=study.mix(()).to_json(),
        seed=1,
        evaluation=study.evaluation,
        data=str(data),
        checkpoint=str(folder / "weights.pt"),
        device="cpu",
        pictures=False,
    )

    def report(message: object) -> None:
        assert isinstance(message, Progress)
        seen.append(message)

    return run_trial(job, report), seen


def test_a_trial_trains_as_if_it_had_been_given_the_rate_that_it_chose(
    prepared: Path, tmp_path: Path
) -> None:
    tried, seen = trial(prepared, tmp_path, rates=[1e-5, 2e-2], probe=2)
    chosen = tried.values["chosen_rate"]
    assert chosen in (1e-5, 2e-2)
    given, plain = trial(prepared, tmp_path, rate=chosen)
    assert tried.facts["weights_sha256"] == given.facts["weights_sha256"]
    assert tried.curve == given.curve
    assert {**given.values, "chosen_rate": chosen} == tried.values
    assert [(p.step, p.steps) for p in seen] == [(step, 7) for step in range(1, 8)]
    assert [(p.step, p.steps) for p in plain] == [(step, 3) for step in range(1, 4)]


def test_a_trial_keeps_the_loss_of_every_rate(prepared: Path, tmp_path: Path) -> None:
    tried, _ = trial(prepared, tmp_path, rates=[1e-5, 2e-2], probe=2)
    assert tried.facts["learning_rate"] == f"{tried.values['chosen_rate']:g}"
    assert [part.split(":")[0] for part in tried.facts["losses_of_rates"].split(", ")] == [
        "1e-05",
        "0.02",
    ]


def test_a_trial_that_diverges_at_every_rate_says_so_and_trains_no_further(
    prepared: Path, tmp_path: Path
) -> None:
    result, seen = trial(prepared, tmp_path, rates=[1e30, 1e32], probe=4, clip=0.0)
    assert (result.status, result.values, result.curve) == ("diverged", {}, ())
    assert result.reason == "training diverged at every learning rate that was tried: 1e+30, 1e+32"
    assert result.facts == {"losses_of_rates": "1e+30: diverged, 1e+32: diverged"}
    assert max(progress.step for progress in seen) <= 8


def test_a_plan_counts_the_steps_of_the_probe() -> None:
    study = load_study(settings_of_a_trial(rates=[1e-3, 3e-3], probe=50, steps=100))
    plain = load_study(settings_of_a_trial(steps=100))
    took, without = (trial_seconds(s, s.mix(()), 0.5) for s in (study, plain))
    judged = 2 * 16 * 0.5 / 3  # two rates, 16 batches of two crops, a third of a step each
    assert took - without == pytest.approx(2 * 50 * 0.5 + judged)
