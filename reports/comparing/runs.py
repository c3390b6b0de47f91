"""Two runs side by side: what differs in their making, and which differences of mixes are real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.comparing.accuracy import Accuracy, accuracy
from reports.comparing.making import Told, made
from reports.comparing.sittings import CompareError, Comparison, compare_records
from reports.numbers.found import Found
from reports.numbers.results import collect
from reports.record import Reading

MEASURED = ("s", "J")  # units of what is never exact
ROUNDING = 1e-9  # of a count, what numbers alone can make

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Counted:
    """A cost without an error that is another than it was; as texts with their units."""

    label: str
    cost: str
    before: str
    after: str


@dataclass(frozen=True)
class RunsCompared:
    """Two runs side by side.

    Args:
        made: What differs in machine, versions and settings.
        accuracy: Of mixes in both; None where no mix was trained in both.
        counted: Counts that differ.
        timing: Latencies of their last sittings; None where these can't be compared.
        untimed: Why not; "" where they can.
        gone: Labels of mixes that only the earlier run has.
        new: Labels of mixes that only the later run has.
        studies: Texts of the two studies.
    """

    made: tuple[Told, ...]
    accuracy: Accuracy | None
    counted: tuple[Counted, ...]
    timing: Comparison | None
    untimed: str
    gone: tuple[str, ...]
    new: tuple[str, ...]
    studies: tuple[str, str]


def compare_runs(before: Path, after: Path) -> RunsCompared:
    """Hold a later run against an earlier one, in everything that both have.

    Args:
        before: Record of the earlier run.
        after: Record of the later one.

    Raises:
        CompareError: They have nothing in common.
        RecordError: One of them cannot be read.
    """
    first, second = _read(before), _read(after)
    pairs = paired(first, second)
    timing, untimed = None, ""
    try:
        timing = compare_records(before, after)
    except CompareError as error:
        untimed = str(error)
        if not pairs:
            raise
    return RunsCompared(
        made=tuple(made(first.facts, second.facts)),
        accuracy=accuracy(first, second, pairs),
        counted=tuple(counted(first, second, pairs)),
        timing=timing,
        untimed=untimed,
        gone=tuple(_others(first, {one for one, _ in pairs})),
        new=tuple(_others(second, {other for _, other in pairs})),
        studies=(first.facts.get("study_text", ""), second.facts.get("study_text", "")),
    )


def paired(first: Found, second: Found) -> list[tuple[str, str]]:
    """Mixes that both have: by their keys, and where there is no such mix by their labels."""
    keys = {str(mix) for mix in first.table.index} & {str(mix) for mix in second.table.index}
    labels = {first.label(str(mix)): str(mix) for mix in first.table.index if mix not in keys}
    found = []
    for mix in map(str, second.table.index):
        other = mix if mix in keys else labels.get(second.label(mix))
        if other is not None:
            found.append((other, mix))
    return found


def counted(first: Found, second: Found, pairs: Pairs) -> Iterator[Counted]:
    """Costs without an error that differ: the network does, or the way of counting."""
    for metric in second.cost_metrics:
        unit = second.metrics[metric].unit
        if unit in MEASURED or f"{metric}_low" in second.table:
            continue
        if metric not in first.metrics or first.metrics[metric].unit != unit:
            continue
        scale = second.scales[metric]
        for one, other in pairs:
            before, after = first.number(one, metric), second.number(other, metric)
            if abs(after - before) > ROUNDING * abs(before):  # false where one is absent
                texts = (scale.text(before), scale.text(after))
                if texts[0] == texts[1]:  # too near to be told apart when rounded
                    texts = (f"{before:,.15g}", f"{after:,.15g}")
                yield Counted(second.label(other), scale.title, *texts)


def _read(path: Path) -> Found:
    with Reading.open(path) as record:
        return collect(record, draws=0)


def _others(found: Found, taken: set[str]) -> Iterator[str]:
    return (found.label(str(mix)) for mix in found.table.index if mix not in taken)
