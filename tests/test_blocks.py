"""Every registered block is asked the same questions; then each is held to its own equations."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import blocks
from blocks._directional_scan import DirectionalScan
from blocks._layout import ChannelNorm, from_windows, pad_to_multiple, to_windows
from blocks._routing import forcing, in_turn, turns
from blocks._scan_parameters import STEP_FLOOR, STEP_RANGE

GOLDEN = Path(__file__).parent / "golden" / "blocks.json"
FAMILIES = {"cnn", "mamba", "attention", "linear_attention", "moe", "prompt", "none"}
SIZES = [(7, 9), (64, 64), (65, 130)]
# At 8 channels they have heads or experts of one channel, whose attention or norm is constant.
WIDER = {"mhamb": 16, "moce": 16}

every_block = pytest.mark.parametrize("name", list(blocks.blocks))


def perturbed(name: str, channels: int = 8, **knobs: object) -> torch.nn.Module:
    """A block in eval mode with no parameter at a special value, the same at every call."""
    torch.manual_seed(0)
    block = blocks.make(name, channels, **knobs).eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return block


def image(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def all_of(block: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a block returns; of one that routes, the sum over its experts, each forced in turn."""
    outputs = []
    for turn in range(turns(block)):
        with forcing(block, partial(in_turn, turn=turn)):
            outputs.append(block(x))
    return torch.stack(outputs).sum(0)


def scan_flops(u, delta, rates, *_, **__) -> int:
    batch, channels, length = u
    return 2 * (9 * batch * length * channels * rates[1] + batch * length * channels)


def counted_macs(block: torch.nn.Module, channels: int, height: int, width: int) -> int:
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.ablate.selective_scan: scan_flops}
    )
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        block(torch.empty(1, channels, height, width, device="meta"))
    return counter.get_total_flops() // 2


def costs(name: str) -> dict[str, int]:
    with torch.device("meta"):
        block = blocks.make(name, 32)
    return {
        "parameters": sum(p.numel() for p in block.parameters()),
        "macs": block.macs(32, 32),
    }


# Questions to every block.


@every_block
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_shape_is_kept_for_any_size_and_batch(name, height, width, batch):
    x = image(1, 8, height, width).expand(batch, -1, -1, -1)
    with torch.no_grad():
        y = perturbed(name)(x)
    assert y.shape == x.shape
    assert y.isfinite().all()


@every_block
def test_batch_rows_do_not_mix(name):
    block, x = perturbed(name), image(3, 8, 12, 20)
    with torch.no_grad():
        together, alone = block(x), torch.cat([block(row[None]) for row in x])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@every_block
def test_the_gradient_reaches_every_parameter_and_the_input(name):
    channels = WIDER.get(name, 8)
    block, x = perturbed(name, channels), image(2, channels, 17, 12).requires_grad_()
    (all_of(block, x) * image(2, channels, 17, 12, seed=2)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    silent = [n for n, p in block.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@every_block
def test_it_trains_in_training_mode(name):
    block, x = perturbed(name).train(), image(2, 8, 16, 16).requires_grad_()
    all_of(block, x).square().mean().backward()
    gradients = [x.grad, *(p.grad for p in block.parameters())]
    assert all(g is not None and g.isfinite().all() for g in gradients)


@every_block
def test_bfloat16_autocast_is_close_to_float32(name):
    block, x = perturbed(name), image(2, 8, 16, 24)
    with torch.no_grad():
        exact = block(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough = block(x)
    assert (rough.float() - exact).norm() <= 0.02 * exact.norm()


@every_block
def test_channels_last_memory_gives_the_same(name):
    block, x = perturbed(name), image(2, 8, 15, 16)
    with torch.no_grad():
        expected = block(x)
        block.to(memory_format=torch.channels_last)
        actual = block(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@every_block
def test_the_same_seed_and_input_give_the_same_output(name):
    x = image(2, 8, 9, 16)
    with torch.no_grad():
        assert torch.equal(perturbed(name)(x), perturbed(name)(x))


@every_block
def test_a_state_dict_carries_everything(name, tmp_path):
    block, x = perturbed(name), image(1, 8, 9, 16)
    torch.save(block.state_dict(), tmp_path / "block.pt")
    torch.manual_seed(5)
    fresh = blocks.make(name, 8).eval()
    fresh.load_state_dict(torch.load(tmp_path / "block.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(fresh(x), block(x))


@every_block
@pytest.mark.parametrize(("height", "width"), [(32, 32), (13, 22)])
def test_closed_form_macs_are_what_a_counter_counts(name, height, width):
    with torch.device("meta"):
        block = blocks.make(name, 16).eval()
    assert block.macs(height, width) == counted_macs(block, 16, height, width)


@every_block
def test_parameters_and_macs_are_as_recorded(name):
    recorded = json.loads(GOLDEN.read_text())
    assert recorded.get(name) == costs(name), "to record on purpose: python -m tests.test_blocks"


@every_block
def test_it_says_what_it_is(name):
    entry = blocks.blocks[name]
    text = entry.make.__doc__
    assert entry.summary.endswith(".")
    assert entry.facts["family"] in FAMILIES
    assert len(str(entry.facts["source"])) > 20
    for words in ("(B, C, H, W) -> (B, C, H, W)", "Cost:", "reach:", "channels: "):
        assert words in text
    assert [k.name for k in entry.knobs.values() if not k.doc] == []
    assert entry.supplied[0] == "channels"
    assert set(entry.supplied) <= {"channels", "index", "context"}


@every_block
def test_it_exports(name):
    block, x = perturbed(name), image(1, 8, 16, 24)
    exported = torch.export.export(block, (x,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(x), block(x), rtol=1e-4, atol=1e-5)


# Published numbers.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nafblock", (8_224, 30_784, 118_912)),
        ("rdcnn", (10_656, 41_792, 165_504)),
        ("emvm", (31_872, 94_464, 311_808)),
        ("mwsa", (9_909, 38_890, 154_068)),
        ("lama", (10_880, 40_192, 154_112)),
    ],
)
def test_parameters_are_those_of_the_released_models(name, expected):
    counts = []
    for channels, heads in ((32, 2), (64, 4), (128, 8)):
        knobs = {"heads": heads} if name == "lama" else {}
        with torch.device("meta"):
            block = blocks.make(name, channels, **knobs)
        counts.append(sum(p.numel() for p in block.parameters()))
    assert tuple(counts) == expected


# Errors name the knob, what came and the rule.


@pytest.mark.parametrize(
    ("name", "channels", "knobs", "message"),
    [
        ("mwsa", 30, {}, "channels must be a multiple of heads; got channels=30, heads=4"),
        ("lama", 30, {}, "channels must be a multiple of heads; got channels=30, heads=4"),
        ("lama", 32, {"heads": 0}, "heads must be at least 1; got heads=0"),
        ("mwsa", 32, {"window": 0}, "window must be at least 1; got window=0"),
        (
            "emvm",
            8,
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
        ("emvm", 8, {"states": 0}, "states must be at least 1; got states=0"),
        (
            "nafblock",
            7,
            {"expand": 1},
            "channels times expand must be even; got channels=7, expand=1",
        ),
    ],
)
def test_what_cannot_be_built_says_why(name, channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make(name, channels, **knobs)
    assert str(error.value) == message


# Shared helpers.


def test_windows_are_cut_and_joined_in_raster_order():
    pixels = torch.arange(16.0).reshape(1, 4, 4, 1)
    windows = to_windows(pixels, 2)
    assert windows[..., 0].tolist() == [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
        [8, 9, 12, 13],
        [10, 11, 14, 15],
    ]
    assert torch.equal(from_windows(windows, 2, 4, 4), pixels)


def test_padding_goes_right_and_down_and_only_where_needed():
    x = torch.ones(1, 1, 3, 4)
    assert pad_to_multiple(x, 4).sum() == 12
    assert pad_to_multiple(x, 4).shape == (1, 1, 4, 4)
    assert pad_to_multiple(x, 4, "replicate").sum() == 16
    assert pad_to_multiple(x[:, :, :2], 2).data_ptr() == x.data_ptr()


def test_channel_norm_gives_each_pixel_mean_0_and_variance_1_over_channels():
    y = ChannelNorm(64)(image(2, 64, 3, 5))
    torch.testing.assert_close(y.mean(1), torch.zeros(2, 3, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(y.var(1, correction=0), torch.ones(2, 3, 5), rtol=1e-4, atol=0)


# Each block and its equations.


def test_an_untrained_nafblock_is_the_identity():
    x = image(2, 8, 6, 7)
    assert torch.equal(blocks.make("nafblock", 8)(x), x)


def test_nafblock_is_its_equations_written_out():
    block, x = perturbed("nafblock"), image(1, 8, 6, 7)

    def norm(layer, a):
        centred = a - a.mean(1, keepdim=True)
        a = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
        return a * layer.weight[:, None, None] + layer.bias[:, None, None]

    with torch.no_grad():
        a = block.depthwise(block.enter(norm(block.norm, x)))
        a = a[:, :8] * a[:, 8:]
        a = block.leave(a * block.attention(F.adaptive_avg_pool2d(a, 1)))
        y = x + block.beta * a
        b = block.mlp_enter(norm(block.mlp_norm, y))
        expected = y + block.gamma * block.mlp_leave(b[:, :8] * b[:, 8:])
        torch.testing.assert_close(block(x), expected)


def test_rdcnn_without_norm_and_activation_is_linear():
    block, x, zero = (
        perturbed("rdcnn", norm="none", activation="none"),
        image(1, 8, 6, 7),
        torch.zeros(1, 8, 6, 7),
    )
    with torch.no_grad():
        torch.testing.assert_close(block(3 * x) - block(zero), 3 * (block(x) - block(zero)))


def test_rdcnn_reaches_the_two_pixels_around_and_no_further():
    block, x = perturbed("rdcnn"), image(1, 8, 9, 9).requires_grad_()
    block(x)[0, :, 4, 4].sum().backward()
    reached = x.grad[0].abs().sum(0) > 0
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[2:7, 2:7] = True
    assert torch.equal(reached, expected)


def test_mwsa_windows_grow_along_the_stage():
    assert [blocks.make("mwsa", 8, i).window for i in range(4)] == [8, 16, 24, 32]
    assert [blocks.make("mwsa", 8, i, grow=False).window for i in range(2)] == [8, 8]


def test_mwsa_reaches_its_own_window_and_no_further():
    block, x = perturbed("mwsa", window=4), image(1, 8, 8, 12).requires_grad_()
    block(x)[0, :, 1, 6].sum().backward()
    reached = x.grad[0].abs().sum(0) > 0
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[:4, 4:8] = True
    assert torch.equal(reached, expected)


def test_mwsa_is_attention_over_zero_padded_windows_written_out():
    block, x = perturbed("mwsa", window=4, heads=2), image(1, 8, 5, 6)
    with torch.no_grad():
        padded = F.pad(x, (0, 2, 0, 3)).permute(0, 2, 3, 1)  # (1, 8, 8, C)
        expected = padded.clone()
        qkv = block.qkv(block.norm(padded))
        for top in (0, 4):
            for left in (0, 4):
                tile = (slice(None), slice(top, top + 4), slice(left, left + 4))
                tokens = qkv[tile].reshape(16, 24)
                q, k, v = (tokens[:, i : i + 8] for i in (0, 8, 16))
                heads = [
                    torch.softmax(q[:, h] @ k[:, h].T / 2, dim=-1) @ v[:, h]
                    for h in (slice(0, 4), slice(4, 8))
                ]
                expected[tile] += block.project(torch.cat(heads, dim=1)).reshape(1, 4, 4, 8)
        expected = expected + block.mlp(block.mlp_norm(expected))
        expected = expected.permute(0, 3, 1, 2)[..., :5, :6]
        torch.testing.assert_close(block(x), expected)


def test_lama_attention_is_row_normalised_kernel_attention():
    block, pixels = perturbed("lama", heads=2), image(1, 5, 6, 8)
    with torch.no_grad():
        tokens = pixels.reshape(30, 8)
        q, k = (F.elu(block.query_key(tokens)) + 1).split(8, dim=1)
        expected = []
        for h in (slice(0, 4), slice(4, 8)):
            weights = q[:, h] @ k[:, h].T
            expected.append(weights / weights.sum(1, keepdim=True) @ tokens[:, h])
        torch.testing.assert_close(
            block._attend(pixels).reshape(30, 8), torch.cat(expected, 1), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("path", "sees_later"), [("rows", False), ("rows_back", True)])
def test_a_scan_sees_only_what_comes_before_on_its_path(path, sees_later):
    torch.manual_seed(0)
    scan, x = DirectionalScan(4, (path,)), image(1, 6, 6, 4).requires_grad_()
    scan(x)[0, 2, 2].sum().backward()
    reached = x.grad[0].abs().sum(-1) > 0
    assert reached[5, 5] == sees_later  # out of the convolution's reach
    assert reached[0, 0] != sees_later


def test_several_paths_are_the_sum_of_single_ones_before_norm_and_gate():
    torch.manual_seed(0)
    both, x = DirectionalScan(4, ("rows", "columns_back")), image(1, 4, 5, 4)
    seen = []
    both.norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        both(x)
        for k, path in enumerate(both.paths):
            single = DirectionalScan(4, (path,))
            single.norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
            state = both.state_dict()
            for name in ("select", "step", "step_bias", "log_rate", "skip"):
                state[name] = state[name].chunk(2)[k]
            single.load_state_dict(state)
            single(x)
    torch.testing.assert_close(seen[0], seen[1] + seen[2])


def test_a_scan_starts_with_the_rates_and_step_sizes_of_mamba():
    torch.manual_seed(0)
    scan = DirectionalScan(64, ("rows",))
    rates = scan.log_rate.exp()
    torch.testing.assert_close(rates, torch.arange(1.0, 17.0).expand(128, 16))
    steps = F.softplus(scan.step_bias)
    assert STEP_FLOOR < STEP_RANGE[0] * 0.999 <= steps.min() < 2 * STEP_RANGE[0]
    assert STEP_RANGE[1] / 2 < steps.max() <= STEP_RANGE[1] * 1.001


def test_emvm_adds_one_scan_at_full_and_three_paths_at_half_resolution():
    block, x = perturbed("emvm"), image(1, 8, 7, 10)
    assert block.full_scan.paths == ("rows",)
    assert block.half_scan.paths == ("columns", "rows_back", "columns_back")
    with torch.no_grad():
        pixels = x.permute(0, 2, 3, 1)
        u = F.layer_norm(pixels, (8,), block.norm.weight, block.norm.bias, 1e-6)
        even = F.pad(u.permute(0, 3, 1, 2), (0, 0, 0, 1))  # 7 rows are an even 8
        small = block.half_scan(block.down(even).permute(0, 2, 3, 1))
        half = block.up(small.permute(0, 3, 1, 2))[:, :, :7]
        y = block.scale * pixels + block.full_scan(u) + half.permute(0, 2, 3, 1)
        expected = block.mlp_scale * y + block.mlp(block.mlp_norm(y))
        torch.testing.assert_close(block(x), expected.permute(0, 3, 1, 2), rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    golden = {name: costs(name) for name in blocks.blocks}
    GOLDEN.write_text(json.dumps(golden, indent=2) + "\n")
