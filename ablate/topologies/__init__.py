"""Ways of joining stages into a network that restores images, one file each."""

from __future__ import annotations

import importlib
import pkgutil

from ablate.topologies._registry import Blocks, Fill, Outputs, topologies

__all__ = ["Blocks", "Fill", "Outputs", "topologies"]

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_") and not _module.ispkg:
        importlib.import_module(f"ablate.topologies.{_module.name}")
