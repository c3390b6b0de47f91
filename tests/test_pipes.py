"""Tables in Markdown."""

from __future__ import annotations

import pytest

from reports.graphics.pipes import beside, escaped, pipe_table


def test_a_table_has_a_line_for_its_heads_one_for_its_kinds_and_one_for_each_row():
    assert pipe_table(["Mix", "PSNR"], "lr", [["A", "30.1"], ["B", "–"]]) == [
        "| Mix | PSNR |",
        "|---|---:|",
        "| A | 30.1 |",
        "| B | – |",
    ]


def test_plain_text_cannot_end_its_cell():
    (_, _, row) = pipe_table(["Mix"], "l", [escaped(["a | b\nc *d*"])])
    assert row == r"| a \| b c \*d\* |"


@pytest.mark.parametrize(
    ("interval", "said"), [("0.1 to 0.7", "0.4 dB (0.1 to 0.7)"), ("", "0.4 dB")]
)
def test_an_interval_stands_behind_its_number(interval: str, said: str):
    assert beside("0.4 dB", interval) == said
