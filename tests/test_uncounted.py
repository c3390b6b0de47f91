"""The share of time of what no counter knows, under operators that take a known time."""

from __future__ import annotations

import os
import time

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from ablate.profiling.ledger import ledger
from ablate.profiling.uncounted import uncounted_shares

IMAGE = (1, 3, 6, 6)
PAUSE = 0.02  # seconds; all else takes well under a millisecond


@torch.library.custom_op("ablate_test_uncounted::slow", mutates_args=())
def slow(x: Tensor) -> Tensor:
    time.sleep(PAUSE)
    return x.clone()


slow.register_fake(torch.empty_like)


class Opaque(torch.autograd.Function):
    """Takes as long, behind PyTorch's back."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        y = torch.empty_like(x)
        if not isinstance(x, FakeTensor):
            time.sleep(PAUSE)
        return y


class Slow(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Opaque.apply(slow(x.relu())) + 1


def test_each_share_is_that_of_its_time():
    names = ledger(Slow(), IMAGE).uncounted
    assert list(names) == ["ablate_test_uncounted.slow", f"{__name__}.Opaque.forward"]
    shares = uncounted_shares(Slow(), torch.rand(IMAGE), names, calls=1)
    assert list(shares) == list(names)
    assert shares == pytest.approx(dict.fromkeys(names, 0.5), abs=0.2)
    assert sum(shares.values()) <= 1


def test_what_did_not_run_is_absent():
    names = ["aten.linalg_inv_ex", "aten.relu"]
    shares = uncounted_shares(nn.ReLU(), torch.rand(IMAGE), names, calls=1)
    assert list(shares) == ["aten.relu"]
    assert 0 < shares["aten.relu"] <= 1


def test_the_environment_is_left_as_it_was():
    before = dict(os.environ)
    uncounted_shares(nn.ReLU(), torch.rand(IMAGE), ["aten.relu"], calls=1)
    assert dict(os.environ) == before
