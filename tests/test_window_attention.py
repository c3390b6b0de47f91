"""Shifted-window attention, held to its equations with windows cut plainly from the image."""

from __future__ import annotations

import itertools

import pytest
import torch

from blocks._window_attention import WindowAttention

CUTS = [(size, shift) for size in (1, 3, 4, 5, 7, 8, 9, 10, 11, 12) for shift in (0, 1, 2, 3)]


def attention(window: int = 4, heads: int = 2, shift: int = 0) -> WindowAttention:
    torch.manual_seed(0)
    return WindowAttention(6, window=window, heads=heads, shift=shift).double()


def pieces(size: int, window: int, shift: int) -> list[range]:
    """The rows of each window: cut at shift, shift + window, ...; one window is not cut at all."""
    if size <= window:
        return [range(size)]
    cuts = [0, *(cut for cut in range(shift, size, window) if cut), size]
    return [range(a, b) for a, b in itertools.pairwise(cuts)]


def written_out(layer: WindowAttention, x: torch.Tensor) -> torch.Tensor:
    """Attention of each window by itself, with the bias looked up pair by pair."""
    out, width = torch.zeros_like(x), 2 * layer.window - 1
    for rows in pieces(x.shape[1], layer.window, layer.shift):
        for columns in pieces(x.shape[2], layer.window, layer.shift):
            places = [(r, c) for r in rows for c in columns]
            tokens = torch.stack([x[:, r, c] for r, c in places], 1)
            q, k, v = (
                t.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
                for t in layer.qkv(tokens).chunk(3, -1)
            )
            offsets = [
                [(r - s + layer.window - 1) * width + c - d + layer.window - 1 for s, d in places]
                for r, c in places
            ]
            bias = layer.bias[torch.tensor(offsets)].permute(2, 0, 1)
            logits = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + bias
            mixed = layer.project((logits.softmax(-1) @ v).transpose(1, 2).flatten(2))
            for i, (r, c) in enumerate(places):
                out[:, r, c] = mixed[:, i]
    return out


@pytest.mark.parametrize(("size", "shift"), CUTS)
def test_it_is_attention_within_windows_cut_at_the_shift_for_any_size(size, shift):
    layer = attention(shift=shift)
    layer.bias.data.normal_()
    for height, width in ((size, 9), (12, size)):
        x = torch.randn(2, height, width, 6).double()
        with torch.no_grad():
            torch.testing.assert_close(layer(x), written_out(layer, x))


def test_gradients_are_those_of_the_equations():
    layer = attention(shift=2)
    x, upstream = torch.randn(1, 7, 9, 6).double(), torch.randn(1, 7, 9, 6).double()
    found = []
    for compute in (layer, lambda x: written_out(layer, x)):
        layer.zero_grad()
        (compute(x) * upstream).sum().backward()
        found.append([p.grad.clone() for p in layer.parameters()])
    for actual, expected in zip(*found, strict=True):
        torch.testing.assert_close(actual, expected)


def test_windows_with_no_seam_share_one_call_and_one_bias(monkeypatch):
    calls = []
    real = torch.nn.functional.scaled_dot_product_attention

    def spy(query, key, value, bias):
        calls.append((query.shape[0], bias.shape[0]))
        return real(query, key, value, bias)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    with torch.no_grad():
        attention()(torch.randn(1, 16, 16, 6).double())
    assert calls == [(16, 1)]
    calls.clear()
    with torch.no_grad():
        attention(shift=2)(torch.randn(1, 16, 16, 6).double())
    assert calls == [(9, 1), (3, 1), (3, 1), (1, 1)]


def test_the_bias_starts_small_and_random():
    table = WindowAttention(8, window=8, heads=4).bias
    assert table.shape == (225, 4)
    assert 0.015 < table.std() < 0.025


def test_parameters_and_macs_a_token_are_the_published_closed_forms():
    layer = WindowAttention(60, window=8, heads=6, shift=4)
    assert sum(p.numel() for p in layer.parameters()) == 4 * 60**2 + 4 * 60 + 15**2 * 6
    assert layer.macs(64, 64) == 64 * 64 * (4 * 60**2 + 2 * 8**2 * 60)
