"""A record with as many trials as asked for, written in one go, without any training."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reports.record import Record
from tests.simulated_run import METRICS

STAGES = 6
KINDS = (
    ("rdcnn", "cnn", 0.00, 1.0),
    ("nafblock", "cnn", 0.08, 1.2),
    ("lama", "linear_attention", 0.06, 1.5),
    ("emvm", "mamba", 0.16, 2.6),
    ("mwsa window=8", "attention", 0.14, 2.2),
    ("mwsa window=16", "attention", 0.17, 3.6),
)
SITTING = 200  # networks that are timed together
PROCESSES, ROUNDS = 3, 3
CHECKPOINTS = (100, 200, 300, 400)


@dataclass(frozen=True)
class Large:
    """What is to be written.

    Args:
        mixes: How many, drawn at random from all combinations.
        seeds: Trials of each.
        losses: Points of each loss curve.
        samples: Whether the rounds behind latencies are kept.
    """

    mixes: int
    seeds: int = 3
    losses: int = 0
    samples: bool = False


def simulate_large(path: Path, large: Large, rng_seed: int = 5) -> Path:
    """Write the record; its numbers follow a sum over stages, seeds and noise."""
    rng = np.random.default_rng(rng_seed)
    facts = {"seeds": str(large.seeds), "created": "2026-11-21 12:00:00", "cpu": "simulated"}
    question = "Which of very many mixes pays for its latency?"
    Record.create(path, "large", "", question, facts, ("psnr", "latency")).close()
    with Record.open(path, writable=True) as record:
        record.define(METRICS)
    choices = _choices(large.mixes, rng)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("PRAGMA synchronous = OFF")
        _mixes(raw, choices)
        _costs(raw, choices, rng, large)
        _trials(raw, choices, rng, large)
    return path


def key(mix: int) -> str:
    return f"{mix:016x}"


def _choices(mixes: int, rng: np.random.Generator) -> np.ndarray:
    """(mixes, stages): which kind is where; no combination twice."""
    numbers = rng.permutation(len(KINDS) ** STAGES)[:mixes]
    return np.stack(np.unravel_index(numbers, (len(KINDS),) * STAGES), axis=1)


def _mixes(raw: sqlite3.Connection, choices: np.ndarray) -> None:
    labels = [" | ".join(KINDS[kind][0] for kind in row) for row in choices]
    raw.executemany(
        "INSERT INTO mixes (key, label, spec, baseline) VALUES (?, ?, ?, 0)",
        ((key(mix), label, json.dumps({"mix": mix})) for mix, label in enumerate(labels)),
    )
    places = [(mix, at, kind) for mix, row in enumerate(choices) for at, kind in enumerate(row)]
    raw.executemany(
        "INSERT INTO levels VALUES (?, ?, ?, ?)",
        ((key(mix), at, f"stage{at + 1}", KINDS[kind][0]) for mix, at, kind in places),
    )
    raw.executemany(
        "INSERT INTO stages VALUES (?, ?, ?, ?, ?, 2)",
        ((key(mix), at, f"stage{at + 1}", *KINDS[kind][:2]) for mix, at, kind in places),
    )


def _costs(
    raw: sqlite3.Connection, choices: np.ndarray, rng: np.random.Generator, large: Large
) -> None:
    weights = np.array([kind[3] for kind in KINDS])
    cost = (weights[choices] * np.linspace(1.0, 0.5, STAGES)).sum(axis=1)
    seconds = 0.0016 + 0.0018 * cost * rng.uniform(0.92, 1.08, len(cost))
    rows = [
        row
        for mix, (price, latency) in enumerate(zip(cost.tolist(), seconds.tolist(), strict=True))
        for row in _cost_rows(mix, price, latency)
    ]
    _measure(raw, rows)
    if not large.samples:
        return
    drift = np.exp(rng.normal(0, 0.05, (PROCESSES, ROUNDS)))
    noise = drift * np.exp(rng.normal(0, 0.01, (len(seconds), PROCESSES, ROUNDS)))
    calls = seconds[:, None, None] * noise
    raw.executemany(
        "INSERT INTO samples VALUES (?, 'latency', '128x128', ?, ?, ?, ?)",
        (
            (key(mix), f"s{mix // SITTING}", process, turn, float(value))
            for (mix, process, turn), value in np.ndenumerate(calls)
        ),
    )


def _cost_rows(mix: int, price: float, latency: float) -> Iterator[tuple[object, ...]]:
    place = ("128x128", "c", "cpu", f"s{mix // SITTING}")
    ends = (0.985 * latency, 1.02 * latency)
    yield (key(mix), "latency", latency, *ends, 90, *place)
    yield (key(mix), "macs", 4e8 + 2.4e8 * price, None, None, 1, "128x128", "", "", "")
    yield (key(mix), "params", float(120_000 + round(60_000 * price)), None, None, 1, *[""] * 4)
    yield (key(mix), "peak_memory", 2**20 * (30 + 6 * price), None, None, 1, *place[:3], "")


def _trials(
    raw: sqlite3.Connection, choices: np.ndarray, rng: np.random.Generator, large: Large
) -> None:
    gains = np.array([kind[2] for kind in KINDS])
    quality = 28.6 + (gains[choices] * np.linspace(1.0, 2.0, STAGES)).sum(axis=1)
    scores = quality[:, None] + 0.04 * np.arange(large.seeds)
    scores = scores + rng.normal(0, 0.04, (large.mixes, large.seeds))
    rows = [(mix, seed, float(value)) for (mix, seed), value in np.ndenumerate(scores)]
    raw.executemany(
        "INSERT INTO trials (key, mix, seed, status, reason, seconds) "
        "VALUES (?, ?, ?, 'done', '', 20.0)",
        ((f"{key(mix)}-{seed}", key(mix), seed) for mix, seed, _ in rows),
    )
    raw.executemany(
        "INSERT INTO trial_facts VALUES (?, 'device', 'cpu')",
        ((f"{key(mix)}-{seed}",) for mix, seed, _ in rows),
    )
    measured = (
        (f"{key(mix)}-{seed}", name, value, None, None, 1, "", "", "", "")
        for mix, seed, score in rows
        for name, value in _scores(score)
    )
    _measure(raw, measured)
    steps = np.linspace(1, 400, large.losses + 1).astype(int)[1:].tolist()
    raw.executemany(
        "INSERT INTO curve VALUES (?, ?, ?, ?)",
        (
            (f"{key(mix)}-{seed}", *point)
            for mix, seed, score in rows
            for point in _points(score, steps)
        ),
    )


def _measure(raw: sqlite3.Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Put measurements in; their kinds are none that are there already."""
    (there,) = raw.execute("SELECT count(*) FROM kinds").fetchone()
    kinds: dict[tuple[object, ...], int] = {}
    raw.executemany(
        "INSERT INTO measured (subject, kind, value, low, high, n) VALUES (?, ?, ?, ?, ?, ?)",
        (
            (subject, kinds.setdefault((metric, *place), there + len(kinds) + 1), *numbers)
            for subject, metric, *numbers, mode, backend, device, sitting in rows
            for place in [(mode, backend, device, sitting)]
        ),
    )
    raw.executemany(
        "INSERT INTO kinds (metric, mode, backend, device, sitting, id) VALUES (?, ?, ?, ?, ?, ?)",
        ((*kind, number) for kind, number in kinds.items()),
    )


def _scores(score: float) -> Iterator[tuple[str, float]]:
    yield "psnr", score
    yield "ssim", 0.78 + (score - 28) / 20
    yield "input_psnr", 20.17
    yield "input_ssim", 0.41


def _points(score: float, steps: list[int]) -> Iterator[tuple[str, int, float]]:
    for step in steps:
        yield "loss", step, 0.03 + 4.0 / step
    for step in CHECKPOINTS:
        yield "psnr", step, score - 6.0 * 2.0 ** (-step / 60)
