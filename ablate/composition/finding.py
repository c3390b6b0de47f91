"""Finds the latency model of a study for this machine, or says which command makes one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ablate.constraints import Size
from ablate.costs.latency_rows import mode_name
from ablate.latency_model.fingerprint import fingerprint
from ablate.latency_model.measuring import Conditions
from ablate.latency_model.model import LatencyModel
from ablate.latency_model.storage import ModelError, file_name, read, require_here
from ablate.profiling.modes import modes_of
from ablate.study import Study


def load(study: Study, size: Size, folders: Sequence[Path], device: str) -> LatencyModel:
    """The latency model of a study for this machine.

    Raises:
        ModelError: There is none, or it was made under other conditions.
    """
    mode = modes_of(study.profile)[0]
    given = Conditions(size=size, profile=study.profile, mode=mode, device=device)
    name = file_name(mode_name(size, study.profile, mode))
    paths = [folder / name for folder in folders if (folder / name).exists()]
    if not paths:
        raise ModelError(
            f"{study.name}: there is no latency model of this machine yet "
            f"({folders[0] / name}); {command(study, size, device)}"
        )
    model = read(paths[0])
    try:
        require_here(model, fingerprint(given, model.names), paths[0])
    except ModelError as error:
        raise ModelError(f"{error}; {command(study, size, device)}") from error
    return model


def command(study: Study, size: Size, device: str) -> str:
    """What to type to have a latency model made."""
    source = shlex.quote(str(study.path or study.name))
    first = size == study.profile.size[0]
    options = f" --device {device}" + ("" if first else f" --size {size[0]} {size[1]}")
    return f"make one while nothing else runs: ablate latency-model {source}{options}"


def model_folders(study: Study, run: Path | None = None) -> tuple[Path, ...]:
    """Where the model of a study may lie: in the run, or where runs lie if nobody says where."""
    usual = Path("runs") / study.name
    return tuple(dict.fromkeys([run or usual, usual]))


def usable_model(study: Study, folders: Sequence[Path], device: str) -> LatencyModel | None:
    """The model at the study's first size, where there is one for this machine."""
    try:
        return load(study, study.profile.size[0], folders, device)
    except ModelError:
        return None
