"""The benchmark of the forecast: its cases, and errors by arithmetic."""

from __future__ import annotations

from benchmarks.memory import Row, cases, errors, forecast, table

MEBIBYTE = 2**20


def row(label: str, expected: int, **measured: int) -> Row:
    bytes_ = {name: size * MEBIBYTE for name, size in measured.items()}
    return Row("s", label, "peak_memory", (1, 3, 8, 8), expected * MEBIBYTE, "rest", bytes_)


ROWS = [
    row("a", 90, allocated=100, resident=200),
    row("b", 105, allocated=100),
    row("c", 50, allocated=100),
]


def test_errors_are_parts_of_what_was_measured_the_largest_first():
    found = errors(ROWS, "peak_memory", "allocated")
    assert [(round(error, 3), r.label) for error, r in found] == [
        (-0.5, "c"), (-0.1, "a"), (0.05, "b"),
    ]  # fmt: skip
    assert [r.label for _, r in errors(ROWS, "peak_memory", "resident")] == ["a"]
    assert errors(ROWS, "training_memory", "allocated") == []


def test_the_table_has_the_median_the_worst_and_what_stands_beyond():
    lines = list(table(ROWS))[2:]
    assert lines == [
        "| peak_memory | allocated | 3 | 10.00% | -50.00% | 10.0 MiB | s: c |",
        "| peak_memory | resident | 1 | 55.00% | -55.00% | 110.0 MiB | s: a |",
    ]


def test_a_mix_is_called_at_the_size_asked_for_and_trained_on_its_crops():
    call, step, *others = cases(("quickstart",), 2, (16, 24))
    assert len(others) == 2
    assert (call.what, call.shape) == ("peak_memory", (1, 3, 16, 24))
    assert (step.what, step.shape) == ("training_memory", (8, 3, 32, 32))
    assert " | " not in call.label  # columns of a table
    assert 0 < forecast(call).peak < forecast(step).peak
