import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from ablate.mix import Training
from ablate.training.checks import problems
from ablate.training.loop import train
from ablate.training.optimizer import Average, make_optimizer
from ablate.training.schedule import rate_at, validation_steps
from ablate.training.watch import Diverged, Watch

CPU = torch.device("cpu")
BRIEF = Training(steps=12, batch=2, crop=8, validate=3, clip=1.0)


class Net(nn.Module):
    """Two convolutions with a batch norm and dropout between them, around a residual."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Dropout(0.1),
            nn.GELU(),
            nn.Conv2d(8, 3, 3, padding=1),
        )

    def forward(self, image, request=()):
        return {"image": image + self.layers(image)}


def batches(step):
    generator = torch.Generator().manual_seed(step)
    clean = torch.rand(2, 3, 1, 1, generator=generator).expand(2, 3, 8, 8)
    return clean + 0.2 * torch.randn(2, 3, 8, 8, generator=generator), clean.contiguous()


def nothing(*_):
    return {}


def trained(settings=BRIEF, model=None, validate=nothing, report=nothing, feed=batches):
    model = model or Net()
    return train(model, feed, settings, device=CPU, validate=validate, report=report), model


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


# the schedule


def test_the_rate_rises_over_the_warm_up_and_reaches_its_peak_at_the_last_step_of_it():
    settings = Training(steps=100, rate=1.0, final_rate=0.0, warmup=0.1)
    assert [rate_at(step, settings) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])


def test_the_rate_falls_on_half_a_cosine_and_ends_at_the_final_rate():
    settings = Training(steps=101, rate=1.0, final_rate=0.2, warmup=0.0)
    rates = [rate_at(step, settings) for step in (0, 25, 50, 75, 100)]
    half = math.sqrt(0.5) / 2
    assert rates == pytest.approx(
        [1.0, 0.2 + 0.8 * (0.5 + half), 0.6, 0.2 + 0.8 * (0.5 - half), 0.2]
    )


def test_a_constant_part_holds_the_peak_and_the_fall_comes_after_it():
    settings = Training(
        steps=100,
        rate=1.0,
        final_rate=0.0,
        warmup=0.1,
        schedule="constant_then_cosine",
        constant=0.3,
    )
    rates = [rate_at(step, settings) for step in range(100)]
    assert [step for step, rate in enumerate(rates) if rate == 1.0] == list(range(9, 40))
    assert rates[40] < 1
    assert rates[99] == pytest.approx(0)


@pytest.mark.parametrize("schedule", ["cosine", "constant_then_cosine"])
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
def test_every_rate_is_within_bounds_however_short_the_training(schedule, steps, warmup):
    settings = Training(steps=steps, warmup=warmup, schedule=schedule, constant=1.0)
    rates = [rate_at(step, settings) for step in range(steps)]
    assert all(settings.final_rate <= rate <= settings.rate for rate in rates)
    assert max(rates) == settings.rate


def test_validation_is_spread_evenly_and_comes_last_after_the_last_step():
    assert validation_steps(Training(steps=100, validate=4)) == {25, 50, 75, 100}
    assert validation_steps(Training(steps=10, validate=3)) == {3, 7, 10}
    assert validation_steps(Training(steps=3, validate=8)) == {1, 2, 3}
    assert validation_steps(Training(steps=100, validate=0)) == frozenset()


# the optimiser and the averaged weights


def test_adamw_decays_weights_apart_from_the_gradient_and_adam_within_it():
    # one step from 1 with gradient 0: adamw shrinks by rate * decay, adam moves by a whole rate
    moved = {}
    for name in ("adamw", "adam"):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(layer.weight)
        layer.weight.grad = torch.zeros(1, 1)
        settings = Training(optimizer=name, rate=0.1, weight_decay=0.5)
        make_optimizer(layer, settings).step()
        moved[name] = layer.weight.item()
    assert moved["adamw"] == pytest.approx(1 - 0.1 * 0.5)
    assert moved["adam"] == pytest.approx(1 - 0.1)


def test_the_moments_of_the_optimiser_are_those_of_the_settings():
    optimizer = make_optimizer(Net(), Training(betas=(0.8, 0.85)))
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.85)


def test_the_average_starts_quickly_and_settles_at_its_decay():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    average, expected = Average(layer, 0.5), 0.0
    for update in range(1, 20):
        nn.init.constant_(layer.weight, update)
        average.update()
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * update
    average.swap()
    assert layer.weight.item() == pytest.approx(expected, rel=1e-5)
    average.swap()
    assert layer.weight.item() == 19


def test_the_statistics_of_a_batch_norm_are_averaged_and_its_count_is_copied():
    norm = nn.BatchNorm2d(1)
    average = Average(norm, 0.999)
    norm.running_mean.fill_(11.0)
    norm.num_batches_tracked.fill_(7)
    average.update()
    average.swap()
    assert norm.running_mean.item() == pytest.approx(11 * (1 - 2 / 11))
    assert norm.num_batches_tracked.item() == 7


# the loop


def test_training_makes_the_loss_smaller():
    result, _ = trained(replace(BRIEF, steps=150, rate=1e-2))
    values = [point.value for point in result.curve]
    assert (result.status, result.step, result.reason) == ("done", 150, "")
    assert sum(values[-20:]) < 0.7 * sum(values[:20])


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_two_trainings_with_one_seed_are_equal_bit_for_bit(ema):
    first, one = trained(replace(BRIEF, ema=ema))
    second, two = trained(replace(BRIEF, ema=ema))
    assert first.curve == second.curve
    assert same(weights(one), weights(two))


def test_validation_changes_nothing_in_the_training():
    def meddling(model):
        torch.rand(3)  # draws random numbers, and runs the batch norm
        model(torch.rand(1, 3, 8, 8))
        return {"psnr": 1.0}

    for ema in (0.0, 0.9):
        settings = replace(BRIEF, ema=ema)
        quiet, one = trained(replace(settings, validate=0), validate=meddling)
        checked, two = trained(replace(settings, validate=5), validate=meddling)
        assert same(weights(one), weights(two))
        assert quiet.curve == tuple(point for point in checked.curve if point.name == "loss")


def test_validation_sees_the_network_in_eval_mode_without_gradients():
    seen = []

    def look(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return {}

    trained(validate=look)
    assert seen == [(False, False)] * 3


def test_the_curve_holds_every_loss_and_every_score():
    scores = iter([20.0, 21.0, 22.0])
    result, _ = trained(validate=lambda _: {"psnr": next(scores)})
    losses = [point for point in result.curve if point.name == "loss"]
    assert [point.step for point in losses] == list(range(1, 13))
    assert [(p.step, p.value) for p in result.curve if p.name == "psnr"] == [
        (4, 20),
        (8, 21),
        (12, 22),
    ]


def test_progress_is_reported_after_every_step():
    reports = []
    result, _ = trained(report=reports.append)
    assert [report.step for report in reports] == list(range(1, 13))
    assert {report.steps for report in reports} == {12}
    assert [report.loss for report in reports] == [
        pytest.approx(point.value) for point in result.curve if point.name == "loss"
    ]
    assert [report.rate for report in reports] == [rate_at(step, BRIEF) for step in range(12)]
    assert all(a.seconds <= b.seconds for a, b in pairwise(reports))
    assert result.seconds <= reports[-1].seconds + 1


def test_the_network_ends_in_eval_mode_with_the_weights_that_were_validated():
    last = {}

    def keep(model):
        last.update(weights(model))
        return {}

    for ema in (0.0, 0.9):
        _, model = trained(replace(BRIEF, ema=ema), validate=keep)
        assert not model.training
        assert same(last, weights(model))


def test_averaged_weights_differ_from_those_of_the_last_step():
    _, plain = trained()
    _, averaged = trained(replace(BRIEF, ema=0.9))
    assert not same(weights(plain), weights(averaged))


def test_without_an_average_one_step_is_one_step_of_the_optimiser():
    model, twin = Net(), Net()
    settings = Training(steps=1, validate=0, clip=0.0, channels_last=False)
    torch.manual_seed(1)
    trained(settings, model)
    torch.manual_seed(1)
    degraded, clean = batches(0)
    twin.train()
    (twin(degraded)["image"] - clean).abs().mean().backward()
    torch.optim.AdamW(twin.parameters(), lr=settings.rate, weight_decay=1e-4).step()
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)


def test_gradients_are_clipped_to_the_norm_asked_for():
    norms = {}
    for clip in (0.0, 0.01):
        model = Net()
        trained(Training(steps=1, validate=0, clip=clip), model)
        norms[clip] = torch.stack([p.grad.norm() for p in model.parameters()]).norm().item()
    assert norms[0.0] > 0.02
    assert norms[0.01] == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_network_sees_images_in_the_layout_asked_for(channels_last):
    class Spy(Net):
        def forward(self, image, request=()):
            self.last = image.is_contiguous(memory_format=torch.channels_last)
            return super().forward(image, request)

    _, model = trained(replace(BRIEF, steps=1, channels_last=channels_last), Spy())
    assert model.last is channels_last
    assert model.layers[0].weight.is_contiguous(memory_format=torch.channels_last) is channels_last


def test_bfloat16_computes_in_bfloat16_and_keeps_the_weights_in_single_precision():
    class Spy(Net):
        def forward(self, image, request=()):
            self.kind = self.layers[0](image).dtype
            return super().forward(image, request)

    result, model = trained(replace(BRIEF, precision="bfloat16"), Spy())
    assert result.status == "done"
    assert model.kind is torch.bfloat16
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_network_with_several_outputs_is_trained_at_every_scale():
    class Pyramid(Net):
        def forward(self, image, request=()):
            self.asked = request
            full = super().forward(image)["image"]
            return {"image": full, "scales": [full, torch.zeros_like(full[..., ::2, ::2])]}

    result, model = trained(replace(BRIEF, steps=1, scale_weights=(0.0, 1.0)), Pyramid())
    assert model.asked == ("scales", "auxiliary")
    assert result.curve[0].value == pytest.approx(batches(0)[1].mean().item(), rel=1e-5)


# divergence


class Breaks(Net):
    """Gives nan in the forward or in the backward pass of one step."""

    def __init__(self, at, where):
        super().__init__()
        self.calls, self.at, self.where = 0, at, where

    def forward(self, image, request=()):
        restored = super().forward(image)["image"]
        if self.training:
            self.calls += 1
        if self.calls == self.at and self.where == "forward":
            restored = restored * math.nan
        if self.calls == self.at and self.where == "backward":
            restored = restored + 0 * (restored - restored.detach()).sqrt()
        return {"image": restored}


@pytest.mark.parametrize("where, what", [("forward", "loss"), ("backward", "gradient norm")])
def test_a_training_that_meets_nan_ends_as_diverged_and_says_where(where, what):
    result, model = trained(model=Breaks(5, where))
    assert (result.status, result.step) == ("diverged", 5)
    assert result.reason == f"the {what} was nan at step 5"
    assert [point.step for point in result.curve] == [1, 2, 3, 4]
    assert not model.training


def test_on_the_cpu_nan_never_reaches_the_weights():
    _, model = trained(model=Breaks(5, "backward"))
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_score_that_is_not_finite_is_a_divergence():
    result, _ = trained(validate=lambda _: {"psnr": math.nan})
    assert (result.status, result.step) == ("diverged", 4)
    assert result.reason == "the validation psnr was nan at step 4"


def test_looking_seldom_still_names_the_first_bad_step():
    watch, fine, bad = Watch(100, interval=20), torch.tensor(1.0), torch.tensor(math.inf)
    for _ in range(33):
        watch.add(fine, fine)
    watch.add(fine, bad)
    with pytest.raises(Diverged, match="the gradient norm was inf at step 34") as caught:
        for _ in range(10):
            watch.add(bad, fine)
    assert caught.value.step == 34
    assert len(watch.curve) == 33


def test_a_long_curve_is_thinned_to_means_and_keeps_its_last_step():
    watch = Watch(1001, interval=7)
    for step in range(1, 1002):
        watch.add(torch.tensor(float(step)), torch.tensor(1.0))
    watch.look()
    assert len(watch.curve) <= 400
    assert (watch.curve[0].step, watch.curve[0].value) == (3, 2.0)
    assert (watch.curve[-1].step, watch.curve[-1].value) == (1001, 1000.5)


# what is wrong with settings


def test_the_default_settings_are_well():
    assert problems(Training()) == ()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"validate": -1}, "validate must be at least 0; got -1"),
        ({"warmup": 1.5}, "warmup must be a fraction from 0 to 1; got 1.5"),
        ({"ema": 1.0}, "ema must be at least 0 and below 1; got 1.0"),
        ({"betas": (0.9, 1.0)}, "betas must be at least 0 and below 1; got 1.0"),
        ({"rate": math.nan, "final_rate": 0.0}, "rate must be above 0; got nan"),
        ({"final_rate": 1.0}, "final_rate must be from 0 to rate; got final_rate=1.0, rate=0.003"),
        ({"clip": -1.0}, "clip must be at least 0; got -1.0"),
        ({"loss": ()}, "loss must name at least one loss; got none"),
        ({"loss": (("l2", 1.0),)}, "no loss is named 'l2'; did you mean 'l1'?"),
        ({"loss": (("l1", 0.0),)}, "the weight of loss 'l1' must be above 0; got 0.0"),
        ({"scale_weights": (1.0, -1.0)}, "scale_weights must be at least 0; got (1.0, -1.0)"),
        ({"scale_weights": (0.0, 0.0)}, "scale_weights must not all be 0; got (0.0, 0.0)"),
    ],
)
def test_settings_that_cannot_work_are_said_and_not_trained(change, message):
    settings = replace(BRIEF, **change)
    assert any(problem.startswith(message) for problem in problems(settings))
    with pytest.raises(ValueError):
        trained(settings)
