from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from ablate.metrics import score
from ablate.mix import Evaluation
from ablate.restoring import evaluate, evaluate_inputs, restore

CPU = torch.device("cpu")


class Local(nn.Module):
    """Sees `reach` pixels to each side."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(reach))
        self.sizes = []

    def forward(self, image, request=()):
        self.sizes.append(tuple(image.shape[-2:]))
        for layer in self.layers:
            image = torch.sigmoid(layer(image))
        return {"image": image}


class Shift(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by, self.modes = by, []

    def forward(self, image, request=()):
        self.modes.append(self.training)
        return {"image": image + self.by}


@dataclass(frozen=True)
class Couple:
    degraded: Tensor
    clean: Tensor


def photo(height, width, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(100, 83), (48, 200), (49, 49), (64, 30)])
@pytest.mark.parametrize("tile, overlap", [(48, 16), (32, 17), (40, 32)])
def test_a_network_that_sees_a_quarter_of_the_overlap_does_not_notice_tiles(size, tile, overlap):
    model, image = Local(reach=overlap // 4), photo(*size)
    whole = restore(model, image, device=CPU)
    tiled = restore(model, image, tile=tile, overlap=overlap, device=CPU)
    assert torch.allclose(tiled, whole, atol=1e-5)


def test_a_network_that_sees_further_than_the_overlap_does_notice_tiles():
    model, image = Local(reach=6), photo(64, 64)
    whole = restore(model, image, device=CPU)
    tiled = restore(model, image, tile=32, overlap=2, device=CPU)
    assert not torch.allclose(tiled, whole, atol=1e-5)


def test_tiles_without_overlap_meet_edge_to_edge():
    image = photo(20, 30) * 0.5
    tiled = restore(Shift(0.25), image, tile=8, overlap=0, device=CPU)
    assert torch.allclose(tiled, image + 0.25)


def test_no_tile_is_larger_than_asked():
    model = Local(reach=1)
    restore(model, photo(70, 20), tile=32, overlap=8, device=CPU)
    assert set(model.sizes) == {(32, 20)}
    assert len(model.sizes) == 3  # 0..32, 24..56, 38..70


def test_a_seam_is_a_smooth_blend():
    class Brightness(nn.Module):  # each tile comes out in a grey of its own
        count = 0

        def forward(self, image, request=()):
            self.count += 1
            return {"image": torch.full_like(image, self.count / 10)}

    line = restore(Brightness(), photo(4, 48), tile=32, overlap=16, device=CPU)[0, 0]
    assert torch.all(line[:20] == line[0])
    assert torch.all(line[28:] == line[-1])
    steps = line.diff()
    assert torch.all(steps >= 0)
    assert steps.max() < 0.25 * (line[-1] - line[0])


def test_the_restored_image_is_clamped():
    assert restore(Shift(5), photo(8, 8), device=CPU).max() == 1
    assert restore(Shift(-5), photo(8, 8), tile=6, overlap=2, device=CPU).max() == 0


def test_the_mode_of_the_network_is_eval_while_restoring_and_as_before_afterwards():
    model = Shift(0).train()
    restore(model, photo(8, 8), device=CPU)
    assert model.training
    assert model.modes == [False]


def test_the_memory_layout_is_given_to_the_network():
    class Layout(nn.Module):
        def forward(self, image, request=()):
            self.last = image.is_contiguous(memory_format=torch.channels_last)
            return {"image": image}

    model, image = Layout(), photo(8, 8)
    assert torch.equal(restore(model, image, device=CPU, channels_last=True), image)
    assert model.last
    restore(model, image, device=CPU)
    assert not model.last


def test_a_tile_that_is_not_larger_than_the_overlap_is_an_error():
    with pytest.raises(ValueError, match=r"larger than overlap.*; got tile=32, overlap=32"):
        restore(Shift(0), photo(8, 8), tile=32, overlap=32, device=CPU)


def test_evaluation_is_the_mean_over_images_of_any_sizes():
    pairs = [
        Couple(photo(16, 20) * 0.5, photo(16, 20) * 0.5),
        Couple(photo(12, 12), photo(12, 12, 1)),
    ]
    means, rows = evaluate(Shift(0.1), pairs, Evaluation(), CPU, channels_last=True)
    assert rows[0]["psnr"] == pytest.approx(20, abs=1e-3)
    assert rows[1] == score(pairs[1].degraded + 0.1, pairs[1].clean, Evaluation())
    for name, mean in means.items():
        assert mean == pytest.approx((rows[0][name] + rows[1][name]) / 2)


def test_inputs_are_scored_as_if_nothing_had_been_done_to_them():
    pairs = [Couple(photo(16, 20), photo(16, 20, 1)), Couple(photo(12, 12), photo(12, 12, 1))]
    assert evaluate_inputs(pairs, Evaluation()) == evaluate(Shift(0), pairs, Evaluation(), CPU)


def test_nothing_to_score_is_an_error():
    with pytest.raises(
        ValueError,
        match=r"image to score \(RGB, .*\); expected at least 1, got 0",
    ):
        evaluate(Shift(0), [], Evaluation(), CPU)
