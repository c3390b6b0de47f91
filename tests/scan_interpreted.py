"""Runs the Triton scan in Triton's interpreter; prints one line of JSON for each case.

A process of its own, as the interpreter is chosen when Triton is imported:

    TRITON_INTERPRET=1 python -m tests.scan_interpreted
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from blocks._directional_scan import DirectionalScan
from blocks.scan import (
    _triton,
    backend_for,
    backends,
    follows_paths,
    selective_scan,
    selective_scan_paths,
)
from tests import test_scan, test_scan_paths
from tests.test_scan import Arguments, as_dtype, by_hand, value_and_gradients
from tests.test_scan_native import forget


def errors(found: list[Tensor], true: list[Tensor]) -> float:
    """The largest error, of the largest value of each tensor or of 1."""
    scales = [max(1.0, t.abs().max().item()) for t in true]
    pairs = zip(found, true, scales, strict=True)
    return max((a.double() - b.double()).abs().max().item() / s for a, b, s in pairs)


def parity(given: Arguments, softplus: bool = True) -> float:
    true = value_and_gradients(lambda g: by_hand(g, softplus), as_dtype(given, torch.float64))
    run = lambda g: selective_scan(*g, softplus=softplus, backend="triton")  # noqa: E731
    return errors(value_and_gradients(run, given), true)


def without_softplus() -> float:
    given = test_scan.arguments(7, 3, 1, channels=2, batch=1, skip=False, bias=False)
    given[1] = given[1].detach().abs().requires_grad_()
    return parity(given, softplus=False)


def too_fast_a_decay() -> float:
    given = test_scan.arguments(11, 3, 1, channels=2, batch=1)
    given[1] = (given[1].detach() + torch.linspace(-200, 200, 11)).requires_grad_()
    given[2] = (given[2].detach() * 1e3).requires_grad_()
    return parity(given)


def along_paths() -> float:
    given, order = test_scan_paths.arguments(2, 2), test_scan_paths.visited()
    for i in (0, 1, 3, 4):
        given[i] = given[i].detach()[:1].requires_grad_()
    true = test_scan_paths.one_after_another
    expected = value_and_gradients(lambda g: true(g, order), as_dtype(given, torch.float64))
    run = lambda g: selective_scan_paths(*g, visited=order, backend="triton")  # noqa: E731
    return errors(value_and_gradients(run, given), expected)


def block() -> float:
    """A block that scans along paths, against itself on the back end of the CPU."""
    torch.manual_seed(0)
    scan = DirectionalScan(2, ("rows", "columns_back"), states=2, expand=1.0)
    given = [torch.randn(1, 2, 3, 2).requires_grad_(), *scan.parameters()]
    run = lambda g: scan(g[0])  # noqa: E731
    expected = value_and_gradients(run, given)
    _triton.Triton.preference = lambda self, device: 9  # type: ignore[method-assign]
    forget()
    assert follows_paths(torch.device("cpu"))
    return errors(value_and_gradients(run, given), expected)


def operators() -> float:
    given = test_scan.arguments(2, 1, 1, channels=1, batch=1)
    torch.library.opcheck(torch.ops.ablate.selective_scan, (*given, True, "triton", True))
    order = torch.tensor([[1, 0]])
    along = [given[0], given[1][:, None], *given[2:], order]
    torch.library.opcheck(torch.ops.ablate.selective_scan_paths, (*along, True, "triton", True))
    return 0.0


def same_bits() -> float:
    given = test_scan.arguments(9, 2, 1, channels=2, batch=1)
    run = lambda g: selective_scan(*g, backend="triton")  # noqa: E731
    pairs = zip(value_and_gradients(run, given), value_and_gradients(run, given), strict=True)
    return 0.0 if all(torch.equal(a, b) for a, b in pairs) else 1.0


def cases() -> Iterator[tuple[str, Callable[[], float]]]:
    shape = test_scan.arguments
    yield "one state, two items", lambda: parity(shape(11, 1, 1, channels=3))
    yield "eight states, two groups", lambda: parity(shape(11, 8, 2, channels=4, batch=1))
    yield "sixteen states, two warps", lambda: parity(shape(5, 16, 1, channels=33, batch=1))
    yield "more states than a call", lambda: parity(shape(5, 17, 1, channels=2, batch=1))
    yield "no bias, no skip, no softplus", without_softplus
    yield "a decay too fast for float32", too_fast_a_decay
    yield "along paths", along_paths
    yield "twice the same bits", same_bits
    yield "what PyTorch asks of operators", operators
    yield "a block of paths", block


def main() -> None:
    torch.set_num_threads(1)
    _triton.SHORTEST = _triton.BLOCK = 8  # several chunks and blocks in few steps: it is slow
    assert backends()["triton"] == "live"
    assert backend_for(torch.device("cpu")) != "triton"  # only where it is asked for
    for name, run in cases():
        sys.stdout.write(json.dumps({"case": name, "error": run()}) + "\n")


if __name__ == "__main__":
    main()
