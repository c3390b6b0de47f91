"""The searches' benchmark counts what it says it counts."""

from __future__ import annotations

import optuna
import pytest

from ablate.searches.bare import Bare
from benchmarks.searches import SEARCHES, Table, compare, found_by, modelled


def test_the_whole_front_is_found_when_everything_was_tried() -> None:
    table = modelled()
    points = list(table.space.points())
    assert len(points) == 256 == len(set(table.values.values()))
    parts = found_by(table, [points[0], points[0], *points])
    assert parts[0] == parts[1] == parts[2]
    assert parts == sorted(parts) and parts[-1] == pytest.approx(1)


def test_the_found_part_is_the_area_below_the_front() -> None:
    values = {(0, 0): (1.0, 0.0), (0, 1): (2.0, 2.0), (1, 0): (0.0, 4.0), (1, 1): (1.0, 3.0)}
    table = Table(words="four", space=Bare((2, 2)), values=values)
    # from (0 dB, 4 MACs): 1 x 4 and 1 x 2 more; the last two add nothing
    assert found_by(table, [(0, 1), (1, 1), (0, 0)]) == pytest.approx([4 / 6, 4 / 6, 1])


def test_every_search_is_compared_over_the_same_table(capsys: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        found = compare(modelled(), asked=20, repeats=2)
    finally:
        optuna.logging.set_verbosity(before)
    assert list(found) == list(SEARCHES)
    for name, one in found.items():
        assert one["unique"] <= 20 and (name.startswith("Optuna") or one["unique"] == 20)
        low, mean, high = (one["after 20"][key] for key in ("low", "mean", "high"))
        assert low <= mean <= high and 0 < mean <= 1
    assert "20.0 of 20 different" in capsys.readouterr().out
