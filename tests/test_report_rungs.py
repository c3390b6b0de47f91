"""What a report says of mixes that were left at a rung, and of the front's further seeds."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from reports.analysis.statistics import kendall
from reports.build import sections, write_report
from reports.checks.health import health
from reports.numbers.results import read
from reports.record import (
    Measurement,
    Metric,
    MixRow,
    PartialRow,
    Record,
    StageRow,
    TrialRow,
)
from reports.sections.rungs import rungs

METRICS = (
    Metric("psnr", "dB", "higher", "RGB, float"),
    Metric("input_psnr", "dB", "none", "of the input"),
    Metric("macs", "MAC", "lower", "multiply-adds"),
)
RESTED = {  # PSNR at steps 25 and 50, and in the end
    "a": (27.0, 28.0, 30.0),
    "b": (26.0, 28.5, 29.0),
    "c": (25.0, 27.0, 28.0),
    "d": (24.0, 25.5),
    "e": (23.0,),
    "f": (23.5,),
}


def rest(record: Record, mix: str, seed: int, step: int, psnr: float) -> None:
    key = f"{mix}{seed}@{step}"
    record.add_partial(
        PartialRow(key, f"{mix}{seed}", mix, seed, step, step),
        [Measurement(key, "psnr", psnr), Measurement(key, "input_psnr", 20.0)],
    )


def end(record: Record, mix: str, seed: int, psnr: float) -> None:
    key = f"{mix}{seed}"
    values = [Measurement(key, "psnr", psnr), Measurement(key, "input_psnr", 20.0)]
    record.add_trial(TrialRow(key, mix, seed, "done", seconds=100.0), values)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six mixes rest at step 25, four at 50, three come to their end, one with more seeds."""
    file = tmp_path_factory.mktemp("rungs") / "record.sqlite"
    with Record.create(file, "demo", "", "Why?", {"seeds": "2"}, ("psnr", "macs")) as record:
        record.define(METRICS)
        for number, (mix, values) in enumerate(RESTED.items(), 1):
            stages = (StageRow("stage1", mix, "cnn", 1),)
            record.add_mixes([MixRow(mix, f"mix {mix}", "{}", {"stage1": mix}, stages)])
            record.add_sitting([Measurement(mix, "macs", 1e9 * number, mode="64x64")])
            for seed in (0, 1):
                for step, psnr in zip((25, 50), values, strict=False):
                    rest(record, mix, seed, step, psnr + 0.1 * seed)
                if len(values) == 3:
                    end(record, mix, seed, values[2] + 0.1 * seed)
        for seed in (2, 3, 4):  # its front is confirmed
            end(record, "a", seed, 30.0)
    return file


def test_a_mix_that_was_left_at_a_rung_counts_nowhere_else(path):
    found = read(path)
    table = found.table
    assert table["status"].tolist() == ["done"] * 3 + ["stopped"] * 3
    assert table["stopped_at"].tolist()[3:] == [50.0, 25.0, 25.0]
    assert table["psnr"].notna().tolist() == [True] * 3 + [False] * 3
    assert table["psnr_n"].tolist()[:3] == [5, 2, 2]
    assert list(found.ranked.index) == ["a", "b", "c"]
    assert not table["on_front"].to_numpy(dtype=bool)[3:].any()
    assert found.status("d") == "stopped at step 50"
    assert found.status("a") == "done"


def test_the_section_on_rungs_says_where_who_stopped_and_whether_the_order_held(path):
    shown = rungs(read(path))
    assert [(rung.step, rung.mixes, rung.went_on) for rung in shown.rungs] == [
        (25, 6, 4),
        (50, 4, 3),
    ]
    assert shown.rungs[0].agreement == "Kendall's tau 1.00 of 3 mixes"
    assert shown.rungs[1].agreement == "Kendall's tau 0.33 of 3 mixes"
    assert shown.heading == "PSNR, dB"
    assert [(row.label, row.step, row.quality, row.seeds) for row in shown.rows] == [
        ("mix d", 50, "25.55", 2),
        ("mix f", 25, "23.55", 2),
        ("mix e", 25, "23.05", 2),
    ]
    assert shown.sentence.startswith("3 mixes of 6 went no further than a rung.")


def test_a_mix_with_fewer_seeds_compares_with_one_that_was_confirmed(tmp_path):
    level = 30.5 + 4 / 3  # the first seed takes 4 / 3
    for seeds in ("1", "3"):  # confirmed, or b is still to be trained with the others
        file = tmp_path / f"{seeds}.sqlite"
        with Record.create(file, "demo", "", "", {"seeds": seeds}, ("psnr", "macs")) as record:
            record.define(METRICS)
            for mix, psnr in {"a": (30.0, 32.0, 32.0), "b": (30.5,)}.items():
                record.add_mixes([MixRow(mix, f"mix {mix}", "{}")])
                record.add_sitting([Measurement(mix, "macs", 1e9, mode="64x64")])
                for seed, value in enumerate(psnr):
                    end(record, mix, seed, value)
        found = read(file)
        assert found.number("a", "psnr") == pytest.approx(94 / 3)  # as it was measured
        assert found.number("b", "psnr") == pytest.approx(level)
        assert found.table["on_front"].tolist() == [False, True]


def test_stopped_mixes_are_told_before_the_numbers_and_are_no_fault(path):
    findings = health(read(path))
    said = "3 of 6 mixes stopped at a rung (2 at step 25, 1 at step 50)"
    assert any(finding.text.startswith(said) for finding in findings)
    assert {finding.level for finding in findings} <= {"good", "note"}
    assert not any("fewer seeds" in finding.text for finding in findings)


def test_every_form_of_the_report_has_the_rungs(path, tmp_path):
    files = write_report(path, tmp_path)
    page = files["report.html"].read_text()
    assert '<section id="rungs"' in page
    assert "stopped at step 50" in page
    assert "Means over 2 to 5 seeds. From mixes with fewer is taken what" in page
    text = files["report.md"].read_text()
    assert "## Left at a rung" in text
    assert "| mix d | step 50 | 25.55 | 2 |" in text
    assert "| 50 | 4 | 3 | Kendall's tau 0.33 of 3 mixes |" in text
    header, *lines = files["results.csv"].read_text().splitlines()
    column = header.split(",").index("stopped_at")
    assert [line.split(",")[column] for line in lines[3:6]] == ["50.0", "25.0", "25.0"]


def test_without_rungs_there_is_no_word_of_them(tmp_path):
    file = tmp_path / "record.sqlite"
    with Record.create(file, "demo", "", "Why?", {}, ("psnr", "macs")) as record:
        record.define(METRICS)
        record.add_mixes([MixRow("a", "mix a", "{}")])
        end(record, "a", 0, 30.0)
    parts = sections(file)
    assert parts.shown("rungs") is None
    assert "stopped_at" not in parts.found.table
    assert "Left at a rung" not in write_report(file, tmp_path)["report.html"].read_text()


def test_where_every_mix_was_left_there_is_still_a_report(tmp_path):
    file = tmp_path / "record.sqlite"
    with Record.create(file, "demo", "", "Why?", {}, ("psnr", "macs")) as record:
        record.define(METRICS)
        record.add_mixes([MixRow("a", "mix a", "{}")])
        rest(record, "a", 0, 25, 27.0)
    shown = rungs(read(file))
    assert [(row.label, row.quality) for row in shown.rows] == [("mix a", "27.00")]
    assert write_report(file, tmp_path)["report.html"].exists()


def test_ranks_correlate_by_the_pairs_in_the_same_order():
    assert kendall([1, 2, 3], [10, 20, 30]) == 1.0
    assert kendall([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall([1, 2, 3], [3, 2, 1]) == -1.0
    assert kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(2 * 3))
    assert math.isnan(kendall([1, 1], [1, 2]))
    assert math.isnan(kendall([1], [1]))
