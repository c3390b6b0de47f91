"""State-space duality: against the plain recurrence, its cost, its parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import blocks
from blocks._layout import to_grid, to_pixels
from blocks._state_space_duality import dual_scan, dual_scan_macs
from tests.test_blocks import counted_macs, image, perturbed


def sequences(length: int, heads: int = 3, dtype: torch.dtype = torch.double) -> list[Tensor]:
    """x, log_decay, write, read for P = 5, N = 4, batch 2."""
    x, decay = image(2, length, heads, 5).to(dtype), image(2, length, heads, seed=2).to(dtype)
    write, read = image(2, length, 4, seed=3).to(dtype), image(2, length, 4, seed=4).to(dtype)
    return [x, -3 * decay.square(), write, read]


def recurrence(x: Tensor, log_decay: Tensor, write: Tensor, read: Tensor) -> Tensor:
    h, outputs = x.new_zeros(*x.shape[:1], *x.shape[2:], write.shape[2]), []
    for t in range(x.shape[1]):
        inflow = x[:, t, :, :, None] * write[:, t, None, None, :]
        h = log_decay[:, t, :, None, None].exp() * h + inflow
        outputs.append((h * read[:, t, None, None, :]).sum(-1))
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("length", [1, 4, 5, 16, 17, 70, 300])
def test_matrices_over_chunks_are_the_recurrence(length):
    given = sequences(length)
    torch.testing.assert_close(dual_scan(*given, chunk=4), recurrence(*given))


@pytest.mark.parametrize("chunk", [2, 3, 64, 1000])
def test_the_result_does_not_depend_on_the_chunk(chunk):
    given = sequences(50)
    torch.testing.assert_close(dual_scan(*given, chunk=chunk), recurrence(*given))


def test_gradients_are_those_of_the_recurrence():
    given = [part.requires_grad_() for part in sequences(21)]
    weights = image(2, 21, 3, 5, seed=5).double()
    actual = torch.autograd.grad((dual_scan(*given, chunk=4) * weights).sum(), given)
    expected = torch.autograd.grad((recurrence(*given) * weights).sum(), given)
    torch.testing.assert_close(actual, expected)


def test_float32_stays_near_float64_however_fast_heads_forget():
    for scale in (1e-4, 1.0, 1e3):
        x, decay, write, read = sequences(400)
        exact = recurrence(x, scale * decay, write, read)
        single = [part.float() for part in (x, scale * decay, write, read)]
        rough = dual_scan(*single, chunk=16)
        assert (rough - exact).abs().max() <= 4e-6 * exact.abs().max()


def test_half_precision_projections_keep_their_type_and_stay_near():
    x, decay, write, read = sequences(200, dtype=torch.float32)
    exact = dual_scan(x, decay, write, read, chunk=16)
    rough = dual_scan(x.bfloat16(), decay, write.bfloat16(), read.bfloat16(), chunk=16)
    assert (rough - exact).norm() <= 0.02 * exact.norm()


@pytest.mark.parametrize(("length", "chunk"), [(1, 4), (4, 4), (5, 4), (300, 4), (300, 32)])
def test_multiply_adds_of_the_scan_are_counted(length, chunk):
    given = [part[:1].to("meta") for part in sequences(length)]
    with FlopCounterMode(display=False) as counter:
        dual_scan(*given, chunk=chunk)
    assert counter.get_total_flops() // 2 == dual_scan_macs(length, 15, 4, chunk)


def test_multiply_adds_of_a_chunk_by_hand():
    inside = 4 * 4 * (3 + 10)  # read write^T of 3 states, then times 10 channels
    assert dual_scan_macs(4, 10, 3, 4) == dual_scan_macs(1, 10, 3, 4) == inside
    ends, seen, carried = 4 * 10 * 3, 4 * 10 * 3, 2 * 2 * 10 * 3
    assert dual_scan_macs(5, 10, 3, 4) == 2 * (inside + ends + seen) + carried


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("convolution", ["2d", "1d"])
def test_it_is_its_equations_written_out(directions, convolution):
    knobs = {"states": 3, "head_dim": 4, "chunk": 4}
    block = perturbed("mamba2", 6, directions=directions, convolution=convolution, **knobs)
    block, x, (height, width) = block.double(), image(1, 6, 4, 5).double(), (4, 5)
    d, n, heads, pixels = 12, 3, 3, 20
    with torch.no_grad():
        u = F.layer_norm(to_pixels(x), (6,), block.norm.weight, block.norm.bias)
        z, mixed, step = (u @ block.enter.weight.T)[0].split(
            [d, d + 2 * n * directions, heads * directions], dim=-1
        )
        taps, bias = block.depthwise.weight, block.depthwise.bias
        if convolution == "2d":
            grid = F.conv2d(to_grid(mixed[None]), taps, bias, padding=1, groups=len(bias))
            mixed = F.silu(to_pixels(grid)[0]).reshape(pixels, -1)
        else:
            line = F.pad(mixed.reshape(pixels, -1), (0, 0, 3, 0))
            mixed = F.silu(sum(taps[:, 0, k] * line[k : k + pixels] for k in range(4)) + bias)
        a, *projections = mixed.split([d] + 2 * directions * [n], dim=1)
        a, step = a.reshape(pixels, heads, 4), step.reshape(pixels, directions, heads)
        y = block.skip[:, None] * a
        for k in range(directions):
            mine = slice(k * heads, (k + 1) * heads)
            rate, write, read = -block.log_rate[mine].exp(), *projections[2 * k : 2 * k + 2]
            h = torch.zeros(heads, 4, n, dtype=torch.double)
            for t in reversed(range(pixels)) if k else range(pixels):
                size = F.softplus(step[t, k] + block.step_bias[mine])[:, None, None]
                h = torch.exp(size * rate[:, None, None]) * h + size * a[t, :, :, None] * write[t]
                y[t] += h @ read[t]
        gated = y.reshape(height, width, d) * F.silu(z)
        scaled = gated / (gated.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        expected = x + to_grid((scaled * block.gated_norm.weight @ block.leave.weight.T)[None])
        torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("convolution", ["2d", "1d"])
@pytest.mark.parametrize("size", [(1, 3), (8, 8), (9, 70)])
def test_multiply_adds_of_every_variant_are_counted(directions, convolution, size):
    knobs = {"directions": directions, "convolution": convolution, "chunk": 8}
    with torch.device("meta"):
        block = blocks.make("mamba2", 16, **knobs).eval()
    assert block.macs(*size) == counted_macs(block, 16, *size)


@pytest.mark.parametrize(("directions", "sees_later"), [(1, False), (2, True)])
def test_one_direction_sees_only_what_comes_before(directions, sees_later):
    block, x = perturbed("mamba2", directions=directions), image(1, 8, 7, 7).requires_grad_()
    block(x)[0, :, 2, 2].sum().backward()
    reached = x.grad[0].abs().sum(0) > 0
    assert reached[0, 6]
    assert reached[6, 6] == sees_later


def test_a_line_of_four_pixels_sees_nothing_below():
    block, x = perturbed("mamba2", convolution="1d"), image(1, 8, 5, 6).requires_grad_()
    block(x)[0, :, 2, 3].sum().backward()
    reached = (x.grad[0].abs().sum(0) > 0).flatten()
    assert torch.equal(reached, torch.arange(30) <= 2 * 6 + 3)


def test_rates_and_step_sizes_start_as_in_mamba_2():
    torch.manual_seed(0)
    block = blocks.make("mamba2", 64, head_dim=1)
    rates, steps = block.log_rate.exp(), F.softplus(block.step_bias)
    assert 1 <= rates.min() < 2
    assert 15 < rates.max() <= 16
    assert 0.00099 < steps.min() < 0.002
    assert 0.05 < steps.max() < 0.1001


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"states": 0}, "states must be at least 1; got states=0"),
        ({"head_dim": 0}, "head_dim must be at least 1; got head_dim=0"),
        ({"chunk": 1}, "chunk must be at least 2; got chunk=1"),
        (
            {"expand": 0.1},
            "expand times channels must be at least 1; got expand times channels=0",
        ),
        (
            {"head_dim": 12},
            "expand times channels must be a multiple of head_dim; "
            "got expand times channels=16, head_dim=12",
        ),
    ],
)
def test_what_cannot_be_built_says_why(knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("mamba2", 8, **knobs)
    assert str(error.value) == message


def test_it_starts_by_adding_less_than_is_there():
    torch.manual_seed(0)
    block, x = blocks.make("mamba2", 32), torch.randn(2, 32, 16, 16)
    with torch.no_grad():
        added = block(x) - x
    assert added.std() < 0.3 * x.std()
