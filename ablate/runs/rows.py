"""A study's mixes and their results as rows of the record."""

from __future__ import annotations

from collections.abc import Mapping

import blocks
from ablate.engines.job import Failed
from ablate.metrics import metrics, protocol
from ablate.mix import Choice, Evaluation, Mix, Stage
from ablate.trials.trial import TrialResult
from reports.record import CurvePoint, Measurement, Metric, MixRow, Picture, StageRow, TrialRow


def mix_row(mix: Mix, label: str, levels: Mapping[str, str]) -> MixRow:
    """A mix with what a reader of the record needs to know of it without torch."""
    used = {block.name for stage in mix.network.stages for block in stage.blocks}
    return MixRow(
        key=mix.key,
        label=label,
        spec=mix.to_json(),
        levels=levels,
        stages=tuple(_stage_row(stage) for stage in mix.network.stages),
        baseline=used <= {"identity"},
    )


def _stage_row(stage: Stage) -> StageRow:
    cycle = stage.blocks[: _period(stage.blocks)]
    families = dict.fromkeys(str(blocks.blocks[block.name].facts["family"]) for block in cycle)
    return StageRow(
        slot=stage.slot,
        blocks=" + ".join(_words(block) for block in cycle) or "empty",
        family=" + ".join(families) or "none",
        depth=len(stage.blocks),
    )


def _words(block: Choice) -> str:
    """A block's name and the knobs that are off their defaults."""
    knobs = blocks.blocks[block.name].knobs
    turned = {k: value for k, value in block.knobs if k in knobs and value != knobs[k].default}
    return " ".join([block.name, *(f"{knob}={value}" for knob, value in turned.items())])


def _period(filled: tuple[Choice, ...]) -> int:
    """Length of the shortest cycle that gives these blocks."""
    for length in range(1, len(filled)):
        if all(block == filled[i % length] for i, block in enumerate(filled)):
            return length
    return len(filled)


def metric_definitions(evaluation: Evaluation, scale: int = 1) -> tuple[Metric, ...]:
    """The accuracy metrics with their protocol, and the same of the degraded input.

    Args:
        evaluation: How images are scored.
        scale: How many times smaller the degraded images are, a side.
    """
    enlarged = f", enlarged {scale} times by bicubic interpolation (Keys, a = -1/2)"
    before = f"of the degraded input{enlarged if scale > 1 else ''}"
    defined = []
    for name in metrics:
        facts, words = metrics[name].facts, protocol(evaluation, name)
        unit, better = str(facts["unit"]), facts["better"]
        assert better == "higher" or better == "lower"
        defined.append(Metric(name, unit, better, words))
        defined.append(Metric(f"input_{name}", unit, "none", f"{before}; {words}"))
    return tuple(defined)


def trial_rows(
    key: str, mix: str, seed: int, result: TrialResult, device: str
) -> tuple[TrialRow, list[Measurement], list[CurvePoint], list[Picture]]:
    """Everything that a finished trial adds to the record."""
    row = TrialRow(
        key=key,
        mix=mix,
        seed=seed,
        status=result.status,  # type: ignore[arg-type]
        reason=result.reason,
        seconds=result.seconds,
        facts={**result.facts, "device": device},
    )
    values = [Measurement(key, name, value) for name, value in result.values.items()]
    curve = [CurvePoint(key, name, step, value) for name, step, value in result.curve]
    pictures = [
        Picture(key, image, kind, png)  # type: ignore[arg-type]
        for image, kind, png in result.pictures
    ]
    return row, values, curve, pictures


def failed_row(key: str, mix: str, seed: int, failed: Failed) -> TrialRow:
    """A trial that did not come to its end: it stands in the record so that the run can go on.

    Its seconds are those of the last attempt.
    """
    facts = {"kind": failed.kind} | ({"evidence": failed.evidence} if failed.evidence else {})
    return TrialRow(
        key=key,
        mix=mix,
        seed=seed,
        status="failed",
        reason=failed.reason,
        seconds=failed.seconds,
        facts=facts,
    )
