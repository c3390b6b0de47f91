"""The Triton scan without a GPU, in Triton's interpreter and compiled ahead; and on one."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from blocks.scan import _triton, backend_for, backends, selective_scan, selective_scan_paths
from tests import test_scan_paths
from tests.test_scan import (
    SHAPES,
    arguments,
    as_dtype,
    assert_same,
    by_hand,
    value_and_gradients,
)

ROOT = Path(__file__).parents[1]
KERNEL = ROOT / "blocks" / "scan" / "kernel_triton.py"
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed"
)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@needs_triton
@pytest.mark.slow
@pytest.mark.timeout(900)  # half a minute of its own, on a machine with nothing else to do
def test_interpreted_it_equals_the_equations() -> None:
    """One process for all cases of `tests.scan_interpreted`, as each takes seconds."""
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.scan_interpreted"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {case["case"]: case["error"] for case in map(json.loads, done.stdout.splitlines())}
    assert len(found) == 10
    assert {case: error for case, error in found.items() if not error < 1e-5} == {}


POINTERS = "x u delta matrix grad inward outward bias skip rates ends sums starts y states"
GRADIENTS = "d_u d_delta d_inward d_outward d_rates d_bias d_skip"
COMMON = {"LANES": _triton.LANES, "SOFTPLUS": True}
ROWS = {"ROWS": 16, "COLUMNS": 64}


def variants(states: int, padded: int, along: bool) -> Iterator[tuple[str, dict[str, int | bool]]]:
    some = {**COMMON, "N": states, "NP": padded, "PATHS": along}
    for backward in (False, True):
        yield "chunk_ends", {**some, "BACKWARD": backward}
        yield "carry", {**ROWS, "N": states, "BACKWARD": backward}
    yield "forward_chunks", {**some, "BLOCK": _triton.BLOCK, "SAVE": along}
    yield "backward_chunks", {**some, "BLOCK": _triton.BLOCK}


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize(
    ("capability", "states", "padded", "along"), [(80, 16, 16, False), (90, 5, 8, True)]
)
def test_every_kernel_compiles_without_a_gpu(
    capability: int,
    states: int,
    padded: int,
    along: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions to come
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        kernels = importlib.import_module("blocks.scan.kernel_triton")
        target = GPUTarget("cuda", capability, 32)
        for name, constants in variants(states, padded, along):
            kernel = getattr(kernels, name)
            signature = {n: type_of(n, constants) for n in kernel.arg_names}
            source = ASTSource(kernel, signature=signature, constexprs=constants)
            done = triton.compile(source, target=target, options={"num_warps": 1})
            assert f".target sm_{capability}" in done.asm["ptx"]
            assert len(done.asm["cubin"]) > 1000


def type_of(argument: str, constants: dict[str, int | bool]) -> str:
    if argument in constants:
        return "constexpr"
    if argument in {*POINTERS.split(), *GRADIENTS.split()}:
        return "*fp32"
    return "*i64" if argument == "table" else "i32"


def test_every_kernel_is_written_without_what_only_some_versions_of_triton_have() -> None:
    """Reversed scans differ between versions; descriptors, gathers and warp groups are new."""
    text = KERNEL.read_text(encoding="utf-8")
    for word in ("reverse", "tl.gather", "descriptor", "warp_specialize", "tl.flip", "libdevice"):
        assert word not in text


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = _triton.Triton().obstacle()
    installed = importlib.util.find_spec("triton") is not None
    assert found == ("no CUDA device" if installed else "triton is not installed")
    assert _triton.Triton().preference(torch.device("cpu")) == 0


def test_without_triton_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert _triton.Triton().obstacle() == "triton is not installed"


@needs_triton
def test_a_triton_of_long_ago_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr("triton.__version__", "3.2.0")
    assert _triton.Triton().obstacle() == "triton 3.2.0 is too old: 3.3 or later is needed"


@pytest.mark.parametrize(
    ("length", "channels", "chunk"),
    [(1, 1, 32), (4096, 64, 32), (65536, 64, 64), (2**20, 512, 1024)],
)
def test_time_is_cut_into_chunks_that_keep_a_gpu_busy(
    length: int, channels: int, chunk: int
) -> None:
    meta = [t.to("meta") for t in arguments(1, 4, 1, channels=channels, batch=1)]
    long = torch.empty(1, channels, length, device="meta")
    matrix = torch.empty(1, 1, 4, length, device="meta")
    scan = _triton.Scan(long, long, meta[2], matrix, matrix, None, None, True)
    plan = _triton._Plan(scan)
    assert plan.chunk == chunk
    assert plan.chunks * chunk >= length > (plan.chunks - 1) * chunk


on_gpu = pytest.mark.parametrize("backend", ["triton", "selective_scan_cuda"])


def live(backend: str) -> str:
    if (why := backends()[backend]) != "live":
        pytest.skip(f"{backend}: {why}")
    return backend


@pytest.mark.gpu
@needs_gpu
@on_gpu
@pytest.mark.parametrize(("length", "states", "groups"), [*SHAPES, (2049, 16, 1), (5000, 8, 2)])
def test_on_a_gpu_each_kernel_equals_the_reference(
    backend: str, length: int, states: int, groups: int
) -> None:
    given = arguments(length, states, groups, device="cuda", channels=40)
    wide = as_dtype(given, torch.float64)
    true = value_and_gradients(lambda g: selective_scan(*g, backend="torch"), wide)
    found = value_and_gradients(lambda g: selective_scan(*g, backend=live(backend)), given)
    assert_same(found, true, 1e-4)


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_more_states_than_a_call_and_fast_decay() -> None:
    for states in (17, 64):
        given = arguments(300, states, 1, device="cuda")
        given[2] = (given[2].detach() * 100).requires_grad_()
        true = value_and_gradients(by_hand, as_dtype(given, torch.float64))
        found = value_and_gradients(lambda g: selective_scan(*g, backend=live("triton")), given)
        assert_same(found, true, 1e-5)


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_paths_are_followed_in_place() -> None:
    given = [t.detach().cuda().requires_grad_() for t in test_scan_paths.arguments(40, 16)]
    order = test_scan_paths.visited().cuda()
    found, true = (
        value_and_gradients(
            lambda g, name=name: selective_scan_paths(*g, visited=order, backend=name), given
        )
        for name in (live("triton"), "torch")
    )
    assert_same(found, true, 1e-5)


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_the_same_call_gives_the_same_bits() -> None:
    given = arguments(3000, 16, 2, device="cuda", channels=80)
    run = lambda g: selective_scan(*g, backend=live("triton"))  # noqa: E731
    pairs = zip(value_and_gradients(run, given), value_and_gradients(run, given), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_triton_is_chosen() -> None:
    assert backend_for(torch.device("cuda")) == live("triton")
