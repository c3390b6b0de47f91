"""Super-resolution through the whole program: smaller inputs, from the study to the report."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.transform import resize
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from ablate.applying import restore_files, score_images
from ablate.cli import main
from ablate.metrics import psnr
from ablate.mix import Choice, Evaluation, Task, Training
from ablate.profiling.memory import forecast_training
from ablate.resizing import enlarge, shrink
from ablate.restoring import evaluate_inputs, restore
from ablate.runs.plan import make_plan
from ablate.runs.rows import metric_definitions
from ablate.study import load_study
from ablate.tasks.data import DataError, load, pairs
from ablate.tasks.dataset import Dataset, Photo
from ablate.tasks.degradations import apply_degradation
from ablate.tasks.sampling import training_batch, validation_pairs
from ablate.tasks.scale import task_scale
from reports.record import Record
from tests.warm_forks import WarmForks

CPU = torch.device("cpu")
GIVEN = Choice(name="given")
each_scale = pytest.mark.parametrize("scale", [2, 3, 4])


def smaller(scale: int, **knobs: object) -> Choice:
    return Choice.of("shrink", {"scale": scale, **knobs})  # type: ignore[dict-item]


def photo(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


# Resizing.


def keys(distance: np.ndarray) -> np.ndarray:
    """The cubic kernel of Keys 1981, a = -1/2."""
    d = np.abs(distance)
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d <= 2, far, 0.0))


def weights(length: int, result: int, factor: float) -> np.ndarray:
    """How much each pixel counts for each resized one, (result, length), as imresize defines it."""
    matrix = np.zeros((result, length))
    wide = min(factor, 1.0)  # shrinking widens the kernel
    reach = int(np.ceil(2 / wide)) + 1
    for row in range(result):
        middle = (row + 0.5) / factor - 0.5
        positions = np.arange(int(middle) - reach, int(middle) + reach + 2)
        counts = keys(wide * (middle - positions))
        turned = positions % (2 * length)  # beyond an edge lies the mirror image
        seen = np.minimum(turned, 2 * length - 1 - turned)
        np.add.at(matrix[row], seen, counts / counts.sum())
    return matrix


def resized(image: Tensor, factor: float) -> np.ndarray:
    height, width = (round(factor * side) for side in image.shape[-2:])
    down = weights(image.shape[-2], height, factor)
    across = weights(image.shape[-1], width, factor)
    return np.einsum("ah,bw,nchw->ncab", down, across, image.double().numpy())


@each_scale
def test_shrinking_is_that_of_imresize_up_to_the_edges(scale):
    image = photo(1, 3, 24, 36)
    np.testing.assert_allclose(shrink(image, scale), resized(image, 1 / scale), atol=1e-5)


@each_scale
def test_enlarging_is_that_of_imresize_up_to_the_edges(scale):
    image = photo(1, 3, 9, 7)
    np.testing.assert_allclose(enlarge(image, scale), resized(image, scale), atol=1e-5)


@each_scale
def test_inside_the_image_pillow_and_torch_shrink_alike(scale):
    image = photo(1, 3, 60, 48)
    size = (48 // scale, 60 // scale)
    ours = shrink(image, scale)[..., 3:-3, 3:-3]
    theirs = F.interpolate(image, size[::-1], mode="bicubic", antialias=True)
    torch.testing.assert_close(ours, theirs[..., 3:-3, 3:-3])
    for channel in range(3):
        pillow = Image.fromarray(image[0, channel].numpy()).resize(size, Image.Resampling.BICUBIC)
        inside = np.asarray(pillow)[3:-3, 3:-3]
        np.testing.assert_allclose(ours[0, channel], inside, atol=1e-5)


def test_a_smooth_image_is_shrunk_as_scikit_image_shrinks_it():
    rows, columns = np.mgrid[0:64, 0:48] / 10.0
    smooth = 0.5 + 0.3 * np.sin(rows) * np.cos(columns)
    ours = shrink(torch.from_numpy(smooth)[None, None], 2)[0, 0]
    theirs = resize(smooth, (32, 24), order=3, mode="symmetric", anti_aliasing=True)
    assert np.abs(ours.numpy() - theirs)[4:-4, 4:-4].max() < 0.01


def test_a_constant_image_stays_constant_and_sides_are_rounded_up():
    grey = torch.full((1, 3, 7, 10), 0.3)
    assert shrink(grey, 3).shape == (1, 3, 3, 4)
    torch.testing.assert_close(shrink(grey, 3), torch.full((1, 3, 3, 4), 0.3))
    torch.testing.assert_close(enlarge(grey, 4), torch.full((1, 3, 28, 40), 0.3))
    assert enlarge(grey, 1) is grey


# The task.


@each_scale
def test_the_degradation_shrinks_and_rounds_to_eight_bits(scale):
    clean = photo(24, 36, 3).numpy()
    degraded = apply_degradation(smaller(scale), clean, np.random.default_rng(0))
    assert degraded.shape == (24 // scale, 36 // scale, 3) and degraded.dtype == np.float32
    levels = degraded * 255
    np.testing.assert_allclose(levels, levels.round(), atol=1e-4)
    exact = apply_degradation(smaller(scale, rounded=False), clean, np.random.default_rng(0))
    assert 0 < np.abs(degraded - exact).max() <= 0.5 / 255 + 1e-6
    assert exact.min() >= 0 and exact.max() <= 1


def mixture(apply: str, *of: Choice) -> Choice:
    return Choice.of("mixture", {"of": of, "apply": apply})


def test_a_task_knows_its_scale():
    noise, twice, thrice = Choice(name="gaussian_noise"), smaller(2), smaller(3)
    for degradation, scale in (
        (noise, 1),
        (Choice(name="downscale"), 1),
        (Choice(name="shrink"), 2),
        (thrice, 3),
        (mixture("all", Choice(name="motion_blur"), twice, noise, twice), 4),
        (mixture("one", twice, smaller(2, rounded=False)), 2),
        (Choice(name="mixture"), 1),
    ):
        assert task_scale(Task(degradation=degradation)) == scale
    data = Choice.of("pairs", {"scale": 4})
    assert task_scale(Task(data=data, degradation=GIVEN)) == 4


def test_a_mixture_that_draws_among_scales_is_refused():
    with pytest.raises(ValueError) as caught:
        task_scale(Task(degradation=mixture("one", smaller(2), Choice(name="haze"))))
    assert str(caught.value) == (
        "a mixture that applies one degradation needs all of one scale, because a network has"
        ' one; got shrink 2, haze 1; apply = "all" applies them in turn'
    )


# Crops.


def where(height: int, width: int) -> np.ndarray:
    """A picture whose every pixel says where it is."""
    row, column = np.mgrid[0:height, 0:width]
    return np.stack([np.zeros_like(row), row, column], axis=-1).astype(np.uint8)


def twins(scale: int) -> Dataset:
    """Pairs whose small picture says which rows and columns of the large one it stands for."""

    def pair(name: str, number: int) -> Photo:
        clean = where(scale * 20, scale * 24)
        clean[..., 0] = number
        return Photo(name, clean, clean[::scale, ::scale].copy())

    return Dataset.of([pair("t", 1), pair("u", 3)], [pair("v", 2)])


@each_scale
def test_training_crops_of_pairs_lie_over_one_another(scale):
    settings = Training(batch=16, crop=8 * scale, augment=True)
    tops = set()
    for step in range(4):
        degraded, clean = training_batch(twins(scale), GIVEN, settings, 0, step)
        assert clean.shape == (16, 3, 8 * scale, 8 * scale)
        assert degraded.shape == (16, 3, 8, 8)
        blocks = F.unfold(clean, scale, stride=scale).view(16, 3, scale**2, 8, 8)
        torch.testing.assert_close(blocks.amin(2), degraded)
        tops |= {int(top) for top in (255 * clean[:, 1]).round().amin((1, 2))}
    assert {top % scale for top in tops} == {0} and len(tops) > 5


@each_scale
def test_validation_crops_of_pairs_lie_over_one_another(scale):
    for crop in (8 * scale, 0):
        found = validation_pairs(twins(scale), GIVEN, Evaluation(crop=crop, crops=5))
        for pair in found:
            assert torch.equal(pair.clean[:, ::scale, ::scale], pair.degraded)


@each_scale
def test_whole_images_lose_the_rest_that_makes_no_small_pixel(scale):
    data = Dataset.of([Photo("t", where(40, 40))], [Photo("v", where(25 + scale, 37))])
    (pair,) = validation_pairs(data, smaller(scale), Evaluation(crop=0))
    height, width = (25 + scale) // scale, 37 // scale
    assert pair.degraded.shape == (3, height, width)
    assert pair.clean.shape == (3, scale * height, scale * width)


def test_every_mix_sees_the_same_small_crops():
    data = twins(2)
    clean = Dataset.of(
        [replace(p, degraded=None) for p in data.train],
        [replace(p, degraded=None) for p in data.validation],
    )
    settings = Training(batch=4, crop=16)
    one, other = (training_batch(clean, smaller(2), settings, 3, 5) for _ in range(2))
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert one[0].shape == (4, 3, 8, 8)
    noisy = training_batch(clean, Choice(name="gaussian_noise"), settings, 3, 5)
    assert torch.equal(noisy[1], one[1])


# Pairs on disk.


def folders(base: Path, small: tuple[int, int], large: tuple[int, int], count: int = 3) -> None:
    for name, (height, width) in (("small", small), ("large", large)):
        (base / name).mkdir()
        for number in range(count):
            levels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
            Image.fromarray(levels).save(base / name / f"{number}.png")


def test_pairs_of_two_sizes_are_read_and_the_rest_is_cut_off(tmp_path: Path):
    folders(tmp_path, (12, 20), (37, 60))
    data = load(Choice.of("pairs", {"input": "small", "target": "large", "scale": 3}), tmp_path)
    sizes = {p.size for p in (*data.train, *data.validation)}
    assert sizes == {(36, 60)}
    data.save(tmp_path / "data")
    assert Dataset.read(tmp_path / "data").validation[0].clean.shape == (36, 60, 3)


def test_pairs_of_another_scale_are_refused_with_the_mend(tmp_path: Path):
    folders(tmp_path, (12, 20), (24, 40))
    named = f"({tmp_path}/small against {tmp_path}/large): 0: 20 x 12 against 40 x 24"
    with pytest.raises(DataError) as caught:
        pairs(tmp_path, input="small", target="large")
    assert str(caught.value).startswith(f"3 of 3 pairs differ in size {named}")
    assert str(caught.value).endswith("; if that is meant, write scale = 2")
    with pytest.raises(DataError) as caught:
        pairs(tmp_path, input="small", target="large", scale=4)
    assert str(caught.value).startswith(f"3 of 3 pairs are not 1 : 4 in size {named}")


# Restoring and scoring.


class Repeat(nn.Module):
    """Each pixel `scale` times in each direction, of the image smoothed over `reach` pixels."""

    def __init__(self, scale: int, reach: int = 0) -> None:
        super().__init__()
        self.scale, self.reach = scale, reach
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        self.sizes.append(tuple(image.shape[-2:]))
        for _ in range(self.reach):
            image = F.avg_pool2d(image, 3, 1, 1)
        return {"image": image.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)}


@each_scale
@pytest.mark.parametrize(("height", "width"), [(50, 83), (32, 90), (20, 20)])
def test_tiles_at_a_scale_give_what_the_whole_image_gives(scale, height, width):
    model, image = Repeat(scale, reach=4), photo(3, height, width)
    whole = restore(model, image, device=CPU)
    tiled = restore(model, image, tile=32, overlap=16, device=CPU)
    assert whole.shape == (3, scale * height, scale * width)
    torch.testing.assert_close(tiled, whole)
    assert max(max(size) for size in model.sizes[1:]) <= 32


@dataclass(frozen=True)
class Couple:
    degraded: Tensor
    clean: Tensor


@each_scale
def test_the_input_is_scored_as_its_bicubic_enlargement(scale):
    clean = photo(3, 12 * scale, 16 * scale)
    small = shrink(clean[None], scale)[0]
    values, _ = evaluate_inputs([Couple(small, clean)], Evaluation(crop=0))
    expected = torch.from_numpy(resized(small[None], scale)[0]).clamp(0, 1)
    assert values["psnr"] == pytest.approx(psnr(expected, clean), abs=1e-3)


def test_the_record_says_what_the_score_of_the_input_is():
    words = {m.name: m.protocol for m in metric_definitions(Evaluation(), 3)}
    said = "of the degraded input, enlarged 3 times by bicubic interpolation (Keys, a = -1/2); RGB"
    assert words["input_psnr"].startswith(said)
    plain = {m.name: m.protocol for m in metric_definitions(Evaluation())}
    assert plain["input_psnr"].startswith("of the degraded input; RGB")
    assert words["psnr"] == plain["psnr"]


def test_the_forecast_of_a_training_step_holds_the_larger_target():
    plain, large = (forecast_training(Learnt(scale), (2, 3, 16, 16)).peak for scale in (1, 2))
    pixels = 2 * 3 * 16 * 16
    assert large - plain >= 4 * (4 * pixels - pixels)


class Learnt(nn.Module):
    def __init__(self, scale: int) -> None:
        super().__init__()
        self.layer, self.scale = nn.Conv2d(3, 3 * scale**2, 1), scale

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        return {"image": F.pixel_shuffle(self.layer(image), self.scale)}


# The whole way.

STUDY = {
    "question": "Which block enlarges best?",
    "task": {"degradation": "shrink", "scale": 3},
    "network": {
        "topology": "residual_groups",
        "width": 8,
        "scale": 3,
        "group": [{"block": ["nafblock", "identity"], "repeat": 2}],
    },
    "training": {"steps": 4, "batch": 2, "crop": 24, "seeds": 1, "validate": 2},
    "evaluation": {"crop": 48, "crops": 3, "color": "y", "border": 3},
    "profile": {"size": [16, 16], "rounds": 3, "processes": 1},
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, warm_forks: WarmForks) -> ablate.Run:
    folder = tmp_path_factory.mktemp("super") / "run"
    with warm_forks.instead():
        return ablate.run(load_study(STUDY), folder, workers=1)


def test_a_run_measures_every_mix_and_writes_its_report(done: ablate.Run):
    table = done.results()
    assert sorted(table["label"]) == ["identity", "nafblock"]
    for column in ("psnr", "ssim", "input_psnr", "macs", "latency", "training_memory"):
        assert table[column].notna().all(), column
    assert table["input_psnr"].nunique() == 1
    assert (table["psnr"] - table["input_psnr"]).abs().max() < 3  # it starts at the enlargement
    page = (done.folder.path / "report.html").read_text(encoding="utf-8")
    assert "Input, enlarged" in page and "enlarged 3 times by bicubic interpolation" in page


def test_the_record_keeps_the_small_input_and_the_large_results(done: ablate.Run):
    with Record.open(done.folder.record) as record:
        rows = record.pictures(str(record.trials().iloc[0]["key"]))
        modes = record.measurements().drop_duplicates("metric").set_index("metric")["mode"]
        stages = json.loads(record.mixes().iloc[0]["spec"])["network"]["stages"]
    sides = {k: Image.open(io.BytesIO(p)).size for k, p in zip(rows.kind, rows.png, strict=True)}
    assert sides == {"input": (16, 16), "target": (48, 48), "restored": (48, 48)}
    assert (modes["macs"], modes["training_memory"]) == ("16x16", "2 crops of 24x24")
    assert [stage["slot"] for stage in stages] == ["group1", "group2"]


def test_a_trained_mix_enlarges_pictures_whole_and_in_tiles(done: ablate.Run, tmp_path: Path):
    levels = np.random.default_rng(0).integers(0, 256, (20, 31, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "small.png")
    for tile in (0, 16):
        out = tmp_path / f"tile{tile}"
        (made,) = restore_files(done, "identity", [tmp_path / "small.png"], out, tile=tile)
        with Image.open(made.target) as image:
            assert image.size == (93, 60)


def test_a_trained_mix_is_scored_on_clean_pictures_and_on_pairs(done: ablate.Run, tmp_path: Path):
    folders(tmp_path, (20, 18), (61, 56))
    clean = score_images(done, "nafblock", tmp_path / "large")
    assert [score.what for score in clean] == ["whole images", "crops of 48x48"]
    assert all(np.isfinite(score.values["input_psnr"]) for score in clean)


def test_evaluating_on_pairs_needs_a_mix_that_was_trained_on_pairs(done, tmp_path, capsys):
    folders(tmp_path, (20, 18), (60, 54))
    small, large = str(tmp_path / "small"), str(tmp_path / "large")
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(done.folder.path), "nafblock", "--pairs", small, large])
    assert ended.value.code == 2
    assert "give clean pictures: --data FOLDER" in capsys.readouterr().err


@pytest.mark.usefixtures("brief_runs")
def test_a_study_of_pairs_trains_scores_and_evaluates(tmp_path: Path):
    folders(tmp_path, (24, 20), (48, 41))
    raw = copy.deepcopy(STUDY)
    data = {"source": "pairs", "input": "small", "target": "large", "scale": 2}
    raw["task"] = {"data": {**data, "input": str(tmp_path / "small")}}
    raw["task"]["data"]["target"] = str(tmp_path / "large")
    raw["network"] |= {"scale": 2, "group": [{"block": "nafblock"}]}
    raw["evaluation"] = {"crop": 32, "crops": 2}
    done = ablate.run(load_study(raw), tmp_path / "run", workers=1)
    assert done.results()["psnr"].notna().all()
    scores = score_images(done, "study", pairs=(tmp_path / "small", tmp_path / "large"))
    assert [score.count for score in scores] == [3, scores[1].count]


@pytest.mark.usefixtures("forks")
def test_a_plan_rehearses_small_crops_against_large_targets():
    planned = make_plan(load_study(STUDY), workers=1, device="cpu")
    assert all(mix.seconds is not None and mix.training_memory for mix in planned.mixes)
    assert planned.latency_seconds is not None and planned.latency_seconds > 0


def test_the_shipped_study_is_one_of_several_blocks_of_several_families():
    study = load_study("super_resolution")
    mix = study.mix(study.at(study.size - 1))
    assert task_scale(mix.task) == mix.network.topology.settings["scale"] == 2
    (blocks,) = (axis.labels for axis in study.axes if axis.name == "group1")
    assert len(blocks) >= 4
