"""Tables fit a terminal: columns are spared before words are broken, and numbers are never cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from ablate.console.tables import fitted, make_table, too_narrow

HEADINGS = ("run", "trials", "best", "value", "size")
ROWS = (
    ("where_does_mamba_pay", "12/30", "nafblock | emvm | mwsa | identity", "29.57 dB", "34.0 MiB"),
    ("quickstart", "30/30", "rdcnn", "28.15 dB", "116.0 KiB"),
)


def drawn(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split()}


def test_a_wide_terminal_shows_all_of_it():
    table, missing = fitted(HEADINGS, ROWS, 120, texts=("run", "best"), spare=("size",), cut=True)
    lines = drawn(table, 120)
    assert missing == ()
    assert len(lines) == 4
    assert all(cell in lines[2] for cell in ROWS[0])


def test_a_narrow_one_leaves_out_what_can_be_spared_then_cuts_texts_in_their_middle():
    spare = ("size", "value")
    table, missing = fitted(HEADINGS, ROWS, 66, texts=("run", "best"), spare=spare, cut=True)
    lines = drawn(table, 66)
    assert missing == ("size",)
    assert max(map(len, lines)) <= 66
    assert len(lines) == 4
    # 66 = 2 around + 3 x 3 between + 6 + 8 for numbers + 20 for each text at least + 1 to share
    assert lines[2].lstrip() == ("where_does_mamba_pay    12/30   nafblock ... identity   29.57 dB")
    assert lines[3].split() == ["quickstart", "30/30", "rdcnn", "28.15", "dB"]


def test_headings_that_are_not_there_are_passed_over():
    table, missing = fitted(("run",), [("a",)], 20, texts=("run", "best"), spare=("size",))
    assert (drawn(table, 20)[-1].strip(), missing) == ("a", ())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_texts_that_are_not_cut_go_on_in_the_next_line_between_words(width: int):
    table, missing = fitted(HEADINGS, ROWS, width, texts=("run", "best"))
    lines = drawn(table, width)
    assert missing == ()
    assert max(map(len, lines)) <= width
    assert {word for row in ROWS for cell in row for word in cell.split()} <= words(lines)


def test_numbers_are_not_broken_where_a_text_can_give_way():
    table = make_table("mix", "parameters")
    table.add_row("nafblock | emvm | mwsa | identity | identity", "12,345,678")
    assert "12,345,678" in words(drawn(table, 40))


def test_a_number_that_does_not_fit_shows_that_it_was_cut():
    table = make_table("parameters")
    table.add_row("12,345,678")
    assert drawn(table, 9)[-1].endswith("…")


def test_what_is_left_out_is_said():
    assert too_narrow(("value", "size")) == (
        "not shown here: value, size; a wider terminal or --json has all"
    )
