"""The command `compare`: what changed from one run to another, and which differences are real."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console

from ablate.console.speaking import say
from ablate.console.tables import Cells, fitted
from ablate.folder import RunFolder
from ablate.runs.differing import Change, changes
from reports.comparing.accuracy import Accuracy, Gap
from reports.comparing.runs import Counted, RunsCompared, compare_runs
from reports.comparing.sittings import Compared, Comparison, Row, compare_sittings

MOST = 12  # rows of a kind that are shown; as JSON all of them are


def compare(options: argparse.Namespace, console: Console) -> None:
    """Hold two runs, or the last two sittings of one, against each other.

    Raises:
        RunError: There is no run.
        CompareError: They cannot be compared.
    """
    folders = [RunFolder(path) for path in (options.before, options.after) if path]
    for folder in folders:
        folder.open().close()
    records = [folder.record for folder in folders]
    if len(records) == 1:
        _tell_sittings(compare_sittings(records[0]), options, console)
        return
    found = compare_runs(*records)
    study = changes(*found.studies)
    if options.json:
        say(console, json.dumps(_all(found, study), indent=2))
        return
    for change in study:
        say(console, f"study: {change.words}")
    told = {change.name.rpartition(".")[2] for change in study}
    for one in found.made:
        if one.name.rpartition(" ")[2] not in told:
            say(console, f"differs: {one.words}")
    for name, labels in (("earlier", found.gone), ("later", found.new)):
        if labels:
            say(console, f"mixes of the {name} run alone: {_some(labels)}")
    if found.accuracy:
        _show_accuracy(found.accuracy, console)
    _show_counted(found.counted, console)
    if found.timing:
        _show_timing(found.timing, console)
    else:
        say(console, f"latency is not compared: {found.untimed}")


def _tell_sittings(found: Comparison, options: argparse.Namespace, console: Console) -> None:
    if options.json:
        say(console, json.dumps(_timed(found), indent=2))
    else:
        _show_timing(found, console)


def _show_accuracy(found: Accuracy, console: Console) -> None:
    say(console, f"accuracy, {found.scale.heading}")
    rows = list[tuple[str, ...]]()
    for row in found.rows[:MOST]:
        label = row.label if row.same else f"{row.label} (another study)"
        numbers = (found.scale.number(row.before), found.scale.number(row.after))
        rows.append((label, *numbers, str(row.change.n), row.words))
    _draw(("mix", "before", "after", "seeds", "change"), rows, console)
    if len(found.rows) > MOST:
        say(console, f"and {len(found.rows) - MOST} more; all of them: --json")
    for line in (found.basis, found.common):
        if line:
            say(console, line)
    if found.shared:
        say(console, f"trials that stand in both, taken over: {found.shared}")


def _show_counted(found: tuple[Counted, ...], console: Console) -> None:
    if not found:
        return
    rows = [(row.label, row.cost, row.before, row.after) for row in found[:MOST]]
    _draw(("mix", "cost", "before", "after"), rows, console)
    if len(found) > MOST:
        say(console, f"and {len(found) - MOST} more counts that differ; all of them: --json")


def _show_timing(found: Comparison, console: Console) -> None:
    for compared in found.modes:
        _show(compared, console)


def _show(compared: Compared, console: Console) -> None:
    say(console, f"latency at {compared.mode}, sitting {' and then '.join(compared.sittings)}")
    rows = [(row.label, _milli(row.before), _milli(row.after), row.words) for row in compared.rows]
    _draw(("mix", "before / ms", "after / ms", "change"), rows, console)
    for line in (compared.basis, compared.common):
        if line:
            say(console, line)
    if compared.alone:
        say(console, f"in one of them alone: {', '.join(compared.alone)}")


def _draw(headings: Cells, rows: Sequence[Cells], console: Console) -> None:
    texts = [name for name in headings if name in ("mix", "cost", "change")]
    table, _ = fitted(headings, rows, console.width, texts=texts)
    console.print(table)


def _some(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - MOST} more" if len(labels) > MOST else ""
    return ", ".join(labels[:MOST]) + more


def _milli(seconds: float) -> str:
    return f"{1e3 * seconds:.4g}" if math.isfinite(seconds) else "-"


def _all(found: RunsCompared, study: list[Change]) -> dict[str, object]:
    """Everything, for programs."""
    timed = _timed(found.timing) if found.timing else {"modes": []}
    return {
        "study": [asdict(change) for change in study],
        "differs": [one.words for one in found.made],
        "gone": list(found.gone),
        "new": list(found.new),
        "accuracy": _accuracy(found.accuracy) if found.accuracy else None,
        "counted": [asdict(row) for row in found.counted],
        "modes": timed["modes"],
        "not_timed": found.untimed,
    }


def _accuracy(found: Accuracy) -> dict[str, object]:
    metric = found.scale.metric
    rows = [_gap(row) for row in found.rows]
    words = {"common": found.common, "basis": found.basis, "shared": found.shared}
    return {"metric": metric, "rows": rows, **words}


def _gap(row: Gap) -> dict[str, object]:
    change = row.change
    numbers = {
        "before": row.before,
        "after": row.after,
        "change": change.mean,
        "low": change.low,
        "high": change.high,
    }
    words = {"seeds": change.n, "real": row.real, "same": row.same, "words": row.words}
    return {"mix": row.label, **_known(numbers), **words}


def _timed(found: Comparison) -> dict[str, object]:
    modes = [
        {**asdict(compared), "rows": [_row(row) for row in compared.rows]}
        for compared in found.modes
    ]
    return {"modes": modes, "differs": list(found.remarks)}


def _row(row: Row) -> dict[str, object]:
    change = row.change
    numbers = {
        "before": row.before,
        "after": row.after,
        "ratio": change.ratio,
        "low": change.low,
        "high": change.high,
    }
    return {"mix": row.label, **_known(numbers), "apart": change.apart, "words": row.words}


def _known(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has neither infinity nor NaN: what is not known is null."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}
