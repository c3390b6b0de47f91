"""Learning curves and checkpoints of very many mixes: some are drawn, all are counted."""

from __future__ import annotations

import numpy as np
import pytest

from reports.analysis.fidelity import MOST_PAIRED
from reports.fidelity.checkpoints import Course
from reports.fidelity.judging import judged
from reports.fidelity.words import said
from reports.numbers.results import read
from reports.numbers.units import Scale
from reports.sections.learning import SECTION, learning
from tests import one_section
from tests.simulated_run import simulate


def test_of_many_mixes_as_many_curves_are_drawn_as_can_be_told_apart(
    tmp_path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("reports.sections.learning.MOST_LINES", 4)
    counts = {"stage1": 3, "stage2": 3}
    path = simulate(tmp_path / "record.sqlite", counts, seeds=1, pictures=False, latency=False)
    shown = learning(read(path))
    assert (shown.drawn, shown.lines_of) == (4, 9)
    assert sum(int(panel.says.split()[0]) for panel in shown.panels) == 9  # all are counted
    html = one_section.html(SECTION, shown)
    assert "each of 4 mixes, spread evenly over the ranking of 9 (mean over its seeds)" in html


def test_of_few_mixes_all_curves_are_drawn(tmp_path):
    path = simulate(tmp_path / "record.sqlite", {"stage1": 2}, seeds=1, pictures=False)
    shown = learning(read(path))
    assert (shown.drawn, shown.lines_of) == (2, 0)
    assert "one thin line for each mix (mean" in one_section.html(SECTION, shown)


def test_taus_of_very_many_mixes_are_of_some_and_that_is_said():
    """Noise of a third of the mixes' spread: they correlate 0.95 with the end, tau is 0.79."""
    rng, mixes = np.random.default_rng(0), 20_000
    final = rng.standard_normal((mixes, 2))
    values = np.stack([final + rng.normal(0, 1 / 3, (mixes, 2)), final])
    course = Course(tuple(map(str, range(mixes))), (0.5, 1.0), (200, 400), values, final)
    found = judged(course)
    assert found is not None
    half = found.half.bands["all"]
    assert (found.mixes, found.paired, half.n) == (mixes, MOST_PAIRED, MOST_PAIRED)
    assert half.low < 2 * np.arcsin(1 / np.sqrt(1 + 1 / 9)) / np.pi < half.high
    assert found.half.best.low != found.half.best.low  # not drawn again
    sentences = said(found, Scale("psnr", 1.0, "dB", 2))
    assert sentences[0].startswith("At step\u00a0200 of 400 the 20,000 mixes stood")
    assert sentences[-1] == ("Taus are of 200 mixes of each band, drawn evenly from 20,000.")
