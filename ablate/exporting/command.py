"""`ablate export`: a run for other programs, as a table of its trials or as an Optuna study."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from ablate.console.speaking import say
from ablate.exporting.database import ExportError, export_optuna
from ablate.exporting.table import export_csv


def export(options: argparse.Namespace, console: Console) -> None:
    """Write a run for other programs, and say what was written.

    Raises:
        ExportError: It is not said where to, or that cannot be written.
    """
    if not options.optuna and not options.csv:
        raise ExportError(
            f"export: {options.run}: say where to: --optuna sqlite:///FILE.db, --csv FILE, or both"
        )
    said: dict[str, Any] = {}
    if options.csv:
        said["csv"] = {"file": str(options.csv), "rows": export_csv(options.run, options.csv)}
    if options.optuna:
        done = export_optuna(options.run, options.optuna, options.name or "")
        said["optuna"] = {"study": done.study, "where": done.where, "states": dict(done.states)}
    if options.json:
        say(console, json.dumps(said, ensure_ascii=False))
        return
    for line in _lines(said):
        say(console, line)


def _lines(said: Mapping[str, Any]) -> Iterator[str]:
    if table := said.get("csv"):
        yield f"{table['file']}: {table['rows']} rows"
    if study := said.get("optuna"):
        states = ", ".join(f"{number} {state}" for state, number in study["states"].items())
        yield f"{study['where']}: study {study['study']}: {states or 'no mix yet'}"
        yield f"look at it: optuna-dashboard {study['where']}"
