"""The first thing that a file says and its record does not, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from reports.page.pieces import Piece

LONGEST = 120  # letters of a text that a message shows
BEFORE = 40  # of these, before the first letter that differs
SOME = 8  # bytes that a message shows


@dataclass(frozen=True)
class Difference:
    """The first thing that a report says and its record does not.

    Args:
        file: Of the report.
        place: Where in the file, in words; where neither says anything, what is amiss.
        says: What the file says there; None where it has ended.
        record: What comes of the record; None where nothing more does.
    """

    file: str
    place: str
    says: str | None
    record: str | None

    @property
    def words(self) -> str:
        """As people are told, in one line."""
        says, record = _around(self.says, self.record)
        place = f"{self.file}: {self.place}"
        if says is None and record is None:
            return place
        if says is None:
            return f"{place}: the file has nothing there, the record says {record!r}"
        if record is None:
            return f"{place}: the file says {says!r}, the record nothing"
        return f"{place}: the file says {says!r}, the record says {record!r}"


def first(file: str, theirs: Sequence[Piece], ours: Sequence[Piece]) -> Difference | None:
    """The first piece of a file that is not as it was made again; None where all are."""
    for said, found in zip_longest(theirs, ours):
        if said is None:
            return Difference(file, _place(found), None, found.text)
        if found is None:
            return Difference(file, _place(said), said.text, None)
        if (said.text, said.kind) != (found.text, found.kind):
            return Difference(file, _place(found), said.text, found.text)
    return None


def first_byte(file: str, theirs: bytes, ours: bytes) -> Difference | None:
    """The same of a file that is no text: from that byte on a few, in hex."""
    if theirs == ours:
        return None
    alike = next(
        (at for at, (a, b) in enumerate(zip(theirs, ours, strict=False)) if a != b),
        min(len(theirs), len(ours)),
    )
    ends = (each[alike : alike + SOME].hex(" ") or None for each in (theirs, ours))
    return Difference(file, f"byte {alike + 1}", *ends)


def _place(piece: Piece) -> str:
    return f"{piece.place} ({piece.kind})" if piece.kind else piece.place


def _around(one: str | None, other: str | None) -> tuple[str | None, str | None]:
    """Two texts cut to where they differ first."""
    same = 0
    for a, b in zip(one or "", other or "", strict=False):
        if a != b:
            break
        same += 1
    return _cut(one, same), _cut(other, same)


def _cut(text: str | None, at: int) -> str | None:
    if text is None or len(text) <= LONGEST:
        return text
    start = max(at - BEFORE, 0)
    end = start + LONGEST
    return f"{'...' * (start > 0)}{text[start:end]}{'...' * (end < len(text))}"
