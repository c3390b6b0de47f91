"""What is written is there whole or not at all, and what is read is what was written."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pickle
import random
from pathlib import Path

import pytest
import torch
from torch import nn

from ablate.training.checkpoint import (
    CheckpointError,
    StateError,
    load_state,
    load_weights,
    save_state,
    save_weights,
    whole,
)

NOTES = {"step": 3, "losses": [[0.001, 0.25]], "words": "größer"}
TENSORS = {"weights": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(7)}


def folder_of(path: Path) -> set[str]:
    return {file.name for file in path.iterdir()}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    save_state(path, NOTES, TENSORS)
    return path


def signed(body: bytes) -> bytes:
    """A file with the right head for what follows."""
    return b"ablate training state 1 %s\n" % hashlib.sha256(body).hexdigest().encode() + body


# writing


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "ä 漢.bin"
    with whole(path, "state") as file:
        file.write(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    assert folder_of(path.parent) == {path.name}


@pytest.mark.parametrize("broken", ["while it is written", "when it is put on the disk"])
def test_where_writing_fails_the_old_file_stays_and_nothing_else(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file"
    path.write_bytes(b"old")
    if broken == "when it is put on the disk":
        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"), whole(path, "state") as file:
        file.write(b"new")
        if broken == "while it is written":
            full()
    assert path.read_bytes() == b"old"
    assert folder_of(tmp_path) == {"file"}


def test_a_link_is_replaced_and_what_it_names_is_left_alone(tmp_path: Path) -> None:
    outside, link = tmp_path / "outside", tmp_path / "state"
    outside.write_bytes(b"not ours")
    link.symlink_to(outside)
    save_state(link, NOTES, TENSORS)
    assert outside.read_bytes() == b"not ours" and not link.is_symlink()
    assert load_state(link)[0] == NOTES


# states


def test_a_state_is_read_as_it_was_written(kept: Path) -> None:
    notes, tensors = load_state(kept)
    assert notes == NOTES and tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_its_first_lines_can_be_read_by_people(kept: Path) -> None:
    head, notes, _ = kept.read_bytes().split(b"\n", 2)
    assert head.startswith(b"ablate training state 1 ") and notes.startswith(b'{"step": 3, ')


def test_where_there_is_none_that_is_said_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "none")


def test_a_state_that_is_cut_off_anywhere_is_refused(kept: Path) -> None:
    contents = kept.read_bytes()
    for length in {0, 1, 20, 30, 88, 89, 90, len(contents) // 2, len(contents) - 1}:
        kept.write_bytes(contents[:length])
        with pytest.raises(StateError):
            load_state(kept)


def test_a_state_with_a_flipped_bit_anywhere_is_refused(kept: Path) -> None:
    contents, chance = kept.read_bytes(), random.Random(0)
    for _ in range(200):
        place, bit = chance.randrange(len(contents)), chance.randrange(8)
        flipped = bytearray(contents)
        flipped[place] ^= 1 << bit
        kept.write_bytes(flipped)
        with pytest.raises(StateError):
            load_state(kept)


class Bomb:
    """Does what it likes when it is unpickled by somebody who is not careful."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


def archive(thing: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def test_a_bomb_does_not_explode_even_with_the_right_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "state"
    for bomb in (archive(Bomb()), archive({"weights": Bomb()}), pickle.dumps(Bomb())):
        path.write_bytes(signed(b"{}\n" + bomb))
        with pytest.raises(StateError, match="it holds something else than notes and tensors"):
            load_state(path)
        path.write_bytes(bomb)
        with pytest.raises(StateError, match="it is not the state of a training"):
            load_state(path)
    assert folder_of(tmp_path) == {"state"}


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "it is empty (0 bytes)"),
        (bytes(1000), "it is not the state of a training"),
        (b"SQLite format 3\x00", "it is not the state of a training"),
        (
            b"ablate training state 2 blake3 0123\n",
            "it is in format 2, of another version of ablate; expected 1",
        ),
        (b"ablate training state 1\n{}\n", "it is damaged (SHA-256 "),
        (signed(b"{}"), "it holds something else than notes and tensors"),
        (signed(b"[]\n" + archive({})), "it holds something else than notes and tensors"),
        (signed(b"{}\n" + archive([1])), "it holds something else than notes and tensors"),
        (signed(b"{}\n" + archive({"a": 1})), "it holds something else than notes and tensors"),
    ],
)
def test_what_is_no_state_is_refused_in_one_line(
    contents: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    path.write_bytes(contents)
    with pytest.raises(StateError) as caught:
        load_state(path)
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_a_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"it cannot be read \(Is a directory\)"):
        load_state(tmp_path)


# weights


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    one, two = nn.Linear(2, 3), nn.Linear(2, 3)
    sha256 = save_weights(one, tmp_path / "weights.pt")
    assert sha256 == hashlib.sha256((tmp_path / "weights.pt").read_bytes()).hexdigest()
    load_weights(two, tmp_path / "weights.pt", sha256)
    assert torch.equal(one.weight, two.weight) and torch.equal(one.bias, two.bias)
    assert folder_of(tmp_path) == {"weights.pt"}


def test_weights_that_are_missing_damaged_or_foreign_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with pytest.raises(CheckpointError, match="the weights are missing; put the file back"):
        load_weights(nn.Linear(2, 3), path, "0" * 64)
    sha256 = save_weights(nn.Linear(2, 3), path)
    with pytest.raises(CheckpointError) as misfit:
        load_weights(nn.Linear(2, 4), path, sha256)
    assert "the weights do not fit the network (" in str(misfit.value)
    assert "\n" not in str(misfit.value)
    with pytest.raises(CheckpointError, match=r"not those that were saved \(SHA-256 "):
        load_weights(nn.Linear(2, 3), path, "0" * 64)
    path.write_bytes(archive(Bomb()))
    with pytest.raises(CheckpointError, match="the weights do not fit the network"):
        load_weights(nn.Linear(2, 3), path, hashlib.sha256(path.read_bytes()).hexdigest())
