"""A report and its paper kits held against their record, word by word and number by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reports.record.hashing import record_hash
from reports.verifying.copies import Compared, VerifyError
from reports.verifying.of_kit import Sources, compare_kit, is_kit, kit_of_file
from reports.verifying.of_report import compare_report, missing, report_files

RECORD = "record.sqlite"


@dataclass(frozen=True)
class Checked(Compared):
    """What came of verifying.

    Args:
        record: What it was held against.
    """

    record: Path = Path(RECORD)


def _unsaid(_: str) -> str:
    """Sources that nobody knows."""
    return ""


def verify(path: Path, record: Path | None = None, source_of: Sources = _unsaid) -> Checked:
    """Make a report again from its record, and find the first thing that differs.

    Pictures beside a page are not compared; those in it are, and so are the figures of a paper kit
    where the matplotlib that drew them is the one at hand.

    Args:
        path: A file of a report or of a paper kit, or the folder that it lies in. Kits in the
            folder of a run are verified with its report.
        record: The record; the one beside the report, or above the kit, where it is not given.
        source_of: What `write_paper` was given, for the bibliography of a kit.

    Raises:
        VerifyError: There is no report, or no record beside it.
        RecordError: The record cannot be read.
    """
    if not path.exists():
        raise VerifyError(f"{path}: no such report; write it: ablate report RUN")
    record = _record_of(path, record)
    parts = tuple(_parts(path, record, source_of))
    if not parts:
        raise VerifyError(f"{path}: no report is here; write it: ablate report {path}")
    return Checked(
        files=tuple(file for part in parts for file in part.files),
        numbers=sum(part.numbers for part in parts),
        difference=next((part.difference for part in parts if part.difference), None),
        remarks=tuple(remark for part in parts for remark in part.remarks),
        record=record,
    )


def _parts(path: Path, record: Path, source_of: Sources) -> Iterator[Compared]:
    """The report, then the kits."""
    given = (record, record_hash(record))
    kit = kit_of_file(path)
    if kit is None or path.is_dir():
        files = report_files(path)
        if files:
            yield compare_report(files, *given)
            yield Compared((), difference=missing(path))
    if kit is not None:
        yield compare_kit(*kit, given, source_of)
    if path.is_dir():
        for folder in sorted(each for each in path.iterdir() if each.is_dir() and is_kit(each)):
            inner = kit_of_file(folder)
            if inner is not None:
                yield compare_kit(*inner, given, source_of, f"{folder.name}/")


def _record_of(path: Path, record: Path | None) -> Path:
    """The record that a report is held against."""
    folder = path if path.is_dir() else path.parent
    if record is not None:
        return record / RECORD if record.is_dir() else record
    kit = kit_of_file(path)
    places = [folder] if kit is None else [kit[0], kit[0].absolute().parent]
    for place in places:
        if (place / RECORD).exists():
            return place / RECORD
    raise VerifyError(f"{path}: no record lies beside it ({RECORD}); name it: --record FILE")
