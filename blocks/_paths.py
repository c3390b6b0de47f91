"""Paths through an image, one pixel after another, and sequences of pixels along them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

Path = Literal["rows", "columns", "rows_back", "columns_back"]
Order = Literal["raster", "snake", "nested", "window"]


@dataclass(frozen=True)
class Walk:
    """A way to visit every pixel of an image once.

    Args:
        order: "raster": row after row, each from the left. "snake": the first, third, ... visited
            row from the left, the others from the right. "nested": vertical stripes from left to
            right, the first downwards, the next upwards, and so on, each a snake. "window":
            square windows in raster order, each in raster order.
        stripe: Width of a stripe or side of a window, in pixels; the last is what remains.
        shifted: The first stripe or window is half as wide (rounded down, but at least 1).
    """

    order: Order = "raster"
    stripe: int = 1
    shifted: bool = False

    def pixels(self, height: int, width: int, device: torch.device) -> Tensor:
        """The raster index of the pixel that is visited at each time, (height * width,)."""
        time = torch.arange(height * width, device=device)
        if self.order == "raster":
            return time
        if self.order == "window":
            return self._windows(time, height, width)
        stripe = width if self.order == "snake" else self.stripe
        number, left, wide = self._cut(time // height, width, stripe)
        inside = time - left * height
        line, along = inside // wide, inside % wide
        row = torch.where(number % 2 == 0, line, height - 1 - line)
        column = left + torch.where(line % 2 == 0, along, wide - 1 - along)
        return row * width + column

    def _windows(self, time: Tensor, height: int, width: int) -> Tensor:
        _, top, high = self._cut(time // width, height, self.stripe)
        inside = time - top * width
        _, left, wide = self._cut(inside // high, width, self.stripe)
        inside = inside - left * high
        return (top + inside // wide) * width + left + inside % wide

    def _cut(self, position: Tensor, size: int, part: int) -> tuple[Tensor, Tensor, Tensor]:
        """Number, start and length of the part of a side in which each position lies."""
        first = max(part // 2, 1) if self.shifted else part
        number = torch.div(position - first, part, rounding_mode="floor") + 1
        end = first + number * part
        start = (end - part).clamp(min=0)
        return number, start, end.clamp(max=size) - start


RASTER = Walk()


def unroll(grid: Tensor, walk: Walk, paths: tuple[Path, ...]) -> Tensor:
    """(B, D, H, W) -> (B, paths, D, H W), pixels in the order of each path."""
    if walk == RASTER:
        return _unrolled_raster(grid, paths)
    visited, visits = tables(walk, paths, grid)
    sequence = grid.flatten(2).unsqueeze(1)  # (B, 1, D, L)
    return _permuted(sequence.expand(-1, len(paths), -1, -1), visited, visits)


def _unrolled_raster(grid: Tensor, paths: tuple[Path, ...]) -> Tensor:
    """By transposing and turning round: a quarter faster than tables, a third with gradients."""
    lines: dict[str, Tensor] = {
        axis: (grid if axis == "rows" else grid.transpose(2, 3)).flatten(2)
        for axis in dict.fromkeys(path.removesuffix("_back") for path in paths)
    }
    turned = [
        lines[path] if path in lines else lines[path.removesuffix("_back")].flip(-1)
        for path in paths
    ]
    return torch.stack(turned, dim=1) if len(paths) > 1 else turned[0].unsqueeze(1)


def roll(sequences: Tensor, walk: Walk, paths: tuple[Path, ...], grid: Tensor) -> Tensor:
    """(B, paths, D, H W) -> (B, paths, D, H, W), the way back from `unroll`."""
    if walk != RASTER or paths != ("rows",):
        visited, visits = tables(walk, paths, grid)
        sequences = _permuted(sequences, visits, visited)
    return sequences.reshape(*sequences.shape[:3], *grid.shape[-2:])


def tables(walk: Walk, paths: tuple[Path, ...], grid: Tensor) -> tuple[Tensor, Tensor]:
    """The pixel visited at each time, and the time at which each pixel is visited.

    "rows" is the walk itself; "rows_back" the walk of the image turned by 180 degrees;
    "columns" and "columns_back" the same two of the transposed image. For the raster walk the
    turned path is the path backwards.

    Args:
        walk: What is turned and transposed.
        paths: Which of the four.
        grid: (..., H, W), the image.

    Returns:
        Two tables (paths, 1, H W) of raster indices and of times, on the device of the image.
    """
    height, width = grid.shape[-2:]
    make = _kept_tables if _has_values(grid) else _tables
    return make(walk, paths, height, width, grid.device)


def _tables(
    walk: Walk, paths: tuple[Path, ...], height: int, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    visited = torch.stack([_path(walk, path, height, width, device) for path in paths])
    times = torch.arange(height * width, device=device).expand_as(visited)
    visits = torch.zeros_like(visited).scatter(1, visited, times)
    return visited.unsqueeze(1), visits.unsqueeze(1)


@lru_cache(maxsize=64)
def _kept_tables(
    walk: Walk, paths: tuple[Path, ...], height: int, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The tables of the sizes last seen, since a block meets few of them, again and again.

    A captured CUDA graph goes on reading its tables; it may, until 64 others have come after.
    """
    with torch.inference_mode(False):  # else a later training step could not save them
        return _tables(walk, paths, height, width, device)


def _has_values(tensor: Tensor) -> bool:
    """Whether tables made beside this tensor are numbers, and not only traced or described."""
    described = type(tensor) is not Tensor or tensor.device.type == "meta"
    return not (described or torch.compiler.is_compiling())


def _path(walk: Walk, path: Path, height: int, width: int, device: torch.device) -> Tensor:
    if path.startswith("columns"):
        pixels = walk.pixels(width, height, device)
        pixels = pixels % height * width + pixels // height
    else:
        pixels = walk.pixels(height, width, device)
    return height * width - 1 - pixels if path.endswith("back") else pixels


def _permuted(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
    """x[..., index], an index (paths, 1, L) for x (B, paths, D, L)."""
    permuted: Tensor = _Permutation.apply(x, index, inverse)  # type: ignore[no-untyped-call]
    return permuted


class _Permutation(torch.autograd.Function):
    """A gather whose gradient is a gather with the inverse, not a slower sum into place."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        return x.gather(-1, index.expand(x.shape))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        index, inverse = ctx.saved_tensors
        return _permuted(grad, inverse, index), None, None
