"""Files and what they say when they are made again, compared piece by piece."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from reports.page.maker import maker
from reports.page.pieces import Piece, pieces
from reports.verifying.differing import Difference, first

NUMBER = re.compile(r"\d+(?:\.\d+)?")
LISTED = ("section 'files'", "section 'Files'")  # other versions write other files
BREAKS = r"(?:\\allowbreak\{\}|\s)?"  # what may stand between the letters of a hash


class VerifyError(ValueError):
    """What cannot be verified; the message says why."""


@dataclass(frozen=True)
class Copy:
    """One file.

    Args:
        name: As messages call it.
        theirs: What stands in it.
        ours: What the record says; None where it makes no such file.
    """

    name: str
    theirs: str
    ours: str | None


@dataclass(frozen=True)
class Stated:
    """What a report says it was made of; "" where it does not say.

    Args:
        record: Hash of the record.
        code: The code.
    """

    record: str = ""
    code: str = ""


@dataclass(frozen=True)
class Compared:
    """What came of comparing.

    Args:
        files: What was compared.
        numbers: How many numbers stand in these.
        difference: The first that differs; None where all is as the record has it.
        remarks: What else is worth knowing: another record, another version.
    """

    files: tuple[str, ...]
    numbers: int = 0
    difference: Difference | None = None
    remarks: tuple[str, ...] = ()


def compared(copies: Sequence[Copy], stated: Stated, now: str, what: str = "report") -> Compared:
    """Hold files against what is made again.

    Args:
        copies: The files.
        stated: What they say they were made of.
        now: Hash of the record that they are held against.
        what: What they are, in remarks.
    """
    numbers, difference = 0, None
    ours = Stated(now, maker())
    theirs = Stated(stated.record or now, stated.code or ours.code)
    for copy in copies:
        left_out = () if theirs.code == ours.code else LISTED
        said = _pieces(copy.name, neutral(copy.theirs, theirs), left_out)
        numbers += sum(len(NUMBER.findall(piece.text)) for piece in said)
        made = [] if copy.ours is None else _pieces(copy.name, neutral(copy.ours, ours), left_out)
        difference = difference or first(copy.name, said, made)
    names = tuple(copy.name for copy in copies)
    return Compared(names, numbers, difference, tuple(remarks(stated, ours, what)))


def _pieces(name: str, text: str, left_out: Collection[str]) -> list[Piece]:
    """All that a file says, but for what it says in some places."""
    return [piece for piece in pieces(name, text) if piece.place not in left_out]


def neutral(text: str, names: Stated) -> str:
    """The text without what names record and code: these are remarks, not differences."""
    return re.sub(BREAKS.join(names.record), "(record)", text).replace(names.code, "(code)")


def remarks(then: Stated, now: Stated, what: str) -> Iterator[str]:
    """Where a report was made of another record, or by other code, than now."""
    if not then.record:
        yield f"the {what} does not say which record it was made of"
    elif then.record != now.record:
        yield (
            f"the record has changed since the {what} was made (sha256 {then.record[:12]}... then, "
            f"{now.record[:12]}... now)"
        )
    if then.code and then.code != now.code:
        yield f"the {what} was made by {then.code}; this is {now.code}"
