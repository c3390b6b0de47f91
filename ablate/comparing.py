"""The command `compare`: which mixes became slower or faster between two sittings."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict

from rich.console import Console

from ablate.command_parts import make_table, say
from ablate.folder import RunFolder
from reports.comparing import Compared, Comparison, Row, compare_records, compare_sittings


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
    found = compare_records(*records) if len(records) == 2 else compare_sittings(records[0])
    if options.json:
        say(console, json.dumps(_as_json(found), indent=2))
        return
    for compared in found.modes:
        _show(compared, console)
    for remark in found.remarks:
        say(console, f"differs: {remark}")


def _show(compared: Compared, console: Console) -> None:
    say(console, f"latency at {compared.mode}, sitting {' and then '.join(compared.sittings)}")
    table = make_table("mix", "before / ms", "after / ms", "change")
    for row in compared.rows:
        table.add_row(row.label, _milli(row.before), _milli(row.after), row.words)
    console.print(table)
    for line in (compared.basis, compared.common):
        if line:
            say(console, line)
    if compared.alone:
        say(console, f"in one of them alone: {', '.join(compared.alone)}")


def _milli(seconds: float) -> str:
    return f"{1e3 * seconds:.4g}" if math.isfinite(seconds) else "-"


def _as_json(found: Comparison) -> dict[str, object]:
    modes = [
        {**asdict(compared), "rows": [_row(row) for row in compared.rows]}
        for compared in found.modes
    ]
    return {"modes": modes, "differs": list(found.remarks)}


def _row(row: Row) -> dict[str, object]:
    """JSON has neither infinity nor NaN: what is not known is null."""
    change = row.change
    numbers = {
        "before": row.before,
        "after": row.after,
        "ratio": change.ratio,
        "low": change.low,
        "high": change.high,
    }
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return {"mix": row.label, **known, "apart": change.apart, "words": row.words}
