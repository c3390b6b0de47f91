"""`ablate evaluate`: a trained mix on other pictures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ablate.command_line._options import add_mix
from ablate.console.speaking import say
from ablate.console.tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ablate.applying import Score

HELP = "score a trained mix on other pictures, whole and in crops"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which mix, and which pictures."""
    add_mix(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, help="folder of clean pictures")
    metavar = ("DEGRADED", "CLEAN")
    source.add_argument("--pairs", type=Path, nargs=2, metavar=metavar, help="folders of pairs")


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Score a trained mix on other pictures."""
    from ablate.applying import score_images
    from ablate.plugins import load_plugins
    from ablate.results import Run

    load_plugins(options.plugin)
    scores = score_images(
        Run(options.run),
        options.mix,
        options.data,
        pairs=tuple(options.pairs) if options.pairs else None,
        seed=options.seed,
        device=options.device,
    )
    if options.json:
        say(console, json.dumps([asdict(score) for score in scores], indent=2))
    else:
        console.print(_table(scores))


def _table(scores: Sequence[Score]) -> Table:
    table = make_table("scored on", "images", "PSNR / dB", "gain / dB", "SSIM", "input SSIM")
    for score in scores:
        value = score.values
        gain = value["psnr"] - value["input_psnr"]
        numbers = (f"{value['psnr']:.2f}", f"{gain:+.2f}", f"{value['ssim']:.4f}")
        table.add_row(score.what, str(score.count), *numbers, f"{value['input_ssim']:.4f}")
    return table
