"""Judged trainings, cross-overs and roofs in a real browser: legible, and nothing over the edge."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.answering.answer import Answer
from reports.crossing.reading import keep_crossings
from reports.fidelity.longer import FACT, Kept, kept_text
from reports.numbers.results import read
from reports.page.page import Parts, html
from reports.record import Measurement, Record
from reports.sections import crossover, fidelity, roofline
from reports.sections.section import Given
from tests.browser import Visit, findings, overflow, overlaps
from tests.simulated_run import simulate
from tests.test_report_crossover import FOUND, written
from tests.test_report_roofline import METRICS, machine

TEXTS = "h2, h3, p, li, th, td, figcaption, summary, .tick, .key"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of these sections alone."""
    folder = tmp_path_factory.mktemp("run")
    path = simulate(folder / "record.sqlite", {"stage1": 3, "stage2": 3}, pictures=False)
    keep_crossings(written(folder, FOUND), folder)
    with Record.open(path, writable=True) as record:
        mixes = list(record.mixes()["key"][:6])
        kept = {mix: {0: 28 + rank / 9, 1: 28.1 + rank / 9} for rank, mix in enumerate(mixes)}
        record.set_fact(FACT, kept_text(record.facts(), "longer", Kept(4.0, 1600, "psnr", kept)))
        record.define(METRICS)
        rows = [machine("copy_bandwidth", 2e10), machine("product_rate", 1e11)]
        for number, mix in enumerate(mixes):
            values = {"intensity": 2.0**number, "roof_share": 0.5, "flops": 1e7 * (number + 1)}
            subject = f"{mix}:stage1"
            rows += [Measurement(subject, n, v, mode="128x128") for n, v in values.items()]
        record.add_sitting(rows)
    found = read(path)
    given = Given(path, found, Answer("A sentence."))
    made = (one.SECTION.part(given) for one in (roofline, crossover, fidelity))
    parts = Parts(found, given.said, (), tuple(part for part in made if part))
    assert len(parts.sections) == 3
    file = folder / "report.html"
    file.write_text(html(parts, ()), encoding="utf-8")
    return file


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light")])
def test_they_fit_and_axe_finds_nothing(visit: Visit, page: Path, width: int, scheme: str):
    shown = visit(page, width=width, scheme=scheme)
    shown.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert overflow(shown) == []
    assert overlaps(shown, TEXTS, 2.0) == []
    assert findings(shown) == []
    lines = shown.locator("#crossover path.curve")
    heights = [box["height"] for box in (lines.nth(n).bounding_box() for n in range(3)) if box]
    assert len(heights) == 3 and min(heights) > 20  # they are drawn, and rise
    assert shown.locator("#fidelity .slopes g").count() == 6
