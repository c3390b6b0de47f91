"""Attention at linear cost: what its kernels and its positions have in common."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from blocks._layout import widened

EPSILON = 1e-6  # keeps the normaliser from dividing by 0
BASE = 1e4  # of the wavelengths of rotary embeddings, in pixels


def positive(x: Tensor) -> Tensor:
    """ELU + 1, the kernel that makes queries and keys positive."""
    raised: Tensor = F.elu(x).add(1)
    return raised


def kernel_attention(
    query: Tensor, key: Tensor, value: Tensor, mass: Tensor | None = None
) -> Tensor:
    """Query (key^T value) / N, divided by the mass of each query where it is given.

    The root of N, shared by both factors, keeps the sum over all pixels small in half floats.

    Args:
        query: (B, H, N, d).
        key: (B, H, N, d).
        value: (B, H, N, P).
        mass: (B, H, N, 1), as of `key_mass`.

    Returns:
        (B, H, N, P).
    """
    root = key.shape[2] ** 0.5
    memory = (key / root).transpose(-2, -1) @ (value / root)  # (B, H, d, P)
    attended: Tensor = query @ memory
    return attended if mass is None else attended / (mass + EPSILON)


def key_mass(query: Tensor, key: Tensor) -> Tensor:
    """What each query gives to all keys in the mean, (B, H, N, d) -> (B, H, N, 1)."""
    return query @ key.mean(dim=2, keepdim=True).transpose(-2, -1)


def turned_by_position(pixels: Tensor) -> Tensor:
    """Rotary embedding of rows and columns, for any H and W.

    Pairs of neighbouring channels are turned in their plane: the first half of the pairs by
    row * w_k, the second by column * w_k, w_k = BASE^(-k / K), k < K = C / 4. The product of two
    pixels' channels then depends on how far apart they are. Source: Su et al. 2021,
    arXiv:2104.09864, eq. 34, with two axes as in MLLA.

    Args:
        pixels: (B, H, W, ..., C), C a multiple of 4.
    """
    height, width, quarter = *pixels.shape[1:3], pixels.shape[-1] // 4
    like = widened(pixels)
    rows = _turns(height, quarter, like).unsqueeze(1).expand(-1, width, -1)
    columns = _turns(width, quarter, like).expand(height, -1, -1)
    turns = torch.cat([rows, columns], dim=-1)  # (H, W, C / 2)
    turns = turns.reshape(height, width, *[1] * (pixels.dim() - 4), 2 * quarter)
    # Complex products are one pass over memory, 13 times as fast as sines and cosines by hand.
    pairs = torch.view_as_complex(like.reshape(*like.shape[:-1], 2 * quarter, 2))
    return torch.view_as_real(pairs * turns).flatten(-2).to(pixels.dtype)


def _turns(count: int, frequencies: int, like: Tensor) -> Tensor:
    """(count, K): what a pair is turned by at each place, as a complex number of length 1."""
    powers = torch.arange(frequencies, dtype=like.dtype, device=like.device) / frequencies
    places = torch.arange(count, dtype=like.dtype, device=like.device)
    angles = places.unsqueeze(1) * BASE**-powers
    return torch.complex(angles.cos(), angles.sin())
