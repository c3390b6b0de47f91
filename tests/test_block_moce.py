"""MoCE-IR's block is held to its equations, its published sizes and its promises on routing."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

import blocks
from blocks import Context
from blocks._complexity_experts import ComplexityExpert, FourierAttention, expert_ranks
from blocks._expert_router import ExpertRouter
from blocks._frequency import FrequencyEmbedding
from blocks._routing import forcing, in_turn
from tests.test_block_mdta_gdfn import spelt_attention, spelt_norm
from tests.test_blocks import image, perturbed

SPREAD = {
    128: (8_976, 20_000, 48_192, 129_152),
    64: (2_696, 5_904, 13_856, 35_904),
    32: (900, 1_928, 4_368, 10_784),
}


def size_of(*modules: torch.nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def calls(block: torch.nn.Module) -> list[int]:
    """How many images each expert is given from now on, in a list that fills up."""
    seen = [0] * len(block.routed.each)
    for i, expert in enumerate(block.routed.each):

        def count(_module, inputs, i=i):
            seen[i] += len(inputs[0])

        expert.register_forward_pre_hook(count)
    return seen


def sending(block: torch.nn.Module, experts: list[int]) -> Context:
    """A context whose embedding sends the images to these experts; the block has context 4."""
    with torch.no_grad():
        block.router.gate.weight.zero_()
        block.router.context_gate.weight.copy_(torch.eye(4))
    return Context(embedding=10 * F.one_hot(torch.tensor(experts), 4).float())


# The equations.


def circular(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """Circular convolution of (R, w, w) twice, pixel by pixel."""
    side = q.shape[-1]
    out = torch.zeros_like(q)
    for i in range(side):
        for j in range(side):
            out += q[:, i, j, None, None] * k.roll((i, j), (1, 2))
    return out


def test_fourier_attention_is_a_circular_convolution_in_each_window():
    torch.manual_seed(0)
    layer, x = FourierAttention(3, 4).double(), image(1, 3, 6, 5).double()
    with torch.no_grad():
        q = F.pad(layer.query_depthwise(layer.query(x)), (0, 3, 0, 2))
        k, v = layer.key_value_depthwise(layer.key_value(x)).chunk(2, dim=1)
        k, mixed = F.pad(k, (0, 3, 0, 2)), torch.zeros_like(q)
        for top in (0, 4):
            for left in (0, 4):
                tile = (0, slice(None), slice(top, top + 4), slice(left, left + 4))
                mixed[tile] = circular(q[tile], k[tile])
        expected = layer.project(spelt_norm("bias", layer.norm, mixed[..., :6, :5]) * v)
        torch.testing.assert_close(layer(x), expected)


def test_an_expert_adds_gated_attention_to_its_input():
    torch.manual_seed(0)
    expert, x, shared = ComplexityExpert(8, 4, 4), image(2, 8, 9, 7), image(2, 8, 9, 7, seed=2)
    with torch.no_grad():
        found = expert.attention(expert.enter(x)) * F.silu(expert.gate(shared))
        torch.testing.assert_close(expert(x, shared), x + expert.leave(found))


def spelt_cross(layer, x, y, heads):
    """Cross attention, as self-attention that is given q, k and v."""
    query = layer.query_depthwise(layer.query(x))
    key_value = layer.key_value_depthwise(layer.key_value(y))
    given = torch.cat([query, key_value], 1)
    same = torch.nn.Identity()
    given_to = torch.nn.Module()
    given_to.qkv, given_to.depthwise, given_to.project = (lambda _: given), same, layer.project
    given_to.temperature = layer.temperature
    return spelt_attention(given_to, x, heads)


@pytest.mark.parametrize("active", [1, 2])
def test_it_is_its_equations_written_out(active):
    block = perturbed("moce", 8, heads=2, active=active).double()
    x = image(1, 8, 9, 10).double()
    with torch.no_grad():
        normed = spelt_norm("bias", block.norm, x)
        shared = spelt_attention(block.shared, block.enter_shared(normed), heads=2)
        own = block.enter_routed(normed)
        gates = (own.mean((2, 3)) @ block.router.gate.weight.T).softmax(1)[0]
        routed = torch.zeros_like(own)
        for i in gates.argsort(descending=True)[:active]:
            routed += gates[i] * block.routed.each[i](own, shared)
        y = x + spelt_cross(block.cross, block.leave_routed(routed), shared, heads=2)
        hidden = block.mlp.depthwise(block.mlp.enter(spelt_norm("bias", block.mlp_norm, y)))
        expected = y + block.mlp.leave(F.gelu(hidden[:, :16]) * hidden[:, 16:])
        torch.testing.assert_close(block(x), expected)


def test_experts_grow_in_rank_and_window():
    each = blocks.make("moce", 32).routed.each
    assert [expert.enter.out_channels for expert in each] == [4, 8, 16, 32]
    assert [expert.attention.window for expert in each] == [4, 8, 16, 32]


def test_biases_are_where_the_released_code_has_them():
    block = blocks.make("moce", 8, 0)
    biased = {n.removesuffix(".bias") for n, _ in block.named_parameters() if n.endswith(".bias")}
    experts = {
        f"routed.each.{i}.attention.{layer}"
        for i in range(4)
        for layer in ("query_depthwise", "key_value_depthwise", "norm", "project")
    }
    assert biased == {"norm", "mlp_norm", "enter_shared", "enter_routed"} | experts


# Published sizes.


@pytest.mark.parametrize(("channels", "expected"), SPREAD.items())
def test_experts_have_the_parameters_of_the_released_model(channels, expected):
    with torch.device("meta"):
        block = blocks.make("moce", channels)
    assert tuple(size_of(expert) for expert in block.routed.each) == expected


@pytest.mark.parametrize("channels", SPREAD)
def test_uniform_experts_cost_in_sum_what_spread_ones_do(channels):
    with torch.device("meta"):
        block = blocks.make("moce", channels, ranks="uniform")
    each = [size_of(expert) for expert in block.routed.each]
    assert len(set(each)) == 1
    assert sum(each) == pytest.approx(sum(SPREAD[channels]), rel=0.03)
    assert block.macs(8, 8) == block.expected_macs(8, 8)


def moce_ir(width: int) -> list[tuple[torch.nn.Module, int]]:
    """The parts of MoCE-IR, each with the level that it works at."""
    widths, heads = [width * 2**level for level in range(4)], (1, 2, 4, 8)

    def encoders(level: int, count: int):
        knobs = {"heads": heads[level], "bias": True, "expansion": 2.0}
        return [(blocks.make("mdta_gdfn", widths[level], **knobs), level) for _ in range(count)]

    def conv(inputs: int, outputs: int, kernel: int, level: int):
        return [(torch.nn.Conv2d(inputs, outputs, kernel, bias=False), level)]

    with torch.device("meta"):
        parts = conv(3, width, 3, 0) + conv(width, 3, 3, 0) + encoders(0, 4)  # the refinement
        parts += [(FrequencyEmbedding(widths[3]), 3)]
        for level, count in enumerate((4, 6, 6, 8)):
            parts += encoders(level, count)
        for level, count in enumerate((2, 4, 4)):
            c = widths[level]
            parts += conv(c, c // 2, 3, level) + conv(2 * c, 4 * c, 3, level + 1)  # down, up
            parts += conv(2 * c, c, 1, level)  # joins the skip
            knobs = {"context": widths[3], "heads": heads[level]}
            parts += [(blocks.make("moce", c, **knobs), level) for _ in range(count)]
    return parts


def total_macs(parts: list[tuple[torch.nn.Module, int]], side: int, expert: int) -> int:
    total = 0
    for part, level in parts:
        here = side >> level
        if isinstance(part, torch.nn.Conv2d):
            total += part.weight.numel() * here**2
            continue
        total += part.macs(here, here)
        if hasattr(part, "routed"):
            costs = part.routed.expert_costs()
            total -= (max(costs) - costs[expert]) * here**2
    return total


@pytest.mark.parametrize(("width", "expected"), [(32, 11_477_752), (48, 25_353_796)])
def test_with_the_frequency_embedding_moce_ir_has_its_parameters(width, expected):
    assert size_of(*(part for part, _ in moce_ir(width))) == expected


@pytest.mark.parametrize(
    ("side", "measured"),
    [(256, (42.412, 42.930, 44.217, 47.798)), (224, (32.472, 32.868, 33.854, 36.595))],
)
def test_moce_ir_costs_what_was_measured_with_each_expert_forced(side, measured):
    parts = moce_ir(32)
    pooled = sum(  # the counter that measured charges 1 per element of what the routers average
        part.channels * (side >> level) ** 2 for part, level in parts if hasattr(part, "routed")
    )
    ours = tuple(round((total_macs(parts, side, e) + pooled) / 1e9, 3) for e in range(4))
    assert ours == measured


def test_macs_are_of_the_most_expensive_experts_and_expected_macs_of_the_mean():
    with torch.device("meta"):
        block = blocks.make("moce", 32, active=2)
    assert block.routed.dearest() == (2, 3)
    costs = block.routed.expert_costs()
    fixed = block.macs(5, 7) - 35 * (costs[2] + costs[3])
    assert block.expected_macs(5, 7) == fixed + 35 * 2 * sum(costs) / 4


# Routing.


def test_each_image_of_a_batch_gets_its_own_expert():
    block, x = perturbed("moce", 16, context=4), image(4, 16, 9, 11)
    context, seen = sending(block, [3, 0, 3, 1]), calls(block)
    with torch.no_grad():
        together = block(x, context)
        assert seen == [1, 1, 0, 2]
        for i in range(4):
            alone = block(x[i : i + 1], Context(embedding=context.embedding[i : i + 1]))
            torch.testing.assert_close(together[i : i + 1], alone)


def test_forcing_an_expert_gives_what_it_gives_an_image_that_asks_for_it():
    block, x = perturbed("moce", 16, context=4), image(2, 16, 8, 8)
    context, seen = sending(block, [2, 2]), calls(block)
    with torch.no_grad():
        asked = block(x, context)
        with forcing(block, lambda part: in_turn(part, 2)):
            torch.testing.assert_close(block(x, context), asked)
    assert seen == [0, 0, 4, 0]


def test_exported_it_is_right_for_images_that_ask_for_other_experts():
    block, x = perturbed("moce", 16), image(3, 16, 8, 8)
    with torch.no_grad():  # the first three images ask for the first three experts
        means = block.enter_routed(block.norm(x)).mean((2, 3))
        block.router.gate.weight[:3] = 10 * torch.linalg.pinv(means).T
        block.router.gate.weight[3] = 0
        seen, expected = calls(block), block(x)
        assert seen == [1, 1, 1, 0]
    exported = torch.export.export(block, (x.flip(0).clone(),)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(x), expected, rtol=1e-4, atol=1e-5)


def test_there_is_noise_in_training_and_in_evaluation_only_where_asked_for():
    x = image(2, 16, 8, 8)
    for noise, training, differs in (
        (False, False, False),
        (False, True, True),
        (True, False, True),
    ):
        block = perturbed("moce", 16, noise=noise).train(training)
        logits, noisy = block.router(x, None)
        assert (not torch.equal(logits, noisy)) is differs


def test_the_noise_of_the_router_has_a_deviation_of_one_over_the_experts():
    torch.manual_seed(0)
    router = ExpertRouter(2, 0, 1, (1.0,) * 5, noise=True)
    logits, noisy = router(torch.zeros(20_000, 2, 1, 1), None)
    assert (noisy - logits).std().item() == pytest.approx(1 / 5, rel=0.02)


@pytest.mark.parametrize("complexity", [False, True])
def test_the_loss_is_the_squared_variation_of_importance_and_load(complexity):
    block = perturbed("moce", 32, complexity=complexity)
    logits, noisy = image(6, 4), image(6, 4, seed=2)
    weights = [p / 10_784 if complexity else 1 for p in SPREAD[32]]
    importance = [
        weights[e] * sum(logits[b].exp()[e] / logits[b].exp().sum() for b in range(6)).item()
        for e in range(4)
    ]
    load = [0.0] * 4
    for b in range(6):
        for e in range(4):
            z = (noisy[b].max() - logits[b, e]).item() / 0.25
            load[e] += (1 - 0.5 * (1 + math.erf(z / math.sqrt(2)))) / 6

    def squared_variation(values: list[float]) -> float:
        mean = sum(values) / 4
        return sum((value - mean) ** 2 for value in values) / 3 / mean**2

    expected = (squared_variation(importance) + squared_variation(load)) / 2
    assert block.router.unevenness(logits, noisy).item() == pytest.approx(expected, rel=1e-4)


def test_with_weights_cheap_experts_may_have_more_images():
    even, weighted = (
        perturbed("moce", 32, complexity=complexity).router for complexity in (False, True)
    )
    shares = torch.tensor(SPREAD[32]).reciprocal()  # as many more as they are cheaper
    logits = shares.log().expand(8, 4)
    level = torch.zeros(8, 4)
    assert weighted.unevenness(logits, level) < even.unevenness(logits, level)
    assert weighted.unevenness(level, level) > even.unevenness(level, level)


def test_the_loss_goes_to_the_context_where_gradients_are_wanted():
    block, x = perturbed("moce", 16, context=4).train(), image(3, 16, 8, 8)
    context = Context(embedding=image(3, 4).requires_grad_())
    block(x, context)
    block(x, context)
    assert [term.shape for term in context.auxiliary] == [torch.Size(())] * 2
    sum(context.auxiliary).backward()
    assert block.router.gate.weight.grad.any()
    assert context.embedding.grad.any()
    with torch.no_grad():
        silent = Context(embedding=image(3, 4))
        block(x, silent)
        assert silent.auxiliary == []


def test_without_an_embedding_the_features_alone_decide():
    block, x = perturbed("moce", 16), image(2, 16, 8, 8)
    assert block.router.context_gate is None
    with torch.no_grad():
        torch.testing.assert_close(block(x), block(x, Context(embedding=image(2, 4))))


def test_one_expert_is_no_choice_and_costs_no_loss():
    block, context = perturbed("moce", 8, experts=1), Context()
    block(image(2, 8, 8, 8), context)
    assert [term.item() for term in context.auxiliary] == [0.0]


def test_it_runs_as_a_module_of_bfloat16():
    block = perturbed("moce", 16, context=4).to(torch.bfloat16)
    with torch.no_grad():
        y = block(image(2, 16, 9, 8).bfloat16(), Context(embedding=image(2, 4).bfloat16()))
    assert y.dtype == torch.bfloat16
    assert y.isfinite().all()


# What the router is given.


def test_the_frequency_embedding_sees_detail_and_no_flat_colour():
    embed, flat = FrequencyEmbedding(6), torch.ones(2, 6, 9, 9)
    middle = embed.highpass(flat)[..., 1:-1, 1:-1]
    torch.testing.assert_close(middle, torch.zeros_like(middle))
    x = image(2, 6, 9, 9)
    with torch.no_grad():
        blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 1)
        detail = F.gelu(9 * (x - blurred)).mean((2, 3))
        first, _, second = embed.mlp
        expected = second(F.gelu(first(detail)))
        torch.testing.assert_close(embed(x), expected, rtol=1e-4, atol=1e-5)


def test_the_frequency_embedding_trains_its_filter_and_counts_its_work():
    embed = FrequencyEmbedding(6)
    assert size_of(embed) == 9 * 6 + (6 * 12 + 12) + (12 * 6 + 6)
    assert all(p.requires_grad for p in embed.parameters())
    assert embed.macs(5, 7) == 9 * 6 * 35 + 2 * 6 * 12


# Errors.


@pytest.mark.parametrize(
    ("channels", "knobs", "message"),
    [
        (8, {"heads": 3}, "channels must be a multiple of heads; got channels=8, heads=3"),
        (4, {}, "channels must be at least 2^(experts - 1); got channels=4, experts=4"),
        (8, {"experts": 0}, "experts must be at least 1; got experts=0"),
        (8, {"active": 5}, "active must be from 1 to experts; got active=5, experts=4"),
        (
            8,
            {"expansion": 0.1},
            "expansion times channels must be at least 1; got expansion times channels=0",
        ),
    ],
)
def test_what_cannot_be_built_says_why(channels, knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("moce", channels, **knobs)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("context", "came"),
    [(None, "none"), (Context(), "none"), (Context(embedding=torch.ones(1, 5)), "one of 5")],
)
def test_an_embedding_that_is_not_there_is_asked_for(context, came):
    block = blocks.make("moce", 8, context=4)
    with pytest.raises(ValueError) as error:
        block(image(1, 8, 8, 8), context)
    assert str(error.value) == f"moce expects an embedding of length 4; got {came}"


def test_ranks_of_the_least_expert_are_rounded_down():
    assert expert_ranks("spread", 12, 4) == (1, 3, 6, 12)
