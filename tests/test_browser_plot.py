"""The plot in a real browser: it draws what the server drew, and all that it offers works."""

from __future__ import annotations

import csv
import io
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reports.analysis.paired import beaten_by_best, paired
from reports.analysis.statistics import FEWEST_SEEDS
from reports.answering.answer import answer
from reports.build import sections
from reports.graphics.axes import between
from reports.numbers.results import read
from reports.page.page import html
from reports.plot.drawing import edge
from reports.plot.plot import Plot, plot
from reports.sections import mixes, speed, trials
from tests.browser import findings, overflow
from tests.simulated_run import Kind, simulate

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = '=2+2 <b title="x">\'&'  # a name that is a formula to a sheet, and markup to a page
KINDS = (
    Kind(EVIL, "cnn", 0.00, 1.0),
    Kind("lama", "linear_attention", 0.06, 1.5),
    Kind("emvm", "mamba", 0.16, 2.6),
    Kind("mwsa", "attention", 0.14, 2.2),
)
PLACES = """() => {
  const names = ["x", "y", "x1", "y1", "x2", "y2", "href"];
  const words = [".tick", ".letter-mark"];
  const place = (query) => (node) => names.map((name) => node.getAttribute(name))
    .concat(words.includes(query) ? [node.textContent] : []).join(" ");
  return Object.fromEntries(["use", ".bar", ".step", ...words].map((query) => [
    query, [...document.querySelectorAll(`.field .inner ${query}`)].map(place(query)).sort()]));
}"""
TABLE = "() => document.querySelector('.compare').textContent.replace(/\\s+/g, '')"


def written(record: Path, folder: Path) -> Path:
    """The page with the plot, and with tables that it works together with."""
    page = folder / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.contents.SECTIONS", (speed.SECTION, mixes.SECTION, trials.SECTION))
        page.write_text(html(sections(record), []))
    return page


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plot")
    path = simulate(
        folder / "record", {"stage1": 2, "stage2": 4}, broken=1, kinds=KINDS, pictures=False
    )
    return written(path, folder)


@pytest.fixture(scope="module")
def shown(report) -> Plot:
    found = read(report.parent / "record")
    return plot(found, answer(found))


def points(page: Page) -> list[str]:
    """Keys of the mixes in view, from left to right."""
    query = (
        "nodes => nodes.map((node) =>"
        "[parseFloat(node.querySelector('use').getAttribute('x')), node.dataset.mix])"
    )
    return [key for _, key in sorted(page.eval_on_selector_all(".field .point", query))]


def best(page: Page) -> set[str]:
    """Keys of the mixes that are drawn as the front."""
    query = "nodes => nodes.map(node => node.dataset.mix)"
    return set(page.eval_on_selector_all(".field .point.front", query))


def pins(page: Page) -> list[str]:
    """What the columns of the comparison are headed by."""
    return page.locator(".compare thead .pin-label").all_text_contents()


def test_the_script_draws_what_the_server_drew(report, shown, visit):
    still = visit(report, scripts=False)
    moving = visit(report)
    served, drawn = still.evaluate(PLACES), moving.evaluate(PLACES)
    assert served == drawn
    assert len(served["use"]) == shown.competing
    moving.evaluate(
        "() => { document.querySelectorAll('.pin-tools').forEach(node => node.remove()); }"
    )
    assert moving.evaluate(TABLE) == still.evaluate(TABLE)
    assert still.locator(".toolbar").is_hidden()
    assert still.locator("#speed-budget").is_hidden()


def test_the_script_and_the_server_agree_on_fronts_gaps_and_axes(report, shown, visit):
    page = visit(report)
    fronts = page.evaluate(
        "() => { const { plot } = report; const { given } = plot;"
        "const all = (x, y) => Array.from({ length: given.competing }, (_, mix) => mix)"
        ".filter((mix) => x.values[mix] !== null && y.values[mix] !== null);"
        "return given.measures.flatMap((x) => given.measures.map((y) =>"
        "[x.name, y.name, plot.front(all(x, y), x, y).sort((a, b) => a - b)])); }"
    )
    assert len(fronts) == len(shown.measures) ** 2
    for x, y, members in fronts:
        mask = edge(shown.measure(x), shown.measure(y), shown.competing)
        assert members == np.flatnonzero(mask).tolist(), (x, y)
    gaps = page.evaluate(
        "() => { const { plot } = report; return plot.given.measures.flatMap((m) =>"
        "[1, 2, 3].map((mix) => { const gap = plot.gap(m, mix, 0);"
        "return [m.name, mix, gap.value, gap.ends, gap.apart]; })); }"
    )
    for name, mix, value, ends, apart in gaps:
        gap = shown.evidence.gap(shown.measure(name), mix, 0)
        assert apart == gap.apart, (name, mix)
        assert value == pytest.approx(gap.value, abs=2e-4, rel=1e-4)
        assert (ends or [math.nan] * 2) == pytest.approx([gap.low, gap.high], abs=1e-3, nan_ok=True)
    ranges = page.evaluate(
        "() => { const made = { name: 'energy', values: [1, 1.25], low: [0.9, 1.15],"
        "high: [1.1, 1.35] }; const apart = (wider) => report.plot.gap({ ...made, wider }, 0, 1)"
        ".apart; return [apart(undefined), apart(0.374)]; }"
    )
    assert ranges == [True, False]
    for low, high, log in ((28.61, 29.47, False), (0.0, 1e-3, False), (0.9, 170.0, True)):
        made = between(low, high, ticks=6, log=log)
        texts = page.evaluate(
            "([low, high, log]) => { const axis = report.plot.between(low, high, log, 6);"
            "return axis.ticks.map((tick) => report.plot.tickText(axis, tick)); }",
            [low, high, log],
        )
        assert texts == [made.label(tick) for tick in made.ticks]


def test_any_measure_goes_along_any_axis(report, shown, visit):
    page = visit(report)
    options = page.locator("#speed-x option").all_text_contents()
    assert sorted(options) == sorted(measure.heading for measure in shown.measures)
    assert "Latency, ms" in options
    page.get_by_label("Across", exact=True).select_option("macs")
    page.get_by_label("Up", exact=True).select_option("ssim")
    mask = edge(shown.measure("macs"), shown.measure("ssim"), shown.competing)
    assert best(page) == {mix for mix, on in zip(shown.mixes, mask, strict=False) if on}
    assert page.locator("#speed-up").text_content() == "↑ SSIM"
    assert page.locator("#speed-corner").text_content() == "left"
    page.get_by_label("Across", exact=True).select_option("psnr")
    assert page.locator("#speed-corner").text_content() == "right"
    page.get_by_label("Across", exact=True).select_option("macs")
    before = points(page), page.locator(".field .tick").all_text_contents()
    page.get_by_label("Logarithmic axis across").check()
    after = points(page), page.locator(".field .tick").all_text_contents()
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert "log scale" in page.locator(".xtitle").text_content()
    assert page.get_by_label("Logarithmic axis up").is_disabled()
    page.get_by_label("Up", exact=True).select_option("params")
    assert "lower is up" in page.locator("#speed-up").text_content()
    page.get_by_label("Colour by").select_option("stage1")
    assert page.locator(".field .point.cnn").count() == sum(
        look.slug == "cnn" for look in shown.colours["stage1"][: shown.competing]
    )


def test_a_filter_leaves_some_mixes_and_their_own_front(report, shown, visit):
    page = visit(report)
    page.locator("#speed-filter > summary").click()
    facet = next(facet for facet in shown.facets if facet.name == "stage2")
    page.locator("#speed-facets").get_by_role("button", name="lama").last.click()
    kept = [
        mix
        for mix, code in zip(shown.mixes[: shown.competing], facet.codes, strict=False)
        if facet.options[code] == "lama"
    ]
    assert set(points(page)) == set(kept)
    latency, psnr = (shown.measure(name).value for name in ("latency", "psnr"))
    at = [shown.mixes.index(mix) for mix in kept]
    beaten = {
        a for a in at for b in at if b != a and latency[b] <= latency[a] and psnr[b] >= psnr[a]
    }
    assert best(page) == {shown.mixes[mix] for mix in at if mix not in beaten}
    assert page.locator(".field .ghost").count() == shown.competing - len(kept)
    assert page.locator(".field .before").count() > 0
    assert f"{len(kept)} of {shown.competing} mixes" in page.locator("#speed-shown").text_content()
    page.get_by_role("button", name="Clear the filter").click()
    assert len(points(page)) == shown.competing
    page.locator("#speed-legend").get_by_role("button", name="Mamba").click()
    assert page.locator(".field .point:not(.mamba)").count() == 0
    assert page.locator(".field .point").count() > 0


def test_mixes_are_pinned_in_the_plot_and_in_the_table(report, shown, visit):
    page = visit(report)
    label = {key: page.evaluate("key => report.data.mixes[key].label", key) for key in shown.mixes}
    assert pins(page) == [label[key] for key in shown.pinned]
    free = [key for key in points(page) if key not in shown.pinned]
    for key in free[:2]:
        page.locator(f'.field [data-mix="{key}"] use').click(force=True)
    assert pins(page) == [label[key] for key in (*shown.pinned, *free[:2])]
    page.evaluate("key => report.pick(key, 'row')", "mixbaseline")
    assert len(pins(page)) == 4
    assert pins(page)[-1] == "identity everywhere"
    assert "made room" in page.locator("#speed-status").text_content()
    page.locator(f'.field [data-mix="{free[1]}"] use').click(force=True)
    assert label[free[1]] not in pins(page)
    page.get_by_role("button", name="Compare with this: identity everywhere").click()
    assert pins(page)[0] == "identity everywhere"
    gaps = page.locator(".figures tr", has_text="PSNR").first.locator(".gap").all_text_contents()
    assert all(gap.startswith("+") for gap in gaps)
    for _ in range(3):
        page.locator(".compare [data-act=remove]").first.click()
    assert page.locator("#compare").is_hidden()
    assert page.locator(".field .pinned").count() == 0


def test_a_budget_names_the_best_within_it(report, shown, visit):
    page = visit(report)
    slider = page.locator("#speed-budget")
    slider.focus()
    assert slider.get_attribute("aria-valuetext") == "no limit"
    for _ in range(5):
        page.keyboard.press("PageDown")
    budget = page.evaluate(
        "() => report.plot.valueAt(report.plot.home(report.plot.measures.get('latency'), false),"
        "document.querySelector('#speed-budget').value / 1000)"
    )
    latency, psnr = (shown.measure(name).value[: shown.competing] for name in ("latency", "psnr"))
    within = np.flatnonzero(latency <= budget)
    assert 0 < len(within) < shown.competing
    winner = within[np.argmax(psnr[within])]
    said = page.locator("#speed-winner").text_content().replace("\xa0", " ")
    assert f"{psnr[winner]:.2f} dB" in said
    assert slider.get_attribute("aria-valuetext") in page.locator(".verdict b").text_content()
    assert page.locator(".field .winner").get_attribute("data-mix") == shown.mixes[winner]
    others = [mix for mix in within if mix != winner]
    evidence = shown.evidence
    gaps = paired(
        evidence.seeds["psnr"][[winner, *others]], 0, evidence.scatters["psnr"], most=FEWEST_SEEDS
    )
    alike = int((~beaten_by_best(gaps.p_value[1:])).sum())
    assert (f"; {alike} of the other" in said) == (alike > 0 and len(others) > 0)
    page.keyboard.press("Home")
    assert "no mix stays within it" in page.locator("#speed-winner").text_content()
    page.get_by_role("button", name="No limit").click()
    assert page.locator(".field .veil").count() == 0


def test_zooming_by_box_wheel_buttons_and_keys(report, shown, visit):
    page = visit(report)
    field = page.locator("svg.field")
    field.scroll_into_view_if_needed()
    frame = field.bounding_box()
    whole = page.locator(".field .tick").all_text_contents()

    def at(x: float, y: float) -> tuple[float, float]:
        return frame["x"] + x * frame["width"], frame["y"] + y * 440

    page.mouse.move(*at(0.02, 0.02))
    page.mouse.down()
    page.mouse.move(*at(0.3, 0.3), steps=3)
    assert page.locator(".field .box").count() == 1
    page.mouse.move(*at(0.6, 0.6), steps=3)
    page.mouse.up()
    zoomed = page.locator(".field .tick").all_text_contents()
    assert zoomed != whole
    assert "in view" in page.locator("#speed-shown").text_content()
    x, y = shown.homes["latency"], shown.homes["psnr"]
    inside = {
        shown.mixes[mix]
        for mix in range(shown.competing)
        if 0.02 < x.at(shown.measure("latency").value[mix]) < 0.6
        and 0.02 < 1 - y.at(shown.measure("psnr").value[mix]) < 0.6
    }
    assert set(points(page)) == inside
    page.get_by_role("button", name="Show all").click()
    assert page.locator(".field .tick").all_text_contents() == whole
    page.mouse.move(*at(0.5, 0.5))
    page.mouse.wheel(0, -200)
    assert page.locator(".field .tick").all_text_contents() == whole  # the page scrolls
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function("() => !document.querySelector('[data-zoom=reset]').disabled")
    page.locator("svg.field").dblclick(position={"x": 3, "y": 3})
    page.get_by_role("button", name="Zoom in").click()
    assert not page.get_by_role("button", name="Zoom out").is_disabled()
    page.get_by_role("button", name="Zoom out").click()
    assert page.get_by_role("button", name="Zoom out").is_disabled()


def test_the_keyboard_alone_suffices(report, shown, visit):
    page = visit(report)
    page.locator("#speed-slot").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.classList.contains('point')"):
            break
    here = "() => document.activeElement.dataset.mix"
    order = points(page)
    assert page.evaluate(here) == shown.pinned[0]
    page.keyboard.press("Home")
    assert page.evaluate(here) == order[0]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(here) == order[1]
    assert page.locator("#tip").is_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    front = [key for key in order if key in best(page)]
    assert page.evaluate(here) == next(key for key in front if key != order[0])
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.evaluate(here) == order[-1]  # still there after drawing anew
    pressed = page.evaluate("() => document.activeElement.getAttribute('aria-pressed')")
    assert pressed == str(order[-1] not in shown.pinned).lower()
    page.keyboard.press("+")
    assert not page.locator("[data-zoom=reset]").is_disabled()
    drawn = page.locator(".field .inner").inner_html()
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".field .inner").inner_html() != drawn
    page.keyboard.press("0")
    assert page.locator("[data-zoom=reset]").is_disabled()
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_what_is_seen_can_be_saved(report, shown, visit, tmp_path):
    page = visit(report)
    page.locator("#speed-filter > summary").click()
    page.locator("#speed-facets").get_by_role("button", name="emvm").last.click()
    files = {}
    for kind in ("png", "svg", "csv"):
        with page.expect_download() as waiting:
            page.locator(f"[data-save={kind}]").click()
        assert waiting.value.suggested_filename == f"psnr-against-latency.{kind}"
        files[kind] = tmp_path / f"saved.{kind}"
        waiting.value.save_as(files[kind])
    png = files["png"].read_bytes()
    assert png.startswith(b"\x89PNG")
    width = page.locator("svg.field").bounding_box()["width"]
    assert int.from_bytes(png[16:20], "big") == pytest.approx(2 * (width + 88), abs=2)
    svg = ElementTree.parse(files["svg"])
    assert svg.getroot().tag == "{http://www.w3.org/2000/svg}svg"
    text = files["svg"].read_text()
    assert "stage2: emvm" in text
    for forbidden in ("class=", "%", "var(", "<style", "<script"):
        assert forbidden not in text
    kept = points(page)
    drawn = list(svg.iter("{http://www.w3.org/2000/svg}use"))
    assert len(drawn) == len(kept)
    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text())))
    assert [row["mix"] for row in rows] == kept
    assert {row["stage2"] for row in rows} == {"emvm"}
    assert any(row["stage1"] == "'" + EVIL for row in rows)  # a sheet shows it as text
    latency = shown.measure("latency").value
    for row in rows:
        mix = shown.mixes.index(row["mix"])
        assert float(row["latency_ms"]) == pytest.approx(latency[mix], rel=1e-5)
        assert row["on_front_shown"] == str(int(row["mix"] in best(page)))


def test_on_a_phone_and_in_the_dark_nothing_overflows(report, visit):
    page = visit(report, width=360, scheme="dark")
    page.locator("#speed-filter > summary").click()
    page.locator(".keys > summary").click()
    page.locator(".field .point use").first.hover(force=True)
    assert page.locator("#tip").is_visible()
    assert overflow(page) == []
    assert findings(page) == []


def test_with_too_many_mixes_squares_are_drawn(report, visit, tmp_path, monkeypatch):
    monkeypatch.setattr("reports.sections.speed.MOST", 4)
    monkeypatch.setattr("reports.plot.crowd.SINGLES", 0)
    made = written(report.parent / "record", tmp_path)
    still, page = visit(made, scripts=False), visit(made)
    places = (
        "() => [...document.querySelectorAll('.field .cell')].map((node) => ['x', 'y', 'width',"
        "'height', 'fill-opacity'].map((name) => node.getAttribute(name)).join(' ')).sort()"
    )
    squares = page.evaluate(places)
    assert squares == still.evaluate(places) != []
    assert "counted in squares" in page.locator("#speed figcaption").text_content()
    offered = page.locator("#speed-x optgroup").evaluate_all("nodes => nodes.map(n => n.label)")
    assert offered == ["Cost"]


def test_without_a_cost_there_is_no_plot_and_no_trouble(visit, tmp_path):
    path = simulate(tmp_path / "r", {"stage1": 2}, latency=False, baseline=False, pictures=False)
    page = visit(written(path, tmp_path))
    assert "nothing to plot" in page.locator("#speed").text_content()
    assert page.locator("#speed .plot").count() == 0
    assert len(pins(page)) == 1  # the best by accuracy
