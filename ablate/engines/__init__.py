"""Where jobs run: on this machine or on a cluster, each in a process of its own."""

from __future__ import annotations

import importlib
from typing import Final

from ablate.engines.engine import Engine as Engine
from ablate.engines.engine import EngineError as EngineError

_ENGINES: Final = {
    "local": "ablate.engines.local:LocalEngine",
    "ray": "ablate.engines.ray:RayEngine",
}


def engine(name: str = "local", **options: object) -> Engine:
    """The engine of a name; to be closed when no more jobs come.

    Args:
        name: local (processes on this machine) or ray (a Ray cluster).
        options: What that engine takes: see the arguments of its class.

    Raises:
        EngineError: No engine has this name, or what it needs is not there.
    """
    if name not in _ENGINES:
        known = ", ".join(_ENGINES)
        raise EngineError(f"engine: there is none named '{name}' (engines: {known})")
    module, _, kind = _ENGINES[name].partition(":")
    made: Engine = getattr(importlib.import_module(module), kind)(**options)
    return made
