"""Small runs written by hand, for tests of what is done with several of them."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ablate.folder import RunFolder
from ablate.runs.sealing import sealed
from reports.record import (
    CurvePoint,
    Measurement,
    Metric,
    MixRow,
    PartialRow,
    Picture,
    Record,
    StageRow,
    TrialRow,
)

STUDY = 'question = "?"\n\n[task]\nsigma = 25\n\n[training]\nsteps = 4\nseeds = 2\n'
METRICS = (
    Metric("psnr", "dB", "higher"),
    Metric("params", "", "lower"),
    Metric("latency", "s", "lower"),
)
FACTS = {
    "study_fingerprint": "f" * 16,
    "data_digest": "d" * 16,
    "device": "cpu",
    "plugins": "",
    "latency_models": "{}",
    "seeds": "2",
    "torch": "2.13.0",
    "sources": json.dumps({"blocks/lama.py": "1" * 16}),
    "evaluation": "{}",
}
BLOCKS = ("identity", "lama", "emvm")
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
ALL = tuple(itertools.product(range(len(BLOCKS)), range(2)))  # mix, seed


def mix_of(number: int) -> MixRow:
    name = BLOCKS[number]
    return MixRow(
        f"mix{number:013d}",
        name,
        f'{{"block": "{name}"}}',
        {"stage1": name},
        (StageRow("stage1", name, "cnn", 2),),
    )


def key_of(number: int, seed: int) -> str:
    return hashlib.sha256(f"{number} {seed}".encode()).hexdigest()[:16]


def a_run(
    folder: Path,
    trials: Sequence[tuple[int, int]] = ALL,
    *,
    facts: Mapping[str, str] | None = None,
    status: str = "done",
    better: float = 0.0,
    study: str = STUDY,
    latency: float = 0.0,
    objectives: Sequence[str] = ("psnr", "params"),
) -> RunFolder:
    """A run with these trials (mix, seed); mix 0 is small and poor, mix 2 large and good."""
    folder.mkdir(parents=True)
    place = RunFolder(folder)
    with Record.create(
        place.record, "tiny", study, "?", {**FACTS, **(facts or {})}, objectives
    ) as record:
        record.define(METRICS)
        record.add_mixes(mix_of(number) for number in range(len(BLOCKS)))
        for number in range(len(BLOCKS)):
            key, mode = mix_of(number).key, "32x32"
            record.add_sitting([Measurement(key, "params", 100.0 * (number + 1), mode=mode)])
            if latency:
                timed = Measurement(key, "latency", latency, mode=mode, sitting="s1")
                record.add_sitting([timed])
        for number, seed in trials:
            add_trial(record, place, number, seed, status=status, better=better)
    return place


def add_trial(
    record: Record,
    place: RunFolder,
    number: int,
    seed: int,
    *,
    status: str = "done",
    better: float = 0.0,
) -> None:
    """A trial with a value, a curve, a picture and weights; a failed one with its reason."""
    key, weights = key_of(number, seed), f"weights of {number} {seed}".encode()
    if status != "done":
        failed = TrialRow(
            key, mix_of(number).key, seed, "failed", "it broke", 0.0, {"kind": "error"}
        )
        record.add_trial(failed)
        return
    file = place.checkpoint(key)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(weights)
    facts = {"weights_sha256": hashlib.sha256(weights).hexdigest(), "torch": "2.13.0"}
    row = TrialRow(key, mix_of(number).key, seed, "done", "", 1.5, facts)
    values = [Measurement(key, "psnr", 25.0 + number + 0.1 * seed + better)]
    curve = [CurvePoint(key, "loss", 1, 0.5), CurvePoint(key, "loss", 4, 0.25)]
    pictures = [Picture(key, "a", "restored", PNG + key.encode())]
    record.add_trial(sealed(row, values, curve), values, curve, pictures)


def rest(place: RunFolder, number: int, seed: int, step: int = 2) -> None:
    """A trial that rests at a step, with its state."""
    key = key_of(number, seed)
    with place.open(writable=True) as record:
        row = PartialRow(f"{key}@{step}", key, mix_of(number).key, seed, step, 0.5)
        record.add_partial(row, [Measurement(row.key, "psnr", 20.0)])
    place.state(key).parent.mkdir(exist_ok=True)
    place.state(key).write_bytes(b"a state")
