"""Scans along several paths through the same pixels, whose tensors stay in raster order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from blocks.scan import _backend
from blocks.scan._backend import FollowsPaths, Scan
from blocks.scan._choice import backend_for
from blocks.scan._operator import expect, register, selective_scan, usable, wanted


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def follows_paths(device: torch.device, dtype: torch.dtype = torch.float32) -> bool:
    """Whether what runs on a device scans along paths without a copy of u for every path."""
    return isinstance(_backend.get(backend_for(device, dtype)), FollowsPaths)


def selective_scan_paths(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    delta_bias: Tensor | None = None,
    *,
    visited: Tensor,
    softplus: bool = True,
    backend: str | None = None,
) -> Tensor:
    """Run the recurrence of `selective_scan` along each of K paths, each with its own delta, B, C.

    Projections of pixels need no order: only the recurrence follows the paths. A back end that
    can reads and writes pixels where they lie; others are given one copy for every path.

    Args:
        u: Input, (B, D, L), the same for all paths.
        delta: Step before bias and softplus, (B, K, D, L).
        A: Decay rates, (K D, N), negative; path after path.
        B: Input projection, (B, K, N, L).
        C: Output projection, (B, K, N, L).
        D: Skip weights, (K D,), or none.
        delta_bias: Added to delta, (K D,), or none.
        visited: The pixel that each path visits at each step, (K, L), each once; integers.
        softplus: Whether the step is the softplus of the biased delta or the biased delta itself.
        backend: Name of the back end; none for the best one on the device.

    Returns:
        y, (B, K, D, L), in raster order and in the dtype of u.

    Raises:
        ValueError: Shapes, devices or dtypes that do not fit, or a back end that cannot run.
    """
    scan, name, save = wanted(Scan(u, delta, A, B, C, D, delta_bias, softplus), backend)
    if not isinstance(_backend.get(name), FollowsPaths):
        return _by_copies(_checked(scan, visited), visited, name).to(u.dtype)
    y: Tensor = torch.ops.ablate.selective_scan_paths(*scan[:-1], visited, softplus, name, save)[0]
    return y.to(u.dtype)


def _by_copies(scan: Scan, visited: Tensor, backend: str) -> Tensor:
    """As its definition says: sequences in the order of the paths, and back."""
    order = visited.long()[:, None]  # (K, 1, L)

    def along(x: Tensor) -> Tensor:
        return x.gather(-1, order.expand(x.shape))

    shape = scan.delta.shape
    u = along(scan.u[:, None].expand(shape))
    given = (u.flatten(1, 2), along(scan.delta).flatten(1, 2), scan.A, along(scan.B), along(scan.C))
    y = selective_scan(
        *given, scan.D, scan.delta_bias, softplus=scan.softplus, backend=backend
    ).view(shape)
    return torch.zeros_like(y).scatter(-1, order.expand(shape), y)


def _forward(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    visited: Tensor,
    softplus: bool,
    backend: str,
    save: bool,
) -> tuple[Tensor, Tensor]:
    scan = _checked(Scan(u, delta, A, B, C, D, delta_bias, softplus), visited)
    usable(backend, u.device, u.dtype)
    y, saved = _follower(backend).forward_along(_flat(scan), visited, save)
    return y.view(delta.shape), saved


def _forward_fake(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    visited: Tensor,
    softplus: bool,
    backend: str,
    save: bool,
) -> tuple[Tensor, Tensor]:
    scan = _checked(Scan(u, delta, A, B, C, D, delta_bias, softplus), visited)
    shape = _backend.get(backend).saved_shape(_flat(scan)) if save else (0,)
    return u.new_empty(delta.shape), u.new_empty(shape)


def _backward(
    grad: Tensor,
    saved: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    visited: Tensor,
    softplus: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    scan = _flat(Scan(u, delta, A, B, C, D, delta_bias, softplus))
    found = _follower(backend).backward_along(grad.flatten(1, 2), saved, scan, visited)
    return tuple(found._replace(delta=found.delta.view(delta.shape)))  # type: ignore[return-value]


def _backward_fake(
    grad: Tensor,
    saved: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    visited: Tensor,
    softplus: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    given = (u, delta, A, B, C, D, delta_bias)
    shapes = ((0,) if t is None else t.shape for t in given)
    return tuple(u.new_empty(shape) for shape in shapes)  # type: ignore[return-value]


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.softplus, ctx.backend, _ = inputs
    ctx.save_for_backward(output[1], *tensors)
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, grad: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 11
    saved, *tensors, visited = ctx.saved_tensors
    gradients = torch.ops.ablate.selective_scan_paths_backward(
        grad, saved, *tensors, visited, ctx.softplus, ctx.backend
    )
    found = (None if t is None else g for t, g in zip(tensors, gradients, strict=True))
    return (*found, None, None, None, None)


def _follower(backend: str) -> FollowsPaths:
    follower = _backend.get(backend)
    assert isinstance(follower, FollowsPaths)
    return follower


def _flat(scan: Scan) -> Scan:
    """Paths as groups of channels: delta (B, K D, L)."""
    return scan._replace(delta=scan.delta.flatten(1, 2))


def _checked(scan: Scan, visited: Tensor) -> Scan:
    """The scan itself, once its shapes, dtypes and devices are known to fit."""
    if scan.u.dim() != 3 or scan.delta.dim() != 4 or scan.A.dim() != 2 or visited.dim() != 2:
        named = {"u": scan.u, "delta": scan.delta, "A": scan.A, "visited": visited}
        got = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in named.items())
        raise ValueError(
            "selective_scan_paths takes u (B, D, L), delta (B, K, D, L), A (K D, N), "
            f"visited (K, L); got {got}"
        )
    (batch, channels, length), (paths, states) = scan.u.shape, (visited.shape[0], scan.A.shape[1])
    rows = paths * channels
    projection = (batch, paths, states, length)
    expect(scan, delta=(batch, paths, channels, length), A=(rows, states))
    expect(scan, B=projection, C=projection, D=(rows,), delta_bias=(rows,))
    if visited.shape[1] != length or visited.is_floating_point():
        got = f"{tuple(visited.shape)} of {visited.dtype}"
        raise ValueError(
            f"selective_scan_paths needs visited ({paths}, {length}) of int; got {got}"
        )
    if visited.device != scan.u.device:
        where = f"u is on {scan.u.device}, visited on {visited.device}"
        raise ValueError(f"selective_scan_paths needs visited where u is; {where}")
    return scan


register("ablate::selective_scan_paths", _forward, _forward_fake)
register("ablate::selective_scan_paths_backward", _backward, _backward_fake)
torch.library.register_autograd(
    "ablate::selective_scan_paths", _differentiate, setup_context=_remember
)
