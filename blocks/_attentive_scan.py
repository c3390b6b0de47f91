"""One selective scan over pixels that are sorted by what they look like (MambaIRv2's ASSM)."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from blocks._layout import check_at_least, to_grid, to_pixels
from blocks._precision import full_precision
from blocks._scan_parameters import initial_step_bias, uniform
from blocks.scan import selective_scan

Prompt = Literal["C", "B", "delta", "y", "none"]


class Prompting(NamedTuple):
    """How pixels are sorted and prompted.

    Args:
        prompt: Where p is added; "delta" is the step before its softplus. p has N numbers for
            "C" and "B", D for "delta" and "y".
        neighbouring: Whether pixels are sorted.
        permute_prompt: Whether a pixel's prompt is sorted with it.
        noise: Whether Gumbel noise is added in evaluation, too.
    """

    prompt: Prompt
    neighbouring: bool
    permute_prompt: bool
    noise: bool


class AttentiveScan(nn.Module):
    """Norms, routes each pixel to one of the tokens, sorts by token, scans once, sorts back.

    x: (B, H, W, C) -> (B, H, W, C).
    u = norm(x); t = argmax of Linear(GELU(Linear(u))), C to C / 3 to T, one token of T for each
    pixel; p = (M E)_t, the prompt, M (T, r) and E (r, N) learnt; a = conv1x1(u), C to D;
    a = a * sigmoid(depthwise3x3(a)); pixels sorted by t, those of equal t in raster order;
    (delta, B, C) = Linear(a), step = softplus(Linear(delta)),
    h_i = exp(step A) h_(i-1) + step B a_i, y_i = (C + p) h_i + skip a_i;
    out = Linear(norm(y)), back in raster order.
    The choice is hard, its gradient that of the softmax (straight-through), in evaluation too. In
    training Gumbel noise is added before the argmax. All up to p is computed in float32, and so
    is the scan: under autocast a rounded logit would send a pixel elsewhere.
    Cost: see `macs`; reach: the image, from pixels of earlier tokens or earlier in raster order.

    Args:
        channels: C; at least 3.
        hidden: D, channels of the scan.
        states: N, states of each of them.
        tokens: T.
        rank: r.
        prompting: Where p is added, and what is sorted.
    """

    def __init__(
        self,
        channels: int,
        *,
        hidden: int,
        states: int,
        tokens: int,
        rank: int,
        prompting: Prompting,
    ) -> None:
        super().__init__()
        prompt, neighbouring = prompting.prompt, prompting.neighbouring
        for name, value in (("states", states), ("tokens", tokens), ("rank", rank)):
            check_at_least(name, value)
        check_at_least("channels", channels, 3)
        self.channels, self.hidden, self.states, self.rank = channels, hidden, states, rank
        self.tokens = tokens if prompt != "none" or neighbouring else 0
        self.prompted = {"C": states, "B": states, "delta": hidden, "y": hidden, "none": 0}[prompt]
        self.prompt, self.neighbouring = prompt, neighbouring
        self.permute_prompt, self.noise = prompting.permute_prompt, prompting.noise
        self.norm = nn.LayerNorm(channels)
        if self.tokens:
            self.route = nn.Sequential(
                nn.Linear(channels, channels // 3), nn.GELU(), nn.Linear(channels // 3, tokens)
            ).requires_grad_(prompt != "none")
        if self.prompted:
            self.pool_tokens = nn.Parameter(uniform(1 / tokens, tokens, rank))
            self.pool_states = nn.Parameter(uniform(1 / rank, rank, self.prompted))
        self.enter = nn.Conv2d(channels, hidden, 1)
        self.gate = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.step_rank = math.ceil(hidden / 16)
        self.select = nn.Parameter(uniform(hidden**-0.5, self.step_rank + 2 * states, hidden))
        self.step = nn.Parameter(uniform(self.step_rank**-0.5, hidden, self.step_rank))
        self.step_bias = nn.Parameter(initial_step_bias(hidden))
        rates = torch.arange(1, states + 1, dtype=torch.float32).log()
        self.log_rate = nn.Parameter(rates.repeat(hidden, 1))  # A = -exp(log_rate)
        self.skip = nn.Parameter(torch.ones(hidden))
        self.scan_norm = nn.LayerNorm(hidden)
        self.leave = nn.Linear(hidden, channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Scan (B, H, W, C); shape unchanged."""
        with full_precision(pixels):
            normed = self.norm(pixels.to(self.norm.weight.dtype))  # (B, H, W, C)
            labels, prompt = self._choose(normed.flatten(1, 2)) if self.tokens else (None, None)
        content = self.enter(to_grid(normed))
        content = content * self.gate(content).sigmoid()  # (B, D, H, W)
        tokens = to_pixels(content).flatten(1, 2)  # (B, L, D)
        if labels is None or not self.neighbouring:
            return self._scan(tokens, prompt).reshape(pixels.shape)
        order = labels.argsort(dim=-1, stable=True)  # (B, L)
        if prompt is not None and self.permute_prompt:
            prompt = _take(prompt, order)
        scanned = self._scan(_take(tokens, order), prompt)
        return _take(scanned, _inverse(order)).reshape(pixels.shape)

    def _choose(self, normed: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, L, C) -> the token of each pixel, (B, L), and its prompt, (B, L, N)."""
        logits: Tensor = self.route(normed)  # (B, L, T)
        if self.noise or self.training:
            logits = logits - torch.empty_like(logits).exponential_().log()
        labels = logits.argmax(-1)
        if not self.prompted:
            return labels, None
        choice = torch.zeros_like(logits).scatter(-1, labels.unsqueeze(-1), 1.0)
        if logits.requires_grad:  # straight-through: the value of choice, the gradient of soft
            soft = logits.softmax(-1)
            choice = choice + (soft - soft.detach())
        return labels, choice @ (self.pool_tokens @ self.pool_states)

    def _scan(self, tokens: Tensor, prompt: Tensor | None) -> Tensor:
        """(B, L, D) in the order of the scan, and prompts for its places -> (B, L, C)."""
        sequence = tokens.transpose(1, 2).contiguous()  # (B, D, L)
        ranks = [self.step_rank, self.states, self.states]
        low, write, read = torch.split(self.select @ sequence, ranks, dim=1)
        given = {"C": read, "B": write, "delta": self.step @ low}
        if prompt is not None and self.prompt in given:
            given[self.prompt] = given[self.prompt] + prompt.transpose(1, 2)
        y = selective_scan(
            sequence,
            given["delta"],
            -self.log_rate.exp(),
            given["B"].unsqueeze(1),
            given["C"].unsqueeze(1),
            self.skip,
            self.step_bias,
        ).transpose(1, 2)
        if prompt is not None and self.prompt == "y":
            y = y + prompt
        out: Tensor = self.leave(self.scan_norm(y))
        return out

    def macs(self, height: int, width: int) -> int:
        """Multiply-adds for one image."""
        third = self.channels // 3
        route = third * (self.channels + self.tokens) if self.tokens else 0
        select = self.hidden * (2 * self.step_rank + 2 * self.states)
        scan = self.hidden * (9 * self.states + 1)
        content = self.hidden * (2 * self.channels + 9)
        pixel = route + self.tokens * self.prompted + select + scan + content
        return pixel * height * width + self.tokens * self.rank * self.prompted


def _take(tokens: Tensor, order: Tensor) -> Tensor:
    """(B, L, D) -> (B, L, D), the tokens at the places (B, L) in turn.

    As one selection of rows, four times as fast as a gather with an index for each number.
    """
    batch, length = order.shape
    first = torch.arange(batch, device=order.device).unsqueeze(1) * length
    return tokens.flatten(0, 1).index_select(0, (order + first).flatten()).reshape(tokens.shape)


def _inverse(order: Tensor) -> Tensor:
    """(B, L) -> (B, L), the permutations that undo these."""
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    return torch.zeros_like(order).scatter(1, order, places)
