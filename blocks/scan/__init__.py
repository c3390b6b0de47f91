"""The selective scan of Mamba: a linear recurrence whose decay and inflow depend on the input.

One operator, several back ends held equal to one another; a new back end is one new file here.
"""

from __future__ import annotations

import importlib
import pkgutil

from blocks.scan._choice import backend_for, backends
from blocks.scan._compile import compiler
from blocks.scan._mamba_ssm import INSTALL as EXTENSION_INSTALL
from blocks.scan._operator import selective_scan
from blocks.scan._paths import follows_paths, selective_scan_paths

__all__ = [
    "EXTENSION_INSTALL",
    "backend_for",
    "backends",
    "compiler",
    "follows_paths",
    "selective_scan",
    "selective_scan_paths",
]

for _module in pkgutil.iter_modules(__path__):
    if _module.name.startswith("_"):  # kernels are read where they run
        importlib.import_module(f"blocks.scan.{_module.name}")
