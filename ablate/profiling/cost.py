"""What operators cost: multiply-adds by class, other operations by column, bytes, activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from ablate.profiling._operators import MAC_CLASSES

COLUMNS = ("elementwise", "reduction", "softmax", "norm", "fft")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one or several operators cost; costs can be added.

    Args:
        by_class: Multiply-adds by class of operator, as `MacCount` has them: conv, linear,
            matmul, scan, other.
        scan_strict: Multiply-adds of the scans as plain recurrences, 3.5 B L D N (and 10 B L D N
            backward); not among `by_class`.
        elementwise: Operations, one per element.
        reduction: Operations of sums, means, maxima, pooling, sorting.
        softmax: Operations of softmaxes, five per element.
        norm: Operations of normalisation operators, five per element.
        fft: Operations of Fourier transforms.
        bytes_moved: A lower bound: each operator that is no view reads its tensor inputs once
            and writes its outputs once.
        activations: Numbers that convolutions, products and scans put out in a forward pass; what
            a fused operator keeps to itself is not among them.
    """

    by_class: Mapping[str, int] = field(default_factory=dict)
    scan_strict: int = 0
    elementwise: int = 0
    reduction: int = 0
    softmax: int = 0
    norm: int = 0
    fft: int = 0
    bytes_moved: int = 0
    activations: int = 0

    @property
    def macs(self) -> int:
        """Multiply-adds: the sum of `by_class`, scans as the literature counts them."""
        return sum(self.by_class.values())

    @property
    def scan(self) -> int:
        """Multiply-adds of the scans as the literature counts them: 9 B L D N + B D L."""
        return self.by_class.get("scan", 0)

    @property
    def flops(self) -> int:
        """Floating-point operations: two for each multiply-add, and one for any other operation.

        Scans are counted as plain recurrences (7 B L D N), not by the literature's rule; the
        columns elementwise, reduction, softmax, norm and fft are added.
        """
        multiplied = self.macs - self.scan + self.scan_strict
        return 2 * multiplied + sum(int(getattr(self, column)) for column in COLUMNS)

    @property
    def intensity(self) -> float:
        """Arithmetic intensity: FLOPs per byte moved; 0 where nothing is moved."""
        return self.flops / self.bytes_moved if self.bytes_moved else 0.0

    def __add__(self, other: Cost) -> Cost:
        """All that both cost."""
        kinds = dict.fromkeys([*self.by_class, *other.by_class])
        total = {k: self.by_class.get(k, 0) + other.by_class.get(k, 0) for k in kinds}
        plain = [f.name for f in fields(self) if f.name != "by_class"]
        sums = {name: getattr(self, name) + getattr(other, name) for name in plain}
        return Cost(by_class=total, **sums)


def cost_of(entry: Mapping[str, int]) -> Cost:
    """An entry of the books, kinds of work by name, as a cost."""
    by_class = {kind: entry[kind] for kind in MAC_CLASSES if entry.get(kind)}
    kinds = [f.name for f in fields(Cost) if f.name != "by_class"]
    return Cost(by_class=by_class, **{kind: entry.get(kind, 0) for kind in kinds})
