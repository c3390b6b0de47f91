"""`ablate merge`, `ablate runs`, `ablate prune`: what they say of several runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import datetime

from rich.console import Console

from ablate.collection import listing, merging, pruning
from ablate.console.speaking import say
from ablate.console.tables import fitted, too_narrow
from ablate.console.words import shown

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_COLUMNS = ("run", "state", "trials", "failed", "best", "value", "last written", "size")
_SPARE = ("size", "last written", "failed")  # where a terminal is narrow, in this order


def merge(options: argparse.Namespace, console: Console) -> None:
    """Join runs of one study into a new one."""
    merged = merging.merge(options.run, options.out)
    if options.json:
        say(console, json.dumps(asdict(merged), default=str))
    elif not options.quiet:
        for line in merged_lines(merged):
            say(console, line)


def runs(options: argparse.Namespace, console: Console) -> None:
    """List the runs in a folder."""
    found = listing.list_runs(options.folder)
    if options.json:
        say(console, json.dumps([asdict(run) for run in found], default=str, indent=2))
        return
    if not found:
        say(console, f"{shown(options.folder)}: no runs; start one: ablate run STUDY")
        return
    rows = [_row(run) for run in found]
    table, missing = fitted(
        _COLUMNS, rows, console.width, texts=("run", "best"), spare=_SPARE, cut=True
    )
    console.print(table)
    if missing:
        say(console, too_narrow(missing))
    for run in found:
        if run.problem:
            say(console, f"{run.name}: {run.problem}")


def prune(options: argparse.Namespace, console: Console) -> None:
    """Say what of runs no front needs, and remove it where that was asked for."""
    found = [(pruning.prune if options.yes else pruning.spare)(run) for run in options.run]
    if options.json:
        listed = [{**asdict(one), "removed": bool(options.yes)} for one in found]
        say(console, json.dumps(listed, default=str, indent=2))
        return
    for one in found:
        say(console, pruned_line(one, done=options.yes))
    if not options.yes and any(one.files for one in found):
        names = " ".join(shown(one.folder) for one in found)
        say(console, f"nothing was removed; to do it: ablate prune {names} --yes")


def merged_lines(merged: merging.Merged) -> list[str]:
    """What came of joining runs, for people."""
    failed = f", {merged.failed} of them failed" if merged.failed else ""
    lines = [
        f"{len(merged.runs)} runs joined into {shown(merged.folder)}: {merged.mixes} mixes, "
        f"{merged.trials} trials{failed}"
    ]
    if merged.twice:
        count = _many(merged.twice, "trial stood", "trials stood")
        counts = "counts" if merged.twice == 1 else "count"
        lines.append(f"{count} in more than one run, and {counts} once")
    if merged.differing:
        have = _many(merged.differing, "of these has", "of these have")
        lines.append(
            f"{have} other numbers in one run than in another; those of the run that was named "
            "first are kept"
        )
    if merged.left_out:
        them = "it" if merged.left_out == 1 else "them"
        are = _many(merged.left_out, "trial is", "trials are")
        lines.append(f"{are} damaged and left out; a run makes {them} again")
    lines += merged.remarks
    lines.append(
        "what is missing, and all latencies side by side on one machine: "
        f"ablate run STUDY --out {shown(merged.folder)}"
    )
    return lines


def _many(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def pruned_line(one: pruning.Spare, *, done: bool) -> str:
    """What goes of a run, or would, in one line."""
    if not one.files:
        return f"{shown(one.folder)}: nothing to free; {one.kept} weights on the front are kept"
    free = "freed" if done else "can be freed"
    states = f" and {len(one.states)} states" if one.states else ""
    shared = f"; {one.shared} of them are shared with other runs" if one.shared else ""
    return (
        f"{shown(one.folder)}: {size(one.size)} {free}: {len(one.weights)} weights{states} that no "
        f"front needs{shared}; {one.kept} weights are kept"
    )


def size(count: float) -> str:
    """Bytes for people: 12 B, 3.4 MiB."""
    power = 0
    while count >= 1024 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.1f} {_UNITS[power]}" if power else f"{count:.0f} {_UNITS[0]}"


def _row(run: listing.Listed) -> tuple[str, ...]:
    of = "" if run.trials is None else f"/{run.trials}"
    readable = run.state != listing.UNREADABLE
    return (
        run.name,
        run.state,
        f"{run.done + run.failed}{of}" if readable else "-",
        str(run.failed) if readable else "-",
        run.best or "-",
        run.value or "-",
        _when(run.when),
        size(run.size),
    )


def _when(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
