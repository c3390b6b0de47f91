"""Tables in a real browser: sorted by headings, copied as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.build import report_texts
from tests.browser import Visit
from tests.simulated_run import simulate

if TYPE_CHECKING:
    from playwright.sync_api import Page

CATCH = """() => {
  window.caught = "";
  const clipboard = { writeText: async (text) => { window.caught = text; } };
  Object.defineProperty(navigator, "clipboard", { value: clipboard, configurable: true });
}"""
REFUSE = """() => {
  const clipboard = { writeText: async () => { throw new Error("no"); } };
  Object.defineProperty(navigator, "clipboard", { value: clipboard, configurable: true });
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run = simulate(folder / "record.sqlite", {"stage1": 3, "stage2": 3}, pictures=False, broken=1)
    page = folder / "report.html"
    page.write_text(report_texts(run)["report.html"], encoding="utf-8")
    return page


def column(page: Page, at: int) -> list[str]:
    cells = page.locator("#mixes table tbody tr").evaluate_all(
        "(rows, at) => rows.map((row) => row.cells[at].textContent.trim())", at
    )
    return [str(cell) for cell in cells]


def numbers(texts: list[str]) -> list[float]:
    return [float(text.split()[0]) for text in texts if text[:1].isdigit()]


def copied(page: Page, kind: str, section: str = "mixes") -> str:
    page.evaluate(CATCH)
    page.locator(f"#{section} .copies").first.get_by_role("button", name=kind, exact=True).click()
    page.wait_for_function("window.caught !== ''")
    return str(page.evaluate("window.caught"))


def test_headings_sort_what_has_no_value_stays_last_and_groups_stay_together(visit: Visit, report):
    page = visit(report)
    assert page.locator("main table thead th[scope=col] button.sorts").count() > 20
    heading = page.locator("#mixes table thead th").nth(2)
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    shown = numbers(column(page, 2))
    assert shown == sorted(shown)
    rank = column(page, 1)  # the front's probability: absent of the zeros
    page.locator("#mixes table thead th").nth(1).get_by_role("button").press("Enter")
    sorted_rank = column(page, 1)
    known = [text for text in sorted_rank if text != "–"]
    assert sorted_rank[: len(known)] == known
    assert sorted(rank) == sorted(sorted_rank)
    page.locator("#mixes table thead th").nth(0).get_by_role("button").click()
    names = [text.casefold() for text in column(page, 0)]
    assert len(set(names)) == len(names)
    page.locator("table.trials thead button.sorts").first.click()
    first = page.locator("table.trials tbody").evaluate_all(
        "(bodies) => bodies.every((body) => body.rows[0].cells.length === 1)"
    )
    assert first  # the row that names the mix


def test_every_table_can_be_copied(visit: Visit, report):
    page = visit(report)
    tables = page.locator("main table").filter(has=page.locator("thead")).count()
    assert page.locator(".copies").count() == tables >= 8
    assert "stage1" in copied(page, "CSV", "speed")
    rows = list(csv.reader(io.StringIO(copied(page, "CSV"))))
    assert len({len(row) for row in rows}) == 1
    quality = next(at for at, name in enumerate(rows[0]) if name.startswith("PSNR"))
    assert [float(row[quality]) for row in rows[1:4]] == numbers(column(page, 2))[:3]
    assert rows[1][quality + 1].startswith("±")
    assert page.locator("#mixes .said").inner_text() == "Copied as CSV"
    shown = page.locator("#mixes table tbody tr").count()
    markdown = copied(page, "Markdown").splitlines()
    assert len(markdown) == shown + 2
    assert r"stage1 rdcnn \| stage2" in "\n".join(markdown)
    latex = copied(page, "LaTeX")
    assert latex.count(r"\\") == shown + 1
    assert r"$\pm$" in latex and r"\textbar{}" in latex


def test_where_the_clipboard_is_closed_the_text_is_there_to_take(visit: Visit, report):
    page = visit(report)
    page.evaluate(REFUSE)
    page.locator("#mixes .copies").get_by_role("button", name="LaTeX").press("Enter")
    area = page.locator("dialog textarea")
    area.wait_for()
    assert area.input_value().startswith("% needs")
    chosen = "(area) => area.selectionEnd - area.selectionStart === area.value.length"
    assert area.evaluate(chosen)
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0
