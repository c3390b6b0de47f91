"""Uses a trained mix on a user's own pictures: restores them, or scores it on them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ablate.folder import RunError
from ablate.mix import Choice, Evaluation
from ablate.restoring import evaluate, evaluate_inputs, restore
from ablate.results import Run
from ablate.tasks.data import DataError, clean_photos
from ablate.tasks.dataset import Dataset
from ablate.tasks.files import folder_at
from ablate.tasks.images import ImageError, as_float, read_image
from ablate.tasks.pairing import paired_photos
from ablate.tasks.sampling import validation_pairs
from ablate.tasks.scale import task_scale
from ablate.trials.pictures import to_png
from ablate.workplace import require_device

TILED_FROM = 1 << 20  # pixels from which a picture is restored in tiles
TILE = 512


@dataclass(frozen=True)
class Restored:
    """A picture that was restored, where it went and how long that took."""

    source: Path
    target: Path
    seconds: float


@dataclass(frozen=True)
class Score:
    """A mix scored on pictures: what was scored, how many, and the mean of each metric."""

    what: str
    count: int
    values: dict[str, float]


def restore_files(
    run: Run,
    mix: str,
    files: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    tile: int | None = None,
    overlap: int | None = None,
    device: str = "cpu",
) -> Iterator[Restored]:
    """Restore pictures and write each as a PNG of the same name into a folder.

    Args:
        run: Where the mix was trained.
        mix: Its label or key.
        files: Pictures.
        out: Folder for the results; made if it is missing.
        seed: Which of the mix's trials.
        tile: Side of a tile in pixels, 0 for none; by default only large pictures are tiled.
        overlap: Overlap of tiles, in pixels; a quarter of the tile where it is not given.
        device: cpu or cuda.

    Raises:
        RunError: The mix is unknown or not trained, a picture cannot be read, a result would
            replace its source, or the device is not there.
    """
    require_device(device)
    targets = _targets(files, out)
    model, place = run.model(mix, seed).to(device), torch.device(device)
    out.mkdir(parents=True, exist_ok=True)
    for source, target in targets.items():
        start = time.perf_counter()
        image = _read(source)
        large = TILE if image[0].numel() > TILED_FROM else 0
        side = large if tile is None else tile
        shared = side // 4 if overlap is None else overlap
        restored = restore(model, image, tile=side, overlap=shared, device=place)
        target.write_bytes(to_png(restored))
        yield Restored(source, target, time.perf_counter() - start)


def score_images(
    run: Run,
    mix: str,
    data: Path | None = None,
    *,
    pairs: tuple[Path, Path] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> list[Score]:
    """Score a trained mix on whole pictures and, where they are large enough, on crops of them.

    Clean pictures are degraded as the mix was trained; networks that pool over the image or
    attend far can score differently on crops and on whole pictures, so both are given.

    Args:
        run: Where the mix was trained.
        mix: Its label or key.
        data: Folder of clean pictures; the validation pictures of the run where nothing is given.
        pairs: Folders of degraded and of clean pictures instead.
        seed: Which of the mix's trials.
        device: cpu or cuda.

    Raises:
        RunError: The mix is unknown or not trained, or the device is not there.
        DataError: The pictures cannot be used.
    """
    require_device(device)
    model, place = run.model(mix, seed).to(device), torch.device(device)
    _, spec = run.mix(mix)
    scale = task_scale(spec.task)
    dataset = _pictures(run, spec.task.data, data, pairs, scale)
    if dataset.paired != (spec.task.degradation.name == "given"):
        raise DataError(_mismatch(mix, spec.task.degradation.name, dataset.paired))
    scores = []
    for evaluation in _evaluations(run.evaluation(), dataset, scale):
        images = validation_pairs(dataset, spec.task.degradation, evaluation)
        values, _ = evaluate(model, images, evaluation, place)
        before, _ = evaluate_inputs(images, evaluation)
        values |= {f"input_{name}": value for name, value in before.items()}
        side = evaluation.crop
        what = f"crops of {side}x{side}" if side else "whole images"
        scores.append(Score(what, len(images), values))
    return scores


def _read(file: Path) -> Tensor:
    try:
        pixels = as_float(read_image(file))
    except (ImageError, OSError) as error:
        raise RunError(f"{file}: {error}") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _targets(files: Sequence[Path], out: Path) -> dict[Path, Path]:
    targets = {file: out / f"{file.stem}.png" for file in files}
    for source, target in targets.items():
        if source.resolve() == target.resolve():
            raise RunError(f"{source}: the result would replace the picture; choose another --out")
    first = {target: source for source, target in reversed(targets.items())}
    for source, target in targets.items():
        if first[target] != source:
            raise RunError(
                f"{first[target]} and {source} would both become {target}; restore them into "
                "different folders"
            )
    return targets


def _pictures(
    run: Run, own: Choice, data: Path | None, pairs: tuple[Path, Path] | None, scale: int
) -> Dataset:
    if pairs:
        degraded, clean = (folder_at(Path.cwd(), str(folder), "--pairs") for folder in pairs)
        return Dataset((), tuple(paired_photos(degraded, clean, scale)), digest="")
    if data:
        photos = clean_photos(folder_at(Path.cwd(), str(data), "--data"))
        return Dataset((), tuple(photos), digest="")
    return Dataset.read(run.folder.data(own))


def _evaluations(trained: Evaluation, dataset: Dataset, scale: int) -> list[Evaluation]:
    """Whole images, and the crops of the study where the pictures hold them."""
    crop = trained.crop or Evaluation.crop // scale * scale
    smallest = min(min(photo.size) for photo in dataset.validation)
    whole = replace(trained, crop=0)
    return [whole, replace(trained, crop=crop)] if smallest >= crop else [whole]


def _mismatch(mix: str, degradation: str, paired: bool) -> str:
    if paired:
        return f"mix '{mix}' was trained on {degradation}; give clean pictures: --data FOLDER"
    return f"mix '{mix}' was trained on pairs; give both folders: --pairs DEGRADED CLEAN"
