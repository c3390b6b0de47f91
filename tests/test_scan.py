from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from blocks.scan import backend_for, backends, selective_scan

LIVE = sorted(name for name, state in backends().items() if state == "live")
on_cpu = pytest.mark.parametrize("backend", [n for n in LIVE if n in ("reference", "torch", "c")])

Arguments = list[Tensor | None]
SHAPES = [
    (length, states, groups)
    for length, states in [(1, 1), (31, 8), (32, 16), (33, 5), (100, 1), (300, 8), (100, 16)]
    for groups in (1, 2, 4)
]


def arguments(
    length: int = 33,
    states: int = 5,
    groups: int = 2,
    *,
    channels: int = 12,
    batch: int = 2,
    skip: bool = True,
    bias: bool = True,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Arguments:
    generator = torch.Generator().manual_seed(length + 100 * states + 1000 * groups)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device, dtype).requires_grad_()

    decay = (-torch.rand(channels, states, generator=generator) - 0.1) * (states + 1)
    return [
        normal(batch, channels, length),
        normal(batch, channels, length),
        decay.to(device, dtype).requires_grad_(),
        normal(batch, groups, states, length),
        normal(batch, groups, states, length),
        normal(channels) if skip else None,
        normal(channels) if bias else None,
    ]


def as_dtype(given: Arguments, dtype: torch.dtype) -> Arguments:
    return [None if t is None else t.detach().to(dtype).requires_grad_() for t in given]


def by_hand(given: Arguments, softplus: bool = True) -> Tensor:
    """The equations, differentiated by autograd."""
    u, delta, A, B, C, D, bias = given
    step = delta if bias is None else delta + bias[:, None]
    step = torch.nn.functional.softplus(step) if softplus else step
    B, C = (x.repeat_interleave(u.shape[1] // x.shape[1], 1) for x in (B, C))
    h, y = torch.zeros_like(B[..., 0]), []
    for t in range(u.shape[-1]):
        inflow = (step[..., t] * u[..., t])[..., None] * B[..., t]
        h = torch.exp(step[..., t, None] * A) * h + inflow
        y.append((h * C[..., t]).sum(-1))
    out = torch.stack(y, -1)
    return out if D is None else out + D[:, None] * u


def value_and_gradients(run: Callable[[Arguments], Tensor], given: Arguments) -> list[Tensor]:
    y = run(given)
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device).view(y.shape)
    return [y, *torch.autograd.grad((y * weight).sum(), [t for t in given if t is not None])]


def assert_same(found: list[Tensor], true: list[Tensor], tolerance: float) -> None:
    for index, (a, b) in enumerate(zip(found, true, strict=True)):
        scale = max(1.0, b.abs().max().item())
        error = (a.double().cpu() - b.double().cpu()).abs().max().item() / scale
        assert error < tolerance, f"tensor {index} is off by {error}"


@functools.cache
def truth(length: int, states: int, groups: int, skip: bool, bias: bool) -> list[Tensor]:
    """Value and gradients by the equations, the same for every back end."""
    given = arguments(length, states, groups, skip=skip, bias=bias)
    return value_and_gradients(by_hand, as_dtype(given, torch.float64))


@on_cpu
@pytest.mark.parametrize(("length", "states", "groups"), SHAPES)
def test_value_and_gradients_are_those_of_the_equations_in_float64(
    backend: str, length: int, states: int, groups: int
) -> None:
    for skip, bias in product((True, False), repeat=2):
        given = arguments(length, states, groups, skip=skip, bias=bias)
        found = value_and_gradients(lambda g: selective_scan(*g, backend=backend), given)
        assert_same(found, truth(length, states, groups, skip, bias), 1e-5)


@on_cpu
def test_without_softplus_the_step_is_taken_as_it_is(backend: str) -> None:
    given = arguments(70, 4, skip=False, bias=False)
    given[1] = given[1].detach().abs().requires_grad_()
    true = value_and_gradients(lambda g: by_hand(g, False), as_dtype(given, torch.float64))
    run = lambda g: selective_scan(*g, softplus=False, backend=backend)  # noqa: E731
    assert_same(value_and_gradients(run, given), true, 1e-5)


@on_cpu
@pytest.mark.parametrize("channels", [1, 16, 17, 40])
def test_any_number_of_channels(backend: str, channels: int) -> None:
    given = arguments(40, 3, 1, channels=channels, batch=1)
    true = value_and_gradients(by_hand, as_dtype(given, torch.float64))
    found = value_and_gradients(lambda g: selective_scan(*g, backend=backend), given)
    assert_same(found, true, 1e-5)


@on_cpu
def test_a_decay_too_fast_for_float32_forgets_and_does_not_overflow(backend: str) -> None:
    given = arguments(100, 5)
    given[1] = (given[1].detach() + torch.linspace(-200, 200, 100)).requires_grad_()
    given[2] = (given[2].detach() * 1e3).requires_grad_()
    true = value_and_gradients(by_hand, as_dtype(given, torch.float64))
    found = value_and_gradients(lambda g: selective_scan(*g, backend=backend), given)
    assert_same(found, true, 1e-5)


@on_cpu
@pytest.mark.parametrize("place", range(7))
def test_a_number_that_is_none_reaches_the_output(backend: str, place: int) -> None:
    given = [t.detach().clone() for t in arguments(64, 8)]
    given[place].view(-1)[0] = torch.nan
    assert selective_scan(*given, backend=backend).isnan().any()


@on_cpu
def test_two_threads_give_what_one_gives(backend: str) -> None:
    given = arguments(600, 8, 2, channels=48, batch=1)
    run = lambda g: selective_scan(*g, backend=backend)  # noqa: E731
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = value_and_gradients(run, given)
        torch.set_num_threads(2)
        assert_same(value_and_gradients(run, given), alone, 1e-5)
    finally:
        torch.set_num_threads(before)


@on_cpu
def test_the_same_call_gives_the_same_bits(backend: str) -> None:
    given = arguments(300, 8, channels=40)
    run = lambda g: selective_scan(*g, backend=backend)  # noqa: E731
    pairs = zip(value_and_gradients(run, given), value_and_gradients(run, given), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@on_cpu
def test_strided_inputs_and_gradients_are_read_where_they_lie(backend: str) -> None:
    given = arguments(40, 4)
    strided = [
        t if t.dim() == 1 else t.detach().transpose(-1, -2).contiguous().transpose(-1, -2)
        for t in given
    ]
    assert not strided[0].is_contiguous()
    strided = [t.detach().requires_grad_() for t in strided]
    run = lambda g: selective_scan(*g, backend=backend).transpose(1, 2)  # noqa: E731
    assert_same(value_and_gradients(run, strided), value_and_gradients(run, given), 1e-7)


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_gradients_are_the_limits_of_differences(backend: str) -> None:
    for groups, softplus in product((1, 2), (True, False)):
        given = arguments(7, 3, groups, channels=4, dtype=torch.float64)
        if not softplus:  # steps of the other sign grow without bound
            given[1], given[6] = given[1].detach().abs().requires_grad_(), None
        run = lambda *g: selective_scan(*g, softplus=softplus, backend=backend)  # noqa: B023, E731
        assert torch.autograd.gradcheck(run, given)


@on_cpu
def test_pytorch_finds_nothing_wrong_with_the_operator(backend: str) -> None:
    given = arguments(33, 5)
    torch.library.opcheck(torch.ops.ablate.selective_scan, (*given, True, backend, True))
    plain = [t.detach() for t in given]
    y, saved = torch.ops.ablate.selective_scan(*plain, True, backend, True)
    torch.library.opcheck(
        torch.ops.ablate.selective_scan_backward, (y, saved, *plain, True, backend)
    )


@on_cpu
def test_half_precision_is_computed_in_float32_and_comes_back_as_it_came(backend: str) -> None:
    given = [t.detach().bfloat16().requires_grad_() for t in arguments(64, 4)]
    y = selective_scan(*given, backend=backend)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, selective_scan(*(t.float() for t in given), backend=backend).bfloat16())
    y.float().sum().backward()
    assert all(t.grad.dtype == torch.bfloat16 for t in given)


@on_cpu
def test_autocast_leaves_the_scan_in_float32(backend: str) -> None:
    given = arguments(64, 4)
    plain = value_and_gradients(lambda g: selective_scan(*g, backend=backend), given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = value_and_gradients(lambda g: selective_scan(*g, backend=backend), given)
        half = [t.detach().bfloat16() for t in given]
        raw, _ = torch.ops.ablate.selective_scan(*half, True, backend, False)
    assert all(torch.equal(a, b) for a, b in zip(cast, plain, strict=True))
    assert raw.dtype == torch.float32


def test_compiled_as_one_graph_it_gives_the_same() -> None:
    given = arguments(40, 4)
    plain = value_and_gradients(lambda g: selective_scan(*g) * 2, given)
    compiled = torch.compile(lambda g: selective_scan(*g) * 2, fullgraph=True, backend="aot_eager")
    assert_same(value_and_gradients(compiled, given), plain, 1e-7)


def test_shapes_are_known_without_computing() -> None:
    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(t.detach()).requires_grad_() for t in arguments(40, 4)]
        y = selective_scan(*fake)
        y.sum().backward()
    assert y.shape == (2, 12, 40)
    assert fake[2].grad.shape == (12, 4)
    meta = arguments(40, 4, device="meta")
    assert selective_scan(*meta).device.type == "meta"


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
def test_traced_it_is_one_node() -> None:
    given = [t.detach() for t in arguments(40, 4)]
    traced = torch.jit.trace(lambda *g: selective_scan(*g) + 1, given)
    assert "ablate::selective_scan" in str(traced.graph)


def test_nothing_is_saved_when_no_gradient_is_wanted() -> None:
    given = [t.detach() for t in arguments(100, 4)]
    for name in {"c", "torch"} & set(LIVE):
        without, with_gradient = (
            torch.ops.ablate.selective_scan(*given, True, name, save)[1].numel()
            for save in (False, True)
        )
        assert without == 0 < with_gradient


def test_float64_goes_to_a_back_end_that_computes_in_it() -> None:
    assert backend_for(torch.device("cpu"), torch.float64) == "torch"
    assert selective_scan(*arguments(8, 2, dtype=torch.float64)).dtype == torch.float64


def test_the_environment_chooses_the_back_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_SCAN_BACKEND", "reference")
    assert backend_for(torch.device("cpu")) == "reference"
    monkeypatch.setenv("ABLATE_SCAN_BACKEND", "refrence")
    with pytest.raises(ValueError, match="named 'refrence'; did you mean 'reference'"):
        backend_for(torch.device("cpu"))


def changed(**changes: Tensor) -> Arguments:
    names = ("u", "delta", "A", "B", "C", "D", "delta_bias")
    given = dict(zip(names, arguments(40, 4), strict=True))
    return [(given | changes)[name] for name in names]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": torch.ones(12, 40)}, r"takes u \(B, D, L\).*; got u \(12, 40\), A \(12, 4\)"),
        ({"delta": torch.ones(2, 12, 39)}, r"delta of shape \(2, 12, 40\); got \(2, 12, 39\)"),
        ({"A": torch.ones(11, 4)}, r"needs A of shape \(12, 4\); got \(11, 4\)"),
        ({"B": torch.ones(2, 5, 4, 40)}, "got B of 5 groups and u of 12 channels"),
        ({"C": torch.ones(2, 2, 3, 40)}, r"needs C of shape \(2, 2, 4, 40\)"),
        ({"D": torch.ones(3)}, r"needs D of shape \(12,\); got \(3,\)"),
        ({"delta_bias": torch.ones(3)}, r"needs delta_bias of shape \(12,\)"),
        ({"A": torch.ones(12, 4, device="meta")}, "needs A as u is, torch.float32 on cpu; got"),
    ],
)
def test_arguments_that_do_not_fit_are_named(changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        selective_scan(*changed(**changes), backend="reference")
    assert "\n" not in str(caught.value)


def test_a_back_end_that_does_not_exist_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="no scan back end is named 'torhc'; did you mean 'torch'"):
        selective_scan(*arguments(), backend="torhc")


@pytest.mark.skipif("c" not in LIVE, reason="no C compiler")
def test_a_dtype_that_a_back_end_does_not_compute_in_is_an_error() -> None:
    given = arguments(dtype=torch.float64)
    with pytest.raises(ValueError, match="scan back end 'c' computes in float32; got float64"):
        selective_scan(*given, backend="c")
    with pytest.raises(ValueError, match="scan back end 'c' computes in float32; got bfloat16"):
        half = [t.detach().bfloat16() for t in given]
        torch.ops.ablate.selective_scan(*half, True, "c", False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("length", "states", "groups"), SHAPES)
def test_on_a_gpu_it_equals_the_equations(length: int, states: int, groups: int) -> None:
    given = arguments(length, states, groups, device="cuda")
    true = value_and_gradients(by_hand, as_dtype(given, torch.float64))
    assert_same(value_and_gradients(lambda g: selective_scan(*g), given), true, 1e-5)
