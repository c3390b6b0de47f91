"""A report says which trials were trained otherwise than the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reports.checks.apart import apart
from reports.checks.health import health
from reports.numbers.found import Found
from reports.numbers.results import read
from tests.simulated_run import simulate


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    path: Path = tmp_path_factory.mktemp("record") / "record.sqlite"
    return read(simulate(path, {"stage1": 2}, seeds=2, pictures=False))


def test_trials_that_passed_batches_in_parts_are_named_where_it_matters(found: Found) -> None:
    one, two, *_ = found.trials[["key", "mix", "seed"]].to_numpy().tolist()
    rows = [
        (one[0], "micro_batch", "2"),
        (one[0], "comparable", "no"),
        (two[0], "micro_batch", "4"),  # no harm done
    ]
    facts = pd.DataFrame(rows, columns=["trial", "name", "value"])
    odd = replace(found, trial_facts=facts)
    said, lines = apart(odd)
    assert said == (
        "1 mix not comparable with the others: for want of memory 1 trial trained on smaller "
        "batches at a time, and what these networks learn depends on it."
    )
    assert lines == (f"{found.label(one[1])}, seed {one[2]}: 2 images at a time",)
    (finding,) = (finding for finding in health(odd) if finding.text == said)
    assert (finding.level, finding.details) == ("bad", lines)


def test_where_there_are_none_nothing_is_said(found: Found) -> None:
    assert apart(found) == ("", ())
    facts = pd.DataFrame([("a", "micro_batch", "4")], columns=["trial", "name", "value"])
    assert apart(replace(found, trial_facts=facts)) == ("", ())
