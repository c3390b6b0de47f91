from __future__ import annotations

from dataclasses import dataclass, replace

from reports.analysis.once import once

ASKED: list[tuple[str, int]] = []


@dataclass(frozen=True)
class Data:
    name: str


@once
def length(data: Data, more: int = 0) -> int:
    """Its doc."""
    ASKED.append((data.name, more))
    return len(data.name) + more


@once
def first(data: Data) -> str:
    return data.name[0]


def test_what_was_asked_is_worked_out_once_for_each_data_and_question():
    data = Data("abc")
    assert [length(data), length(data), length(data, 2), length(data, more=2)] == [3, 3, 5, 5]
    assert first(data) == "a"
    assert ASKED == [("abc", 0), ("abc", 2), ("abc", 2)]
    assert length(replace(data, name="abcd")) == 4
    assert ASKED[-1] == ("abcd", 0)
    assert data == Data("abc")
    assert (length.__name__, length.__doc__) == ("length", "Its doc.")
