"""The engine that a command line asks for, and how many trials it runs at a time."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

from ablate.engines import engine
from ablate.engines.devices import Device
from ablate.engines.engine import Engine, EngineError


def engine_of(
    options: argparse.Namespace,
    device: str,
    devices: Sequence[Device],
    tell: Callable[[str], None],
) -> Engine:
    """The engine for `ablate run`.

    Args:
        options: With engine, address, gpus and devices, as they were given.
        device: cpu or cuda.
        devices: GPUs of this machine that were asked for.
        tell: Told in a line what the user should know.

    Raises:
        EngineError: Options do not go together, or the engine lacks something.
    """
    if options.engine == "ray":
        if options.devices:
            raise EngineError(
                f"--devices {options.devices}: a Ray cluster places trials by itself; say how many "
                "GPUs each has: --gpus N"
            )
        gpus = _gpus(options.gpus, device)
        return engine("ray", address=options.address or "", gpus=gpus, tell=tell)
    for name in ("address", "gpus"):
        if (value := getattr(options, name)) is not None:
            raise EngineError(f"--{name} {value}: is for a Ray cluster only; add --engine ray")
    return engine("local", devices=devices)


def _gpus(text: str | None, device: str) -> float:
    """GPUs of a trial.

    Raises:
        EngineError: That is no number of them, or trials are not on GPUs.
    """
    if text is None:
        return 1.0 if device == "cuda" else 0.0
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if not 0 < count <= 64 or (count > 1 and count != int(count)):
        raise EngineError(
            f"--gpus: expected GPUs of a trial, a part of one or a whole number; got '{text}'"
        )
    if device != "cuda":
        raise EngineError(f"--gpus {text}: this run is on the {device}; add --device cuda")
    return count


def slots_of(runs: Engine) -> int | None:
    """How many trials an engine can run at a time; None where that is for the machine to say."""
    slots: Callable[[], int] | None = getattr(runs, "slots", None)
    return slots() if slots else None
