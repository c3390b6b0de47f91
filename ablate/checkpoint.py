"""Trained weights on disk: written whole or not at all, and checked when they are read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import nn


class CheckpointError(ValueError):
    """Weights that are missing or not those that were saved; the message names the file."""


def save_weights(model: nn.Module, path: Path) -> str:
    """Write the state dict; returns the SHA-256 of the file.

    The file appears under its name only when it is complete and on disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    checksum = _sha256(partial)
    partial.replace(path)
    return checksum


def load_weights(model: nn.Module, path: Path, sha256: str) -> None:
    """Fill a network with saved weights.

    Raises:
        CheckpointError: The file is missing, or its contents are not those that were saved.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path}: the weights are missing; put the file back, "
            "or run the study again into another folder"
        )
    if (found := _sha256(path)) != sha256:
        raise CheckpointError(
            f"{path}: the weights are not those that were saved "
            f"(SHA-256 {found[:12]}, expected {sha256[:12]}); put the right file back, "
            "or run the study again into another folder"
        )
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
