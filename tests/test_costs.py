"""Costs as rows of the record: what is routed has a range, what cannot be counted has a note."""

from __future__ import annotations

import pytest

from ablate.costs import cost_metrics, count_mix
from ablate.mix import Choice, Mix, Network, Profile, Task, Training
from tests.test_network import stage, unet

PROFILE = Profile(size=((16, 16),))


def mix(network: Network) -> Mix:
    task = Task(degradation=Choice.of("gaussian_noise"))
    return Mix(task=task, network=network, training=Training(crop=16, batch=1))


def measured(block: str) -> dict[str, float]:
    network = unet(stage("stage1", block), stage("decoder1"), width=16)
    rows, notes = count_mix(mix(network), PROFILE, "cpu")
    assert notes == []
    return {row.metric: row.value for row in rows}


def test_a_routed_network_has_its_mean_and_both_ends():
    rows = measured("moce")
    assert rows["macs_least"] < rows["macs"] < rows["macs_most"]
    by_class = [v for k, v in rows.items() if k.startswith("macs_") and "st" not in k]
    assert sum(by_class) == pytest.approx(rows["macs"])


def test_a_network_that_routes_nothing_has_no_ends():
    rows = measured("nafblock")
    assert rows["macs"] == rows["macs_conv"]
    assert not {"macs_least", "macs_most"} & set(rows)


def test_every_row_has_its_metric():
    defined = {metric.name for metric in cost_metrics(PROFILE, "cpu")}
    assert set(measured("moce")) <= defined
