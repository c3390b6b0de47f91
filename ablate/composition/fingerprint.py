"""What a latency model holds for: the machine, and everything else that a time depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import torch

from ablate.composition.measuring import Conditions
from ablate.profiling.machine import describe
from blocks.scan import backend_for

# Settings of a profile that say how long to measure, and those that are told by themselves.
_BESIDE = ("size", "device", "rounds", "processes", "interval", "budget", "run", "precision")


def fingerprint(conditions: Conditions) -> dict[str, str]:
    """Facts that must all be the same for a model to hold, in words."""
    device, facts = torch.device(conditions.device), describe()
    settings = asdict(conditions.profile)
    how = {name: str(value) for name, value in settings.items() if name not in _BESIDE}
    processor = facts.get("gpu", "") if device.type == "cuda" else facts.get("cpu", "")
    return {
        "device": device.type,
        "processor": processor,
        "torch": torch.__version__,
        "scan": backend_for(device),
        "size": f"{conditions.size[0]}x{conditions.size[1]}",
        "run": conditions.mode.run,
        "precision": conditions.mode.precision,
        **how,
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
