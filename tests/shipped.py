"""Shipped studies, each loaded once for all tests of a process: to load one builds its networks."""

from __future__ import annotations

import functools

import torch
from torch import nn

from ablate.network import build
from ablate.study import Study, load_study


@functools.cache
def shipped(name: str) -> Study:
    """A shipped study."""
    return load_study(name)


@functools.cache
def network(name: str) -> nn.Module:
    """The one network of a published system, without memory; not to be changed."""
    study = shipped(name)
    assert study.size == 1
    with torch.device("meta"):
        return build(study.mix(study.at(0)).network).eval()
