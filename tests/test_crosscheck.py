"""The second count: like with like, disagreements shown, nothing left behind."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import blocks
from ablate.mix import Choice, Mix, Task, Training
from ablate.profiling._fvcore import Both, count_both
from ablate.profiling.crosscheck import (
    MIX,
    CheckJob,
    CrossCheck,
    Disagreement,
    check,
    compare,
    crosscheck,
    differ,
)
from tests.test_network import stage, unet

C, SIDE = 8, 6
PIXELS = SIDE * SIDE
IMAGE = (1, C, SIDE, SIDE)


def both(model: nn.Module, shape: tuple[int, ...] = IMAGE) -> CrossCheck:
    return compare(count_both(model, shape), shape)


class Mixed(nn.Module):
    """A convolution, products with weights and without, attention and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(C, C, 1)
        self.body = nn.Sequential(nn.Linear(C, C), nn.LayerNorm(C))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        tokens = self.body(self.conv(x).flatten(2).transpose(1, 2))
        heads = tokens[:, None]
        mask = torch.zeros(PIXELS, PIXELS)
        attended = functional.scaled_dot_product_attention(heads, heads, heads, mask)[:, 0]
        attended = attended + functional.scaled_dot_product_attention(heads, heads, heads)[:, 0]
        return {"image": torch.einsum("blc,dc->bld", attended, self.conv.weight[:, :, 0, 0])}


def test_what_both_see_agrees_and_what_fvcore_does_not_see_is_set_aside():
    found = both(Mixed())
    linear = PIXELS * C * C
    assert found.ours == {"conv": linear, "product": 2 * linear}
    assert found.fvcore == pytest.approx(found.ours, rel=1e-3)
    assert found.agrees and found.disagreements == ()
    attention = 2 * 2 * PIXELS * PIXELS * C  # both, whatever computes them
    assert found.set_aside == {"aten.scaled_dot_product_attention": attention}
    assert found.charged_beside == {"layer_norm": 5 * PIXELS * C}
    assert "aten::scaled_dot_product_attention" in found.unseen


@pytest.mark.parametrize("name", ["vss", "assb", "mwsa", "moce", "lama"])
def test_blocks_of_all_families_agree(name):
    found = both(blocks.make(name, 24), (1, 24, 16, 16))
    assert found.agrees
    assert sum(found.ours.values()) > 0
    scans = found.set_aside.get("ablate.selective_scan", 0)
    assert (scans > 0) is (name in ("vss", "assb"))


class Hidden(torch.autograd.Function):
    """A product that tracing cannot look into."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.flatten(2) @ x.flatten(2).transpose(1, 2)


class Hides(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Hidden.apply(x)


def test_a_product_that_fvcore_misses_is_a_disagreement_that_says_where():
    model = nn.Sequential(nn.Conv2d(C, C, 1), nn.Sequential(nn.GELU(), Hides()))
    found = both(model)
    assert not found.agrees
    missed = Disagreement(kind="product", ours=PIXELS * C * C, fvcore=0, modules=("1.1",))
    assert found.disagreements == (missed,)
    assert found.ours["conv"] == found.fvcore["conv"] == PIXELS * C * C
    assert any(name.startswith("prim::PythonOp") for name in found.unseen)


def test_one_percent_apart_is_no_disagreement_and_more_is():
    assert not differ(100, 99)
    assert differ(1000, 989)
    assert not differ(0, 0)
    assert differ(0, 1)


def test_counts_that_differ_are_both_shown_and_only_the_innermost_modules_are_named():
    ours = {"": Counter(conv=300), "a": Counter(conv=200), "a.x": Counter(conv=200), "b": Counter()}
    theirs = {"": Counter(conv=200), "a": Counter(conv=100), "a.x": Counter(conv=100)}
    found = compare(Both(ours=ours, theirs=theirs), IMAGE)
    assert found.disagreements == (
        Disagreement(kind="conv", ours=300, fvcore=200, modules=("a.x",)),
    )


def text_of_a_mix() -> str:
    task = Task(degradation=Choice.of("gaussian_noise"))
    network = unet(stage("stage1", "nafblock"), stage("decoder1", "mwsa"), width=16)
    return Mix(task=task, network=network, training=Training(crop=16, batch=1)).to_json()


@pytest.mark.usefixtures("forks")
def test_a_mix_is_checked_in_a_process_of_its_own():
    before = set(sys.modules)
    found = crosscheck(MIX, text_of_a_mix(), (1, 3, 16, 16))
    assert found.reason == ""
    assert found.agrees
    assert found.shape == (1, 3, 16, 16)
    assert found.ours["conv"] > 0 and found.ours["product"] > 0
    assert not {name for name in set(sys.modules) - before if name.startswith("fvcore")}


@pytest.mark.usefixtures("forks")
def test_a_network_that_cannot_be_made_is_a_reason():
    found = crosscheck(MIX, "no mix", IMAGE)
    assert not found.agrees
    assert found.reason.startswith("JSONDecodeError: Expecting value")


def test_without_fvcore_there_is_a_reason_and_no_count(monkeypatch):
    fast_path = torch.backends.mha.get_fastpath_enabled()
    for name in [name for name in sys.modules if name.partition(".")[0] == "fvcore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fvcore", None)
    job = CheckJob(maker=f"{__name__}:layer", argument=C, shape=IMAGE)
    try:
        found = check(job, lambda message: None)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    reason = "fvcore is not installed (pip install fvcore)"
    assert found == CrossCheck(shape=IMAGE, reason=reason)
    assert not found.agrees


def layer(channels: int) -> nn.Module:
    return nn.Conv2d(channels, channels, 1)


def test_counting_twice_leaves_attention_and_the_network_as_they_were():
    model, fused = Mixed().train(), functional.scaled_dot_product_attention
    count_both(model, IMAGE)
    assert functional.scaled_dot_product_attention is fused
    assert not list(model._forward_hooks)
