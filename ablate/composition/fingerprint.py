"""What a latency model holds for: the machine, the code, and whatever else a time depends on."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from ablate import __version__
from ablate.composition.measuring import Conditions
from ablate.profiling.machine import cores, describe
from ablate.topologies import topologies
from blocks import blocks
from blocks.scan import backend_for


def fingerprint(conditions: Conditions, names: Iterable[str] = ()) -> dict[str, str]:
    """Facts that must all be the same for a model to hold, in words.

    Args:
        conditions: Under which parts are timed.
        names: Of the blocks and topologies that the model is made of: their code is part of it,
            whether it is ours or comes from a plug-in.
    """
    device, facts = torch.device(conditions.device), describe()
    profile = conditions.profile
    on_gpu = device.type == "cuda"
    return {
        "device": device.type,
        "processor": facts.get("gpu" if on_gpu else "cpu", ""),
        **({"host": facts.get("cpu", ""), "driver": facts.get("gpu_driver", "")} if on_gpu else {}),
        "cores": str(cores()),
        "torch": torch.__version__,
        "ablate": __version__,
        "scan": backend_for(device),
        "size": f"{conditions.size[0]}x{conditions.size[1]}",
        "channels": str(conditions.channels),
        "run": conditions.mode.run,
        "precision": conditions.mode.precision,
        "batch": str(profile.batch),
        "threads": str(profile.threads),
        "channels_last": str(profile.channels_last),
        "flush": str(profile.flush),
        **{f"code of {name}": code_of(name) for name in sorted(set(names))},
    }


def difference(made: Mapping[str, str], here: Mapping[str, str]) -> str:
    """What differs between two fingerprints, in words; nothing where they agree."""
    names = dict.fromkeys([*made, *here])
    differing = [
        f"{name} {made.get(name, 'unknown')}, here {here.get(name, 'unknown')}"
        for name in names
        if made.get(name) != here.get(name)
    ]
    return "; ".join(differing)


def code_of(name: str) -> str:
    """A hash of the file that a block or a topology is written in, comments and layout left out.

    Of a name that nothing is registered under: that it is not loaded.
    """
    registered = [registry[name].make for registry in (blocks, topologies) if name in registry]
    return _digest(registered[0]) if registered else "not loaded"


def _digest(make: Callable[..., Any]) -> str:
    try:
        source = Path(inspect.getfile(make)).read_text(encoding="utf-8")
    except (OSError, TypeError):  # typed into an interpreter
        return "unknown"
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()[:12]
