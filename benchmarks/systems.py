"""Published networks: what was said of them, and what ours cost, counted in the same way.

    python -m benchmarks.systems [--only NAME ...] [--page]

Counts every study in studies/systems, sets it beside the figures in benchmarks/published.toml, and
writes benchmarks/results/systems.json and docs/systems.md. `--only` counts some again and keeps
the others; `--page` counts nothing and writes the page from the results that are there. Nothing is
run, so any machine gives the same figures; a few minutes.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ablate.network import build
from ablate.profiling.conventions import CONVENTIONS, charge, see_released
from ablate.profiling.flops import count_macs, count_parameters
from ablate.profiling.padding import padding
from ablate.study import load_study, shipped_studies
from benchmarks.systems_page import page

HERE = Path(__file__).parent
PUBLISHED = HERE / "published.toml"
RESULT = HERE / "results" / "systems.json"
PAGE = HERE.parent / "docs" / "systems.md"

Json = dict[str, Any]


def systems() -> list[str]:
    """The names of all studies in studies/systems."""
    return sorted(name for name, file in shipped_studies().items() if file.parent.name == "systems")


def published() -> Json:
    """The figures and latencies that are known, as they are written."""
    with PUBLISHED.open("rb") as file:
        return tomllib.load(file)


def count_system(name: str, figures: list[Json]) -> Json:
    """What a system costs in truth, and in the convention of each of its figures.

    Args:
        name: The study.
        figures: What is known of it.

    Returns:
        `truth` at the study's size, and `figures` with `ours` and `truth` beside each.
    """
    study = load_study(name)
    with torch.device("meta"):
        model = build(study.mix(study.at(0)).network)
    default = study.profile.size[0]
    channels = int(getattr(model, "image_channels", 3))
    sizes = {default: None, **{_size(figure, default): None for figure in figures}}
    counters = {s: {f["counter"] for f in figures if _size(f, default) == s} for s in sizes}
    counted = {size: _counted(model, channels, size, counters[size]) for size in sizes}
    return {
        "truth": counted[default]["truth"],
        "figures": [
            {
                **figure,
                "size": list(_size(figure, default)),
                "ours": counted[_size(figure, default)].get(figure["counter"]),
                "truth": counted[_size(figure, default)]["truth"],
            }
            for figure in figures
        ],
    }


def _size(figure: Json, default: tuple[int, int]) -> tuple[int, int]:
    height, width = figure.get("size", default)
    return height, width


def _counted(model: nn.Module, channels: int, size: tuple[int, int], counters: set[str]) -> Json:
    """The costs at one size: `truth`, and one for each counter."""
    image = (1, channels, *size)
    count, params = count_macs(model, size, channels=channels), count_parameters(model)
    found: Json = {
        "truth": {
            "size": [channels, *size],
            "padded": list(padding(model, image).whole),
            "params": params,
            "macs": count.total,
            "range": list(count.range),
            "by_class": count.by_class,
            "uncounted": list(count.uncounted),
        }
    }
    if ours := sorted(counters & set(CONVENTIONS)):
        seen = see_released(model, image)
        for counter in ours:
            charged = charge(seen, params, counter)
            found[counter] = {
                "params": charged.params,
                "macs": charged.macs,
                "range": list(charged.range),
                "by_class": charged.by_class,
            }
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="count these alone")
    parser.add_argument("--page", action="store_true", help="write the page, count nothing")
    return parser.parse_args()


def main() -> None:
    """Count, write down, write the page."""
    arguments = _arguments()
    known = published()
    result: Json = json.loads(RESULT.read_text()) if RESULT.exists() else {"systems": {}}
    if not arguments.page:
        found: Json = result["systems"] if arguments.only else {}
        for name in arguments.only or systems():
            figures = [figure for figure in known["figure"] if figure["system"] == name]
            found[name] = count_system(name, figures)
            truth = found[name]["truth"]
            print(f"{name:26} {truth['params']:>12,} {truth['macs'] / 1e9:10.3f} G", flush=True)
        result = {"systems": {name: found[name] for name in sorted(found)}}
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(result["systems"], known["latency"]), encoding="utf-8")
    print(f"written to {RESULT.relative_to(HERE.parent)} and {PAGE.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
