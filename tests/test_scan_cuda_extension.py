"""The adapter to mamba-ssm's compiled module, against a module with the same call convention."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor

from blocks.scan import _choice, _mamba_ssm, _operator, _probe, backends, selective_scan
from blocks.scan._backend import Scan, get
from tests.test_scan import arguments, as_dtype, assert_same, by_hand, value_and_gradients

NAME = "selective_scan_cuda"


def checked(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, *others: Tensor | None):
    """What the module demands of its tensors."""
    (batch, channels, length), states = u.shape, A.shape[1]
    for t in (u, delta, B, C, *(t for t in others if t is not None)):
        assert t.stride(-1) == 1 or t.shape[-1] == 1
        assert t.dtype == torch.float32
    assert A.dtype == torch.float32
    assert states <= 256
    assert delta.shape == u.shape
    assert A.shape == (channels, states)
    assert B.shape == C.shape == (batch, B.shape[1], states, length)
    assert all(t is None or t.shape == (channels,) for t in others)


def fwd(u, delta, A, B, C, D, z, delta_bias, delta_softplus, /):
    checked(u, delta, A, B, C, D, delta_bias)
    assert z is None
    assert isinstance(delta_softplus, bool)
    scan = Scan(u, delta, A, B, C, D, delta_bias, delta_softplus)
    y, _ = get("reference").forward(scan, False)
    chunks = (u.shape[2] + 2047) // 2048
    return [y, torch.zeros(u.shape[0], u.shape[1], chunks, 2 * A.shape[1])]


def bwd(u, delta, A, B, C, D, z, delta_bias, dout, x, out, dz, softplus, recompute_out_z, /):
    checked(u, delta, A, B, C, D, delta_bias)
    assert dout.shape == u.shape
    assert dout.stride(-1) == 1 or dout.shape[-1] == 1
    assert x.shape == (u.shape[0], u.shape[1], (u.shape[2] + 2047) // 2048, 2 * A.shape[1])
    assert x.is_contiguous()
    assert x.dtype == A.dtype
    assert z is out is dz is None
    assert isinstance(softplus, bool)
    assert recompute_out_z is False
    scan = Scan(u, delta, A, B, C, D, delta_bias, softplus)
    found = list(get("reference").backward(dout, torch.empty(0), scan))
    absent = (False, False, False, False, False, D is None, delta_bias is None)
    return [None if gone else t for t, gone in zip(found, absent, strict=True)]


def forget() -> None:
    for cached in (_mamba_ssm._extension, _choice._best, _operator.usable, _probe.fault):
        cached.cache_clear()


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module in place, and a CPU that passes for a CUDA device."""
    fake = ModuleType(NAME)
    fake.fwd, fake.bwd = fwd, bwd
    monkeypatch.setitem(sys.modules, NAME, fake)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(_choice, "_devices", lambda: [torch.device("cpu")])
    adapter = _mamba_ssm.SelectiveScanCuda
    monkeypatch.setattr(adapter, "preference", lambda self, device: 9 * (device.type == "cpu"))
    forget()
    yield fake
    forget()


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_called_as_it_wants_and_gives_the_equations(
    module: ModuleType, skip: bool, bias: bool
) -> None:
    given = arguments(33, 5, skip=skip, bias=bias)
    true = value_and_gradients(by_hand, as_dtype(given, torch.float64))
    found = value_and_gradients(lambda g: selective_scan(*g, backend=NAME), given)
    assert_same(found, true, 1e-5)


def test_strided_tensors_and_a_step_without_softplus_reach_it_dense(module: ModuleType) -> None:
    given = arguments(40, 4, skip=False, bias=False)
    given[1] = given[1].detach().abs().requires_grad_()
    true = value_and_gradients(lambda g: by_hand(g, False), as_dtype(given, torch.float64))
    strided = [
        None if t is None else t.detach().transpose(-1, -2).contiguous().transpose(-1, -2)
        for t in given
    ]
    strided = [None if t is None else t.requires_grad_() for t in strided]
    run = lambda g: selective_scan(*g, softplus=False, backend=NAME)  # noqa: E731
    assert_same(value_and_gradients(run, strided), true, 1e-5)


def test_half_precision_arrives_as_float32(module: ModuleType) -> None:
    given = [t.detach().bfloat16() for t in arguments(33, 4)]
    assert selective_scan(*given, backend=NAME).dtype == torch.bfloat16


def test_pytorch_finds_nothing_wrong_with_it(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments(33, 5)
    selective_scan(*given, backend=NAME)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # compilers ask for more
    torch.library.opcheck(torch.ops.ablate.selective_scan, (*given, True, NAME, True))


def test_what_it_saves_is_foreseen_for_long_sequences(module: ModuleType) -> None:
    plain = [t.detach() for t in arguments(2049, 2, channels=4, batch=1)]
    scan = Scan(*plain, True)
    _, saved = get(NAME).forward(scan, True)
    assert tuple(saved.shape) == get(NAME).saved_shape(scan) == (1, 4, 2, 4)
    assert get(NAME).forward(scan, False)[1].numel() == 0


def test_more_states_than_it_holds_are_an_error(module: ModuleType) -> None:
    given = [t.detach() for t in arguments(3, 257, channels=4)]
    with pytest.raises(ValueError, match="'selective_scan_cuda' holds 256 states; got 257"):
        selective_scan(*given, backend=NAME)


def test_it_is_chosen_where_it_is_preferred(module: ModuleType) -> None:
    assert backends()[NAME] == "live"
    assert _choice.backend_for(torch.device("cpu")) == NAME


def test_one_that_is_wrong_is_not_live_and_says_by_how_much(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "fwd", lambda *given: [x * 1.001 for x in fwd(*given)])
    assert "off from the reference by" in backends()[NAME]
    assert _choice.backend_for(torch.device("cpu")) != NAME
    with pytest.raises(ValueError, match=f"'{NAME}' cannot run: probe failed: off from the ref"):
        selective_scan(*arguments(), backend=NAME)


def test_one_with_wrong_gradients_or_shapes_is_not_live(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        wrong = lambda *g: [t * 2 if i == 3 else t for i, t in enumerate(bwd(*g))]  # noqa: E731
        patch.setattr(module, "bwd", wrong)
        assert "off from the reference by" in backends()[NAME]
    forget()
    with monkeypatch.context() as patch:
        patch.setattr(module, "fwd", lambda *given: [fwd(*given)[0], torch.zeros(3)])
        assert backends()[NAME] == (
            "probe failed: ValueError: it saves (3,) where (1, 6, 1, 6) was promised"
        )
    forget()
    monkeypatch.setattr(module, "fwd", lambda *given: [][0])
    assert backends()[NAME] == "probe failed: IndexError: list index out of range"


def test_without_it_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAME, None)
    forget()
    try:
        assert backends()[NAME] == "selective_scan_cuda is not installed"
        with pytest.raises(ValueError, match="cannot run: selective_scan_cuda is not installed"):
            selective_scan(*arguments(), backend=NAME)
    finally:
        forget()


def test_one_built_for_another_torch_is_quoted(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "raise ImportError('selective_scan_cuda.so: undefined symbol: _ZN3c10')\n"
    (tmp_path / f"{NAME}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    forget()
    try:
        assert backends()[NAME] == (
            "selective_scan_cuda does not load: selective_scan_cuda.so: undefined symbol: _ZN3c10"
        )
    finally:
        forget()


def test_a_probe_leaves_no_trace_in_what_the_caller_is_doing(module: ModuleType) -> None:
    before = torch.random.get_rng_state()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert backends()[NAME] == "live"
    assert torch.equal(torch.random.get_rng_state(), before)
