"""The page in a real browser: laid out, read, walked through by keys, printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.build import report_texts
from reports.whole import write_whole
from tests.browser import Visit, findings, overflow, overlaps
from tests.simulated_run import Kind, simulate

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = "a_very_long_name_that_nobody_could_break_anywhere_" * 3
TEXTS = (
    "h1, h2, h3, p, li, dt, dd, th, td, figcaption, summary, button, label, .network-picture text"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run = simulate(folder / "record.sqlite", {"stage1": 3, "stage2": 3}, broken=1, mirrored=True)
    return page_of(run)


def page_of(run: Path) -> Path:
    page = run.with_name("report.html")
    write_whole(page, report_texts(run)["report.html"])
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_runs_over_the_edge_or_over_something_else(visit: Visit, report, width, scheme):
    page = visit(report, width=width, scheme=scheme)
    assert overflow(page) == []
    assert overlaps(page, TEXTS, 2.0) == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    assert dark == (scheme == "dark")


def test_axe_finds_nothing(visit: Visit, report):
    page = visit(report)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert findings(page) == []


def test_in_the_dark_every_word_stands_out(visit: Visit, report):
    page = visit(report, scheme="dark", width=360)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert findings(page, "color-contrast") == []


def test_without_scripts_everything_essential_is_there(visit: Visit, report):
    page = visit(report, scripts=False)
    for name in ("speed", "choices", "drawings", "pictures", "mixes", "method"):
        assert page.locator(f"section#{name}").is_visible(), name
    assert "has the best mean PSNR" in page.locator(".lede").inner_text()
    assert page.locator(".crops .crop").count() == page.locator(".crops figure").count() >= 4
    assert page.locator(".crops .error").count() == page.locator(".crops figure").count() - 1
    assert page.locator(".network-picture").count() >= 2
    assert page.locator("#mixes tbody tr").count() == 9 + 1 + 1
    assert [each for each in page.locator("[data-scripted]").all() if each.is_visible()] == []
    assert page.locator(".crops img").first.evaluate("(picture) => picture.naturalWidth") == 128
    assert overflow(page) == []


def test_the_theme_is_the_reader_s_choice_before_the_system_s(visit: Visit, report):
    page = visit(report)
    button = page.locator("#theme")
    assert button.inner_text() == "Dark"
    button.press("Enter")
    assert button.inner_text() == "Light"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    button.press("Enter")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(252, 251, 248)"


def test_every_link_of_the_contents_leads_to_its_section(visit: Visit, report):
    page = visit(report)
    links = page.locator("nav.contents > ol a")
    assert links.count() >= 7
    for link in links.all():
        target = link.get_attribute("href")
        assert page.locator(f"section{target}").count() == 1, target
    last = links.nth(links.count() - 2)
    last.press("Enter")
    assert page.evaluate("location.hash") == last.get_attribute("href")
    page.wait_for_function(
        "(hash) => document.querySelector(`nav.contents > ol a[href='${hash}']`)"
        ".getAttribute('aria-current') === 'true'",
        arg=last.get_attribute("href"),
    )


def test_on_a_phone_the_contents_fold(visit: Visit, report):
    page = visit(report, width=360)
    assert not page.locator("nav.contents > ol").is_visible()
    page.locator("nav.contents summary").press("Enter")
    page.locator("nav.contents details a", has_text="Pictures").press("Enter")
    assert page.evaluate("location.hash") == "#pictures"


FOCUSED = """() => {
  const node = document.activeElement;
  const marked = (each) => getComputedStyle(each).outlineStyle !== "none"
    || (each.closest("svg") && parseFloat(getComputedStyle(each).strokeWidth) >= 3);
  const name = `${node.tagName}.${node.getAttribute("class")}`;
  const thumb = node.type === "range"; // marked itself, which no style says
  const all = [node, ...node.querySelectorAll("*")];
  return [name, thumb || node === document.body || all.some(marked)];
}"""


def test_keys_lead_past_the_contents_and_what_has_the_focus_can_be_seen(visit: Visit, report):
    page = visit(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, marked = page.evaluate(FOCUSED)
        seen.add(name)
        assert marked, name
    assert len(seen) > 3


def test_the_slider_wipes_between_the_two_that_are_chosen(visit: Visit, report):
    page = visit(report)
    left, right = (page.get_by_label(side, exact=True) for side in ("Left", "Right"))
    slider = page.locator(".wipe input[type=range]")
    under, over = page.locator(".wipe-pair .under"), page.locator(".wipe-pair .over")
    assert over.get_attribute("src") != under.get_attribute("src")
    left.select_option("input")
    right.select_option("target")
    crops = page.locator(".crops").first
    assert over.get_attribute("src") == crops.locator("[data-kind=input] .crop").get_attribute(
        "src"
    )
    assert under.get_attribute("alt") == "hills.webp, crop 1, original"
    assert page.locator(".wipe-errors figure").count() == 1  # the original has no error
    slider.focus()
    before = clip(page)
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert slider.input_value() == "60"
    assert clip(page) != before
    assert slider.get_attribute("aria-valuetext") == "60 % from the left picture"
    pair = page.locator(".wipe-pair")
    pair.click(position={"x": pair.bounding_box()["width"] / 4, "y": 20})
    assert slider.input_value() == "25"


SAME = """(key) => {
  const numbers = (node) => ["x", "y", "width", "height"].map((name) => node.getAttribute(name))
    .map((text) => Number(text).toFixed(0));
  const words = (node) => [node.tagName, node.getAttribute("class"), node.textContent.trim()];
  const shape = (svg) => [...svg.querySelectorAll("rect, text, path, use, .kind")]
    .map((node) => [...words(node), ...numbers(node)].join(" "));
  const server = document.querySelector(`.network[data-mix="${key}"] svg`);
  return [shape(server), shape(report.drawing(key))];
}"""


def clip(page: Page) -> str:
    return str(page.locator(".wipe-pair .over").evaluate("(p) => getComputedStyle(p).clipPath"))


def test_a_picked_mix_is_drawn_as_the_server_draws_it(visit: Visit, report):
    page = visit(report)
    drawn = page.locator(".network[data-mix]")
    key = drawn.first.get_attribute("data-mix")
    same = page.evaluate(SAME, key)
    assert same[0] == same[1]
    known = {each.get_attribute("data-mix") for each in drawn.all()}
    rows = page.locator("#mixes tbody tr[data-mix]").all()
    other = next(row for row in rows if row.get_attribute("data-mix") not in known)
    other.focus()
    page.keyboard.press("Enter")
    picked = page.locator("#network-picked")
    assert picked.is_visible()
    assert picked.locator(".box").count() == 4
    assert page.evaluate("report.drawing('nobody')") is None


def test_paper_shows_everything_in_light_and_without_controls(visit: Visit, report):
    page = visit(report, scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("document.querySelectorAll('main details:not([open])').length") == 0
    assert not page.locator("nav.contents").is_visible()
    assert not page.locator("#theme").is_visible()
    assert not page.locator(".wipe").is_visible()
    ink = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert ink == "rgb(28, 31, 35)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('main details:not([open])').length") > 0


def test_names_that_cannot_be_broken_do_not_widen_the_page(visit: Visit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    kinds = (Kind(LONG, "cnn", 0.0, 1.0), Kind("b", "mamba", 0.2, 2.0))
    run = simulate(folder / "record.sqlite", {"stage1": 2, "stage2": 2}, kinds=kinds, mirrored=True)
    page = visit(page_of(run), width=360)
    assert overflow(page) == []
