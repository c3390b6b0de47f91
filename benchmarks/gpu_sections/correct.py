"""Every block, published network and scan back end against float64 on a CPU, with gradients."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

import blocks
from ablate.network import build
from ablate.profiling.modes import numbers_as
from ablate.study import load_study
from benchmarks.gpu_sections.section import Json, Section, Setting
from benchmarks.systems import systems
from blocks.scan import backends, selective_scan

LIMITS = {"float32": 2e-3, "tf32": 5e-2, "bfloat16": 1.5e-1}  # of the largest value, by precision
SHAPES = ((1, 24, 16, 16), (2, 24, 19, 23))  # the second fits no window
LENGTHS = (1, 2, 63, 65, 1000, 4097)
STATES = (1, 8, 16)


def items(setting: Setting) -> Sequence[str]:
    """Blocks, scans, then networks, which take longer."""
    scans = [f"scan {name}" for name, state in backends().items() if state == "live"]
    each = [f"block {name}" for name in blocks.blocks]
    nets = [f"network {name}" for name in systems()]
    return [*each[:2], *scans, *nets[:1]] if setting.small else [*each, *scans, *nets]


def measure(item: str, setting: Setting) -> Json:
    """The largest errors, by precision."""
    kind, _, name = item.partition(" ")
    if kind == "scan":
        return {"float32": _scan(name, setting)}
    if kind == "block":
        return _worst([_network(_block(name), shape, setting) for shape in SHAPES])
    study = load_study(name)
    model = build(study.mix(study.at(0)).network)
    return _network(model, (1, 3, 32, 40), setting)


def _block(name: str) -> nn.Module:
    torch.manual_seed(0)
    block = blocks.make(name, 24)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return block


def _network(model: nn.Module, shape: tuple[int, ...], setting: Setting) -> Json:
    """Value and gradient of the input, against float64."""
    torch.manual_seed(1)
    model.eval()
    x = torch.rand(shape)
    true = _run(copy.deepcopy(model).double(), x.double())
    found = {}
    own, given = copy.deepcopy(model).to(setting.device), x.to(setting.device)
    for precision in LIMITS if setting.on_gpu else ("float32", "bfloat16"):
        half = torch.autocast(setting.device.type, torch.bfloat16, enabled=precision == "bfloat16")
        with numbers_as(precision), half:
            found[precision] = _off(_run(own, given), true)
    return found


def _run(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = model(x)
    y = y["image"] if isinstance(y, dict) else y
    weight = torch.linspace(-1, 1, y.numel(), device=y.device).view(y.shape).to(y.dtype)
    (gradient,) = torch.autograd.grad((y * weight).sum(), x)
    return y.detach(), gradient


def _scan(name: str, setting: Setting) -> float:
    """The largest error over ragged lengths, forward and of every gradient."""
    worst = 0.0
    for length in LENGTHS[:3] if setting.small else LENGTHS:
        for states in STATES:
            given = _arguments(length, states)
            true = _passes([t.double() for t in given], "reference")
            found = _passes([t.to(setting.device) for t in given], name)
            worst = max(worst, *(_error(a, b) for a, b in zip(found, true, strict=True)))
    return worst


def _arguments(length: int, states: int) -> list[Tensor]:
    torch.manual_seed(length + states)
    u, delta = torch.randn(2, 2, 6, length)
    b, c = torch.randn(2, 2, 2, states, length)
    a = -torch.rand(6, states) * 4 - 0.1
    return [u, delta - 1, a, b, c, torch.randn(6), 0.1 * torch.randn(6)]


def _passes(given: list[Tensor], backend: str) -> tuple[Tensor, ...]:
    given = [t.clone().requires_grad_() for t in given]
    y = selective_scan(*given, backend=backend)
    weight = torch.linspace(-1, 1, y.numel(), device=y.device).view(y.shape).to(y.dtype)
    return (y.detach(), *torch.autograd.grad((y * weight).sum(), given))


def _off(found: tuple[Tensor, ...], true: tuple[Tensor, ...]) -> float:
    return max(_error(a, b) for a, b in zip(found, true, strict=True))


def _error(found: Tensor, true: Tensor) -> float:
    """Of the largest value; what is not a number counts as infinitely wrong."""
    error = (found.double().cpu() - true).abs().max() / true.abs().max().clamp_min(1e-12)
    return float(error.nan_to_num(float("inf")))


def _worst(rows: list[Json]) -> Json:
    return {precision: max(row[precision] for row in rows) for precision in rows[0]}


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """What is out of its limit, and the worst of each kind."""
    measured = {item: row for item, row in found.items() if "failed" not in row}
    out = [
        f"{item}, {precision}: off by {error:.1e}, limit {LIMITS[precision]:g}"
        for item, row in measured.items()
        for precision, error in row.items()
        if error > LIMITS[precision]
    ]
    yield from out
    yield f"{len(measured)} checked, {len(out)} out of their limits"
    for kind in ("block", "scan", "network"):
        for precision in LIMITS:
            errors = [
                r[precision] for i, r in measured.items() if i.startswith(kind) and precision in r
            ]
            if errors:
                yield f"  {kind}s, {precision}: worst {max(errors):.1e} of {len(errors)}"


SECTION = Section(
    words="every block, network and scan against float64 on a CPU, values and gradients",
    goal="within " + ", ".join(f"{limit:g} ({name})" for name, limit in LIMITS.items()),
    items=items,
    measure=measure,
    lines=lines,
)
