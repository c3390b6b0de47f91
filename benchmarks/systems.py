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
    """What a system costs in truth, and as the counters of its figures have it.

    Args:
        name: The study.
        figures: What is known of it.

    Returns:
        `size`, the study's own, and `counts`: for each size (256x256) `truth`, and what each
        counter says that some figure of this size was made with.
    """
    study = load_study(name)
    with torch.device("meta"):
        model = build(study.mix(study.at(0)).network)
    default = study.profile.size[0]
    counters: dict[tuple[int, int], set[str]] = {default: set()}
    for figure in figures:
        height, width = figure.get("size", default)
        counters.setdefault((height, width), set()).add(figure["counter"])
    counts = {
        f"{height}x{width}": _counted(model, (height, width), asked)
        for (height, width), asked in sorted(counters.items())
    }
    return {"size": list(default), "counts": dict(sorted(counts.items()))}


def _counted(model: nn.Module, size: tuple[int, int], counters: set[str]) -> Json:
    """The costs at one size: `truth`, and one for each counter that is ours to count with."""
    channels = int(getattr(model, "image_channels", 3))
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
    return dict(sorted(found.items()))


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
    PAGE.write_text(page(result["systems"], known), encoding="utf-8")
    print(f"written to {RESULT.relative_to(HERE.parent)} and {PAGE.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
