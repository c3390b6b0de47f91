from __future__ import annotations

import math

import numpy as np
import pytest

from ablate.mix import Choice
from ablate.tasks.degradations import Pixels, apply_degradation, check, degradations
from ablate.tasks.degradations._filters import blurred, convolved, gaussian, splatted
from ablate.tasks.degradations.blur import path_kernel
from ablate.tasks.scale import shrinking

every_degradation = pytest.mark.parametrize("name", list(degradations))
SIZES = [(40, 40), (33, 57), (7, 5), (1, 1), (1, 9)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(height: int = 48, width: int = 64) -> Pixels:
    """A picture with edges, slopes and colour, nowhere grey or white all over."""
    row, column = np.mgrid[0:height, 0:width]
    channels = [
        0.5 + 0.4 * np.sin(row / 3.0) * np.cos(column / 5.0),
        0.2 + 0.6 * ((row // 8 + column // 8) % 2),
        0.1 + 0.8 * column / width,
    ]
    return np.stack(channels, axis=-1).astype(np.float32)


def degrade(name: str, clean: Pixels, seed: int = 0, **knobs: object) -> Pixels:
    return apply_degradation(Choice.of(name, knobs), clean, rng(seed))  # type: ignore[arg-type]


# Asked of everything registered


@every_degradation
@pytest.mark.parametrize("size", SIZES)
def test_the_shape_is_kept_or_shrunk_the_type_is_kept_and_every_value_is_finite(
    name: str, size: tuple[int, int]
) -> None:
    degraded = degrade(name, picture(*size))
    scale = shrinking(Choice(name=name))
    assert degraded.shape == (*(-(-side // scale) for side in size), 3)
    assert degraded.dtype == np.float32
    assert np.isfinite(degraded).all()


@every_degradation
def test_equal_generators_give_equal_images(name: str) -> None:
    assert np.array_equal(degrade(name, picture(), 5), degrade(name, picture(), 5))


@every_degradation
def test_the_clean_image_is_left_alone(name: str) -> None:
    clean = picture()
    degrade(name, clean)
    assert np.array_equal(clean, picture())


@every_degradation
def test_the_image_changes_unless_it_was_given(name: str) -> None:
    scale = shrinking(Choice(name=name))
    distance = np.abs(degrade(name, picture()) - picture()[::scale, ::scale]).mean()
    assert distance == 0.0 if name == "given" else distance > 0.002


@pytest.mark.parametrize(
    "name", ["gaussian_noise", "low_light", "motion_blur", "rain", "snow", "haze"]
)
def test_another_seed_gives_another_image(name: str) -> None:
    assert not np.array_equal(degrade(name, picture(), 1), degrade(name, picture(), 2))


@every_degradation
@pytest.mark.parametrize("size", [(33, 35), (1, 1)])
def test_a_crop_that_is_a_read_only_view_gives_what_its_copy_gives(
    name: str, size: tuple[int, int]
) -> None:
    view = np.rot90(picture()[: size[0], size[1] - 1 :: -1])
    view.flags.writeable = False
    assert np.array_equal(degrade(name, view), degrade(name, view.copy()))


@every_degradation
def test_a_source_and_a_line_for_every_knob_are_written(name: str) -> None:
    entry = degradations[name]
    assert entry.facts["source"]
    assert entry.summary.endswith((".", "!"))
    assert all(knob.doc for knob in entry.knobs.values())


@every_degradation
def test_the_defaults_pass_the_check(name: str) -> None:
    check(Choice(name=name))


# Gaussian noise and low light


@pytest.mark.parametrize("sigma", [5.0, 25.0, 50.0])
def test_noise_has_the_standard_deviation_that_was_asked_for(sigma: float) -> None:
    clean = np.full((256, 256, 3), 0.5, np.float32)
    noise = (degrade("gaussian_noise", clean, sigma=sigma) - clean) * 255.0
    error = sigma / math.sqrt(noise.size)  # standard error of the mean
    assert abs(noise.mean()) < 5 * error
    assert abs(noise.std() - sigma) < 5 * error / math.sqrt(2)


def test_noise_is_not_clipped() -> None:
    noisy = degrade("gaussian_noise", np.ones((64, 64, 3), np.float32), sigma=25.0)
    assert noisy.max() > 1.1
    assert abs(noisy.mean() - 1.0) < 0.01


def test_noise_is_independent_between_neighbours_and_channels() -> None:
    clean = np.full((256, 256, 3), 0.5, np.float32)
    noise = degrade("gaussian_noise", clean) - clean
    for one, other in (
        (noise[1:], noise[:-1]),
        (noise[:, 1:], noise[:, :-1]),
        (noise[:, :, 0], noise[:, :, 1]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02


def test_noise_of_sigma_zero_is_the_image() -> None:
    assert np.array_equal(degrade("gaussian_noise", picture(), sigma=0.0), picture())


def test_stronger_noise_under_one_seed_is_the_same_noise_scaled() -> None:
    weak = degrade("gaussian_noise", picture(), sigma=10.0) - picture()
    strong = degrade("gaussian_noise", picture(), sigma=20.0) - picture()
    assert np.allclose(strong, 2.0 * weak, atol=1e-6)


def test_blind_noise_draws_every_image_its_own_sigma_from_the_range() -> None:
    clean = np.full((64, 64, 3), 0.5, np.float32)
    levels = [
        255 * (degrade("gaussian_noise", clean, seed, sigma=10.0, sigma_max=50.0) - clean).std()
        for seed in range(40)
    ]
    assert 9.5 < min(levels) < 18.0
    assert 42.0 < max(levels) < 51.0


def test_low_light_without_noise_is_gain_times_a_power() -> None:
    dark = degrade("low_light", picture(), gamma=2.0, gain=0.5, electrons=1e6, read=0.0)
    assert np.allclose(dark, 0.5 * picture() ** 2.0, atol=0.005)


def test_low_light_has_shot_and_read_noise() -> None:
    clean = np.full((256, 256, 3), 0.5, np.float32)
    dark = degrade("low_light", clean, gamma=1.0, gain=0.5, electrons=1000.0, read=10.0)
    variance = 0.25 / 1000.0 + (10.0 / 1000.0) ** 2
    assert abs(dark.mean() - 0.25) < 1e-3
    assert abs(dark.var() / variance - 1.0) < 0.02


# Blur


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0, 12.0])
def test_gaussian_blur_keeps_the_mean_of_every_channel(sigma: float) -> None:
    blurry = degrade("gaussian_blur", picture(33, 57), sigma=sigma)
    assert np.allclose(blurry.mean(axis=(0, 1)), picture(33, 57).mean(axis=(0, 1)), atol=1e-5)


def test_gaussian_blur_of_sigma_zero_is_the_image() -> None:
    assert np.array_equal(degrade("gaussian_blur", picture(), sigma=0.0), picture())


def test_a_blurred_point_has_the_variance_of_the_kernel() -> None:
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1.0
    blurry = degrade("gaussian_blur", point, sigma=2.5)[:, :, 0]
    offset = np.arange(41) - 20.0
    for axis in (0, 1):
        assert blurry.sum(axis=axis) @ offset**2 == pytest.approx(2.5**2, rel=0.01)


def test_two_blurs_are_one_of_the_summed_variance() -> None:
    twice = blurred(blurred(picture(), 1.5), 2.0)
    assert np.allclose(twice, blurred(picture(), 2.5), atol=2e-3)


def test_convolution_is_the_sum_over_the_mirrored_image_by_hand() -> None:
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    kernel = np.array([[0.0, 0.0, 0.0], [2.0, 3.0, 5.0], [0.0, 7.0, 0.0]], np.float32)
    # y[i, j] = sum_ab k[a, b] x[i - a, j - b]; 0 1 2 is continued by its own edge pixels
    by_hand = [
        2 * 1 + 3 * 0 + 5 * 0 + 7 * 0,
        2 * 2 + 3 * 1 + 5 * 0 + 7 * 1,
        2 * 2 + 3 * 2 + 5 * 1 + 7 * 2,
    ]
    assert convolved(image, kernel)[0].tolist() == by_hand


def test_a_gaussian_kernel_sums_to_one_and_is_even() -> None:
    kernel = gaussian(1.7)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(kernel, kernel[::-1])


def test_a_blur_wider_than_the_image_still_gives_its_mean() -> None:
    tiny = picture(3, 4)
    blurry = degrade("gaussian_blur", tiny, sigma=50.0)
    assert np.allclose(blurry, tiny.mean(axis=(0, 1)), atol=1e-3)


@pytest.mark.parametrize("shake", [0.0, 1.0])
def test_a_motion_kernel_sums_to_one_and_is_centred(shake: float) -> None:
    kernel = path_kernel(rng(3), 15.0, 0.7, shake)
    rows, columns = (np.arange(side) - side // 2 for side in kernel.shape)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert abs(kernel.sum(axis=1) @ rows) < 0.01
    assert abs(kernel.sum(axis=0) @ columns) < 0.01


def test_a_straight_motion_kernel_is_as_long_as_was_asked_and_lies_along_its_angle() -> None:
    kernel = path_kernel(rng(), 20.0, math.radians(30.0), 0.0)
    rows, columns = np.nonzero(kernel > 0.2 * kernel.max())
    angle = math.degrees(math.atan2(-np.polyfit(columns, rows, 1)[0], 1.0))
    assert angle == pytest.approx(30.0, abs=1.5)
    assert np.ptp(columns) == pytest.approx(20.0 * math.cos(math.radians(30.0)), abs=2.0)


def test_motion_without_length_is_the_image() -> None:
    assert np.allclose(degrade("motion_blur", picture(), length=0.0), picture(), atol=1e-6)


def test_horizontal_motion_leaves_horizontal_stripes_alone() -> None:
    stripes = np.repeat(picture()[:, :1], 40, axis=1)
    blurry = degrade("motion_blur", stripes, angle=0.0, spread=0.0, shake=0.0)
    assert np.allclose(blurry, stripes, atol=1e-5)


# Weather


def test_haze_without_extinction_is_the_image() -> None:
    assert np.array_equal(degrade("haze", picture(), beta=0.0), picture())


def test_dense_haze_is_the_airlight() -> None:
    assert np.allclose(degrade("haze", picture(), beta=20.0, airlight=0.7)[:2], 0.7, atol=0.15)


def test_haze_follows_the_scattering_model_with_one_depth_for_all_channels() -> None:
    hazy = degrade("haze", picture(), beta=1.0, airlight=0.9)
    distance = picture() - np.float32(0.9)
    seen = np.abs(distance) > 0.05
    t = np.where(seen, (hazy - 0.9) / np.where(seen, distance, 1.0), np.nan)
    assert np.nanmin(t) > math.exp(-1.0) - 1e-3
    assert np.nanmax(t) < 1.0
    assert np.nanmax(np.nanmax(t, axis=2) - np.nanmin(t, axis=2)) < 1e-4


def test_the_depth_of_haze_is_smooth() -> None:
    black = np.zeros((128, 128, 3), np.float32)
    hazy = degrade("haze", black)[:, :, 0]
    assert max(np.abs(np.diff(hazy, axis=axis)).max() for axis in (0, 1)) < 0.03


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_no_drops_and_no_veil_is_the_image(name: str) -> None:
    assert np.allclose(degrade(name, picture(), density=0.0, veil=0.0), picture(), atol=1e-6)


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_twice_as_many_drops_cover_about_twice_as_much(name: str) -> None:
    black = np.zeros((192, 192, 3), np.float32)
    few, many = (
        np.mean([degrade(name, black, seed, density=d, veil=0.0).mean() for seed in range(3)])
        for d in (2.0, 4.0)
    )
    assert many / few == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_drops_only_add_light_to_black_and_stay_below_white(name: str) -> None:
    drops = degrade(name, np.zeros((96, 96, 3), np.float32), density=30.0)
    assert drops.min() >= 0.0
    assert 0.5 < drops.max() < 1.0


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_drops_are_as_dense_at_the_edges_as_in_the_middle(name: str) -> None:
    black = np.zeros((64, 64, 3), np.float32)
    mean = np.mean([degrade(name, black, seed, veil=0.0) for seed in range(60)], axis=(0, 3))
    edge = np.concatenate([mean[:4].ravel(), mean[-4:].ravel()]).mean()
    assert edge == pytest.approx(mean[20:44].mean(), rel=0.25)


def test_rain_falls_along_its_slant() -> None:
    drops = degrade("rain", np.zeros((160, 160, 3), np.float32), angle=0.0, spread=0.0)[:, :, 0]
    down, across = (np.abs(np.diff(drops, axis=axis)).mean() for axis in (0, 1))
    assert down < 0.5 * across


def test_points_are_shared_by_four_pixels_and_outsiders_cut_off() -> None:
    rows, columns = np.array([1.25, -5.0, 0.0]), np.array([2.5, 1.0, 99.0])
    image = splatted(rows, columns, np.array([8.0, 1.0, 1.0]), (3, 4))
    expected = np.zeros((3, 4))
    expected[1, 2:4], expected[2, 2:4] = 3.0, 1.0
    assert np.array_equal(image, expected)


# Stored images


def test_jpeg_of_a_higher_quality_is_nearer_to_the_image() -> None:
    errors = [
        np.abs(degrade("jpeg", picture(), quality=quality, subsampling="4:4:4") - picture()).mean()
        for quality in (5, 30, 95)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


def test_jpeg_keeps_a_flat_grey_to_a_level() -> None:
    grey = np.full((16, 16, 3), 0.5, np.float32)
    assert np.abs(degrade("jpeg", grey) - grey).max() <= 1.0 / 255.0


def test_jpeg_takes_values_outside_the_range() -> None:
    assert degrade("jpeg", picture() * 3.0 - 1.0).max() <= 1.0


def test_downscaling_keeps_a_flat_colour_and_a_slope() -> None:
    slope = np.broadcast_to(np.linspace(0.2, 0.8, 64, dtype=np.float32)[None, :, None], (64, 64, 3))
    shrunk = degrade("downscale", slope, scale=4)
    assert np.allclose(shrunk[:, 16:-16], slope[:, 16:-16], atol=1e-3)


def test_downscaling_removes_what_the_small_image_cannot_hold() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2
    image = np.repeat(checks[:, :, None], 3, axis=2).astype(np.float32)
    assert degrade("downscale", image, scale=4).std() < 0.02


def test_downscaling_shrinks_as_pillow_does() -> None:
    from PIL import Image

    clean = picture(48, 64)
    channel = Image.fromarray(clean[:, :, 0])
    small = channel.resize((32, 24), Image.Resampling.BICUBIC)
    back = np.asarray(small.resize((64, 48), Image.Resampling.BICUBIC))
    assert np.allclose(degrade("downscale", clean, scale=2)[:, :, 0], back, atol=1e-3)


# Mixtures and given


def test_a_mixture_of_all_is_one_after_the_other() -> None:
    of = (Choice(name="gaussian_blur"), Choice.of("gaussian_noise", {"sigma": 10.0}))
    chance = rng(4)
    expected = picture()
    for choice in of:
        expected = apply_degradation(choice, expected, chance)
    assert np.array_equal(degrade("mixture", picture(), 4, of=of, apply="all"), expected)


def test_a_mixture_of_one_draws_each_about_as_often() -> None:
    of = (Choice(name="given"), Choice(name="gaussian_blur"))
    untouched = [
        np.array_equal(degrade("mixture", picture(8, 8), seed, of=of), picture(8, 8))
        for seed in range(400)
    ]
    assert 140 < sum(untouched) < 260


def test_given_returns_its_input() -> None:
    clean = picture()
    assert degrade("given", clean) is clean


# What goes wrong

WRONG = [
    ("gaussian_noise", {"sigma": -5.0}, "sigma must be from 0 to 255 levels; got sigma=-5"),
    ("gaussian_noise", {"sigma": math.nan}, "sigma must be from 0 to 255 levels; got sigma=nan"),
    (
        "gaussian_noise",
        {"sigma": 25.0, "sigma_max": 10.0},
        "sigma_max must be at least sigma, or 0 for no range; got sigma=25, sigma_max=10",
    ),
    ("gaussian_noise", {"sigma_max": 300}, "sigma_max must be from 0 to 255 levels; got"),
    ("gaussian_blur", {"sigma": 51.0}, "sigma must be from 0 to 50 pixels; got sigma=51"),
    ("motion_blur", {"length": -1.0}, "length must be from 0 to 200 pixels; got length=-1"),
    ("motion_blur", {"angle": 720.0}, "angle must be from -360 to 360 degrees; got angle=720"),
    ("motion_blur", {"spread": 181.0}, "spread must be from 0 to 180 degrees; got spread=181"),
    ("motion_blur", {"shake": -1.0}, "shake must be from 0 to 180 degrees; got shake=-1"),
    ("rain", {"density": -1.0}, "density must be from 0 to 100 streaks per 1000 pixels; got"),
    ("rain", {"length": 0.0}, "length must be from 1 to 200 pixels; got length=0"),
    ("rain", {"angle": 91.0}, "angle must be from -90 to 90 degrees; got angle=91"),
    ("rain", {"spread": -1.0}, "spread must be from 0 to 180 degrees; got spread=-1"),
    ("rain", {"opacity": 1.5}, "opacity must be from 0 to 1; got opacity=1.5"),
    ("rain", {"veil": 2.0}, "veil must be from 0 to 1; got veil=2"),
    ("snow", {"density": 101.0}, "density must be from 0 to 100 flakes per 1000 pixels; got"),
    ("snow", {"radius": 0.0}, "radius must be from 0.5 to 50 pixels; got radius=0"),
    ("snow", {"drift": -1.0}, "drift must be from 0 to 100 pixels; got drift=-1"),
    ("snow", {"opacity": -0.1}, "opacity must be from 0 to 1; got opacity=-0.1"),
    ("snow", {"veil": -1.0}, "veil must be from 0 to 1; got veil=-1"),
    ("haze", {"beta": -1.0}, "beta must be from 0 to 20 per depth; got beta=-1"),
    ("haze", {"airlight": 1.2}, "airlight must be from 0 to 1; got airlight=1.2"),
    ("low_light", {"gamma": 0.0}, "gamma must be from 0.1 to 10; got gamma=0"),
    ("low_light", {"gain": 2.0}, "gain must be from 0 to 1; got gain=2"),
    ("low_light", {"electrons": 0.0}, "electrons must be from 1 to 1e+06 electrons; got"),
    ("low_light", {"read": -1.0}, "read must be from 0 to 10000 electrons; got read=-1"),
    ("jpeg", {"quality": 0}, "quality must be from 1 to 100; got quality=0"),
    ("downscale", {"scale": 1}, "scale must be from 2 to 16 times; got scale=1"),
    ("mixture", {"of": ()}, "of must name at least one degradation; got of=() (known: downscale, "),
]


@pytest.mark.parametrize(("name", "knobs", "message"), WRONG)
def test_a_wrong_knob_is_one_line_with_the_name_the_range_and_the_value(
    name: str, knobs: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        check(Choice.of(name, knobs))  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"{name}: {message}")
    assert "\n" not in str(caught.value)


def test_a_wrong_knob_inside_a_mixture_is_found_without_chance() -> None:
    of = (*[Choice(name="given")] * 50, Choice.of("jpeg", {"quality": 101}))
    with pytest.raises(ValueError, match=r"^jpeg: quality must be from 1 to 100; got quality=101$"):
        check(Choice.of("mixture", {"of": of}))


def test_an_unknown_degradation_is_told_its_nearest_name() -> None:
    with pytest.raises(ValueError, match="no degradation is named 'rian'; did you mean 'rain'"):
        check(Choice(name="rian"))
