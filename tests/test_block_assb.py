"""MambaIRv2's layer is held to its equations, its published counts and what it can be asked."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from blocks._attentive_scan import AttentiveScan, _inverse, _take
from tests.test_blocks import image, perturbed
from tests.test_window_attention import written_out

SMALL = {"window": 4, "heads": 2, "states": 3, "tokens": 9, "rank": 2, "mlp_ratio": 1.5}


def decided(block: torch.nn.Module) -> torch.nn.Module:
    """The block with a route that depends on the pixel more than on its biases."""
    with torch.no_grad():
        for layer in (block.scan.route[0], block.scan.route[2]):
            layer.weight.normal_(generator=torch.Generator().manual_seed(7))
    return block


def double(**knobs: object) -> torch.nn.Module:
    return decided(perturbed("assb", **{**SMALL, **knobs})).double()


def parts(name: str, channels: int, **knobs: object) -> dict[str, int]:
    with torch.device("meta"):
        block = blocks.make(name, channels, **knobs)
    return {n: sum(p.numel() for p in m.parameters()) for n, m in block.named_children()} | {
        "all": sum(p.numel() for p in block.parameters())
    }


# The equations, plainly.


def scan_written_out(scan: AttentiveScan, pixels: torch.Tensor) -> torch.Tensor:
    """One image (H, W, C), pixel by pixel."""
    height, width, channels = pixels.shape
    u = F.layer_norm(pixels, (channels,), scan.norm.weight, scan.norm.bias)
    labels = scan.route(u).argmax(-1).flatten()
    prompts = (scan.pool_tokens @ scan.pool_states)[labels]
    grid = scan.enter(u.permute(2, 0, 1)[None])
    content = (grid * torch.sigmoid(scan.gate(grid)))[0].flatten(1).T  # (L, D)
    order = list(range(height * width))
    if scan.neighbouring:
        order.sort(key=lambda pixel: labels[pixel].item())  # Python sorts stably
    state = torch.zeros(scan.hidden, scan.states, dtype=pixels.dtype)
    y = torch.zeros_like(content)
    for place, pixel in enumerate(order):
        prompt = prompts[pixel if scan.permute_prompt else place]
        added = {at: prompt if scan.prompt == at else 0.0 for at in ("C", "B", "delta", "y")}
        a = content[pixel]
        ranks = (scan.step_rank, scan.states, scan.states)
        low, write, read = (scan.select @ a).split(ranks)
        step = F.softplus(scan.step @ low + added["delta"] + scan.step_bias)
        decay = torch.exp(step[:, None] * -scan.log_rate.exp())
        state = decay * state + (step * a)[:, None] * (write + added["B"])
        y[pixel] = state @ (read + added["C"]) + scan.skip * a + added["y"]
    y = F.layer_norm(y, (scan.hidden,), scan.scan_norm.weight, scan.scan_norm.bias)
    return (y @ scan.leave.weight.T + scan.leave.bias).reshape(pixels.shape)


@pytest.mark.parametrize("prompt", ["C", "B", "delta", "y"])
@pytest.mark.parametrize(("neighbouring", "permute"), [(True, False), (True, True), (False, False)])
def test_the_scan_visits_sorted_pixels_and_prompts_enter_where_asked(prompt, neighbouring, permute):
    scan = double(prompt=prompt, neighbouring=neighbouring, permute_prompt=permute).scan
    pixels = image(2, 5, 6, 8).double()
    with torch.no_grad():
        labels, _ = scan._choose(scan.norm(pixels).flatten(1, 2))
        assert all(len(of_image.unique()) > 2 for of_image in labels)
        expected = torch.stack([scan_written_out(scan, one) for one in pixels])
        torch.testing.assert_close(scan(pixels), expected)


def test_whether_prompts_follow_their_pixels_is_a_difference():
    pixels = image(1, 5, 6, 8).double()
    with torch.no_grad():
        outputs = [double(permute_prompt=follow).scan(pixels) for follow in (False, True)]
    assert not torch.allclose(*outputs)


def feed_forward_written_out(part: torch.nn.Module, x: torch.Tensor, gated: bool) -> torch.Tensor:
    y = F.gelu(part.enter(x))  # (B, H, W, m)
    if gated:
        a, b = y[..., :6], y[..., 6:]
        b = F.layer_norm(b, (6,), part.norm.weight, part.norm.bias)
        return part.leave(a * part.depthwise(b.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
    return part.leave(y + F.gelu(part.depthwise(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)))


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("index", [0, 1])
def test_the_four_parts_follow_each_other_as_published(gated, index):
    torch.manual_seed(0)
    block = decided(blocks.make("assb", 8, index, gated=gated, **SMALL).double().eval())
    assert block.attention.shift == (0, 2)[index]
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        x = image(2, 8, 7, 9).double()
        s = x.permute(0, 2, 3, 1)

        def norm(layer, a):
            return F.layer_norm(a, (8,), layer.weight, layer.bias)

        w = written_out(block.attention, norm(block.norm, s)) + s
        w = w + feed_forward_written_out(block.mlp, norm(block.mlp_norm, w), gated)
        s = s * block.scale + w
        a = s + torch.stack([scan_written_out(block.scan, one) for one in s])
        a = a + feed_forward_written_out(block.late_mlp, norm(block.late_mlp_norm, a), gated)
        expected = (s * block.late_scale + a).permute(0, 3, 1, 2)
        torch.testing.assert_close(block(x), expected)


# Published counts.


def test_the_light_layer_has_the_released_parameters_part_by_part():
    count = parts("assb", 48)
    assert count["all"] == 33_172
    assert count["attention"] == 7_056 + 6_196
    assert count["scan"] == 10_736 + 256 + 96  # 256 from rank to states, 96 of its norm
    assert count["mlp"] == count["late_mlp"] == 4_224
    assert count["all"] - sum(n for part, n in count.items() if part != "all") == 96  # scales


def test_ungated_feed_forward_parts_are_what_issue_reports_confused():
    # The light settings in the class of the larger models: 843,212 in place of 774,092, 20 layers.
    assert 20 * (parts("assb", 48, gated=False)["all"] - 33_172) == 843_212 - 774_092


@pytest.mark.parametrize(("channels", "heads", "rank"), [(132, 4, 17), (174, 6, 22)])
def test_the_larger_models_have_their_rank_of_steps(channels, heads, rank):
    knobs = {"states": 16, "tokens": 128, "rank": 64, "mlp_ratio": 2.0, "gated": False}
    with torch.device("meta"):
        scan = blocks.make("assb", channels, heads=heads, **knobs).scan
    assert (scan.step_rank, scan.hidden) == (rank, 2 * channels)


def test_multiply_adds_of_the_light_layer_are_as_measured():
    with torch.device("meta"):
        block = blocks.make("assb", 48)
    pixel, pool = 55_252 - 960 - 240 - 2 * 120, 64 * 32 * 8  # as measured at 64x64, less norms
    assert block.macs(64, 64) == pixel * 64 * 64
    assert block.macs(64, 64) == (pixel - pool // (64 * 64)) * 64 * 64 + pool
    assert block.attention.macs(64, 64) == (6_912 + 26_880) * 64 * 64


# Routing.


def test_evaluation_is_without_noise_unless_asked_and_training_is_with_it():
    x = image(1, 8, 8, 8)
    quiet, noisy = (decided(perturbed("assb", noise=noise)) for noise in (False, True))
    with torch.no_grad():
        assert torch.equal(quiet(x), quiet(x))
        assert not torch.equal(noisy(x), noisy(x))
        quiet.train()
        assert not torch.equal(quiet(x), quiet(x))


def test_noise_chooses_tokens_as_often_as_their_softmax_says():
    scan = perturbed("assb", tokens=3, noise=True).scan
    with torch.no_grad():
        normed = image(1, 1, 8).expand(1, 20_000, 8)
        labels, _ = scan._choose(normed)
        expected = scan.route(normed[0, 0]).softmax(-1)
        seen = torch.bincount(labels[0], minlength=3) / 20_000
    torch.testing.assert_close(seen, expected, rtol=0, atol=0.02)


def test_the_gradient_of_a_choice_is_that_of_its_softmax():
    scan, normed = perturbed("assb").scan, image(1, 6, 8)
    weights = image(1, 6, 8, seed=3)
    _, prompt = scan._choose(normed)
    actual = torch.autograd.grad((prompt * weights).sum(), scan.route[2].weight)
    pool = (scan.pool_tokens @ scan.pool_states).detach()
    soft = scan.route(normed).softmax(-1) @ pool
    expected = torch.autograd.grad((soft * weights).sum(), scan.route[2].weight)
    torch.testing.assert_close(actual, expected)


def test_routes_are_the_same_under_autocast():
    scan, pixels = decided(perturbed("assb", channels=32)).scan, image(1, 48, 48, 32)
    seen = []
    scan.route.register_forward_hook(lambda *given: seen.append(given[-1]))
    with torch.no_grad():
        scan(pixels)
        with torch.autocast("cpu", torch.bfloat16):
            scan(pixels)
    assert seen[1].dtype == torch.float32
    assert torch.equal(*seen)


def test_sorted_pixels_are_put_back_each_image_by_itself():
    labels = torch.tensor([[2, 0, 1, 0], [1, 1, 0, 1]])
    order = labels.argsort(dim=-1, stable=True)
    assert order.tolist() == [[1, 3, 2, 0], [2, 0, 1, 3]]
    tokens = torch.arange(16.0).reshape(2, 4, 2)
    taken = _take(tokens, order)
    assert taken[..., 0].tolist() == [[2, 6, 4, 0], [12, 8, 10, 14]]
    assert torch.equal(_take(taken, _inverse(order)), tokens)


def test_bfloat16_autocast_is_close_to_float32_where_pixels_choose_many_tokens():
    for seed in range(3):
        block, x = decided(perturbed("assb", channels=32)), image(1, 32, 24, 24, seed=seed)
        with torch.no_grad():
            exact = block(x)
            with torch.autocast("cpu", torch.bfloat16):
                rough = block(x)
        assert (rough.float() - exact).norm() <= 0.02 * exact.norm()


def test_images_of_a_batch_are_sorted_each_by_itself():
    block, x = decided(perturbed("assb")), image(3, 8, 12, 20)
    with torch.no_grad():
        alone = torch.cat([block(row[None]) for row in x])
        torch.testing.assert_close(block(x), alone, rtol=1e-4, atol=1e-5)


# The rows of the paper's ablation, and what is left out in them.


def test_leaving_parts_out_leaves_out_their_norms_and_nothing_else():
    full = parts("assb", 48)
    windows = parts("assb", 48, state_space=False)
    assert windows["all"] == full["all"] - full["scan"]
    scans = parts("assb", 48, attention=False)
    assert scans["all"] == full["all"] - full["attention"] - full["norm"]
    x = image(1, 8, 6, 6)
    for knobs in ({"state_space": False}, {"attention": False}):
        block = perturbed("assb", **knobs)
        block(x).sum().backward()
        assert all(p.grad is not None for p in block.parameters())


def test_without_prompts_the_route_is_only_there_to_sort_and_never_learns():
    sorting, plain = (
        perturbed("assb", prompt="none", neighbouring=yes).scan for yes in (True, False)
    )
    assert not any(p.requires_grad for p in sorting.route.parameters())
    assert not hasattr(plain, "route")
    assert not hasattr(plain, "pool_tokens")


@pytest.mark.parametrize("prompt", ["C", "B", "delta", "y", "none"])
@pytest.mark.parametrize("neighbouring", [True, False])
def test_multiply_adds_of_every_variant_are_what_a_counter_counts(prompt, neighbouring):
    from tests.test_blocks import counted_macs

    knobs = {"prompt": prompt, "neighbouring": neighbouring, "gated": False}
    with torch.device("meta"):
        block = blocks.make("assb", 16, mlp_ratio=1.5, **knobs).eval()
    assert block.macs(13, 22) == counted_macs(block, 16, 13, 22)


def test_every_second_block_is_shifted_unless_told_not_to():
    shifts = [blocks.make("assb", 8, i).attention.shift for i in range(3)]
    assert shifts == [0, 8, 0]
    assert blocks.make("assb", 8, 1, shift=False).attention.shift == 0


def test_it_starts_as_released():
    torch.manual_seed(0)
    block = blocks.make("assb", 48)
    for scale in (block.scale, block.late_scale):
        assert torch.equal(scale, torch.full((48,), 1e-4))
    scan = block.scan
    assert 0.9 / 64 < scan.pool_tokens.abs().max() <= 1 / 64
    assert 0.9 / 32 < scan.pool_states.abs().max() <= 1 / 32
    torch.testing.assert_close(scan.log_rate.exp(), torch.arange(1.0, 9.0).expand(48, 8))
    steps = F.softplus(scan.step_bias)
    assert steps.min() > 0.9e-3
    assert steps.max() < 0.11
    assert block.attention.bias.std().item() == pytest.approx(0.02, rel=0.1)
    assert not block.attention.qkv.bias.any()


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (30, {}, "channels must be a multiple of heads; got channels=30, heads=4"),
        (2, {"heads": 1}, "channels must be at least 3; got channels=2"),
        (8, {"window": 0}, "window must be at least 1; got window=0"),
        (8, {"states": 0}, "states must be at least 1; got states=0"),
        (8, {"tokens": 0}, "tokens must be at least 1; got tokens=0"),
        (8, {"rank": 0}, "rank must be at least 1; got rank=0"),
        (
            8,
            {"mlp_ratio": 0.1},
            "mlp_ratio times channels must be at least 1; got mlp_ratio times channels=0",
        ),
        (
            12,
            {"mlp_ratio": 1.25},
            "mlp_ratio times channels must be even where the feed-forward part is gated; "
            "got mlp_ratio times channels=15",
        ),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("assb", channels, **knobs)
    assert str(error.value) == message
