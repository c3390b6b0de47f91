"""A latency model as a file: JSON beside the run, refused on a machine that it was not made on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ablate.latency_model.fingerprint import difference
from ablate.latency_model.fitting import Agreement, Fit, Interval
from ablate.latency_model.model import LatencyModel, PartCost, Whole
from ablate.latency_model.parts import Frame, Part
from ablate.mix import Choice, choice_from_json

FORMAT = 1


class ModelError(ValueError):
    """A latency model that cannot be used here; the message says why and what to do."""


def file_name(mode: str) -> str:
    """latency-model-256x256.json: one for each mode, so that several lie side by side."""
    return f"latency-model-{mode.replace(' ', '-')}.json"


def save(model: LatencyModel, path: Path) -> None:
    """Write a model; the file appears whole or not at all.

    Raises:
        OSError: The folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w") as file:
        file.write(json.dumps(_as_json(model), indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read(path: Path) -> LatencyModel:
    """The model in a file.

    Raises:
        ModelError: There is none, or it was written by another version or damaged.
    """
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise ModelError(f"{path}: no latency model can be read here: {reason}") from error
    kind = raw.get("format") if isinstance(raw, dict) else None
    if kind != FORMAT:
        raise ModelError(
            f"{path}: not a latency model of this version (format {kind}, expected {FORMAT}); "
            "make it again: ablate latency-model STUDY"
        )
    try:
        return _from_json(raw)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ModelError(
            f"{path}: the latency model is damaged ({why}); make it again: "
            "ablate latency-model STUDY"
        ) from error


def require_here(model: LatencyModel, here: Mapping[str, str], path: Path) -> None:
    """See that a model was made under the conditions that hold here.

    Raises:
        ModelError: It was not; the message says what differs.
    """
    if wrong := difference(model.fingerprint, here):
        raise ModelError(f"{path}: this latency model was made under other conditions: {wrong}")


def _as_json(model: LatencyModel) -> dict[str, Any]:
    frames = list(dict.fromkeys([*model.frames, *(part.frame for part in _all_parts(model))]))
    numbers = {frame: number for number, frame in enumerate(frames)}
    plain = {name: getattr(model, name) for name in ("study", "mode", "made", "fingerprint", "by")}
    return {
        "format": FORMAT,
        **plain,
        "fit": asdict(model.fit),
        "check": agreement_json(model.check) if model.check else None,
        "frames": [{**asdict(frame), "rest": model.frames.get(frame)} for frame in frames],
        "parts": [
            {**_part_json(part, numbers), **asdict(cost)} for part, cost in model.parts.items()
        ],
        "dropped": [
            {**_part_json(part, numbers), "reason": why} for part, why in model.dropped.items()
        ],
        "wholes": [asdict(whole) for whole in model.wholes],
    }


def agreement_json(check: Agreement) -> dict[str, Any]:
    """An agreement as JSON has it: what is not a number is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return None if isinstance(value, float) and math.isnan(value) else value

    found: dict[str, Any] = plain(asdict(check))
    return found


def _all_parts(model: LatencyModel) -> list[Part]:
    return [*model.parts, *model.dropped]


def _part_json(part: Part, numbers: Mapping[Frame, int]) -> dict[str, Any]:
    blocks = [asdict(choice) for choice in part.blocks]
    return {"frame": numbers[part.frame], "slot": part.slot, "blocks": blocks, "last": part.last}


def _from_json(raw: Mapping[str, Any]) -> LatencyModel:
    frames = [
        Frame(topology=choice_from_json(one["topology"]), slots=tuple(one["slots"]))
        for one in raw["frames"]
    ]
    rests = {
        frame: one["rest"]
        for frame, one in zip(frames, raw["frames"], strict=True)
        if one["rest"] is not None
    }
    costs = ("seconds", "low", "high", "relaid")
    return LatencyModel(
        study=raw["study"],
        mode=raw["mode"],
        made=raw["made"],
        fingerprint=raw["fingerprint"],
        by=raw["by"],
        fit=Fit(**raw["fit"]),
        check=_agreement(raw["check"]) if raw["check"] else None,
        frames=rests,
        parts={
            _part(one, frames): PartCost(**{name: one[name] for name in costs})
            for one in raw["parts"]
        },
        dropped={_part(one, frames): one["reason"] for one in raw["dropped"]},
        wholes=tuple(Whole(**one) for one in raw["wholes"]),
    )


def _part(raw: Mapping[str, Any], frames: list[Frame]) -> Part:
    blocks: tuple[Choice, ...] = tuple(choice_from_json(one) for one in raw["blocks"])
    return Part(frame=frames[raw["frame"]], slot=raw["slot"], blocks=blocks, last=raw["last"])


def _agreement(raw: Mapping[str, Any]) -> Agreement:
    def number(value: float | None) -> float:
        return math.nan if value is None else value

    def interval(ends: Mapping[str, float | None]) -> Interval:
        return Interval(**{name: number(value) for name, value in ends.items()})

    mape, tau = (interval(raw[name]) for name in ("mape", "tau"))
    return Agreement(n=raw["n"], mape=mape, worst=raw["worst"], tau=tau, r2=number(raw["r2"]))
