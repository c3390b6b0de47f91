"""The command `latency-model`: measures what mixes are made of, so that all have a price."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ablate.composition import words
from ablate.composition.forecasting import forecast
from ablate.composition.making import make_model, survey
from ablate.composition.pointwise import FEW, Pointwise, predicted
from ablate.composition.predicting import latency_quantity
from ablate.composition.skeletons import skeletons
from ablate.composition.tables import Grid
from ablate.console.numbers import whole
from ablate.console.speaking import listening, say
from ablate.constraints import Size
from ablate.events import phases, warnings
from ablate.folder import RunError
from ablate.latency_model.measuring import Conditions
from ablate.latency_model.model import LatencyModel
from ablate.latency_model.storage import ModelError, agreement_json, file_name, save
from ablate.plugins import load_plugins
from ablate.profiling.modes import modes_of, unavailable
from ablate.study import Study
from ablate.study.loading import load_study_to_time
from ablate.turns import gpu_of, turn
from ablate.workplace import choose_device


def latency_model(options: argparse.Namespace, console: Console) -> None:
    """Make, check and save the latency model of a study."""
    plugins = load_plugins(options.plugin)
    study = load_study_to_time(options.study)
    given = _conditions(study, options, plugins)
    solves_depth = study.footing is not None and study.footing.equal_by != "width"
    surveyed = survey(
        study,
        calibration=whole("fit", options.fit),
        held_out=whole("check", options.check),
        by=options.by or ("block" if solves_depth else None),
        widths=[whole("width", text) for text in options.width],
    )
    folder = Path(options.out or Path("runs") / study.name)
    folder.mkdir(parents=True, exist_ok=True)  # now, so that nothing is timed in vain
    if not options.json:
        say(console, words.begun(surveyed, forecast(surveyed, given)))
    with listening(options, console) as listener, turn(gpu_of(given.device), warnings(listener)):
        report = phases(listener)
        model = make_model(
            study, surveyed, given, lambda done, total: report("latency", done, total)
        )
    path = folder / file_name(model.mode)
    save(model, path)
    grid = _grid(study, model)
    found = words.range_of(grid, "latency") if grid else None
    if options.json:
        say(console, json.dumps(_as_json(model, found, path), indent=2))
        return
    for line in words.lines(model, found, str(path)):
        say(console, line)


def _grid(study: Study, model: LatencyModel) -> Grid | Pointwise | None:
    """Prices all mixes of the study, as far as they are settled before there is a model.

    None where each would have to be brought to one cost first, and there are too many.
    """
    if study.footing and study.footing.equal != "latency":
        return Pointwise(study, {"latency": predicted(model)}) if study.size <= FEW else None
    flat = replace(study, footing=None)
    return Grid(flat, {"latency": latency_quantity(flat, skeletons(flat), model)})


def _conditions(study: Study, options: argparse.Namespace, plugins: tuple[str, ...]) -> Conditions:
    """At which size, how and where is measured.

    Raises:
        RunError: The device is not there, or a number makes no sense.
        ModelError: The device lacks the mode.
    """
    profile = study.profile
    device = choose_device(profile, options.device)
    if options.rounds is not None:
        profile = replace(profile, rounds=whole("rounds", options.rounds))
    mode = modes_of(profile)[0]
    if reason := unavailable(mode, torch.device(device)):
        raise ModelError(f"{study.name}: {reason}")
    size = _size(options.size) or profile.size[0]
    return Conditions(size=size, profile=profile, mode=mode, device=device, plugins=plugins)


def _size(written: list[str] | None) -> Size | None:
    if written is None:
        return None
    if len(written) != 2:
        raise RunError(f"--size: expected height and width, as in 256 256; got {' '.join(written)}")
    height, width = (whole("size", side, least=16) for side in written)
    return height, width


def _as_json(model: LatencyModel, found: words.Range | None, path: Path) -> dict[str, Any]:
    return {
        "study": model.study,
        "mode": model.mode,
        "machine": dict(model.fingerprint),
        "parts": len(model.parts),
        "by": model.by,
        "fit": asdict(model.fit),
        "check": agreement_json(model.check) if model.check else None,
        "wholes": [asdict(whole) for whole in model.wholes],
        "outside": {part.words: why for part, why in model.dropped.items()},
        "range": asdict(found) if found and found.priced else None,
        "saved": str(path),
    }
