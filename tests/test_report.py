from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports.build import FILES, sections, write_report
from reports.graphics.axes import axis, wants_log
from reports.graphics.escaping import escape_latex, escape_markdown
from reports.numbers.mixes import mixes
from reports.numbers.units import count, scale_of, share, spoken, title
from reports.plot.drawing import staircase
from reports.record import MixRow, Record, RecordError, TrialRow
from reports.sections.mixes import SEEN
from tests.simulated_run import METRICS, Kind, simulate

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What a page is made of; fails on tags that don't match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.scripts.append(data)

    def all(self, tag: str, name: str = "", value: str = "") -> list[dict]:
        return [
            attrs for t, attrs in self.tags if t == tag and (not name or attrs.get(name) == value)
        ]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return simulate(folder / "record.sqlite", {"stage1": 3, "stage2": 4}, broken=2)


@pytest.fixture(scope="module")
def report(run) -> dict[str, Path]:
    return write_report(run, run.parent)


@pytest.fixture(scope="module")
def page(report) -> Page:
    return Page(report["report.html"].read_text())


def test_every_file_is_written_and_none_is_empty(report):
    assert list(report) == list(FILES)
    assert all(path.stat().st_size > 300 for path in report.values())


def test_the_page_asks_nothing_of_the_network(page):
    for tag, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "action"):
            address = attrs.get(name) or ""
            assert not address.startswith(("http", "//")), (tag, address)
    policy = page.all("meta", "http-equiv", "Content-Security-Policy")[0]["content"]
    assert policy.startswith("default-src 'none';")


def test_the_policy_allows_exactly_the_page_s_own_script_and_style(page):
    policy = page.all("meta", "http-equiv", "Content-Security-Policy")[0]["content"]
    style, _, script = page.scripts
    for text in (style, script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert not any("style" in attrs for _, attrs in page.tags)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_every_mix_has_a_row_and_every_finished_one_a_point(page, run):
    points = [attrs for attrs in page.all("g") if "point" in attrs.get("class", "").split()]
    rows = {attrs["data-mix"] for attrs in page.all("tr") if "data-mix" in attrs}
    with Record.open(run) as record:
        assert rows == set(record.mixes()["key"])
    assert len(rows) - len(points) == 2  # the diverged one and the baseline


def test_points_have_words_and_pictures_too(page, report):
    text = report["report.html"].read_text().partition('id="speed"')[2]
    words = re.findall(r"<title>(.*?)</title>", text.partition("</section>")[0])
    assert len(words) == 11
    for each in words:
        assert re.search(r"stage1 .*: \d+\.\d+.dB, [\d.]+.(ms|k|M|G|MiB)$", each)
    assert page.all("main")
    assert page.all("html")[0]["lang"] == "en"
    assert all(attrs.get("alt") for attrs in page.all("img"))


def test_the_page_reads_without_javascript(report):
    text = report["report.html"].read_text().partition("<script")[0]
    assert "has the best mean PSNR of 11 mixes" in text
    assert "1 of 39 trials diverged" in text
    assert "degraded input" in text
    assert "RGB, float, border 0" in text


def test_two_reports_of_one_record_are_the_same(run, report, tmp_path):
    again = write_report(run, tmp_path / "again")
    for name in ("report.html", "report.md", "results.csv", "swaps.csv", "results.tex"):
        assert again[name].read_bytes() == report[name].read_bytes()


def test_the_csv_names_units_and_holds_the_degraded_input(report):
    rows = list(csv.DictReader(io.StringIO(report["results.csv"].read_text())))
    assert {"psnr_dB", "psnr_low_dB", "latency_s", "peak_memory_byte", "stage1"} <= set(rows[0])
    assert len(rows) == 12 + 1 + 1
    assert rows[-1]["label"] == "degraded input"
    assert float(rows[-1]["psnr_dB"]) == pytest.approx(20.17)
    assert rows[-1]["latency_s"] == ""
    assert all(row["latency_s"] != "0" for row in rows)


def test_the_latex_table_is_balanced_and_has_as_many_cells_as_columns(report):
    text = report["results.tex"].read_text()
    columns = re.search(r"begin{tabular}{(l+r+)}", text)[1]
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + 12 + 1 + 1
    for row in rows:
        assert len(re.split(r"(?<!\\)&", row)) == len(columns)
    assert text.count(r"\begin{") == text.count(r"\end{")
    assert r"\bottomrule" in text


def test_the_markdown_has_the_answer_the_table_and_the_figures(report):
    text = report["report.md"].read_text()
    assert "# In which stage does Mamba pay for its latency?" in text
    assert "(figures/accuracy_vs_latency.png)" in text
    table = text.partition("## All mixes")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|") and r"\|" in line]
    assert len(rows) == 12
    assert "has the best mean PSNR" in text.partition("## Health")[0]


def test_names_cannot_break_out_of_the_page(tmp_path):
    evil = "</script><script>alert(1)</script>\"'&<b>$x_{$ | \\"
    with Record.create(tmp_path / "r", evil, evil, evil, {evil: evil}, ("psnr",)) as record:
        record.define(METRICS)
        record.add_mixes([MixRow("m", evil, "{}", {evil: evil})])
        record.add_trial(TrialRow("t", "m", 0, "failed", evil))
        record.note("", "warning", evil)
    report = write_report(tmp_path / "r", tmp_path / "out")
    text = report["report.html"].read_text()
    assert "<script>alert" not in text
    assert len(Page(text).all("script")) == 2
    assert r"\textless{}" in report["results.tex"].read_text()


def test_formulas_in_names_are_drawn_as_they_are(tmp_path):
    kinds = (Kind("$x_{$", "cnn", 0.0, 1.0), Kind("a_b^2$", "mamba", 0.1, 2.0))
    path = simulate(tmp_path / "r", {"stage1": 2, "stage2": 2}, kinds=kinds, pictures=False)
    report = write_report(path, tmp_path)
    assert all(report[name].stat().st_size > 1000 for name in FILES if name.endswith("png"))


def test_a_run_without_latency_says_so_and_draws_what_there_is(tmp_path):
    path = simulate(
        tmp_path / "r", {"stage1": 2, "stage2": 2}, latency=False, seeds=1, baseline=False
    )
    text = write_report(path, tmp_path)["report.html"].read_text()
    assert "Latency has not been measured yet: no front." in text
    assert "so there is nothing to plot" in text
    assert "1 seed to a mix: no spread can be shown." in text
    Page(text)


def test_a_run_before_its_first_trial_has_a_report(tmp_path):
    with Record.create(tmp_path / "r", "s", "", "", {}, ("psnr", "latency")) as record:
        record.define(METRICS)
        record.add_mixes([MixRow("m", "a mix", "{}", {"stage1": "rdcnn"})])
    text = write_report(tmp_path / "r", tmp_path)["report.html"].read_text()
    assert "No mix has been trained to the end yet." in text
    assert "No trial is in the record yet." in text
    Page(text)


def test_a_record_with_nothing_at_all_has_a_report(tmp_path):
    Record.create(tmp_path / "r", "s", "", "", {}, ()).close()
    Page(write_report(tmp_path / "r", tmp_path)["report.html"].read_text())


def test_what_is_no_record_has_no_report(tmp_path):
    with pytest.raises(RecordError, match="no such record"):
        write_report(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_hundred_mixes_stay_under_three_hundred_kilobytes(tmp_path):
    counts = {"stage1": 5, "stage2": 8, "stage3": 5}
    path = simulate(tmp_path / "r", counts, seeds=3, pictures=False)
    parts = sections(path)
    from reports.page.page import html

    text = html(parts, [])
    assert len(parts.shown("mixes").table.rows) == SEEN + 1
    assert parts.shown("mixes").table.left_out == 201 - SEEN
    assert len(text.encode()) < 300_000
    said = {part.name: "\n".join(part.markdown) for part in parts.sections}
    assert f"Listed are {SEEN} of 201 mixes" in said["mixes"]
    assert "all are in results.csv" in said["mixes"] and "results.csv" in said["ranks"]
    for name, cut in {
        "budgets": r"\d+ smaller steps? of the front left out; the front is in results\.csv\.",
        "front": r"\d+ more mixe?s? on the front.* left out; all are in results\.csv\.",
        "stages": r"196 further mixes not listed; the record holds all\.",
    }.items():
        assert re.search(cut, said[name]), name
    assert parts.shown("front").unlisted in text.replace("&nbsp;", "\u00a0")


def test_the_table_puts_the_best_first_and_the_input_last(run):
    table = mixes(sections(run).found)
    values = [float(row.cells[0].sort) for row in table.rows if row.cells[0].sort]
    assert values[:-1] == sorted(values[:-1], reverse=True)
    assert table.rows[-1].label == "degraded input"
    assert table.rows[-1].cells[1].text == "0.00"


def test_a_front_is_drawn_as_a_staircase():
    corners = [(0.5, 0.2), (0.1, 0.8)]
    assert staircase(corners) == (
        (0.1, 1.0),
        (0.1, 0.8),
        (0.5, 0.8),
        (0.5, 0.2),
        (1.0, 0.2),
    )
    assert staircase([]) == ()


def test_pictures_stand_between_the_input_and_the_original(run):
    strip = sections(run).shown("pictures").strips[0]
    titles = [shot.title for shot in strip.shots]
    assert (titles[0], titles[-1]) == ("Input", "Original")
    assert 3 <= len(titles) <= 6
    scores = [float(shot.caption.split()[0]) for shot in strip.shots[:-1]]
    assert min(scores) == scores[0]


def test_numbers_share_a_unit_and_three_digits():
    latency = scale_of("latency", "s", [0.0123, 0.0099, 0.2])
    assert latency.heading == "Latency, ms"
    assert latency.text(0.0123) == "12.3\xa0ms"
    assert latency.signed(-0.0005) == "−0.5\xa0ms"
    assert latency.signed(0.0) == "0.0\xa0ms"
    assert latency.number(float("nan")) == "–"
    assert scale_of("macs", "MAC", [4.56e9]).text(4.56e9) == "4.56\xa0G"
    assert scale_of("peak_memory", "byte", [3 * 2**20]).text(3 * 2**20) == "3.00\xa0MiB"
    assert scale_of("psnr", "dB", [29.0]).text(29.123) == "29.12\xa0dB"


def test_a_share_of_variance_is_not_rounded_to_all_of_it():
    assert share(0.9971) == "more than 99\xa0%"
    assert share(0.62) == "62\xa0%"
    assert share(-0.3) == "0\xa0%"
    assert share(1.0) == "100\xa0%"


def test_headings_read_well():
    assert title("macs_conv") == "MACs conv"
    assert title("latency@256x256") == "Latency at 256×256"
    assert (spoken("Latency"), spoken("PSNR")) == ("latency", "PSNR")
    assert (count(1, "mix"), count(2, "mix"), count(3, "seed")) == ("1 mix", "2 mixes", "3 seeds")


def test_ticks_are_round_and_inside():
    ticks = axis([28.61, 29.47]).ticks
    assert [round(tick, 6) for tick in ticks] == [28.6, 28.8, 29.0, 29.2, 29.4]
    logs = axis([1.0, 150.0], log=True)
    assert logs.ticks == (1.0, 10.0, 100.0) or {1.0, 10.0, 100.0} <= set(logs.ticks)
    assert logs.at(logs.low) == 0.0
    assert wants_log([1.0, 9.0])
    assert not wants_log([0.0, 9.0])
    only = axis([5.0])
    assert only.low < 5.0 < only.high


def test_text_is_escaped_for_where_it_goes():
    assert escape_latex("50% of a_b & ~") == r"50\% of a\_b \& \textasciitilde{}"
    assert escape_markdown("a|b *c*") == r"a\|b \*c\*"
    assert escape_markdown("28.76 dB") == "28.76 dB"
    assert escape_markdown("1. first") == r"1\. first"
