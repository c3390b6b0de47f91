"""The operator that PyTorch sees, `ablate::selective_scan`, whichever back end runs inside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from typing import Any

import torch
from torch import Tensor

from blocks.scan import _backend
from blocks.scan._backend import Scan
from blocks.scan._choice import backend_for
from blocks.scan._probe import fault

TENSORS = Scan._fields[:-1]


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    delta_bias: Tensor | None = None,
    *,
    softplus: bool = True,
    backend: str | None = None,
) -> Tensor:
    """Run the selective state-space recurrence along the last axis.

    step = softplus(delta + delta_bias); h_t = exp(step_t A) h_(t-1) + step_t B_t u_t;
    y_t = C_t h_t + D u_t, with h_(-1) = 0. Channel d uses group d // (D / G) of B and C.
    Source: Gu and Dao 2023, arXiv:2312.00752, eq. 2 and 4 with the simplified B of their code.
    float16 and bfloat16 are computed in float32. Differentiable once, in every tensor.

    Args:
        u: Input, (B, D, L).
        delta: Step before bias and softplus, (B, D, L).
        A: Decay rates, (D, N), negative.
        B: Input projection, (B, G, N, L); G divides D.
        C: Output projection, (B, G, N, L).
        D: Skip weights, (D,), or none.
        delta_bias: Added to delta, (D,), or none.
        softplus: Whether the step is the softplus of the biased delta or the biased delta itself.
        backend: Name of the back end; none for the best one on the device.

    Returns:
        y, (B, D, L), in the dtype of u.

    Raises:
        ValueError: Shapes, devices or dtypes that do not fit, or a back end that cannot run.
    """
    scan, name, save = wanted(Scan(u, delta, A, B, C, D, delta_bias, softplus), backend)
    y: Tensor = torch.ops.ablate.selective_scan(*scan, name, save)[0]
    return y.to(u.dtype) if y.dtype != u.dtype else y


def wanted(scan: Scan, backend: str | None) -> tuple[Scan, str, bool]:
    """The scan in the dtype it is computed in, the back end, and whether gradients are wanted."""
    tensors = {name: getattr(scan, name) for name in TENSORS}
    given = [t for t in tensors.values() if t is not None]
    dtype = reduce(torch.promote_types, {t.dtype for t in given}, torch.float32)
    save = torch.is_grad_enabled() and any(t.requires_grad for t in given)
    cast: dict[str, Any] = {name: _to(t, dtype) for name, t in tensors.items()}
    return scan._replace(**cast), _backend_name(backend, scan.u.device, dtype), save


def _to(tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return tensor if tensor is None or tensor.dtype == dtype else tensor.to(dtype)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _backend_name(asked: str | None, device: torch.device, dtype: torch.dtype) -> str:
    """The back end to run, live or an error; decided while tracing, so that graphs name it."""
    return usable(asked or backend_for(device, dtype), device, dtype)


@cache
def usable(name: str, device: torch.device, dtype: torch.dtype) -> str:
    """The name, if its back end can run there.

    Raises:
        ValueError: It cannot; the message says why.
    """
    chosen = _backend.get(name)
    if why := chosen.obstacle():
        raise ValueError(f"scan back end '{name}' cannot run: {why}")
    if dtype not in chosen.dtypes:
        known = ", ".join(sorted(str(t).removeprefix("torch.") for t in chosen.dtypes))
        raise ValueError(
            f"scan back end '{name}' computes in {known}; got {str(dtype).removeprefix('torch.')}"
        )
    if device.type != "meta" and not chosen.preference(device):
        best = backend_for(device, dtype)
        raise ValueError(f"scan back end '{name}' does not run on {device}; '{best}' does")
    if why := fault(name, device, dtype):
        raise ValueError(f"scan back end '{name}' cannot run: {why}")
    return name


def _forward(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    softplus: bool,
    backend: str,
    save: bool,
) -> tuple[Tensor, Tensor]:
    scan = _checked(Scan(u, delta, A, B, C, D, delta_bias, softplus))
    usable(backend, u.device, u.dtype)
    return _backend.get(backend).forward(scan, save)


def _forward_fake(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    softplus: bool,
    backend: str,
    save: bool,
) -> tuple[Tensor, Tensor]:
    scan = _checked(Scan(u, delta, A, B, C, D, delta_bias, softplus))
    shape = _backend.get(backend).saved_shape(scan) if save else (0,)
    return u.new_empty(u.shape), u.new_empty(shape)


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
    softplus: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    scan = Scan(u, delta, A, B, C, D, delta_bias, softplus)
    return tuple(_backend.get(backend).backward(grad, saved, scan))  # type: ignore[return-value]


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
        return (None,) * 10
    saved, *tensors = ctx.saved_tensors
    gradients = torch.ops.ablate.selective_scan_backward(
        grad, saved, *tensors, ctx.softplus, ctx.backend
    )
    wanted = (None if t is None else g for t, g in zip(tensors, gradients, strict=True))
    return (*wanted, None, None, None)


def _checked(scan: Scan) -> Scan:
    """The scan itself, once its shapes, dtypes and devices are known to fit."""
    if scan.u.dim() != 3 or scan.A.dim() != 2 or scan.B.dim() != 4:
        dims = f"u {tuple(scan.u.shape)}, A {tuple(scan.A.shape)}, B {tuple(scan.B.shape)}"
        raise ValueError(f"selective_scan takes u (B, D, L), A (D, N), B (B, G, N, L); got {dims}")
    batch, groups, channels, states, length = scan.sizes
    if not groups or channels % groups:
        raise ValueError(
            f"selective_scan needs groups that divide the channels; "
            f"got B of {groups} groups and u of {channels} channels"
        )
    projection = (batch, groups, states, length)
    expect(scan, delta=(batch, channels, length), A=(channels, states))
    expect(scan, B=projection, C=projection, D=(channels,), delta_bias=(channels,))
    return scan


def expect(scan: Scan, **shapes: tuple[int, ...]) -> None:
    """Check tensors of a scan by name.

    Raises:
        ValueError: One has another shape, dtype or device than it must have.
    """
    for name, shape in shapes.items():
        tensor = getattr(scan, name)
        if tensor is None:
            continue
        if tensor.shape != shape:
            got = tuple(tensor.shape)
            raise ValueError(f"selective_scan needs {name} of shape {shape}; got {got}")
        if (tensor.dtype, tensor.device) != (scan.u.dtype, scan.u.device):
            raise ValueError(
                f"selective_scan needs {name} as u is, {scan.u.dtype} on {scan.u.device}; "
                f"got {tensor.dtype} on {tensor.device}"
            )


def register(name: str, run: Callable[..., object], fake: Callable[..., object]) -> None:
    """Make an operator known to PyTorch.

    What `torch.library.custom_op` does, less its search for aliases at every call, which a short
    scan would notice.
    """
    torch.library.define(name, torch.library.infer_schema(run, mutates_args=()))
    torch.library.impl(name, "default", run)
    torch.library.register_fake(name, fake)
    for device in ("cpu", "cuda"):  # half precision overflows in the recurrence
        torch.library.register_autocast(name, device, torch.float32)


register("ablate::selective_scan", _forward, _forward_fake)
register("ablate::selective_scan_backward", _backward, _backward_fake)
torch.library.register_autograd("ablate::selective_scan", _differentiate, setup_context=_remember)
