"""Weights and training states on disk: written whole or not at all, and checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from ablate.faults import fault

STATE_FORMAT = 1

_HEAD = re.compile(rb"ablate training state (\d{1,9})(?: ([0-9a-f]{64}))?.*")


class CheckpointError(ValueError):
    """Weights that are missing or not those that were saved; the message names the file."""


class StateError(ValueError):
    """A state that a training cannot go on from; the message says why, in one line."""


@contextmanager
def whole(path: Path, what: str) -> Iterator[IO[bytes]]:
    """A file to write that appears under its name only when it is complete and on disk.

    What was there before stays until then, and for good where writing fails. A link is replaced,
    not followed. A writer that is killed leaves NAME.*.partial behind.

    Args:
        path: Where it is to lie.
        what: weights or state; names the points at which a test can break it off.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.partial")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fault(f"{what}.drafted")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not every file system lets a folder be synchronised
        _sync(path.parent)
    fault(f"{what}.kept")


def save_weights(model: nn.Module, path: Path) -> str:
    """Write the state dict; returns the SHA-256 of the file.

    Raises:
        OSError: It cannot be written; no part of it stays.
    """
    buffer = io.BytesIO()
    torch.save({name: value.detach().cpu() for name, value in model.state_dict().items()}, buffer)
    with whole(path, "weights") as file:
        file.write(buffer.getbuffer())
    return hashlib.sha256(buffer.getbuffer()).hexdigest()


def load_weights(model: nn.Module, path: Path, sha256: str) -> None:
    """Fill a network with saved weights.

    Raises:
        CheckpointError: The file is missing, its contents are not those that were saved, or they
            are of another network.
    """
    instead = "put the right file back, or run the study again into another folder"
    if not path.is_file():
        raise CheckpointError(
            f"{path}: the weights are missing; put the file back, "
            "or run the study again into another folder"
        )
    if (found := _sha256(path)) != sha256:
        raise CheckpointError(
            f"{path}: the weights are not those that were saved "
            f"(SHA-256 {found[:12]}, expected {sha256[:12]}); {instead}"
        )
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # whatever torch makes of a file that is no state dict of ours
        raise CheckpointError(
            f"{path}: the weights do not fit the network ({_line(error)}); {instead}"
        ) from error


def save_state(path: Path, notes: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write the state of a training.

    The file is one line that names the format and the SHA-256 of all that follows, the notes as
    one line of JSON, and the tensors as `torch.save` writes them.

    Args:
        path: Where it is to lie; what was there is replaced when the new file is complete.
        notes: What JSON can hold.
        tensors: By name; copied to the CPU.

    Raises:
        OSError: It cannot be written; what was there before is still there.
    """
    body = io.BytesIO()
    body.write(json.dumps(notes).encode() + b"\n")
    torch.save({name: tensor.detach().cpu() for name, tensor in tensors.items()}, body)
    checksum = hashlib.sha256(body.getbuffer()).hexdigest()
    with whole(path, "state") as file:
        file.write(f"ablate training state {STATE_FORMAT} {checksum}\n".encode())
        file.write(body.getbuffer())


def load_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The notes and tensors that `save_state` wrote, on the CPU. Nothing in the file is run.

    Raises:
        FileNotFoundError: There is none.
        StateError: It cannot be read, or is not what was written.
    """
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateError(f"it cannot be read ({error.strerror})") from error
    _require_sound(head, body)
    line, _, archive = body.partition(b"\n")
    try:
        notes = json.loads(line)
        tensors = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
    except Exception as error:  # an archive can be wrong in as many ways as torch has exceptions
        raise _other_things(_line(error)) from error
    named = isinstance(tensors, dict) and all(isinstance(t, Tensor) for t in tensors.values())
    if not isinstance(notes, dict) or not named:
        raise _other_things(f"{type(notes).__name__} and {type(tensors).__name__}")
    return notes, tensors


def _other_things(found: str) -> StateError:
    return StateError(f"it holds something else than notes and tensors: {found}")


def _require_sound(head: bytes, body: bytes) -> None:
    """See that a file is a state, in the format that is read here, and undamaged."""
    if not head and not body:
        raise StateError("it is empty (0 bytes)")
    matched = _HEAD.fullmatch(head)
    if not matched:
        raise StateError(f"it is not the state of a training; it begins with {head[:16]!r}")
    if (version := int(matched[1])) != STATE_FORMAT:
        raise StateError(
            f"it is in format {version}, of another version of ablate; expected {STATE_FORMAT}"
        )
    found, expected = hashlib.sha256(body).hexdigest(), (matched[2] or b"none").decode()
    if found != expected:
        raise StateError(f"it is damaged (SHA-256 {found[:12]}, expected {expected[:12]})")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(error: BaseException) -> str:
    """What an error says, in one line that is not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
