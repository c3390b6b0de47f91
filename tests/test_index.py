"""`ablate index`: one page over all runs, whatever state they are in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ablate.cli import main
from reports.index import Entry, index, line, sketch
from reports.numbers.results import read
from reports.record import Record
from tests.simulated_run import simulate

EVIL = "<script>alert(1)</script>\" onload='x'"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a report, one that nothing came of yet, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("my runs")
    for name in ("first run", "empty", "broken"):
        (folder / name).mkdir()
    simulate(folder / "first run" / "record.sqlite", {"stage1": 2, "stage2": 2}, pictures=False)
    (folder / "first run" / "report.html").write_text("a report")
    Record.create(folder / "empty" / "record.sqlite", EVIL, "", EVIL, {}, ("psnr",)).close()
    (folder / "broken" / "record.sqlite").write_text("not a record")
    return folder


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["index", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def page(runs: Path) -> str:
    assert call(runs, "--quiet") == 0
    return (runs / "index.html").read_text()


def test_every_run_has_a_row_and_links_to_its_report(page: str, runs: Path):
    assert page.count('<th scope="row">') == 3
    (address,) = re.findall(r'<a href="([^"]+)">', page)
    assert address == "./first%20run/report.html"
    assert "In which stage does Mamba pay for its latency?" in page
    assert "is not an SQLite file, so not a record" in page
    assert "3 runs, 15 finished trials." in page


def test_a_run_says_what_it_found(runs: Path):
    found = line(Entry("a", runs / "first run" / "record.sqlite", "", "finished", "now"))
    assert (found.mixes, found.done, found.broken) == (4, 15, 0)
    assert re.fullmatch(r"\d\d\.\d\d.dB, \d+\.\d+.ms", found.numbers)
    table = read(runs / "first run" / "record.sqlite")
    assert found.best == table.table["label"][table.ranked["psnr"].idxmax()]
    assert found.members == len(table.letters)
    assert found.date == "2026-11-21"


def test_the_small_plot_shows_the_front_as_a_staircase(runs: Path):
    found = read(runs / "first run" / "record.sqlite")
    shown = sketch(found)
    assert shown is not None
    assert len(shown.members) == len(found.letters)
    assert len(shown.members) + len(shown.dots) == 4
    assert len(shown.steps) == 2 * len(shown.members)
    heights = [y for _, y in shown.steps]
    assert heights == sorted(heights, reverse=True)
    assert shown.says.endswith("on the front")


def test_names_are_text_and_nothing_is_asked_of_the_network(page: str):
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None and policy[1].startswith("default-src 'none';")
    assert not re.search(r'(?:src|href)="(?:https?:|//)', page)
    assert " style=" not in page


def test_an_empty_folder_has_a_page_that_says_so(tmp_path: Path):
    assert call(tmp_path, "--quiet") == 0
    assert "No runs are here yet." in (tmp_path / "index.html").read_text()
    assert "No runs are here yet." in index([], "runs")


def test_the_command_says_where_the_page_is(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "all.html"
    assert call(runs, "--out", out, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["index"] == str(out)
    assert sorted(said["runs"]) == ["broken", "empty", "first run"]
    assert "first%20run/report.html" in out.read_text()
    assert call(runs / "nowhere") == 2
    assert "no such folder" in capsys.readouterr().err
