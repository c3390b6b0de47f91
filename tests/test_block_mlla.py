"""MLLA is held to its equations, to ACL's block, to its published counts, and to its ladder."""

from __future__ import annotations

import cmath

import pytest
import torch
import torch.nn.functional as F

import blocks
from blocks._linear_attention import turned_by_position
from tests.test_blocks import counted_macs, image, perturbed

PLAIN = {
    "design": "transformer",
    "rotary": False,
    "local_position": False,
    "conditional_position": False,
}
LADDER = {
    "plain": PLAIN,
    "input gate": {**PLAIN, "input_gate": True},
    "forget gate": {**PLAIN, "forget_gate": True},
    "shortcut": {**PLAIN, "shortcut": True},
    "no normaliser": {**PLAIN, "normaliser": False},
    "no heads": {**PLAIN, "multi_head": False},
    "mamba": {"design": "mamba", "expand": 2.0, "rotary": False},
    "all of mamba": {
        "design": "mamba",
        "expand": 1.5,
        "input_gate": True,
        "forget_gate": True,
        "shortcut": True,
        "normaliser": False,
        "multi_head": False,
        "rotary": False,
    },
    "forget gate and rotary": {"forget_gate": True},
    "one head": {"heads": 1},
    "no heads, rotary": {"multi_head": False, "heads": 2},
}
every_rung = pytest.mark.parametrize("knobs", LADDER.values(), ids=list(LADDER))


def parameters(channels: int, **knobs: object) -> int:
    with torch.device("meta"):
        block = blocks.make("mlla", channels, **knobs)
    return sum(p.numel() for p in block.parameters())


# Positions.


def test_pairs_of_channels_are_turned_by_row_and_then_by_column():
    pixels = image(1, 3, 5, 8).double()
    turned = turned_by_position(pixels)
    for row in range(3):
        for column in range(5):
            for pair in range(4):
                place, k = (row, pair) if pair < 2 else (column, pair - 2)
                real, imaginary = pixels[0, row, column, 2 * pair : 2 * pair + 2].tolist()
                expected = complex(real, imaginary) * cmath.exp(1j * place * 1e4 ** (-k / 2))
                actual = complex(*turned[0, row, column, 2 * pair : 2 * pair + 2].tolist())
                assert actual == pytest.approx(expected, abs=1e-12)


def test_products_of_turned_channels_depend_on_the_distance_alone():
    a, b = image(2, 8, seed=3).double()
    query, key = (turned_by_position(c.expand(1, 9, 7, 8))[0] for c in (a, b))
    torch.testing.assert_close((query[5, 4] * key[3, 5]).sum(), (query[3, 2] * key[1, 3]).sum())
    assert not torch.isclose((query[5, 4] * key[3, 5]).sum(), (query[5, 4] * key[5, 5]).sum())


def test_half_floats_are_turned_by_full_angles():
    pixels = image(1, 300, 4, 8)
    rough = turned_by_position(pixels.bfloat16())
    assert rough.dtype == torch.bfloat16
    exact = turned_by_position(pixels)
    assert (rough.float() - exact).norm() < 0.005 * exact.norm()


# The block.


def norm(layer, pixels):
    return F.layer_norm(pixels, (pixels.shape[-1],), layer.weight, layer.bias)


def convolved(layer, pixels):
    return layer(pixels.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def attention_written_out(block, source, value, heads):
    """Weights between all pairs of pixels."""
    batch, height, width, _ = value.shape
    q, k = (F.elu(block.attention.query_key(source)) + 1).chunk(2, dim=-1)
    turned_q, turned_k = turned_by_position(q), turned_by_position(k)

    def split(x):
        return x.reshape(batch, height * width, heads, -1).transpose(1, 2)

    q, k, turned_q, turned_k, v = (split(x) for x in (q, k, turned_q, turned_k, value))
    weights = turned_q @ turned_k.transpose(-2, -1)
    weights = weights / (q @ k.transpose(-2, -1)).sum(-1, keepdim=True)
    return (weights @ v).transpose(1, 2).reshape(value.shape)


def test_it_is_its_equations_written_out_even_where_height_is_not_width():
    block, x = perturbed("mlla", heads=2).double(), image(2, 8, 5, 7).double()
    with torch.no_grad():
        y = x.permute(0, 2, 3, 1)
        y = y + convolved(block.position, y)
        u = norm(block.norm, y)
        v = F.silu(convolved(block.depthwise, block.enter(u)))
        a = attention_written_out(block, v, v, heads=2) + convolved(block.local, v)
        y = y + block.leave(a * F.silu(block.gate(u)))
        y = y + convolved(block.late_position, y)
        expected = (y + block.mlp(norm(block.mlp_norm, y))).permute(0, 3, 1, 2)
        torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)  # EPSILON


def test_without_rotary_and_half_as_wide_it_is_lama():
    lama = perturbed("lama", 32)
    mlla = blocks.make("mlla", 32, rotary=False, mlp_ratio=2.0).eval()
    renamed = {"query_key": "attention.query_key"}
    state = {
        renamed.get(name.rpartition(".")[0], name.rpartition(".")[0]) + "." + name.split(".")[-1]: p
        for name, p in lama.state_dict().items()
    }
    mlla.load_state_dict(state)
    x = image(2, 32, 9, 14)
    with torch.no_grad():
        torch.testing.assert_close(mlla(x), lama(x))
    assert mlla.macs(9, 14) == lama.macs(9, 14)


@pytest.mark.parametrize(
    ("channels", "heads", "count", "side", "giga"),
    [(32, 2, 15_040, 256, 1.038), (64, 4, 56_704, 128, 0.955), (128, 8, 219_904, 64, 0.914)],
)
def test_counts_are_those_measured_on_the_released_code(channels, heads, count, side, giga):
    assert parameters(channels, heads=heads) == count
    with torch.device("meta"):
        block = blocks.make("mlla", channels, heads=heads)
    norms = 2 * 5 * channels * side**2  # as fvcore counts them
    assert (block.macs(side, side) + norms) / 1e9 == pytest.approx(giga, abs=5e-4)


# The ladder from linear attention to Mamba.


@every_rung
def test_every_rung_counts_its_cost_and_trains_all_of_its_parameters(knobs):
    with torch.device("meta"):
        block = blocks.make("mlla", 16, **knobs).eval()
    for size in ((32, 32), (13, 22), (2, 3)):
        assert block.macs(*size) == counted_macs(block, 16, *size)
    block, x = perturbed("mlla", 16, **knobs), image(2, 16, 9, 12)
    (block(x) * image(2, 16, 9, 12, seed=2)).sum().backward()
    assert [n for n, p in block.named_parameters() if p.grad is None or not p.grad.any()] == []


@every_rung
def test_every_rung_survives_half_floats_and_another_batch(knobs):
    block, x = perturbed("mlla", 16, **knobs), image(3, 16, 16, 24)
    with torch.no_grad():
        exact, alone = block(x), torch.cat([block(row[None]) for row in x])
        torch.testing.assert_close(exact, alone, rtol=1e-4, atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            rough = block(x)
    assert (rough.float() - exact).norm() <= 0.02 * exact.norm()


def test_the_plain_rung_is_a_transformer_with_linear_attention():
    block, x = perturbed("mlla", heads=2, **PLAIN).double(), image(2, 8, 5, 7).double()
    with torch.no_grad():
        y = x.flatten(2).transpose(1, 2)
        u = norm(block.norm, y)
        q, k = (F.elu(block.attention.query_key(u)) + 1).chunk(2, dim=-1)
        v, found = block.enter(u), []
        for head in (slice(0, 4), slice(4, 8)):
            weights = q[..., head] @ k[..., head].transpose(1, 2)
            found.append(weights / weights.sum(-1, keepdim=True) @ v[..., head])
        y = y + block.leave(torch.cat(found, dim=-1))
        expected = (y + block.mlp(norm(block.mlp_norm, y))).transpose(1, 2).reshape(x.shape)
        torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)


def core(**knobs: object) -> torch.nn.Module:
    return perturbed("mlla", heads=2, **{**PLAIN, **knobs}).double().attention


def compare(expected, **knobs):
    """Hold the attention of a rung to `expected`(attention, source, value, q, k), (B, L, 8)."""
    attention, (source, value) = core(**knobs), image(2, 1, 4, 6, 8).double()
    with torch.no_grad():
        tokens = source.flatten(1, 2), value.flatten(1, 2)
        q, k = (F.elu(attention.query_key(tokens[0])) + 1).chunk(2, dim=-1)
        torch.testing.assert_close(
            attention(source, value).flatten(1, 2),
            expected(attention, *tokens, q, k),
            rtol=1e-5,
            atol=1e-5,
        )


def weighted(q, k, v, causal=1.0, normalised=True):
    found = []
    for head in (slice(0, 4), slice(4, 8)):
        weights = q[..., head] @ k[..., head].transpose(1, 2) * causal
        sums = weights.sum(-1, keepdim=True) if normalised else v.shape[1]
        found.append(weights / sums @ v[..., head])
    return torch.cat(found, dim=-1)


def test_an_input_gate_scales_the_values_and_starts_at_1():
    def expected(attention, source, value, q, k):
        step = F.softplus(attention.step(source) + attention.step_bias)
        return weighted(q, k, value * step)

    compare(expected, input_gate=True)
    fresh = blocks.make("mlla", 8, input_gate=True).attention
    torch.testing.assert_close(F.softplus(fresh.step_bias), torch.ones(8))


def test_a_shortcut_adds_the_values():
    compare(lambda a, _, v, q, k: weighted(q, k, v) + a.skip * v, shortcut=True)


def test_without_normaliser_the_sum_is_divided_by_the_number_of_pixels():
    compare(lambda a, _, v, q, k: weighted(q, k, v, normalised=False), normaliser=False)


def test_without_heads_all_values_share_one_query_and_key():
    def expected(attention, source, value, q, k):
        weights = q @ k.transpose(1, 2)  # of 4 channels
        return weights / weights.sum(-1, keepdim=True) @ value

    compare(expected, multi_head=False)
    both = parameters(64, heads=2, **PLAIN), parameters(64, heads=2, multi_head=False, **PLAIN)
    assert both[0] - both[1] == 2 * 32 * (64 + 1)


@pytest.mark.parametrize("normaliser", [True, False])
@pytest.mark.parametrize("multi_head", [True, False])
def test_a_forget_gate_is_a_recurrence_in_raster_order(normaliser, multi_head):
    def expected(attention, source, value, q, k):
        left = torch.exp(-F.softplus(attention.forget(source) + attention.forget_bias))
        out = torch.zeros_like(value)
        for head in range(2):
            state, keys = torch.zeros(4, 4).double(), torch.zeros(4).double()
            own = slice(4 * head, 4 * head + 4)
            of = own if multi_head else slice(0, 4)
            for i in range(value.shape[1]):
                state = left[0, i, head] * state + k[0, i, of, None] * value[0, i, own]
                keys = left[0, i, head] * keys + k[0, i, of]
                total = q[0, i, of] @ keys if normaliser else 1.0
                out[0, i, own] = q[0, i, of] @ state / total
        return out

    compare(expected, forget_gate=True, normaliser=normaliser, multi_head=multi_head)


def test_with_a_forget_gate_a_pixel_sees_those_before_it_and_none_after():
    block, x = perturbed("mlla", **{**PLAIN, "forget_gate": True}), image(1, 8, 9, 9)
    x.requires_grad_()
    block(x)[0, :, 4, 4].sum().backward()
    reached = x.grad[0].abs().sum(0).flatten() > 0
    assert reached.tolist() == [pixel <= 4 * 9 + 4 for pixel in range(81)]


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (30, {}, "channels must be a multiple of heads; got channels=30, heads=4"),
        (8, {"heads": 0}, "heads must be at least 1; got heads=0"),
        (
            30,
            {"heads": 3},
            "rotary needs queries of a multiple of 4 channels; "
            "got channels=30, heads=3, multi_head=True",
        ),
        (
            8,
            {"multi_head": False},
            "rotary needs queries of a multiple of 4 channels; "
            "got channels=8, heads=4, multi_head=False",
        ),
        (
            8,
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
        (
            8,
            {"expand": 0.1},
            "expand times channels must be at least 1; got expand times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("mlla", channels, **knobs)
    assert str(error.value) == message
