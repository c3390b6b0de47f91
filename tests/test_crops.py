from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from reports.graphics.crops import (
    SIDE,
    STEPS,
    ErrorScale,
    enlarged,
    error_uri,
    errors,
    middle,
    psnr,
    read,
    scale_of_errors,
    uri,
)

GREY = tuple(f"#{17 * step:02x}{17 * step:02x}{17 * step:02x}" for step in range(STEPS))


def pixels(height: int = 8, width: int = 8, value: int = 100) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def decoded(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_shown_crop_is_the_recorded_one_pixel_by_pixel():
    noisy = np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype(np.uint8)
    address = uri(noisy)
    assert address.startswith("data:image/webp;base64,")
    assert (np.asarray(decoded(address).convert("RGB")) == noisy).all()


def test_a_large_picture_is_cut_to_its_middle_not_scaled():
    whole = np.zeros((SIDE + 10, SIDE + 4, 3), dtype=np.uint8)
    whole[5:-5, 2:-2] = np.random.default_rng(0).integers(1, 256, (SIDE, SIDE, 3))
    assert (middle(Image.fromarray(whole)) == whole[5:-5, 2:-2]).all()
    assert middle(Image.fromarray(whole[:9, :7])).shape == (9, 7, 3)


def test_an_input_is_enlarged_only_where_it_is_smaller():
    small = Image.fromarray(pixels(4, 6))
    assert enlarged(small, (6, 4)) is small
    assert enlarged(small, (12, 8)).size == (12, 8)


def test_the_psnr_of_a_known_error_is_by_the_formula():
    # every pixel off by 10 of 255: 20 lg(255 / 10)
    assert psnr(pixels(value=110), pixels()) == pytest.approx(20 * math.log10(25.5))
    assert math.isinf(psnr(pixels(), pixels()))
    assert math.isnan(psnr(pixels(4), pixels()))


def test_an_error_is_the_mean_over_the_colours():
    shown = pixels()
    shown[0, 0] = (100, 103, 94)  # off by 0, 3 and 6
    found = errors(shown, pixels())
    assert found[0, 0] == pytest.approx(3.0)
    assert found.sum() == pytest.approx(3.0)


def test_the_scale_holds_nearly_all_errors_up_to_a_round_number():
    usual = np.full((10, 100), 9.0)
    usual[0, :5] = 200.0  # half a percent may lie beyond
    assert scale_of_errors([usual]).top == 10.0
    assert scale_of_errors([usual, np.full((10, 100), 39.0)]).top == 40.0
    assert scale_of_errors([np.zeros((4, 4))]).top == 2.0


def test_the_colours_grow_lighter_in_even_steps():
    lightness = [luminance(colour) ** (1 / 3) for colour in scale_of_errors([]).colours]
    steps = np.diff(lightness)
    assert len(lightness) == STEPS and (steps > 0).all()
    assert steps[2:].max() < 2.5 * steps[2:].min()  # the darkest ones are told apart less well


def test_an_error_map_shows_each_error_as_its_step_of_the_scale():
    scale = ErrorScale(32.0, GREY)
    found = np.array([[0.0, 1.9, 2.0], [16.0, 31.9, 250.0]])
    shown = np.asarray(decoded(error_uri(found, scale)).convert("L")) // 17
    assert shown.tolist() == [[0, 0, 1], [8, 15, 15]]


def test_the_ticks_of_the_scale_are_its_ends_and_its_middle():
    assert ErrorScale(25.0, GREY).ticks == ((0.0, "0"), (0.5, "12.5"), (1.0, "25"))


def test_a_picture_of_the_record_is_read_as_colours_and_nothing_but_png():
    buffer = io.BytesIO()
    Image.new("L", (3, 2), 7).save(buffer, "PNG")
    assert (middle(read(buffer.getvalue())) == pixels(2, 3, 7)).all()
    with pytest.raises(OSError, match="cannot identify image file"):
        read(b"GIF89a")
