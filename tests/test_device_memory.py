"""Memory of a CUDA device: what PyTorch's allocator, the driver and NVML each say, by its name.

Tests without a device run networks on the CPU beside an allocator that says what it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from ablate.mix import Training
from ablate.profiling import device_memory, memory_flags
from ablate.profiling.device_memory import OutOfMemory, measure_inference, measure_training
from ablate.profiling.memory import forecast_inference, forecast_training, protocol
from ablate.profiling.nvml import Absent
from tests.test_memory import Staged

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
IMAGE = (1, 3, 16, 16)


class Allocator:
    """Gives the readings of a list in turn: bytes allocated at most since the last one, and now."""

    def __init__(self, readings: list[tuple[int, int]], base: int = 1000) -> None:
        self._readings: Iterator[tuple[int, int]] = iter(readings)
        self.most, self.now = base, base

    def _next(self) -> None:
        self.most, self.now = next(self._readings, (self.most, self.now))

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def reset(device: object) -> None:
            self._next()

        answers = {
            "memory_allocated": lambda device: self.now,
            "max_memory_allocated": lambda device: self.most,
            "memory_reserved": lambda device: 2_000_000,
            "max_memory_reserved": lambda device: 5_000_000 + self.most,
            "reset_peak_memory_stats": reset,
            "synchronize": lambda device: None,
            "empty_cache": lambda: None,
            "mem_get_info": lambda device: (3 << 30, 8 << 30),
        }
        for name, answer in answers.items():
            monkeypatch.setattr(torch.cuda, name, answer)


def plain(found) -> list[tuple[str, int, int, int]]:
    return [(s.slot, s.before, s.worst, s.after) for s in found.profile.stretches]


def test_each_stage_has_what_the_allocator_says_and_kernels_are_what_tensors_do_not_explain(
    monkeypatch,
):
    forecast = forecast_inference(Staged(), IMAGE)
    worst = {s.worst for s in forecast.stretches}
    high = max(worst) + 1_000_000
    readings = [(9_000, 7_000), (high, 60_000), (high + 1, 61_000), (high + 2, 62_000), (high, 50)]
    Allocator(readings).install(monkeypatch)
    found = measure_inference(Staged(), IMAGE, CPU)
    base = 1000
    assert plain(found) == [
        ("rest", 7_000 - base, high - base, 60_000 - base),
        ("stage1", 60_000 - base, high + 1 - base, 61_000 - base),
        ("stage2", 61_000 - base, high + 2 - base, 62_000 - base),
        ("rest", 62_000 - base, high - base, 50 - base),
    ]
    assert found.allocated == high + 2 - base
    assert found.profile.worst.slot == "stage2"
    for measured, expected in zip(found.profile.stretches, forecast.stretches, strict=True):
        kinds = dict(measured.by_kind)
        assert kinds.pop("kernels") == measured.worst - expected.worst
        assert kinds == expected.by_kind


def test_reserved_used_and_process_memory_are_numbers_of_their_own(monkeypatch):
    Allocator([(10_000, 5_000)] * 5).install(monkeypatch)
    found = measure_inference(Staged(), IMAGE, CPU)
    assert found.reserved == 5_000_000 + 10_000 - 2_000_000
    assert found.used == 5 << 30
    assert isinstance(found.process, Absent)
    assert "NVIDIA" in found.process.reason


def test_a_training_step_is_metered_place_by_place(monkeypatch):
    forecast = forecast_training(Staged(), IMAGE)
    most = [(10_000_000 + k, 1_000_000 + k) for k in range(20)]
    Allocator(most).install(monkeypatch)
    found = measure_training(Staged(), IMAGE, CPU)
    places = [(s.phase, s.slot) for s in found.profile.stretches]
    assert places == [(s.phase, s.slot) for s in forecast.stretches]
    assert [s.worst for s in found.profile.stretches] == [
        10_000_000 + k - 1000 for k in range(1, len(places) + 1)
    ]


def test_the_network_is_left_as_it_was_and_may_be_on_meta(monkeypatch):
    Allocator([(10_000, 5_000)] * 20).install(monkeypatch)
    with torch.device("meta"):
        model = Staged().eval()
    measure_training(model, IMAGE, CPU)
    assert all(p.is_meta and p.grad is None for p in model.parameters())
    assert not model.training


def test_what_does_not_fit_is_one_line(monkeypatch):
    class Large(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 1 TiB")

    Allocator([(10_000, 5_000)] * 5).install(monkeypatch)
    card = SimpleNamespace(total_memory=80 << 30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    with pytest.raises(OutOfMemory) as error:
        measure_inference(Large(), IMAGE, CPU)
    assert str(error.value) == (
        "images of shape (1, 3, 16, 16) need more memory than H100 has free, of 80.0 GiB"
    )


def test_flags_that_change_memory_are_recorded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_allocator_backend", lambda: "native")
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True,max_split_size_mb:64")
    monkeypatch.delenv("PYTORCH_ALLOC_CONF", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    found = memory_flags.memory_flags(CUDA, precision="bfloat16", channels_last=False)
    assert found["cudnn.benchmark"] == found["expandable_segments"] == "on"
    assert found["PYTORCH_CUDA_ALLOC_CONF"].startswith("expandable_segments:True")
    assert (found["precision"], found["channels_last"]) == ("bfloat16", "off")
    assert {"tf32 products", "tf32 convolutions", "cudnn.deterministic"} < set(found)
    monkeypatch.delenv("PYTORCH_CUDA_ALLOC_CONF")
    assert memory_flags.memory_flags(CUDA)["expandable_segments"] == "off"


def test_flags_of_a_cpu_are_its_own(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    found = memory_flags.memory_flags(CPU)
    assert found["MALLOC_ARENA_MAX"] == "1"
    assert found["threads"] == str(torch.get_num_threads())
    assert "cudnn.benchmark" not in found


def test_the_method_is_said_in_words():
    assert "max_memory_allocated" in protocol(CUDA)
    assert protocol(CPU).startswith("forecast: storages alive at once")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_measures_at_least_the_forecast_in_every_stretch():
    model, recipe = Staged(), Training()
    for found, forecast in (
        (measure_inference(model, IMAGE, CUDA), forecast_inference(model, IMAGE)),
        (measure_training(model, IMAGE, CUDA, recipe), forecast_training(model, IMAGE, recipe)),
    ):
        assert found.allocated >= forecast.peak
        assert found.reserved >= found.allocated
        assert {s.slot for s in found.profile.stretches} == {s.slot for s in forecast.stretches}
        assert all(sum(s.by_kind.values()) == s.worst for s in found.profile.stretches)
    assert device_memory.Meter(CUDA).reserved == 0
