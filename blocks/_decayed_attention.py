"""Causal linear attention whose memory fades, in matrix form (the state space dual of Mamba-2).

A recurrence with one decay for each head and step is a product with a triangular matrix of decays:
inside chunks it is computed as such, and what chunks hand on is a shorter recurrence of the same
kind. Nothing is stored for each step but inputs and outputs, and no step waits for the one before.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from blocks._layout import round_up

CHUNK = 64


def decayed_attention(
    query: Tensor, key: Tensor, value: Tensor, log_decay: Tensor, chunk: int = CHUNK
) -> Tensor:
    """Run S_i = exp(log_decay_i) S_(i-1) + k_i v_i^T, y_i = q_i S_i, with S_(-1) = 0.

    Source: Dao and Gu 2024 (Mamba-2), arXiv:2405.21060, section 6. Cost: see
    `decayed_attention_macs`; linear in L.

    Args:
        query: (B, G, L, N); G is 1, shared by all heads, or H.
        key: (B, G, L, N).
        value: (B, H, L, P).
        log_decay: (B, H, L), at most 0.
        chunk: Steps whose scores are computed together.

    Returns:
        y, (B, H, L, P).
    """
    length = value.shape[2]
    chunk = min(chunk, length)
    query, key, value = (_chunked(part, chunk) for part in (query, key, value))
    steps = _chunked(log_decay.unsqueeze(-1), chunk).squeeze(-1)  # (B, H, n, c)
    inside = (query @ key.transpose(-2, -1) * _decays(steps)) @ value  # (B, H, n, c, P)
    if length > chunk:
        total = steps.cumsum(-1).unsqueeze(-1)  # (B, H, n, c, 1), since the chunk began
        left = (total[..., -1:, :] - total).exp()  # until it ends
        gained = key.transpose(-2, -1) @ (value * left)  # (B, H, n, N, P)
        ends = decayed_sum(gained.flatten(3), total[..., -1, 0], chunk)
        before = F.pad(ends[:, :, :-1], (0, 0, 1, 0)).reshape(gained.shape)
        inside = inside + (query @ before) * total.exp()
    return inside.flatten(2, 3)[:, :, :length]


def decayed_sum(value: Tensor, log_decay: Tensor, chunk: int = CHUNK) -> Tensor:
    """Run s_i = exp(log_decay_i) s_(i-1) + v_i; (B, H, L, P) and (B, H, L) -> (B, H, L, P)."""
    length = value.shape[2]
    if length <= chunk:
        return _decays(log_decay) @ value
    value = _chunked(value, chunk)
    steps = _chunked(log_decay.unsqueeze(-1), chunk).squeeze(-1)
    inside = _decays(steps) @ value  # (B, H, n, c, P)
    total = steps.cumsum(-1)
    ends = decayed_sum(inside[..., -1, :], total[..., -1], chunk)
    before = F.pad(ends[:, :, :-1], (0, 0, 1, 0)).unsqueeze(3)
    return (inside + before * total.exp().unsqueeze(-1)).flatten(2, 3)[:, :, :length]


def decayed_attention_macs(
    length: int, heads: int, states: int, channels: int, *, groups: int, chunk: int = CHUNK
) -> int:
    """Multiply-adds of `decayed_attention` with G groups of N states and H heads of P channels."""
    chunk = min(chunk, length)
    padded = round_up(length, chunk)
    macs = padded * chunk * (groups * states + heads * channels)
    if length > chunk:
        ends = decayed_sum_macs(padded // chunk, heads, states * channels, chunk=chunk)
        macs += 2 * padded * heads * states * channels + ends
    return macs


def decayed_sum_macs(length: int, heads: int, channels: int, *, chunk: int = CHUNK) -> int:
    """Multiply-adds of `decayed_sum` with H heads of P channels."""
    if length <= chunk:
        return heads * channels * length**2
    padded = round_up(length, chunk)
    inside = heads * channels * padded * chunk
    return inside + decayed_sum_macs(padded // chunk, heads, channels, chunk=chunk)


def _chunked(tokens: Tensor, chunk: int) -> Tensor:
    """(B, H, L, N) -> (B, H, n, chunk, N), filled with zeros at the end."""
    missing = -tokens.shape[2] % chunk
    padded = F.pad(tokens, (0, 0, 0, missing)) if missing else tokens
    return padded.unflatten(2, (-1, chunk))  # type: ignore[no-untyped-call,no-any-return]


def _decays(log_decay: Tensor) -> Tensor:
    """(..., c) -> (..., c, c): what is left at step i of what came in at step j, 0 for j > i."""
    total = log_decay.cumsum(-1)
    later = torch.ones(total.shape[-1], total.shape[-1], dtype=torch.bool, device=total.device)
    spans = total.unsqueeze(-1) - total.unsqueeze(-2)
    return spans.masked_fill(later.triu(1), float("-inf")).exp()
