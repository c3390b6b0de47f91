"""A report says on which footing its mixes stand."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from reports.checks.footing import at_the_edge, footing, rates
from reports.checks.health import health
from reports.numbers.found import Found
from reports.numbers.results import read
from tests.simulated_run import simulate


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    counts = {"stage1": 2, "stage2": 2}
    path = tmp_path_factory.mktemp("record") / "record.sqlite"
    return read(simulate(path, counts, seeds=2, pictures=False))


def with_costs(found: Found, **columns: list[float]) -> Found:
    kept = found.table[~found.table["baseline"].astype(bool)]
    return replace(found, table=kept.assign(**columns))


def test_mixes_of_other_sizes_are_said_to_be_compared_with_their_sizes(found: Found) -> None:
    apart = with_costs(found, macs=[1e9, 2e9, 3e9, 4e9], params=[1e6, 1e6, 1.01e6, 1e6])
    assert footing(apart) == (
        "Not on equal footing: MACs differ up to 4-fold, so sizes are compared with blocks."
    )


def test_mixes_that_came_out_alike_are_said_to_be_so(found: Found) -> None:
    alike = with_costs(found, macs=[1e9, 1.01e9, 1e9, 1e9], params=[1e6] * 4)
    assert footing(alike).startswith("Mixes came out alike in MACs and parameters")


def test_equal_footing_is_said_with_the_largest_mismatch_and_its_mix(found: Found) -> None:
    level = with_costs(found, footing=[0.0, 0.004, -0.017, 0.01])
    asked = {"equal": "macs", "to": "1.2 G MACs", "size": "64x64", "by": "width", "within": 0.02}
    level = replace(level, facts={**found.facts, "footing": json.dumps(asked)})
    worst = level.label(str(level.table.index[2]))
    assert footing(level) == (
        "Equal footing: every mix has 1.2 G MACs at 64×64, solved for by width; "
        f"the largest mismatch is −1.7\u00a0% ({worst})."
    )


def tried(found: Found, chosen: dict[str, str]) -> Found:
    """Every trial of a mix chose a rate out of three."""
    rows = []
    for key, mix in zip(found.trials["key"], found.trials["mix"], strict=True):
        rate = chosen.get(str(mix), "0.003")
        rows.append((key, "learning_rate", rate))
        rows.append((key, "losses_of_rates", "0.001: 0.4, 0.003: 0.3, 0.01: diverged"))
    return replace(found, trial_facts=pd.DataFrame(rows, columns=["trial", "name", "value"]))


def test_rates_are_said_to_be_tried_and_those_at_the_edge_are_named(found: Found) -> None:
    mixes = [str(mix) for mix in found.table.index]
    edged = tried(found, {mixes[0]: "0.01", mixes[1]: "0.001"})
    assert rates(edged).startswith("Each trial trained at the best of 3 learning rates")
    assert at_the_edge(edged) == (
        f"{found.label(mixes[0])}: 0.01, the largest tried",
        f"{found.label(mixes[1])}: 0.001, the smallest tried",
    )
    assert at_the_edge(tried(found, {})) == () == at_the_edge(found)
    texts = [finding.text for finding in health(edged)]
    assert any(text.startswith("2 mixes chose the smallest or the largest") for text in texts)


def test_one_rate_for_all_is_said_where_it_is_known(found: Found) -> None:
    known = replace(found, facts={**found.facts, "training": '{"rate": 0.006}'})
    assert rates(known) == "All mixes trained at the one learning rate 0.006."
    assert rates(found) == ""
