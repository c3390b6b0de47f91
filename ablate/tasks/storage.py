"""Many images in one file that processes share: written all or nothing, mapped, not loaded.

The file is a one-dimensional NumPy array of bytes: the length of an index, the index (JSON), then
each image at an aligned place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ablate.tasks.images import Levels

FORMAT: Final = "ablate images 1"
ALIGNMENT: Final = 64  # bytes; so that 16-bit images can be viewed in place


def write_arrays(path: Path, facts: Mapping[str, object], images: Sequence[Levels]) -> None:
    """Write images, and facts that JSON can hold, to one file."""
    kinds = [(image.dtype.name, image.shape) for image in images]
    index = json.dumps({"format": FORMAT, "facts": facts, "images": kinds}).encode()
    head = len(index).to_bytes(8, "little") + index
    total = sum(map(_padded, (len(head), *(image.nbytes for image in images))))

    def write(file: BinaryIO) -> None:
        description = {"descr": "|u1", "fortran_order": False, "shape": (total,)}
        np.lib.format.write_array_header_1_0(file, description)
        _write_padded(file, memoryview(head))
        for image in images:
            _write_padded(file, np.ascontiguousarray(image).data)

    _replace(path, write)


def read_arrays(path: Path) -> tuple[dict[str, Any], Iterator[Levels]]:
    """Map what `write_arrays` wrote: the facts, and the images in their order.

    Raises:
        OSError, ValueError, LookupError, TypeError, EOFError: The file is missing, of another
            kind or damaged; some only when the images are asked for.
    """
    data: NDArray[np.uint8] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    length = int.from_bytes(data[:8].tobytes(), "little")
    index = json.loads(data[8 : 8 + length].tobytes())
    if index["format"] != FORMAT:
        raise ValueError(f"it is of format {index['format']!r}; expected {FORMAT!r}")
    return index["facts"], _images(data, _padded(8 + length), index["images"])


def _images(
    data: NDArray[np.uint8], place: int, kinds: Sequence[tuple[str, list[int]]]
) -> Iterator[Levels]:
    for dtype, shape in kinds:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        yield data[place : place + size].view(dtype).reshape(shape)
        place += _padded(size)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _write_padded(file: BinaryIO, content: memoryview) -> None:
    file.write(content)
    file.write(b"\0" * (_padded(content.nbytes) - content.nbytes))


def _replace(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file all or nothing: a temporary one beside it, synced, then moved over it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # a full disk does not say which file it was
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
