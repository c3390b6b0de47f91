"""A plausible record without any training, for the tests and for looking at the report."""

from __future__ import annotations

import io
import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from reports.record import (
    CurvePoint,
    Measurement,
    Metric,
    MixRow,
    Note,
    Picture,
    Record,
    Sample,
    StageRow,
    TrialRow,
)

METRICS = (
    Metric("psnr", "dB", "higher", "RGB, float, border 0, mean over 24 crops of 128x128"),
    Metric("ssim", "", "higher", "RGB, 11x11 Gaussian window, mean over 24 crops of 128x128"),
    Metric("input_psnr", "dB", "none", "as psnr, of the degraded input"),
    Metric("input_ssim", "", "none", "as ssim, of the degraded input"),
    Metric("params", "", "lower", "trainable parameters"),
    Metric("macs", "MAC", "lower", "multiply-adds of one image; scan as 9BLDN + BLD"),
    Metric("peak_memory", "byte", "lower", "largest allocated memory of one call"),
    Metric("training_memory", "byte", "lower", "largest allocated memory of one step"),
    Metric("latency", "s", "lower", "median of interleaved rounds, batch 1, 1 thread"),
    Metric("bytes_moved", "byte", "none", "each operator reads and writes once"),
    Metric("load", "", "none", "samples only, one a round: processes that wanted a core"),
    Metric("cpu_clock", "MHz", "none", "samples only, one a round: clock of the core"),
)


@dataclass(frozen=True)
class Kind:
    name: str
    family: str
    gain: float  # dB
    cost: float  # of a stage


KINDS = (
    Kind("rdcnn", "cnn", 0.00, 1.0),
    Kind("lama", "linear_attention", 0.06, 1.5),
    Kind("emvm", "mamba", 0.16, 2.6),
    Kind("mwsa window=8", "attention", 0.14, 2.2),
    Kind("nafblock", "cnn", 0.08, 1.2),
    Kind("mwsa window=16", "attention", 0.17, 3.6),
    Kind("cycle(emvm, mwsa window=8)", "mamba + attention", 0.20, 2.5),
    Kind("moe_ffn experts=4", "moe", 0.05, 1.9),
    Kind("prompt length=5", "prompt", 0.03, 1.4),
    Kind("identity", "none", -0.5, 0.05),
)
DEFAULT_COUNTS = {"stage1": 2, "stage2": 4, "stage3": 2}


def simulate(
    path: Path,
    counts: dict[str, int] | None = None,
    *,
    seeds: int = 3,
    noise: float = 0.04,
    latency: bool = True,
    pictures: bool = True,
    broken: int = 0,
    baseline: bool = True,
    kinds: tuple[Kind, ...] = KINDS,
    rng_seed: int = 7,
    mirrored: bool = False,
) -> Path:
    """Write a record of every combination of the first few kinds in each stage.

    counts: how many kinds each stage asks about. broken: mixes one of whose trials fails or
    diverges. The pictures belong to the first seed. mirrored: a U-Net with decoder stages like its
    encoder's, as the mixes' specifications say; otherwise they say nothing.
    """
    rng = np.random.default_rng(rng_seed)
    counts = counts or DEFAULT_COUNTS
    record = Record.create(
        path,
        "where_does_mamba_pay",
        'question = "In which stage does Mamba pay for its latency?"\n\n[task]\nsigma = 25\n',
        "In which stage does Mamba pay for its latency?",
        {
            "created": "2026-11-21 12:00:00",
            "git_commit": "0c2470a",
            "seeds": str(seeds),
            "machine.cpu": "AMD EPYC 9R14, 2 cores",
            "machine.os": "Linux 6.1",
            "version.torch": "2.13.0+cpu",
            "version.python": "3.11.7",
            "scan backend": "c (reference, torch and c agree)",
        },
        ("psnr", "latency"),
    )
    with record:
        record.define(METRICS)
        choices = list(itertools.product(*(kinds[:n] for n in counts.values())))
        rows = [_mix(dict(zip(counts, choice, strict=True)), mirrored) for choice in choices]
        record.add_mixes(rows)
        clean = picture()
        noisy = clean + rng.normal(0, 25 / 255, clean.shape)
        for at, (row, choice) in enumerate(zip(rows, choices, strict=True)):
            quality = 28.6 + sum(kind.gain * (1 + 0.6 * depth) for depth, kind in enumerate(choice))
            quality += rng.normal(0, 0.03)
            for seed in range(seeds):
                value = quality + (seed - 1) * noise + rng.normal(0, noise)
                shots = drawn(row.key, clean, noisy, value) if pictures and seed == 0 else []
                bad = at < broken and seed == 0
                add_trial(record, row.key, seed, value, rng, shots, bad=bad, at=at)
        if baseline:
            _add_baseline(record, counts, seeds)
        if latency:
            _sit(record, rows, choices, rng)
        record.note("", "uncounted", "aten::fft_rfft2 (emvm)")
    return path


def _mix(choice: dict[str, Kind], mirrored: bool = False) -> MixRow:
    label = " | ".join(f"{slot} {kind.name}" for slot, kind in choice.items())
    filled = {**choice, **(_decoder(choice) if mirrored else {})}
    stages = tuple(StageRow(slot, kind.name, kind.family, 2) for slot, kind in filled.items())
    levels = {slot: kind.name for slot, kind in choice.items()}
    spec = _spec(filled) if mirrored else "{}"
    return MixRow(f"mix{abs(hash_of(label)):016x}", label, spec, levels, stages)


def _decoder(choice: dict[str, Kind]) -> dict[str, Kind]:
    return {slot.replace("stage", "decoder"): kind for slot, kind in choice.items()}


def _spec(filled: dict[str, Kind]) -> str:
    """As much of a mix's specification as a report reads: a U-Net of these blocks."""
    stages = [
        {"slot": slot, "blocks": [{"name": kind.name.split(" ")[0], "knobs": []}] * 2}
        for slot, kind in filled.items()
    ]
    topology = {"name": "unet", "knobs": [["width", 16]]}
    return json.dumps({"network": {"topology": topology, "stages": stages}})


def hash_of(text: str) -> int:
    value = 0
    for character in text:
        value = (value * 131 + ord(character)) % 2**60
    return value


def add_trial(
    record: Record,
    mix: str,
    seed: int,
    quality: float,
    rng: np.random.Generator,
    pictures: Sequence[Picture] = (),
    *,
    bad: bool = False,
    at: int = 0,
) -> None:
    key = f"{mix}-{seed}"
    if bad:
        status = "diverged" if at % 2 == 0 else "failed"
        reason = "loss is nan at step 130" if at % 2 == 0 else "RuntimeError: out of memory"
        record.add_trial(TrialRow(key, mix, seed, status, reason, 12.0))
        return
    measured = {"psnr": quality, "ssim": 0.78 + (quality - 28) / 20}
    measured |= {"input_psnr": 20.17, "input_ssim": 0.41}
    record.add_trial(
        TrialRow(key, mix, seed, "done", "", 20.0, {"device": "cpu", "scan backend": "c"}),
        [Measurement(key, name, value) for name, value in measured.items()],
        curves(key, quality, rng),
        pictures,
    )


def curves(key: str, quality: float, rng: np.random.Generator) -> Iterator[CurvePoint]:
    for step in range(10, 401, 10):
        fall = math.exp(-step / 60)
        yield CurvePoint(key, "loss", step, 0.03 + 0.1 * fall + float(rng.normal(0, 0.002)))
    for step in (100, 200, 300, 400):
        yield CurvePoint(key, "psnr", step, quality - 6 * math.exp(-step / 80))


def drawn(mix: str, clean: np.ndarray, noisy: np.ndarray, quality: float) -> list[Picture]:
    """What the trial with the first seed came from, and what it made of it."""
    residue = np.random.default_rng(3).normal(0, 10 ** (-quality / 20), clean.shape)
    shots = {"input": noisy, "target": clean, "restored": clean + residue}
    return [
        Picture(f"{mix}-0", "hills.webp, crop 1", kind, png(array)) for kind, array in shots.items()
    ]


def picture(size: int = 128) -> np.ndarray:
    """A landscape of sorts, (size, size, 3) in [0, 1]."""
    image = Image.new("RGB", (size, size), "#9cc4e4")
    pen = ImageDraw.Draw(image)
    pen.ellipse((80, 12, 108, 40), fill="#ffe9a8")
    for at, colour in enumerate(("#7d9d7a", "#567d55", "#345c3b")):
        top = 55 + 20 * at
        ridge = [(x, top + 14 * math.sin(x / (9 + 5 * at) + at)) for x in range(0, size + 1, 4)]
        pen.polygon([*ridge, (size, size), (0, size)], fill=colour)
    return np.asarray(image, dtype=float) / 255


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray((np.clip(array, 0, 1) * 255).round().astype("uint8")).save(buffer, "PNG")
    return buffer.getvalue()


def _add_baseline(record: Record, counts: dict[str, int], seeds: int) -> None:
    stages = tuple(StageRow(slot, "identity", "none", 0) for slot in counts)
    record.add_mixes([MixRow("mixbaseline", "identity everywhere", "{}", {}, stages, True)])
    rng = np.random.default_rng(1)
    for seed in range(seeds):
        add_trial(record, "mixbaseline", seed, 24.3, rng)
    record.add_sitting(
        [
            Measurement(
                "mixbaseline", "latency", 0.0011, 0.00109, 0.00112, 90, "128x128", sitting="s1"
            ),
            Measurement("mixbaseline", "params", 21_000),
            Measurement("mixbaseline", "macs", 1.4e8, mode="128x128"),
        ]
    )


def _sit(
    record: Record,
    rows: list[MixRow],
    choices: list[tuple[Kind, ...]],
    rng: np.random.Generator,
) -> None:
    measurements, samples, notes = [], [], [Note("", "sitting", "no round was disturbed")]
    timing = np.random.default_rng(11)
    drift = np.exp(timing.normal(0, 0.05, (3, 5)))  # what slows down all alike
    for row, choice in zip(rows, choices, strict=True):
        cost = sum(kind.cost * (1 - 0.2 * depth) for depth, kind in enumerate(choice))
        seconds = 0.0016 + 0.0018 * cost * float(rng.uniform(0.92, 1.08))
        place = {"mode": "128x128", "backend": "c", "device": "cpu", "sitting": "s1"}
        measurements += [
            Measurement(row.key, "latency", seconds, seconds * 0.985, seconds * 1.02, 90, **place),
            Measurement(
                row.key,
                "latency",
                seconds * 4,
                seconds * 3.9,
                seconds * 4.1,
                90,
                "256x256",
                "c",
                "cpu",
                "s1",
            ),
            Measurement(row.key, "params", 120_000 + 60_000 * round(cost, 2)),
            Measurement(
                row.key, "macs", 4e8 + 2.4e8 * cost * float(rng.uniform(0.7, 1.3)), mode="128x128"
            ),
            Measurement(row.key, "peak_memory", 2**20 * (30 + 6 * cost), mode="128x128"),
        ]
        noise = drift * np.exp(timing.normal(0, 0.01, drift.shape))
        samples += [
            Sample(row.key, "latency", "128x128", "s1", process, turn, seconds * float(slow))
            for (process, turn), slow in np.ndenumerate(noise)
        ]
        measurements += _by_stage(row.key, choice, seconds)
        notes.append(Note(f"{row.key}:stage1", "bound", "memory-bound, at 61 % of the roof"))
    for (process, turn), slow in np.ndenumerate(drift):
        values = {"load": 1.0 + float(slow), "cpu_clock": 3000.0 / float(slow)}
        samples += [
            Sample("machine", name, "128x128", "s1", process, turn, value)
            for name, value in values.items()
        ]
    record.add_sitting(measurements, samples, notes)


def _by_stage(mix: str, choice: tuple[Kind, ...], seconds: float) -> list[Measurement]:
    """A stage gets its share by its cost; a fifth is the rest."""
    total = sum(kind.cost for kind in choice)
    shares = {f"stage{at}": 0.8 * kind.cost / total for at, kind in enumerate(choice, 1)}
    rows = []
    for slot, share in (shares | {"rest": 0.2}).items():
        subject, value = f"{mix}:{slot}", seconds * share
        place = {"mode": "128x128", "device": "cpu", "sitting": "s2"}
        rows += [
            Measurement(subject, "latency", value, 0.98 * value, 1.02 * value, 15, **place),
            Measurement(subject, "macs", 1e9 * share, mode="128x128"),
            Measurement(subject, "bytes_moved", 2e8 * share, mode="128x128"),
        ]
    return rows


if __name__ == "__main__":
    simulate(Path(sys.argv[1]), {"stage1": 4, "stage2": 5, "stage3": 2}, mirrored=True)
