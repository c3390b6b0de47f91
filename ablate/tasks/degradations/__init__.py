"""Degradations: functions (clean, rng) -> degraded, by name; a new one is one function here."""

from __future__ import annotations

import importlib
import pkgutil

from ablate.tasks.degradations._register import (
    Pixels,
    apply_degradation,
    check,
    degradations,
    register,
)

__all__ = ["Pixels", "apply_degradation", "check", "degradations", "register"]

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")
