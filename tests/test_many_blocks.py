"""A report over every registered block: no name, family or curve is lost among twenty."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blocks import blocks
from reports.build import report_texts, write_report
from reports.graphics.families import LOOKS, look
from reports.numbers.results import read
from reports.sections import learning
from reports.sections.learning import MOST_PANELS
from tests.simulated_run import Kind, simulate

FAMILIES = {name: str(blocks[name].facts["family"]) for name in blocks}
KINDS = tuple(
    Kind(name, family, 0.01 * (at * 7 % 20), 1 + at * 5 % 3)
    for at, (name, family) in enumerate(FAMILIES.items())
)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    counts = {"stage1": len(KINDS), "stage2": 2}
    path = tmp_path_factory.mktemp("many") / "record.sqlite"
    return simulate(path, counts, kinds=KINDS, seeds=2, pictures=False)


@pytest.fixture(scope="module")
def written(record: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_report(record, tmp_path_factory.mktemp("report"))


def test_every_family_has_a_look_of_its_own():
    found = [look(family) for family in dict.fromkeys(FAMILIES.values())]
    assert set(FAMILIES.values()) <= set(LOOKS)
    for part in ("name", "slug", "color", "dark", "marker", "shape"):
        assert len({getattr(each, part) for each in found}) == len(found)


def test_every_block_is_in_the_effects_and_has_its_curves(record: Path, written: dict[str, Path]):
    page = written["report.html"].read_text(encoding="utf-8")
    for name in FAMILIES:
        assert len(re.findall(rf">\s*{name}\s*<", page)) >= 2, name
    assert [panel.title for panel in learning.learning(read(record)).panels] == list(FAMILIES)
    assert "are not drawn" not in page


def test_levels_without_room_are_counted(record: Path, monkeypatch: pytest.MonkeyPatch):
    assert len(FAMILIES) <= MOST_PANELS
    monkeypatch.setattr(learning, "MOST_PANELS", 5)
    left = len(FAMILIES) - 5
    assert learning.learning(read(record)).left_out == left
    page = report_texts(record)["report.html"]
    assert f"; {left} further levels are not drawn.</p>" in page


def test_the_legend_stands_beside_the_points(written: dict[str, Path]):
    text = written["figures/accuracy_vs_latency.svg"].read_text(encoding="utf-8")
    frame = re.search(r'id="patch_2">\s*<path d="([^"]*)"', text)
    assert frame
    right = max(float(x) for x in re.findall(r"[ML] ([\d.]+) ", frame[1]))
    legend = text[text.index('id="legend_1"') :]
    markers = [float(x) for x in re.findall(r'<use [^>]*x="([\d.]+)" y=', legend)]
    assert len(markers) >= len(set(FAMILIES.values())) and min(markers) > right
