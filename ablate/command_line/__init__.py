"""The commands: one file each, named as the command, and found by that.

A file says in a line what its command does (`HELP`), what it is told (`add_options`) and does it
(`carry_out`). Files load nothing that takes seconds, such as torch, before they are carried out, so
that `--help` need not wait.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Final, Protocol, cast

from rich.console import Console

FIRST: Final = (  # in the order in which a study comes to need them; the others follow
    *("new", "plan", "run", "report", "blocks", "schema", "restore", "evaluate"),
    *("profile", "latency-model", "crossover", "fidelity", "doctor", "verify", "compare"),
    *("watch", "export", "merge", "runs", "index", "prune"),
)


class Command(Protocol):
    """What a file of this package offers."""

    HELP: str

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Say what the command can be told."""

    def carry_out(self, options: argparse.Namespace, console: Console) -> None:
        """Do it.

        Raises:
            ValueError: What was asked for cannot be done; one line.
        """


def commands() -> dict[str, Command]:
    """All commands by name, in the order in which they are shown."""
    found = dict(_found())
    return {name: found[name] for name in (*FIRST, *sorted(found.keys() - set(FIRST)))}


def _found() -> Iterator[tuple[str, Command]]:
    for file in pkgutil.iter_modules(__path__):
        if not file.name.startswith("_"):
            module = importlib.import_module(f"{__name__}.{file.name}")
            yield file.name.replace("_", "-"), cast(Command, module)
