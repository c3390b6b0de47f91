"""A training that was interrupted and went on is the training that was not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ablate.engines.job import Stopped
from ablate.mix import Training
from ablate.training import loop
from ablate.training.checkpoint import StateError, load_state, save_state
from ablate.training.loop import Keeping, Progress, Trained, train
from ablate.training.randomness import seed_all
from ablate.training.state import State

CPU = torch.device("cpu")
STEPS = 8
BRIEF = Training(steps=STEPS, batch=2, crop=8, validate=3, rate=1e-2)


class Net(nn.Module):
    """Two convolutions with a batch norm and dropout between them, around a residual."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.Dropout(0.1),
            nn.GELU(),
            nn.Conv2d(channels, 3, 3, padding=1),
        )
        self.unused = nn.Parameter(torch.ones(2))  # without gradients, so without moments

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        return {"image": image + self.layers(image)}


class Moody(Net):
    """Draws from Python and NumPy too, and counts in a buffer that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Tensor
        self.register_buffer("count", torch.zeros(()), persistent=False)

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        if self.training:
            self.count += 1
        drawn = random.random() + float(np.random.rand()) if self.training else 0.0
        return {"image": image + (1 + drawn / self.count.clamp(min=1)) * self.layers(image)}


def batches(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    clean = torch.rand(2, 3, 8, 8, generator=generator)
    return clean + 0.2 * torch.randn(2, 3, 8, 8, generator=generator), clean


def scores(model: nn.Module) -> dict[str, float]:
    torch.rand(3)
    return {"psnr": sum(parameter.sum().item() for parameter in model.parameters())}


def quiet(progress: Progress) -> None:
    """Listens and says nothing."""


class Kept:
    """The last state that was kept, through a file as in a run."""

    def __init__(self, folder: Path) -> None:
        self.path, self.steps = folder / "state", list[int]()

    def save(self, state: State) -> None:
        self.steps.append(state.step)
        notes = {"step": state.step, "seconds": state.seconds, "training": state.notes}
        save_state(self.path, notes, state.tensors)

    @property
    def state(self) -> State:
        notes, tensors = load_state(self.path)
        return State(notes["step"], notes["seconds"], notes["training"], tensors)


def until_stopped_at(step: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.step == step:
            raise Stopped

    return report


def run(
    settings: Training,
    make: Callable[[], nn.Module] = Net,
    report: Callable[[Progress], None] = quiet,
    keeping: Keeping | None = None,
) -> tuple[Trained, dict[str, Tensor], Tensor]:
    """What came of it: the training, all that the network holds, and the next random number."""
    seed_all(0)
    model = make()
    trained = train(
        model, batches, settings, device=CPU, validate=scores, report=report, keeping=keeping
    )
    return trained, dict((*model.named_parameters(), *model.named_buffers())), torch.rand(1)


def interrupted(
    settings: Training, steps: tuple[int, ...], folder: Path, make: Callable[[], nn.Module] = Net
) -> tuple[Trained, dict[str, Tensor], Tensor]:
    """The same, ended after each of some steps and gone on with later."""
    kept, found = Kept(folder), None
    for step in steps:
        with pytest.raises(Stopped):
            run(settings, make, until_stopped_at(step), Keeping(save=kept.save, found=found))
        assert kept.steps[-1] == step
        found = kept.state
        torch.rand(step)  # what happens in between matters not
    return run(settings, make, keeping=Keeping(save=kept.save, found=found))


def require_equal(
    one: tuple[Trained, dict[str, Tensor], Tensor], two: tuple[Trained, dict[str, Tensor], Tensor]
) -> None:
    assert replace(one[0], seconds=0) == replace(two[0], seconds=0)
    assert one[1].keys() == two[1].keys()
    assert all(torch.equal(one[1][name], two[1][name]) for name in one[1])
    assert torch.equal(one[2], two[2])


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_training_may_be_interrupted_after_any_step(ema: float, tmp_path: Path) -> None:
    settings = replace(BRIEF, ema=ema)
    undisturbed = run(settings)
    for step in range(1, STEPS + 1):
        require_equal(interrupted(settings, (step,), tmp_path), undisturbed)


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "constant_then_cosine", "warmup": 0.5, "constant": 0.3},
        {"optimizer": "adam", "clip": 0.0, "betas": (0.8, 0.9)},
        {"channels_last": False, "ema": 0.999, "weight_decay": 0.1},
        {"precision": "bfloat16"},
        {"loss": (("charbonnier", 1.0), ("fft_l1", 0.1)), "validate": 0},
    ],
)
def test_whatever_its_settings(change: dict[str, object], tmp_path: Path) -> None:
    settings = replace(BRIEF, **change)  # type: ignore[arg-type]
    require_equal(interrupted(settings, (2, 5), tmp_path), run(settings))


def test_every_generator_and_every_buffer_is_kept(tmp_path: Path) -> None:
    require_equal(interrupted(BRIEF, (1, 3), tmp_path, Moody), run(BRIEF, Moody))


def test_a_long_curve_goes_on_in_the_middle_of_a_point(tmp_path: Path) -> None:
    settings = replace(BRIEF, steps=900, validate=0)  # a point is the mean of three losses
    rest = Kept(tmp_path)
    partial, *_ = run(settings, keeping=Keeping(save=rest.save, until=7))
    assert [point.step for point in partial.curve] == [3, 6]
    seen = rest.state.notes["watch"]
    assert (seen["seen"], len(seen["bucket"])) == (7, 1)
    further, *_ = run(settings, keeping=Keeping(save=rest.save, until=10, found=rest.state))
    undisturbed, *_ = run(settings, keeping=Keeping(save=rest.save, until=10))
    assert further.curve == undisturbed.curve
    assert [point.step for point in further.curve] == [3, 6, 9]


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_training_that_rests_can_be_scored_and_goes_on_as_if_it_had_not(
    ema: float, tmp_path: Path
) -> None:
    settings, kept = replace(BRIEF, ema=ema, validate=STEPS), Kept(tmp_path)
    trained, held, _ = run(settings, keeping=Keeping(save=kept.save, until=3))
    assert (trained.status, trained.step, kept.steps) == ("partial", 3, [3])
    score = [point.value for point in trained.curve if point.name == "psnr"][-1]
    names = dict(Net().named_parameters())
    assert sum(held[name].sum().item() for name in names) == score
    second, *_ = run(settings, keeping=Keeping(save=kept.save, until=5, found=kept.state))
    assert (second.status, second.step) == ("partial", 5)
    require_equal(run(settings, keeping=Keeping(save=kept.save, found=kept.state)), run(settings))


@pytest.mark.parametrize("until", [0, STEPS, STEPS + 5])
def test_to_rest_after_the_last_step_is_to_be_done(until: int, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    trained, *_ = run(BRIEF, keeping=Keeping(save=kept.save, until=until))
    assert (trained.status, trained.step, kept.steps) == ("done", STEPS, [])


def test_states_are_kept_when_their_time_has_come_and_a_short_training_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def second(progress: Progress) -> None:
        now[0] += 1

    for every, steps in ((3.0, [3, 6]), (0.5, list(range(1, STEPS + 1))), (60.0, []), (0.0, [])):
        kept = Kept(tmp_path)
        run(BRIEF, report=second, keeping=Keeping(save=kept.save, every=every))
        assert kept.steps == steps


def test_the_seconds_of_a_training_are_those_of_all_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def second(progress: Progress) -> None:
        now[0] += 1

    kept = Kept(tmp_path)
    first, *_ = run(BRIEF, report=second, keeping=Keeping(save=kept.save, until=3))
    now[0] += 100
    keeping = Keeping(save=kept.save, found=kept.state)
    whole, *_ = run(BRIEF, report=second, keeping=keeping)
    assert (first.seconds, whole.seconds) == (3, STEPS)


def test_whatever_ends_a_training_between_two_steps_its_state_is_kept(tmp_path: Path) -> None:
    def broken(progress: Progress) -> None:
        raise BrokenPipeError

    kept = Kept(tmp_path)
    with pytest.raises(BrokenPipeError):
        run(BRIEF, report=broken, keeping=Keeping(save=kept.save))
    assert kept.steps == [1]


# states that do not fit


def resting(settings: Training, folder: Path, make: Callable[[], nn.Module] = Net) -> State:
    kept = Kept(folder)
    run(settings, make, keeping=Keeping(save=kept.save, until=2))
    return kept.state


def changed(state: State, **tensors: Tensor | None) -> State:
    """The state with tensors of other values, or without them."""
    given = {**state.tensors, **{n.replace("__", "/"): t for n, t in tensors.items()}}
    return replace(state, tensors={n: t for n, t in given.items() if t is not None})


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    state = resting(BRIEF, tmp_path)
    wrong = {
        "the network has another shape or kind of layers.0.weight than the state": resting(
            BRIEF, tmp_path, lambda: Net(5)
        ),
        "the network and the state have not the same tensors: count": resting(
            BRIEF, tmp_path, Moody
        ),
        "the average and the state have not the same tensors: 0": resting(
            replace(BRIEF, ema=0.9), tmp_path
        ),
        "the optimiser's moments of parameter 1 are not in the state": changed(
            state, optimizer__1__exp_avg=None
        ),
        "it is of step 9 of 8": replace(state, step=9),
        "it is of step 0 of 8": replace(state, step=0),
        "('seen')": replace(state, notes={**state.notes, "watch": {}, "generators": {}}),
        "('torch')": changed(state, generator__torch=None),
        "RNG state": changed(state, generator__torch=torch.zeros(3, dtype=torch.uint8)),
    }
    assert "optimizer/0/exp_avg" not in state.tensors  # the parameter without gradients
    for said, other in wrong.items():
        with pytest.raises(StateError) as caught:
            run(BRIEF, keeping=Keeping(save=lambda state: None, found=other))
        assert said in str(caught.value) and "\n" not in str(caught.value)
