"""A selective scan with one decay for each head, computed by matrix products over chunks (SSD)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from blocks._layout import round_up
from blocks._precision import full_precision

FORGOTTEN = -30.0  # a logarithm: what is left of 1 after it is lost in any sum, in float64 nearly


def dual_scan(x: Tensor, log_decay: Tensor, write: Tensor, read: Tensor, *, chunk: int) -> Tensor:
    """Run h_t = exp(log_decay_t) h_(t-1) + x_t write_t^T, y_t = h_t read_t, from h = 0.

    Within a chunk y = (read write^T * decay) x, as attention with decays in place of a softmax;
    the state at the end of each chunk goes on into the later ones. Steps of 0 fill up the last
    chunk. Decays and the states between chunks are computed in float32 at least.
    Source: Dao and Gu 2024, arXiv:2405.21060, section 6.

    Args:
        x: (B, L, heads, P).
        log_decay: (B, L, heads), not positive.
        write: (B, L, N), for all heads.
        read: (B, L, N), for all heads.
        chunk: Q, steps in a chunk, at least 2.

    Returns:
        y, (B, L, heads, P).
    """
    length = x.shape[1]
    log_decay = log_decay.to(torch.promote_types(log_decay.dtype, torch.float32))
    log_decay = log_decay.clamp(min=FORGOTTEN)  # so that sums of them keep their last digits
    x, log_decay, write, read = (_chunks(part, chunk) for part in (x, log_decay, write, read))
    log_decay = log_decay.transpose(2, 3)  # (B, chunks, heads, Q)
    scores = (read @ write.transpose(2, 3)).unsqueeze(2)  # (B, chunks, 1, Q, Q)
    weights = (scores * _decays(log_decay)).to(x.dtype)  # (B, chunks, heads, Q, Q)
    y = (weights @ x.transpose(2, 3)).transpose(2, 3)  # (B, chunks, Q, heads, P)
    if x.shape[1] > 1:
        since = log_decay.cumsum(3)
        to_end = (since[..., -1:] - since).exp().transpose(2, 3).unsqueeze(4)
        left = (x * to_end).to(x.dtype).flatten(3).transpose(2, 3) @ write
        states = _carried(left, since[..., -1], chunk).to(x.dtype)  # (B, chunks, heads P, N)
        seen = (read @ states.transpose(2, 3)).reshape(y.shape)
        y = y + seen * since.exp().transpose(2, 3).unsqueeze(4)
    return y.flatten(1, 2)[:, :length]


def dual_scan_macs(length: int, width: int, states: int, chunk: int) -> int:
    """Multiply-adds of `dual_scan` for one sequence, `width` = heads P."""
    chunks = round_up(length, chunk) // chunk
    within = chunks * chunk * chunk * (states + width)
    if chunks == 1:
        return within
    return within + 2 * chunks * chunk * width * states + width * states * _sums(chunks, chunk)


def _sums(steps: int, chunk: int) -> int:
    """Multiply-adds of `_accumulated` for one number."""
    if steps <= chunk:
        return steps * steps
    chunks = round_up(steps, chunk) // chunk
    return chunks * chunk * chunk + _sums(chunks, chunk)


def _chunks(x: Tensor, chunk: int) -> Tensor:
    """(B, L, ...) -> (B, chunks, Q, ...), filled up with zeros."""
    missing = round_up(x.shape[1], chunk) - x.shape[1]
    if missing:
        x = F.pad(x, (0, 0) * (x.dim() - 2) + (0, missing))
    return x.reshape(x.shape[0], -1, chunk, *x.shape[2:])


def _decays(log_decay: Tensor) -> Tensor:
    """(..., n) -> (..., n, n): what is left in row i of what came in column j, 0 where j > i."""
    since = log_decay.cumsum(-1)
    later = torch.full((since.shape[-1],) * 2, -torch.inf, device=since.device).triu(1)
    # Masked before the exponential, which could overflow there.
    return (since.unsqueeze(-1) + later.to(since.dtype) - since.unsqueeze(-2)).exp()


def _carried(left: Tensor, log_decay: Tensor, chunk: int) -> Tensor:
    """The state before each chunk, (B, chunks, heads P, N), from what each chunk leaves."""
    batch, chunks, heads = log_decay.shape
    with full_precision(left):
        values = left.to(log_decay.dtype).reshape(batch, chunks, heads, -1).transpose(1, 2)
        log_decay = log_decay.transpose(1, 2).clamp(min=FORGOTTEN)
        after = _accumulated(values, log_decay, chunk)  # (B, heads, chunks, P N)
        return _one_later(after).transpose(1, 2).reshape(left.shape)


def _accumulated(values: Tensor, log_decay: Tensor, chunk: int) -> Tensor:
    """h_i = exp(log_decay_i) h_(i-1) + values_i for (..., n, F) and (..., n)."""
    steps = values.shape[-2]
    if steps <= chunk:
        return _decays(log_decay) @ values
    missing = round_up(steps, chunk) - steps
    values = F.pad(values, (0, 0, 0, missing))
    values = values.reshape(*values.shape[:-2], -1, chunk, values.shape[-1])
    log_decay = F.pad(log_decay, (0, missing)).reshape(values.shape[:-1])
    within = _decays(log_decay) @ values  # (..., chunks, Q, F)
    since = log_decay.cumsum(-1)
    before = _one_later(_accumulated(within[..., -1, :], since[..., -1], chunk))
    carried = within + since.exp().unsqueeze(-1) * before.unsqueeze(-2)
    return carried.flatten(-3, -2)[..., :steps, :]


def _one_later(states: Tensor) -> Tensor:
    """(..., n, F), moved on by one, 0 in front."""
    return F.pad(states[..., :-1, :], (0, 0, 1, 0))
