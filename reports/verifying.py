"""A report held against its record: made again, and compared word by word and number by number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from reports.build import report_texts
from reports.page.maker import maker
from reports.page.pieces import Piece, pieces
from reports.record.hashing import record_hash

RECORD = "record.sqlite"
LONGEST = 120  # letters of a text that a message shows
BEFORE = 40  # of these, before the first letter that differs
HASH = re.compile(r"\b[0-9a-f]{64}\b")
META = r'<meta name="{}" content="([^"]*)">'
NUMBER = re.compile(r"\d+(?:\.\d+)?")


class VerifyError(ValueError):
    """What cannot be verified; the message says why."""


@dataclass(frozen=True)
class Difference:
    """The first thing that a report says and its record does not.

    Args:
        file: Of the report.
        place: Where in the file, in words.
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
        if says is None:
            return f"{place}: the file has nothing there, the record says {record!r}"
        if record is None:
            return f"{place}: the file says {says!r}, the record nothing"
        return f"{place}: the file says {says!r}, the record says {record!r}"


@dataclass(frozen=True)
class Checked:
    """What came of verifying a report.

    Args:
        record: What it was held against.
        files: What was compared.
        numbers: How many numbers stand in these.
        difference: The first that differs; None where all is as the record has it.
        remarks: What else is worth knowing: another record, another version.
    """

    record: Path
    files: tuple[str, ...]
    numbers: int
    difference: Difference | None
    remarks: tuple[str, ...]


def verify(path: Path, record: Path | None = None) -> Checked:
    """Make a report again from its record, and find the first thing that differs.

    Pictures beside the page are not compared; those in the page are.

    Args:
        path: A file of a report, or the folder that it lies in.
        record: The record; the one beside the report where it is not given.

    Raises:
        VerifyError: There is no report, or no record beside it.
        RecordError: The record cannot be read.
    """
    record = _record_of(path, record)
    files = _files(path)
    now = record_hash(record)
    made = report_texts(record)
    pairs = {file: (file.read_text(encoding="utf-8"), made[name]) for file, name in files.items()}
    stated = _stated(files, pairs, now)
    numbers, difference = 0, None
    for file, (theirs, ours) in pairs.items():
        theirs, ours = _neutral(theirs, stated), _neutral(ours, (now, maker()))
        said = pieces(files[file], theirs)
        numbers += sum(len(NUMBER.findall(piece.text)) for piece in said)
        difference = difference or _first(file.name, said, pieces(files[file], ours))
    return Checked(
        record=record,
        files=tuple(file.name for file in files),
        numbers=numbers,
        difference=difference,
        remarks=tuple(_remarks(*stated, now)),
    )


def _record_of(path: Path, record: Path | None) -> Path:
    """The record that a report is held against."""
    if not path.exists():
        raise VerifyError(f"{path}: no such report; write it: ablate report RUN")
    folder = path if path.is_dir() else path.parent
    found = record or folder / RECORD
    found = found / RECORD if found.is_dir() else found
    if record is None and not found.exists():
        raise VerifyError(f"{path}: no record lies beside it ({RECORD}); name it: --record FILE")
    return found


def _files(path: Path) -> dict[Path, str]:
    """Files to compare -> what each is called in a report that is made again."""
    names = ("report.html", "report.md", "results.csv", "results.tex")
    if path.is_dir():
        found = {path / name: name for name in names if (path / name).is_file()}
        if not found:
            raise VerifyError(f"{path}: no report is here; write it: ablate report {path}")
        return found
    known = {Path(name).suffix: name for name in names}
    if path.suffix not in known:
        endings = ", ".join(known)
        raise VerifyError(f"{path}: not a file of a report that can be compared ({endings})")
    return {path: known[path.suffix]}


def _stated(
    files: Mapping[Path, str], pairs: Mapping[Path, tuple[str, str]], now: str
) -> tuple[str, str]:
    """The record and the code that a report says it was made of; "" where it does not say."""
    for file, (theirs, ours) in pairs.items():
        if files[file] == "report.html":
            found = [re.search(META.format(name), theirs) for name in ("record", "generator")]
            return (found[0][1] if found[0] else "", found[1][1] if found[1] else "")
        if now in ours and (hashed := HASH.search(theirs)):
            return hashed[0], ""
    return "", ""


def _neutral(text: str, names: Sequence[str]) -> str:
    """The text without what names record and code: these are remarks, not differences."""
    for number, name in enumerate(names):
        text = text.replace(name, f"({number})") if name else text
    return text


def _first(file: str, theirs: Sequence[Piece], ours: Sequence[Piece]) -> Difference | None:
    for said, found in zip_longest(theirs, ours):
        if said is None:
            return Difference(file, _place(found), None, found.text)
        if found is None:
            return Difference(file, _place(said), said.text, None)
        if (said.text, said.kind) != (found.text, found.kind):
            return Difference(file, _place(found), said.text, found.text)
    return None


def _place(piece: Piece) -> str:
    return f"{piece.place} ({piece.kind})" if piece.kind else piece.place


def _remarks(record: str, code: str, now: str) -> Iterator[str]:
    if not record:
        yield "the report does not say which record it was made of"
    elif record != now:
        yield (
            f"the record has changed since the report was made (sha256 {record[:12]}... then, "
            f"{now[:12]}... now)"
        )
    if code and code != maker():
        yield f"the report was made by {code}; this is {maker()}"


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
