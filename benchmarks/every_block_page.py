"""What was found about the blocks, as Markdown: a line for each comparison, and why some lose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.contestants import ELSEWHERE, Pass

# What profiles of the blocks that lose have shown, said where they do.
CONVOLUTIONS = (
    "PyTorch's 3x3 convolutions have a slower backward pass in channels-last memory on a CPU; "
    "in inference, and between blocks with norms, that memory is the faster one"
)
REASONS = {
    "mamba2": "a CPU runs the recurrence in the compiled scan faster, and in half the memory, than "
    "the matrix products of this block, which are made for GPUs",
    "mdc": CONVOLUTIONS,
    "mhamb": "products between channels and depth-wise convolutions want contiguous memory, which "
    "a block among others does not get",
    "rcab": CONVOLUTIONS,
    "rdcnn": CONVOLUTIONS,
}


@dataclass(frozen=True)
class Row:
    """A block at a size in a pass, and what it is compared with; in seconds and bytes.

    The ratio is of the other's time to the block's, with its 95 % interval; None where the other
    takes too much memory to be run, and the block's time too where all others do.
    """

    block: str
    size: int
    timed: Pass
    against: str
    layout: str
    ours: float | None
    other: float | None
    ratio: float | None
    low: float | None
    high: float | None
    rounds: int
    bytes_ours: int
    bytes_other: int


def table(found: list[Row]) -> Iterator[str]:
    """Both passes of a block, a size and what it is compared with in one line of Markdown."""
    yield (
        "| block | size | against | forward ms | x ours | forward, backward ms | x ours "
        "| MiB forward | x ours | MiB training | x ours |"
    )
    yield "|" + "---|" * 11
    beaten = {(row.block, row.size) for row in found if row.against != ELSEWHERE and _lost(row)}
    for forward, both in zip(found[::2], found[1::2], strict=True):
        if forward.against == ELSEWHERE and (forward.block, forward.size) not in beaten:
            continue
        times = " | ".join(_time(row) for row in (forward, both))
        memory = " | ".join(
            f"{row.bytes_ours / 2**20:.1f} | {row.bytes_other / row.bytes_ours:.2f}"
            for row in (forward, both)
        )
        yield f"| {forward.block} | {forward.size} | {forward.against} | {times} | {memory} |"


def losses(found: list[Row]) -> Iterator[str]:
    """The blocks that some comparison finds slower, and why, in Markdown."""
    lost = dict.fromkeys(row.block for row in found if row.against != ELSEWHERE and _lost(row))
    if not lost:
        yield "No block is slower than any of its plain versions by more than the interval."
    for name in lost:
        yield f"- {name} is slower somewhere: {REASONS.get(name, 'not looked into yet')}."


def _lost(row: Row) -> bool:
    return row.high is not None and row.high < 1


def _time(row: Row) -> str:
    if row.ours is None or row.ratio is None:
        return f" | not run: {row.bytes_other / 2**30:.0f} GiB"
    slower = "; slower" if _lost(row) else ""
    return f"{1e3 * row.ours:.2f} | {row.ratio:.2f} ({row.low:.2f} to {row.high:.2f}{slower})"
