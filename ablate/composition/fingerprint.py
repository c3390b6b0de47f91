"""What a latency model holds for: the machine, and everything else that a time depends on."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ablate.composition.measuring import Conditions
from ablate.profiling.machine import describe
from blocks.scan import backend_for


def fingerprint(conditions: Conditions) -> dict[str, str]:
    """Facts that must all be the same for a model to hold, in words."""
    device, facts = torch.device(conditions.device), describe()
    profile = conditions.profile
    processor = facts.get("gpu", "") if device.type == "cuda" else facts.get("cpu", "")
    return {
        "device": device.type,
        "processor": processor,
        "torch": torch.__version__,
        "scan": backend_for(device),
        "size": f"{conditions.size[0]}x{conditions.size[1]}",
        "run": conditions.mode.run,
        "precision": conditions.mode.precision,
        "batch": str(profile.batch),
        "threads": str(profile.threads),
        "channels_last": str(profile.channels_last),
        "flush": str(profile.flush),
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
