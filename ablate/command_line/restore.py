"""`ablate restore`: pictures through a trained mix."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_mix
from ablate.console.speaking import say
from ablate.console.words import duration

HELP = "restore pictures with a trained mix"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which mix, and which pictures."""
    add_mix(parser)
    parser.add_argument("images", type=Path, nargs="+", help="pictures to restore")
    parser.add_argument("--out", type=Path, default=Path("restored"), help="folder for the results")
    parser.add_argument("--tile", type=int, help="side of a tile in pixels, 0 for none")
    parser.add_argument("--overlap", type=int, help="overlap of tiles, in pixels")


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Restore pictures, and say where each lies."""
    from ablate.applying import restore_files
    from ablate.plugins import load_plugins
    from ablate.results import Run

    load_plugins(options.plugin)
    restored = restore_files(
        Run(options.run),
        options.mix,
        options.images,
        options.out,
        seed=options.seed,
        tile=options.tile,
        overlap=options.overlap,
        device=options.device,
    )
    for picture in restored:
        facts = {"source": str(picture.source), "target": str(picture.target)}
        if options.json:
            say(console, json.dumps({**facts, "seconds": picture.seconds}))
        elif not options.quiet:
            say(console, f"{picture.target}  ({duration(picture.seconds)})")
