"""What a latency model holds for: the machine, the code, and whatever else a time depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from ablate import __version__
from ablate.identity.sources import Sources
from ablate.latency_model.measuring import Conditions
from ablate.profiling.machine import cores, describe
from blocks.scan import backend_for


def fingerprint(conditions: Conditions, names: Iterable[str] = ()) -> dict[str, str]:
    """Facts that must all be the same for a model to hold, in words.

    Args:
        conditions: Under which parts are timed.
        names: Of the blocks and topologies that the model is made of: their code is part of it,
            with what it imports of ours, comments and docstrings left out.
    """
    device, facts = torch.device(conditions.device), describe()
    profile, sources = conditions.profile, Sources()
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
        **{f"code of {one}": sources.digest_of(one) or "not loaded" for one in sorted(set(names))},
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
