"""Kernel attention over all pixels, with the parts in which Mamba differs from it as options."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blocks._layout import check_heads, widened
from blocks._linear_attention import (
    EPSILON,
    kernel_attention,
    key_mass,
    positive,
    turned_by_position,
)
from blocks._precision import full_precision
from blocks._scan_parameters import initial_step_bias
from blocks._state_space_duality import dual_scan, dual_scan_macs

CHUNK = 32  # pixels whose scores a forget gate computes together
GATE_AT_1 = math.log(math.e - 1)  # softplus of it is 1


class KernelAttention(nn.Module):
    """Each pixel gathers values by the products of positive queries and keys.

    source, value: (B, H, W, S), (B, H, W, C) -> (B, H, W, C).
    q, k = ELU(Linear(source)) + 1; y = q (k^T v) / (q sum(k)) in each head of d = C / heads
    channels, with q and k turned by position in the numerator.
    Cost: 2 S C + 2 C d + C multiply-adds a pixel; reach: the image.

    Args:
        source: S, channels that queries, keys and gates are computed from.
        channels: C; a multiple of heads.
        heads: Attention heads.
        rotary: Whether q and k are turned by row and column (over all channels, as in MLLA: with
            several heads the first of them know rows, the last columns).
        normaliser: Whether y is divided by what a query gives to all keys; else by their number,
            or by nothing where there is a forget gate.
        multi_head: Whether heads have their own q and k; else one of d channels for all, like B
            and C of a state space.
        input_gate: v is multiplied by softplus(Linear(Linear(source))), through C / 16 channels,
            like the step of a state space; starts at 1.
        forget_gate: Pixels are read in raster order, each sees those before it, and of what came
            before exp(-softplus(Linear(source))) is left after each pixel, one number for each
            head (as in Mamba-2; Mamba has one for each state of each channel).
        shortcut: v times a number for each channel is added, like D of a state space; from 1.
    """

    def __init__(
        self,
        source: int,
        channels: int,
        *,
        heads: int,
        rotary: bool,
        normaliser: bool,
        multi_head: bool,
        input_gate: bool,
        forget_gate: bool,
        shortcut: bool,
    ) -> None:
        super().__init__()
        check_heads(channels, heads)
        self.keyed = channels if multi_head else channels // heads
        if rotary and self.keyed % 4:
            raise ValueError(
                "rotary needs queries of a multiple of 4 channels; "
                f"got channels={channels}, heads={heads}, multi_head={multi_head}"
            )
        self.query_key = nn.Linear(source, 2 * self.keyed)
        self.rank = math.ceil(channels / 16) if input_gate else 0
        if input_gate:
            self.step = nn.Sequential(
                nn.Linear(source, self.rank, bias=False), nn.Linear(self.rank, channels, bias=False)
            )
            self.step_bias = nn.Parameter(torch.full((channels,), GATE_AT_1))
        self.forget = nn.Linear(source, heads, bias=False) if forget_gate else None
        if forget_gate:
            self.forget_bias = nn.Parameter(initial_step_bias(heads))
        self.skip = nn.Parameter(torch.ones(channels)) if shortcut else None
        self.source, self.channels, self.heads = source, channels, heads
        self.rotary, self.normaliser, self.multi_head = rotary, normaliser, multi_head

    def forward(self, source: Tensor, value: Tensor) -> Tensor:
        """Attend over all pixels of (B, H, W, C); shape unchanged."""
        joined = self.query_key(source)  # (B, H, W, 2 K)
        both = positive(joined).reshape(*joined.shape[:-1], 2, self.keyed)
        gated = value * F.softplus(self.step(source) + self.step_bias) if self.rank else value
        numerator = turned_by_position(both) if self.rotary else both
        query, key = self._split(numerator)
        mass = self._split(both) if self.normaliser else None
        if self.forget is None:
            y = self._everything(query, key, gated, mass)
        else:
            with full_precision(source):  # sums run along the whole image
                log_decay = -F.softplus(self.forget(widened(source)) + self.forget_bias)
                y = self._what_is_left(query, key, gated, mass, log_decay)
        y = y.transpose(1, 2).reshape(value.shape).to(value.dtype)
        return y if self.skip is None else y + self.skip * value

    def _everything(
        self, query: Tensor, key: Tensor, value: Tensor, mass: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        """Every pixel attends to all, (B, heads, L, d) and (B, H, W, C) -> (B, heads, L, P)."""
        values = self._values(value, query.shape[1])
        return kernel_attention(query, key, values, key_mass(*mass) if mass else None)

    def _what_is_left(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mass: tuple[Tensor, Tensor] | None,
        log_decay: Tensor,
    ) -> Tensor:
        """Every pixel attends to those before it, less the more pixels lie between."""
        values = self._values(widened(value), self.heads).transpose(1, 2)  # (B, L, heads, P)
        log_decay = log_decay.flatten(1, 2)  # (B, L, heads)
        if self.multi_head:  # each head is a sequence of its own, (B heads, L, 1, P)
            values, log_decay = (
                part.transpose(1, 2).flatten(0, 1).unsqueeze(2) for part in (values, log_decay)
            )

        def left(query: Tensor, key: Tensor, values: Tensor) -> Tensor:
            read, write = (widened(part).flatten(0, 1) for part in (query, key))
            return dual_scan(values, log_decay, write, read, chunk=CHUNK)

        y = left(query, key, values)
        if mass:
            y = y / (left(*mass, torch.ones_like(values[..., :1])) + EPSILON)
        if self.multi_head:
            return y.reshape(len(value), self.heads, -1, y.shape[-1])
        return y.transpose(1, 2)

    def _split(self, both: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, W, 2, K) -> query and key, (B, heads, L, d) each, or (B, 1, L, d)."""
        heads = self.heads if self.multi_head else 1
        tokens = both.reshape(both.shape[0], -1, 2, heads, self.keyed // heads)
        query, key = tokens.transpose(1, 3).unbind(2)
        return query, key

    def _values(self, value: Tensor, heads: int) -> Tensor:
        """(B, H, W, C) -> (B, heads, L, C / heads)."""
        return value.reshape(value.shape[0], -1, heads, self.channels // heads).transpose(1, 2)

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        pixels, depth = height * width, self.channels // self.heads
        linear = 2 * self.source * self.keyed + self.rank * (self.source + self.channels)
        if self.forget is None:
            mass = self.keyed if self.normaliser else 0
            return pixels * (linear + 2 * self.channels * depth + mass)
        sequences, values = (self.heads, 1) if self.multi_head else (1, self.heads)
        attention = dual_scan_macs(pixels, values * depth, depth, CHUNK)
        mass = dual_scan_macs(pixels, values, depth, CHUNK) if self.normaliser else 0
        scans = sequences * (attention + mass)
        return pixels * (linear + self.source * self.heads) + scans
