"""The page over all runs in a real browser: no error, sortable, readable on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.index import Entry, write_index
from tests.browser import Visit, findings, overflow
from tests.simulated_run import simulate


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    entries = []
    for at, counts in enumerate(({"stage1": 2, "stage2": 2}, {"stage1": 3, "stage2": 3})):
        record = simulate(folder / f"{at}.sqlite", counts, pictures=False, broken=at)
        entries.append(Entry(f"run {at}", record, f"./run{at}/report.html", "finished", "today"))
    entries.append(Entry("broken", folder / "none", "", "unreadable", "today", "not a record"))
    return write_index(entries, folder / "index.html", "runs")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_the_index_fits_and_is_accessible(
    page: Path,
    visit: Visit,
    width: int,
    scheme: str,
):
    shown = visit(page, width=width, scheme=scheme)
    assert overflow(shown) == []
    assert findings(shown) == []


def test_runs_are_sorted_by_a_click(page: Path, visit: Visit):
    shown = visit(page)
    names = "() => [...document.querySelectorAll('.runs tbody th')].map(one => one.innerText)"
    before = [name.split("\n")[0] for name in shown.evaluate(names)]
    assert before == ["run 0", "run 1", "broken"]
    shown.get_by_role("button", name="Mixes").click()
    after = [name.split("\n")[0] for name in shown.evaluate(names)]
    assert after == ["run 1", "run 0", "broken"]


def test_without_scripts_everything_is_there(page: Path, visit: Visit):
    shown = visit(page, scripts=False)
    assert shown.locator(".runs tbody tr").count() == 3
    assert shown.locator(".sketch").count() == 2
