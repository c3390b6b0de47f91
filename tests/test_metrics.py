import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ablate.metrics import luma, metrics, protocol, psnr, score, ssim
from ablate.mix import Evaluation


def images(height=40, width=33, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, height)[:, None] * np.linspace(0.2, 1, width)
    clean = np.clip(ramp * rng.uniform(0.3, 1, (3, 1, 1)) + rng.normal(0, 0.02, (3, 1, 1)), 0, 1)
    restored = np.clip(clean + rng.normal(0, noise, clean.shape), 0, 1)
    return torch.from_numpy(restored).float(), torch.from_numpy(clean).float()


def ssim_by_the_equations(x, y):
    """Wang et al. 2004, eqs. 13 to 16, window by window, on one channel."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            cov = (window * (a - mean_a) * (b - mean_b)).sum()
            over = (2 * mean_a * mean_b + 0.01**2) * (2 * cov + 0.03**2)
            values.append(over / ((mean_a**2 + mean_b**2 + 0.01**2) * (var_a + var_b + 0.03**2)))
    return np.mean(values)


def luma_of_the_scripts(image):
    """rgb2ycbcr of the field's scripts: RGB of 0..255 to Y of 16..235."""
    rgb = image.permute(1, 2, 0).double().numpy() * 255
    return (rgb @ np.array([65.481, 128.553, 24.966])) / 255 + 16


def test_psnr_of_a_constant_error_of_a_tenth_is_twenty_decibels():
    clean = torch.full((3, 8, 8), 0.5)
    assert psnr(clean + 0.1, clean) == pytest.approx(20, abs=1e-5)


def test_psnr_of_equal_images_is_the_cap_and_finite():
    assert psnr(torch.ones(3, 8, 8), torch.ones(3, 8, 8)) == 100.0


def test_psnr_never_exceeds_its_cap():
    assert psnr(torch.full((3, 8, 8), 1e-6), torch.zeros(3, 8, 8)) == 100.0
    assert psnr(torch.full((3, 8, 8), 2e-5), torch.zeros(3, 8, 8)) == pytest.approx(
        93.979, abs=0.01
    )


def test_a_network_that_gave_nan_is_scored_nan():
    broken = torch.full((3, 16, 16), math.nan)
    assert all(math.isnan(value) for value in score(broken, broken, Evaluation()).values())


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.4])
def test_psnr_is_scikit_images(noise):
    restored, clean = images(noise=noise)
    theirs = peak_signal_noise_ratio(clean.numpy(), restored.numpy(), data_range=1)
    assert psnr(restored, clean) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.4])
def test_ssim_is_scikit_images_with_the_window_of_the_paper(noise):
    restored, clean = images(noise=noise)
    theirs = structural_similarity(
        clean.double().numpy(),
        restored.double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=0,
    )
    assert ssim(restored, clean) == pytest.approx(theirs, abs=1e-6)


def test_ssim_is_the_mean_over_channels_of_the_papers_equations():
    restored, clean = images(height=17, width=14)
    expected = np.mean(
        [
            ssim_by_the_equations(x, y)
            for x, y in zip(restored.double().numpy(), clean.double().numpy(), strict=True)
        ]
    )
    assert ssim(restored, clean) == pytest.approx(expected, abs=1e-9)


def test_ssim_of_equal_images_is_one():
    _, clean = images()
    assert ssim(clean, clean) == pytest.approx(1, abs=1e-12)


def test_ssim_of_two_flat_images_is_the_luminance_term():
    dark, light = torch.zeros(3, 11, 11), torch.ones(3, 11, 11)
    assert ssim(dark, light) == pytest.approx(1e-4 / (1 + 1e-4))


def test_ssim_of_an_image_smaller_than_its_window_is_an_error():
    with pytest.raises(ValueError, match="ssim needs at least 11x11 pixels; got 11x10"):
        ssim(torch.zeros(3, 11, 10), torch.zeros(3, 11, 10))


def test_luma_runs_from_16_to_235():
    black, white = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    assert luma(black).item() * 255 == pytest.approx(16)
    assert luma(white).item() * 255 == pytest.approx(235)


def test_scores_on_luma_are_those_of_the_fields_scripts():
    restored, clean = images()
    ours = score(restored, clean, Evaluation(color="y", border=4))
    x, y = (luma_of_the_scripts(image)[4:-4, 4:-4] for image in (restored, clean))
    assert ours["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean((x - y) ** 2)), abs=1e-4)
    theirs = structural_similarity(
        y, x, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ours["ssim"] == pytest.approx(theirs, abs=1e-4)


def test_errors_within_the_border_do_not_count():
    clean = torch.full((3, 20, 20), 0.5)
    restored = clean.clone()
    restored[:, :3] = restored[:, -3:] = restored[:, :, :3] = restored[:, :, -3:] = 0
    assert score(restored, clean, Evaluation(border=3))["psnr"] == 100
    assert score(restored, clean, Evaluation(border=2))["psnr"] < 20


def test_rounding_to_8_bits_moves_the_restored_image_and_not_the_clean_one():
    clean = torch.full((3, 12, 12), 100.4 / 255)
    rounded = score(clean, clean, Evaluation(quantize=True))["psnr"]
    assert rounded == pytest.approx(20 * math.log10(255 / 0.4), abs=1e-3)
    assert score(clean, clean, Evaluation())["psnr"] == 100


def test_what_leaves_the_range_is_clamped_before_it_is_scored():
    clean = torch.ones(3, 12, 12)
    assert score(clean * 7, clean, Evaluation())["psnr"] == 100


def test_images_of_two_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"shape \(3, 12, 12\) cannot be scored .* \(3, 12, 13\)"):
        score(torch.zeros(3, 12, 12), torch.zeros(3, 12, 13), Evaluation())


def test_a_border_that_leaves_nothing_is_an_error():
    image = torch.zeros(3, 12, 20)
    with pytest.raises(ValueError, match="border of 6 px leaves nothing of an image of 12x20"):
        score(image, image, Evaluation(border=6))


def test_every_metric_has_a_unit_a_direction_and_a_method():
    for name in metrics:
        facts = metrics[name].facts
        assert facts["better"] in ("higher", "lower")
        assert isinstance(facts["unit"], str)
        assert facts["method"] in protocol(Evaluation(), name)


def test_the_protocol_names_each_choice():
    assert protocol(Evaluation(crop=128, crops=24)) == (
        "RGB, output clamped to [0, 1], not rounded, no border cut off, "
        "mean over 24 crops of 128x128"
    )
    words = protocol(Evaluation(crop=0, color="y", border=4, quantize=True), "psnr")
    assert words == (
        "Y of BT.601 (16 to 235), output clamped to [0, 1], rounded to 8 bits, "
        "border of 4 px cut off, mean over whole images, peak 1, capped at 100 dB"
    )


def test_the_protocol_of_an_unknown_metric_is_an_error_with_the_nearest_name():
    with pytest.raises(ValueError, match="no metric is named 'pnsr'; did you mean 'psnr'"):
        protocol(Evaluation(), "pnsr")
