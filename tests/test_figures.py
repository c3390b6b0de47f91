from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from reports.build import report_texts, write_report
from reports.figures import draw_front
from reports.graphics.escaping import escape_latex
from reports.numbers.results import results
from reports.record import Record
from tests.simulated_run import simulate


def test_a_front_is_drawn_from_a_table(tmp_path):
    with Record.open(simulate(tmp_path / "r", {"stage1": 2, "stage2": 3}, pictures=False)) as found:
        table = results(found)
    path = draw_front(table, tmp_path / "front.png")
    with Image.open(path) as image:
        assert image.width > 800
    text = draw_front(table, tmp_path / "front.svg", cost="macs").read_text()
    assert "<svg" in text
    assert "dc:date" not in text


def test_a_figure_is_the_same_bytes_twice(tmp_path):
    table = pd.DataFrame(
        {"label": ["a"], "psnr": [28.0], "latency": [0.01], "on_front": [True]}, index=["m"]
    )
    one = draw_front(table, tmp_path / "one.png").read_bytes()
    assert draw_front(table, tmp_path / "two.png").read_bytes() == one


def test_a_table_that_cannot_be_drawn_is_one_line(tmp_path):
    table = pd.DataFrame({"label": ["a"], "psnr": [28.0], "on_front": [True]})
    with pytest.raises(ValueError, match="has no column 'latency'; it has label, psnr, on_front"):
        draw_front(table, tmp_path / "x.png")
    table["latency"] = float("nan")
    with pytest.raises(ValueError, match="no mix has both psnr and latency"):
        draw_front(table, tmp_path / "x.png")


def test_a_question_may_hold_what_looks_like_mathematics(tmp_path):
    path = simulate(tmp_path / "r", {"stage1": 2}, pictures=False)
    with Record.open(path, writable=True) as record:
        record.set_fact("question", "Is $x_{$ worth " + "a very long question " * 8 + "of 5 $?")
    written = write_report(path, tmp_path / "out")
    assert written["figures/accuracy_vs_latency.png"].stat().st_size > 1000


def test_a_label_is_escaped_once_in_each_format(tmp_path):
    path = simulate(tmp_path / "r", {"stage1": 2, "stage2": 2}, pictures=False)
    written = report_texts(path)
    with Record.open(path) as record:
        label = record.mixes()["label"][1]
    assert " | " in label
    assert label.replace("|", r"\|") in written["report.md"]
    assert escape_latex(label) in written["results.tex"]
