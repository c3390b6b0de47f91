"""Memory as rows of the record: whole, by kind and by stage, each under a name that is defined."""

from __future__ import annotations

import pytest
import torch

from ablate.costs import memory_rows
from ablate.costs.memory_rows import flag_words, memory_metrics, resident_rows
from ablate.mix import Choice, Mix, Task, Training
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.device_memory import DeviceMemory, OutOfMemory
from ablate.profiling.memory import forecast_inference, forecast_training
from ablate.profiling.nvml import Absent
from ablate.profiling.resident import Resident
from tests.test_network import stage, unet

PROFILE = Profile(size=((16, 16), (8, 24)), batch=2)
STAGES = ("stage1", "decoder1", "rest")


def mix(**training) -> Mix:
    network = unet(stage("stage1", "nafblock"), stage("decoder1", "nafblock"), width=8)
    task = Task(degradation=Choice.of("gaussian_noise"))
    return Mix(task=task, network=network, training=Training(crop=16, batch=1, **training))


def rows_of(whole: Mix, device: str = "cpu"):
    with torch.device("meta"):
        model = build(whole.network)
    rows, notes = memory_rows.memory_rows(whole, model, PROFILE, device)
    return {(r.subject.removeprefix(whole.key), r.metric, r.mode): r.value for r in rows}, notes


def test_a_mix_has_its_peaks_whole_by_kind_and_by_stage():
    whole = mix(ema=0.9)
    rows, notes = rows_of(whole)
    assert notes == []
    calls = [("peak_memory", "16x16 batch 2"), ("peak_memory", "8x24 batch 2")]
    for metric, mode in [*calls, ("training_memory", "1 crops of 16x16")]:
        peak = rows["", metric, mode]
        kinds = [
            v for (s, m, where), v in rows.items() if m.startswith(f"{metric}_") and where == mode
        ]
        assert sum(kinds) == peak
        assert max(rows[f":{slot}", metric, mode] for slot in STAGES) == peak
    assert rows["", "training_memory_averages", "1 crops of 16x16"] > 0


def test_a_training_step_has_the_mix_s_own_recipe_and_size():
    whole = mix(ema=0.9, precision="bfloat16")
    rows, _ = rows_of(whole)
    with torch.device("meta"):
        model = build(whole.network)
    expected = forecast_training(model, (1, 3, 16, 16), whole.training).peak
    assert rows["", "training_memory", "1 crops of 16x16"] == expected


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_row_has_its_metric(device, monkeypatch):
    measured_by_hand(monkeypatch, process=5)
    rows, _ = rows_of(mix(), device)
    defined = {metric.name: metric for metric in memory_metrics(device)}
    assert {metric for _, metric, _ in rows} <= set(defined)
    assert all(metric.unit == "byte" for metric in defined.values())


def test_on_cuda_reserved_and_process_memory_stand_beside_allocated(monkeypatch):
    measured_by_hand(monkeypatch, process=5)
    rows, notes = rows_of(mix(), "cuda")
    assert notes == []
    assert rows["", "peak_memory_reserved", "16x16 batch 2"] == 7
    assert rows["", "peak_memory_process", "16x16 batch 2"] == 5
    assert rows["", "training_memory_process", "1 crops of 16x16"] == 5


def test_what_does_not_fit_costs_the_others_nothing(monkeypatch):
    measured_by_hand(monkeypatch, process=5)

    def training(model, shape, device, settings):
        raise OutOfMemory("images of shape (1, 3, 16, 16) need more memory\nthan there is")

    monkeypatch.setattr(memory_rows, "measure_training", training)
    rows, notes = rows_of(mix(), "cuda")
    calls = {mode for _, metric, mode in rows if metric == "peak_memory"}
    assert calls == {"16x16 batch 2", "8x24 batch 2"}
    assert not any(metric.startswith("training_memory") for _, metric, _ in rows)
    assert [(note.topic, note.text) for note in notes] == [
        (
            "training_memory",
            "1 crops of 16x16: not known: images of shape (1, 3, 16, 16) need more memory",
        )
    ]


def test_process_memory_that_cannot_be_read_is_absent_with_the_reason(monkeypatch):
    measured_by_hand(monkeypatch, process=Absent("no permission"))
    rows, notes = rows_of(mix(), "cuda")
    assert not any(metric.endswith("_process") for _, metric, _ in rows)
    assert [note.topic for note in notes] == ["peak_memory_process"] * 2 + [
        "training_memory_process"
    ]
    assert notes[0].text == "16x16 batch 2: process memory was not measured: no permission"


def test_resident_memory_is_a_row_of_its_own():
    found = Resident(peak=3, allocated=2, before=1, how="", allocator="", flags={})
    rows = resident_rows("key", "peak_memory", found, "8x8")
    assert [(r.subject, r.metric, r.value, r.mode, r.device) for r in rows] == [
        ("key", "peak_memory_resident", 3, "8x8", "cpu"),
        ("key", "peak_memory_allocated", 2, "8x8", "cpu"),
    ]


def test_flags_are_one_line():
    assert flag_words({"cudnn.benchmark": "off", "allocator": "native"}) == (
        "cudnn.benchmark off, allocator native"
    )


def measured_by_hand(monkeypatch, process: int | Absent) -> None:
    """A device whose allocator finds exactly the forecast."""

    def device(profile) -> DeviceMemory:
        return DeviceMemory(profile=profile, reserved=7, process=process, used=9, flags={})

    def inference(model, shape, device_, *, precision, channels_last):
        way = {"precision": precision, "channels_last": channels_last}
        return device(forecast_inference(model, shape, **way))

    def training(model, shape, device_, settings):
        return device(forecast_training(model, shape, settings))

    monkeypatch.setattr(memory_rows, "measure_inference", inference)
    monkeypatch.setattr(memory_rows, "measure_training", training)
