"""Costs as rows of the record: what is routed has a range, what cannot be counted has a note."""

from __future__ import annotations

from functools import cache

import pytest

from ablate.costs.counts import BESIDE, cost_metrics, count_mix
from ablate.mix import Choice, Mix, Network, Task, Training
from ablate.profile import Profile
from reports.record import Measurement
from tests.test_network import stage, unet

PROFILE = Profile(size=((16, 16),))


def mix(network: Network) -> Mix:
    task = Task(degradation=Choice.of("gaussian_noise"))
    return Mix(task=task, network=network, training=Training(crop=16, batch=1))


@cache
def counted(block: str) -> tuple[str, list[Measurement]]:
    whole = mix(unet(stage("stage1", block), stage("decoder1"), width=16))
    rows, notes = count_mix(whole, PROFILE, "cpu")
    assert notes == []
    return whole.key, rows


def measured(block: str, slot: str = "") -> dict[str, float]:
    key, rows = counted(block)
    subject = f"{key}:{slot}" if slot else key
    return {row.metric: row.value for row in rows if row.subject == subject}


def test_a_routed_network_has_its_mean_and_both_ends():
    rows = measured("moce")
    assert rows["macs_least"] < rows["macs"] < rows["macs_most"]
    by_class = [v for k, v in rows.items() if k.startswith("macs_") and "st" not in k]
    assert sum(by_class) == pytest.approx(rows["macs"])


def test_a_network_that_routes_nothing_has_no_ends():
    rows = measured("nafblock")
    assert rows["macs"] == rows["macs_conv"]
    assert not {"macs_least", "macs_most"} & set(rows)


def test_the_costs_of_stages_and_of_the_rest_add_up_to_those_of_the_mix():
    whole = measured("nafblock")
    parts = [measured("nafblock", slot) for slot in ("stage1", "decoder1", "rest")]
    for metric in ("macs", "flops", "bytes_moved", "activations"):
        assert sum(part[metric] for part in parts) == whole[metric] > 0


def test_flops_are_two_for_each_multiply_add_and_one_for_any_other_operation():
    rows = measured("nafblock")
    assert rows["flops"] == 2 * rows["macs"] + sum(rows[name] for name in BESIDE)


def test_what_cannot_be_counted_still_has_its_parameters_and_its_memory(monkeypatch):
    def refuse(model: object, shape: object) -> None:
        raise ValueError("no count\nfor this")

    monkeypatch.setattr("ablate.costs.counts.ledger", refuse)
    whole = mix(unet(stage("stage1", "nafblock"), stage("decoder1"), width=8))
    rows, notes = count_mix(whole, PROFILE, "cpu")
    assert [(note.topic, note.text) for note in notes] == [("uncounted", "no count")]
    found = {row.metric for row in rows if row.subject == whole.key}
    assert {"params", "peak_memory", "training_memory"} <= found and "macs" not in found


def test_every_row_has_its_metric():
    defined = {metric.name for metric in cost_metrics(PROFILE, "cpu")}
    assert set(measured("moce")) <= defined
