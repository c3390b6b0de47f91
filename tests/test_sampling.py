from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ablate.mix import Choice, Evaluation, Training
from ablate.tasks.dataset import Dataset, Photo
from ablate.tasks.degradations import degradations
from ablate.tasks.sampling import training_batch, validation_pairs

NOISE, GIVEN = Choice(name="gaussian_noise"), Choice(name="given")
SETTINGS = Training(batch=4, crop=16)


def coordinates(number: int, height: int, width: int) -> np.ndarray:
    """A picture whose every pixel says where it is: its number, row and column."""
    row, column = np.mgrid[0:height, 0:width]
    return np.stack([np.full_like(row, number), row, column], axis=-1).astype(np.uint8)


def clean_data() -> Dataset:
    return Dataset.of(
        [Photo(f"t{n}", coordinates(n, 40 + n, 60)) for n in range(3)],
        [Photo(f"v{n}", coordinates(100 + n, 50, 70 + n)) for n in range(3)],
    )


def paired_data() -> Dataset:
    """The degraded twin is the negative, so that a pair cropped alike always sums to white."""

    def pair(photo: Photo) -> Photo:
        return replace(photo, degraded=255 - photo.clean)

    clean = clean_data()
    return Dataset.of(map(pair, clean.train), map(pair, clean.validation))


def places(clean: torch.Tensor) -> list[tuple[int, ...]]:
    """Photo number, top and left of every crop of a batch."""
    levels = torch.round(clean * 255).int()
    return [tuple(int(channel.min()) for channel in crop) for crop in levels]


def test_a_batch_has_the_shape_that_a_network_takes() -> None:
    for image in training_batch(clean_data(), NOISE, SETTINGS, 0, 0):
        assert image.shape == (4, 3, 16, 16)
        assert image.dtype == torch.float32
        assert image.is_contiguous()


def test_the_same_seed_and_step_give_the_same_batch() -> None:
    for one, other in zip(
        training_batch(clean_data(), NOISE, SETTINGS, 3, 7),
        training_batch(clean_data(), NOISE, SETTINGS, 3, 7),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_another_seed_or_step_gives_other_crops_and_another_degradation() -> None:
    degraded, clean = training_batch(clean_data(), NOISE, SETTINGS, 3, 7)
    for seed, step in ((3, 8), (4, 7), (7, 3)):
        other_degraded, other_clean = training_batch(clean_data(), NOISE, SETTINGS, seed, step)
        assert not torch.equal(clean, other_clean)
        assert not torch.equal(degraded - clean, other_degraded - other_clean)


def test_the_order_of_asking_does_not_matter() -> None:
    data = clean_data()
    forward = [training_batch(data, NOISE, SETTINGS, 0, step)[0] for step in (0, 1, 2)]
    backward = [training_batch(data, NOISE, SETTINGS, 0, step)[0] for step in (2, 1, 0)]
    assert all(torch.equal(a, b) for a, b in zip(forward, reversed(backward), strict=True))


def test_nothing_but_crop_batch_and_augment_of_the_training_matters() -> None:
    other = replace(SETTINGS, steps=9, rate=1.0, optimizer="adam", loss=(("charbonnier", 1.0),))
    degraded, _ = training_batch(clean_data(), NOISE, SETTINGS, 0, 0)
    assert torch.equal(degraded, training_batch(clean_data(), NOISE, other, 0, 0)[0])


@pytest.mark.parametrize("name", list(degradations))
def test_every_degradation_sees_the_same_crops(name: str) -> None:
    data = clean_data()
    _, expected = training_batch(data, NOISE, SETTINGS, 1, 2)
    assert torch.equal(training_batch(data, Choice(name=name), SETTINGS, 1, 2)[1], expected)


def test_crops_come_from_every_picture_and_reach_every_edge() -> None:
    data, still = clean_data(), replace(SETTINGS, augment=False)
    seen = [
        place
        for step in range(200)
        for place in places(training_batch(data, GIVEN, still, 0, step)[1])
    ]
    counts = np.bincount([number for number, _, _ in seen], minlength=3)
    assert counts.min() > 200  # of 800, a third each
    assert {top for number, top, _ in seen if number == 2} == set(range(42 - 16 + 1))
    assert {left for _, _, left in seen} == set(range(60 - 16 + 1))


def test_a_picture_as_small_as_the_crop_is_taken_whole() -> None:
    data = Dataset.of([Photo("t", coordinates(0, 16, 16))], [Photo("v", coordinates(1, 16, 16))])
    clean = training_batch(data, GIVEN, replace(SETTINGS, augment=False), 0, 0)[1]
    assert places(clean) == [(0, 0, 0)] * 4


def test_without_augmentation_crops_are_upright() -> None:
    for step in range(10):
        _, clean = training_batch(clean_data(), GIVEN, replace(SETTINGS, augment=False), 0, step)
        assert (clean[:, 1].diff(dim=1) > 0).all()
        assert (clean[:, 2].diff(dim=2) > 0).all()


def test_augmentation_gives_all_eight_symmetries_about_equally_often() -> None:
    data, seen = clean_data(), dict[tuple[bool, ...], int]()
    for step in range(100):
        for crop in training_batch(data, GIVEN, SETTINGS, 0, step)[1]:
            row, column = crop[1], crop[2]
            transposed = bool(row[0, 0] != row[0, 1])
            rows, columns = (column, row) if transposed else (row, column)
            pose = transposed, bool(rows[0, 0] < rows[1, 0]), bool(columns[0, 0] < columns[0, 1])
            seen[pose] = seen.get(pose, 0) + 1
    assert len(seen) == 8
    assert min(seen.values()) > 25  # of 400, an eighth each


@pytest.mark.parametrize("augment", [True, False])
def test_pairs_are_cropped_and_turned_alike(augment: bool) -> None:
    settings = replace(SETTINGS, augment=augment)
    for step in range(20):
        degraded, clean = training_batch(paired_data(), GIVEN, settings, 0, step)
        assert torch.allclose(degraded + clean, torch.ones_like(clean), atol=1e-6)


def test_pairs_and_clean_images_are_cropped_at_the_same_places() -> None:
    _, one = training_batch(clean_data(), NOISE, SETTINGS, 0, 0)
    _, other = training_batch(paired_data(), GIVEN, SETTINGS, 0, 0)
    assert torch.equal(one, other)


def test_the_crop_is_degraded_by_the_standard_deviation_asked_for() -> None:
    data = Dataset.of(
        [Photo("t", np.full((64, 64, 3), 128, np.uint8))],
        [Photo("v", np.full((64, 64, 3), 127, np.uint8))],
    )
    degraded, clean = training_batch(data, NOISE, Training(batch=8, crop=64), 0, 0)
    assert float((degraded - clean).std()) * 255 == pytest.approx(25.0, rel=0.01)


def test_crops_of_one_batch_have_noise_of_their_own() -> None:
    degraded, clean = training_batch(clean_data(), NOISE, SETTINGS, 0, 0)
    noise = degraded - clean
    assert not torch.allclose(noise[0], noise[1], atol=1e-3)


def test_sixteen_bit_pictures_span_the_same_range() -> None:
    deep = np.zeros((16, 16, 3), np.uint16)
    deep[:] = np.linspace(0, 65535, 256).reshape(16, 16, 1).astype(np.uint16)
    data = Dataset.of([Photo("t", deep)], [Photo("v", deep[::-1])])
    _, clean = training_batch(data, NOISE, SETTINGS, 0, 0)
    assert (float(clean.min()), float(clean.max())) == (0.0, 1.0)


def test_a_dataset_mapped_from_a_file_gives_the_same_batches(tmp_path: Path) -> None:
    for data, choice in ((clean_data(), NOISE), (paired_data(), GIVEN)):
        data.save(tmp_path / "data.npy")
        mapped = Dataset.read(tmp_path / "data.npy")
        for one, other in zip(
            training_batch(data, choice, SETTINGS, 0, 5),
            training_batch(mapped, choice, SETTINGS, 0, 5),
            strict=True,
        ):
            assert torch.equal(one, other)


# Validation


def test_validation_crops_are_shared_out_evenly_and_spread_out() -> None:
    pairs = validation_pairs(clean_data(), NOISE, Evaluation(crop=16, crops=24))
    assert len(pairs) == 24
    seen = places(torch.stack([pair.clean for pair in pairs]))
    assert len(set(seen)) == 24
    assert np.bincount([number for number, _, _ in seen])[100:].tolist() == [8, 8, 8]
    for axis, extent in ((1, 50 - 16), (2, 70 - 16)):
        mine = sorted(place[axis] for place in seen if place[0] == 100)
        assert max(np.diff([0, *mine, extent])) <= extent / 3


@pytest.mark.parametrize(("crops", "shares"), [(1, [1, 0, 0]), (2, [1, 1, 0]), (7, [3, 2, 2])])
def test_a_number_that_does_not_divide_is_shared_as_evenly_as_it_can(
    crops: int, shares: list[int]
) -> None:
    pairs = validation_pairs(clean_data(), NOISE, Evaluation(crop=16, crops=crops))
    counts = [sum(pair.name.startswith(f"v{n}@") for pair in pairs) for n in range(3)]
    assert len(pairs) == crops
    assert sorted(counts, reverse=True) == shares


def test_the_first_crop_of_a_picture_is_in_its_middle_and_named_by_its_place() -> None:
    pair = validation_pairs(clean_data(), NOISE, Evaluation(crop=16, crops=3))[0]
    assert pair.name == "v0@17,27"
    assert places(pair.clean[None]) == [(100, 17, 27)]


def test_a_picture_as_small_as_the_crop_is_validated_once() -> None:
    small = [Photo(f"v{n}", coordinates(n + 9, 16, 16)) for n in range(2)]
    data = Dataset.of(clean_data().train, small)
    pairs = validation_pairs(data, NOISE, Evaluation(crop=16, crops=10))
    assert [pair.name for pair in pairs] == ["v0@0,0", "v1@0,0"]


def test_whole_images_keep_their_own_sizes_and_names() -> None:
    pairs = validation_pairs(clean_data(), NOISE, Evaluation(crop=0))
    assert [pair.name for pair in pairs] == ["v0", "v1", "v2"]
    assert [tuple(pair.degraded.shape) for pair in pairs] == [(3, 50, 70 + n) for n in range(3)]


@pytest.mark.parametrize("crop", [0, 16])
def test_validation_is_the_same_every_time_and_changes_with_its_noise_seed(crop: int) -> None:
    data, settings = clean_data(), Evaluation(crop=crop, crops=6)
    first, second = (validation_pairs(data, NOISE, settings) for _ in range(2))
    other = validation_pairs(data, NOISE, replace(settings, noise_seed=1))
    for one, same, different in zip(first, second, other, strict=True):
        assert torch.equal(one.degraded, same.degraded)
        assert torch.equal(one.clean, different.clean)
        assert not torch.equal(one.degraded, different.degraded)


def test_more_crops_keep_the_ones_there_were_with_their_noise() -> None:
    few, many = (
        {pair.name: pair.degraded for pair in validation_pairs(clean_data(), NOISE, settings)}
        for settings in (Evaluation(crop=16, crops=6), Evaluation(crop=16, crops=12))
    )
    assert set(few) < set(many)
    assert all(torch.equal(few[name], many[name]) for name in few)


@pytest.mark.parametrize("crop", [0, 16])
def test_given_pairs_are_validated_as_they_are(crop: int) -> None:
    for pair in validation_pairs(paired_data(), GIVEN, Evaluation(crop=crop, crops=6)):
        assert torch.allclose(pair.degraded + pair.clean, torch.ones_like(pair.clean), atol=1e-6)
