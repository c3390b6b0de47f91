import math

import pytest
import torch

from ablate.mix import Training
from ablate.training.losses import losses, scaled_targets, total_loss

TARGET = torch.zeros(2, 3, 4, 4)


def loss_of(name, restored, target):
    return losses[name].make(restored, target).item()


def test_l1_of_a_constant_difference_is_that_difference():
    assert loss_of("l1", TARGET - 0.25, TARGET) == pytest.approx(0.25)


def test_charbonnier_is_a_thousandth_at_zero_and_nearly_l1_far_from_it():
    assert loss_of("charbonnier", TARGET, TARGET) == pytest.approx(1e-3)
    assert loss_of("charbonnier", TARGET + 0.5, TARGET) == pytest.approx(math.hypot(0.5, 1e-3))


def test_the_psnr_loss_is_the_mean_over_images_and_not_of_the_pooled_error():
    restored = TARGET.clone()
    restored[0] += 0.1
    restored[1] += 0.001
    expected = 5 * (math.log10(1e-2 + 1e-8) + math.log10(1e-6 + 1e-8))
    assert loss_of("psnr", restored, TARGET) == pytest.approx(expected, rel=1e-5)


def test_the_spectrum_of_a_constant_difference_is_one_real_number_a_channel():
    # the sum over 16 pixels stands at frequency 0; 16 frequencies, two parts each
    assert loss_of("fft_l1", TARGET + 0.5, TARGET) == pytest.approx(16 * 0.5 / 32)


def test_the_spectral_loss_compares_two_spectra_part_by_part():
    restored, target = torch.rand(2, 2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    a, b = torch.fft.fft2(restored), torch.fft.fft2(target)
    expected = ((a.real - b.real).abs().mean() + (a.imag - b.imag).abs().mean()) / 2
    assert loss_of("fft_l1", restored, target) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", list(losses))
def test_every_loss_falls_towards_the_target_and_has_a_finite_gradient_there(name):
    far, near, there = (
        torch.full_like(TARGET, value, requires_grad=True) for value in (0.5, 0.1, 0.0)
    )
    values = [losses[name].make(restored, TARGET) for restored in (far, near, there)]
    assert values[0] > values[1] > values[2]
    for value, restored in zip(values, (far, near, there), strict=True):
        (gradient,) = torch.autograd.grad(value, restored)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", list(losses))
def test_every_loss_says_where_it_comes_from(name):
    assert losses[name].facts["source"]
    assert losses[name].summary


def test_the_total_is_the_weighted_sum_of_the_losses():
    training = Training(loss=(("l1", 1.0), ("fft_l1", 0.1)))
    total = total_loss({"image": TARGET + 0.5}, TARGET, training).item()
    assert total == pytest.approx(0.5 + 0.1 * 16 * 0.5 / 32)


def test_scales_are_summed_with_their_weights_and_the_image_is_not_counted_twice():
    outputs = {
        "image": TARGET + 0.5,
        "scales": [TARGET + 0.5, TARGET[..., ::2, ::2] + 0.25, TARGET[..., ::4, ::4] - 0.125],
    }
    total = total_loss(outputs, TARGET, Training(scale_weights=(1.0, 0.5, 0.25))).item()
    assert total == pytest.approx(0.5 + 0.5 * 0.25 + 0.25 * 0.125)


def test_the_weights_of_scales_do_not_touch_a_network_with_one_output():
    for outputs in ({"image": TARGET + 0.5}, {"image": TARGET, "scales": [TARGET + 0.5]}):
        total = total_loss(outputs, TARGET, Training(scale_weights=(0.1, 1.0)))
        assert total.item() == pytest.approx(0.5)


def test_smaller_targets_are_halved_by_nearest_neighbour_again_and_again():
    clean = torch.rand(1, 3, 8, 12)
    for target in scaled_targets(clean, 3):
        assert torch.equal(target, clean)
        clean = torch.nn.functional.interpolate(clean, scale_factor=0.5)


def test_smaller_targets_of_odd_sides_are_rounded_up():
    targets = scaled_targets(torch.rand(1, 3, 9, 7), 3)
    assert [tuple(target.shape[-2:]) for target in targets] == [(9, 7), (5, 4), (3, 2)]


def test_half_precision_outputs_are_compared_in_single_precision():
    total = total_loss({"image": (TARGET + 0.5).bfloat16()}, TARGET, Training())
    assert total.dtype is torch.float32


def test_more_scales_than_weights_is_an_error():
    outputs = {"image": TARGET, "scales": [TARGET, TARGET[..., ::2, ::2]]}
    with pytest.raises(ValueError, match="has 2 supervised outputs, but scale_weights has 1 num"):
        total_loss(outputs, TARGET, Training(scale_weights=(1.0,)))


def test_a_scale_of_another_shape_than_its_target_is_an_error():
    outputs = {"image": TARGET, "scales": [TARGET, TARGET]}
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 4\) has a target of shape \(2, 3, 2, 2\)"):
        total_loss(outputs, TARGET, Training())


def test_the_blocks_own_losses_count_with_their_mean_and_weight():
    clean = torch.zeros(1, 3, 4, 4)
    outputs = {"image": torch.ones(1, 3, 4, 4), "auxiliary": [torch.tensor(2.0), torch.tensor(4.0)]}
    assert total_loss(outputs, clean, Training(auxiliary=0.5)).item() == pytest.approx(2.5)
    assert total_loss({**outputs, "auxiliary": []}, clean, Training()).item() == 1.0
