"""The stages of a network by themselves, with what they are given inside it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ablate.network import build, stages_of
from ablate.profiling.stages import stage_calls
from ablate.study import load_study


def network(name: str) -> nn.Module:
    study = load_study(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(study.mix(study.at(0)).network).eval()


@pytest.mark.parametrize("name", ["quickstart", "m3snet_parts", "moce_experts"])
def test_a_stage_by_itself_does_what_it_does_inside_the_network(name):
    model, image = network(name), torch.rand(1, 3, 32, 32)
    outputs: dict[int, torch.Tensor] = {}
    containers = [c for filled in stages_of(model).values() for c in filled if len(c)]
    hooks = [
        c.register_forward_hook(lambda module, inputs, out: outputs.update({id(module): out}))
        for c in containers
    ]
    calls = stage_calls(model, image)
    inside = dict(outputs)
    outputs.clear()
    with torch.inference_mode():
        for call in calls.values():
            call()
    for hook in hooks:
        hook.remove()
    assert inside and set(inside) == set(outputs)
    for key, output in inside.items():
        torch.testing.assert_close(outputs[key], output)


def test_stages_are_named_in_order_with_the_shapes_they_see():
    calls = stage_calls(network("quickstart"), torch.rand(1, 3, 32, 32))
    shapes = {slot: call.shapes for slot, call in calls.items()}
    first = shapes["stage1"][0]
    assert first[2:] == (32, 32)
    assert shapes["stage2"] == ((1, 2 * first[1], 16, 16),)


def test_a_network_is_left_without_hooks():
    model = network("quickstart")
    stage_calls(model, torch.rand(1, 3, 32, 32))
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_network_that_is_not_made_of_stages_has_none():
    assert stages_of(nn.Conv2d(3, 3, 3)) == {}
