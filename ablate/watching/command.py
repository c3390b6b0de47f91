"""`ablate watch`: how a run goes on, seen from another terminal at any time."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.live import Live

from ablate.console.speaking import say
from ablate.folder import RunError
from ablate.watching.devices import device_lines
from ablate.watching.snapshot import OVER, Snapshot, Watcher
from ablate.watching.view import view

SHARE = 10  # a look takes at most this part of the time: the run needs the machine more


def watch(options: argparse.Namespace, console: Console) -> None:
    """Show a run until it is over, or once; nothing of it is changed."""
    pause = seconds(options.every)
    watcher = Watcher(options.run)
    once = options.once or not (console.is_terminal or options.json)
    try:
        snapshots = iter([watcher.look()]) if once else looks(watcher, pause)
        if options.json:
            _as_lines(snapshots, console)
        elif once:
            _show(next(snapshots), console)
        else:
            _live(snapshots, console)
    except KeyboardInterrupt:  # the usual way to stop watching
        return


def looks(watcher: Watcher, pause: float) -> Iterator[Snapshot]:
    """One look after the other until the run is over, the last one at its end."""
    while True:
        began = time.monotonic()
        now = watcher.look()
        taken = time.monotonic() - began
        yield now
        if now.state in OVER:
            return
        time.sleep(max(pause, SHARE * taken))


def seconds(text: str) -> float:
    """The pause between two looks.

    Raises:
        RunError: It is no number of seconds, or too short.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 86_400:
        raise RunError(f"--every: expected seconds from 0.1 to 86400; got '{text}'")
    return value


def as_json(now: Snapshot) -> dict[str, Any]:
    """A snapshot for programs: numbers in raw units, and what its devices do."""
    return {**asdict(now), "devices": device_lines(now)}


def _as_lines(snapshots: Iterator[Snapshot], console: Console) -> None:
    for now in snapshots:
        say(console, json.dumps(as_json(now), ensure_ascii=False))


def _show(now: Snapshot, console: Console) -> None:
    console.print(view(now, device_lines(now)), markup=False, highlight=False)


def _live(snapshots: Iterator[Snapshot], console: Console) -> None:
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for now in snapshots:
            live.update(view(now, device_lines(now)), refresh=True)
