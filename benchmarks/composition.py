"""How well whole networks are predicted from their parts: every mix, or many, measured beside it.

    python benchmarks/composition.py [--only three,five,deep] [--mixes N] [--rounds N] [--out FILE]

Each case is a study. Its parts and a few whole mixes give a latency model, as `ablate
latency-model` makes it; then many more mixes are measured in the same rounds, and compared with
what the model says of them. Beside it stand the error of the measurement itself (each process
against the others), plain sums without a fit, and the peak memory that is composed from stages
against the forecast for each whole network. Pricing a study of a million points is timed too.
Under eight minutes on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ablate.composition.counting import Setting, counted
from ablate.composition.making import FITTED, compose, survey
from ablate.composition.skeletons import chosen_by, skeletons
from ablate.composition.tables import Grid
from ablate.latency_model.fitting import Agreement, agreement
from ablate.latency_model.measuring import Conditions, PartsTimed, measure
from ablate.latency_model.model import LatencyModel
from ablate.latency_model.storage import agreement_json
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.machine import describe, load
from ablate.profiling.memory import forecast_inference
from ablate.profiling.modes import Mode
from ablate.profiling.summary import summarise
from ablate.study import Study, load_study

RESULT = Path(__file__).parent / "results" / "composition.json"
KINDS = ["rdcnn", "mwsa", "lama", "emvm"]  # one of each family
CALIBRATION = 8
MEMORY_MIXES = 24
MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """A study to predict.

    Args:
        words: What it asks.
        network: Its network table.
        size: Side of the image.
        mixes: How many unseen mixes are measured, at most.
    """

    words: str
    network: Mapping[str, Any]
    size: int
    mixes: int

    def study(self, name: str) -> Study:
        """The case as a study."""
        network = {"topology": "unet", **self.network}
        return load_study(
            {
                "name": name,
                "question": self.words,
                "task": {"degradation": "gaussian_noise"},
                "network": network,
                "profile": {"size": [self.size, self.size]},
            }
        )


def cases() -> dict[str, Case]:
    """The studies: three stages, five of them, and depth and width that vary."""
    fixed = {"block": "rdcnn"}
    return {
        "three": Case(
            words="four kinds in each of three stages, decoder of convolutions",
            network={"width": 24, "stage": [{"block": KINDS}] * 3, "decoder": [fixed] * 3},
            size=64,
            mixes=56,
        ),
        "five": Case(
            words="four kinds in each of five stages, mirrored in the decoder",
            network={"width": 16, "stage": [{"block": KINDS}] * 5},
            size=64,
            mixes=56,
        ),
        "deep": Case(
            words="three kinds, one to three blocks deep, two widths, mirrored",
            network={
                "width": [16, 24],
                "stage": [{"block": KINDS[:3], "depth": [1, 2, 3]}] * 2,
            },
            size=64,
            mixes=48,
        ),
    }


def predict(name: str, case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure a case and say how well its mixes were predicted."""
    study = case.study(name)
    profile = Profile(rounds=arguments.rounds, processes=arguments.processes)
    size = (case.size, case.size)
    given = Conditions(size=size, profile=profile, mode=_mode(arguments), device=arguments.device)
    unseen = min(arguments.mixes or case.mixes, case.mixes)
    surveyed = survey(study, calibration=CALIBRATION, held_out=unseen)
    wholes = {network.key: network for _, _, network in surveyed.wholes}
    wholes |= {base.key: base for base in surveyed.bases.values()}
    names = {part: f"part {number}" for number, part in enumerate(surveyed.parts)}
    parts = {names[part]: (part, network) for part, network in surveyed.parts.items()}
    began = time.perf_counter()
    timed = measure(wholes, parts, given)
    seconds = time.perf_counter() - began
    model = compose(study, surveyed, given, names, timed)
    assert model.check is not None
    return {
        "words": case.words,
        "size": case.size,
        "by": model.by,
        "parts": len(model.parts),
        "seconds": seconds,
        "fit": asdict(model.fit),
        "unseen": agreement_json(model.check),
        "without a fit": agreement_json(_plain(model, surveyed.wholes)),
        "noise": _noise(timed, [whole.key for whole in model.wholes]),
        "memory": _memory(study, size, profile),
        "wholes": [asdict(whole) for whole in model.wholes],
    }


def _plain(model: LatencyModel, wholes: Sequence[tuple[str, str, Any]]) -> Agreement:
    """The bare sums beside what was measured, on the unseen networks."""
    measured = {whole.key: whole.seconds for whole in model.wholes if whole.role != FITTED}
    networks = {network.key: network for _, _, network in wholes}
    sums = [model.terms(networks[key]).total for key in measured]
    return agreement(sums, list(measured.values()))


def _noise(timed: PartsTimed, keys: Sequence[str]) -> float | None:
    """Mean relative difference of one process' numbers from those of the others together."""
    processes = sorted({sample.process for sample in timed.samples})
    if len(processes) < 2:
        return None
    errors = []
    for process in processes:
        alone = summarise([s for s in timed.samples if s.process == process])
        others = summarise([s for s in timed.samples if s.process != process])
        ratios = np.array([alone[key].seconds / others[key].seconds for key in keys])
        errors.append(np.abs(ratios / np.median(ratios) - 1).mean())
    return float(np.mean(errors))


def _memory(study: Study, size: tuple[int, int], profile: Profile) -> dict[str, float]:
    """Peak memory composed from stages, against the forecast for whole networks."""
    found = skeletons(study)
    setting = Setting(size=size, profile=profile)
    grid = Grid(study, counted(study, found, ["peak_memory"], chosen_by(found), setting))
    rng = np.random.default_rng(0)
    chosen = rng.choice(study.size, size=min(MEMORY_MIXES, study.size), replace=False)
    points = [study.at(int(index)) for index in chosen]
    composed, exact = grid.at(points)["peak_memory"], []
    for point in points:
        with torch.device("meta"):
            model = build(study.mix(point).network)
        exact.append(forecast_inference(model, setting.shape).peak)
    errors = composed / np.array(exact) - 1
    return {
        "n": len(points),
        "median": float(np.median(np.abs(errors))),
        "worst": float(np.abs(errors).max()),
        "exact": float((errors == 0).mean()),
    }


def price_many() -> dict[str, float]:
    """Seconds to price a study of a million points, and memory that it takes beyond the study."""
    stage = {"block": [*KINDS, "identity"], "depth": [1, 2]}
    network = {"topology": "unet", "width": 8, "stage": [stage] * 6}
    raw = {"name": "many", "question": "?", "task": {"degradation": "gaussian_noise"}}
    study = load_study({**raw, "network": network})
    assert study.size == MILLION
    found = skeletons(study)
    setting = Setting(size=(64, 64), profile=study.profile)
    quantities = counted(study, found, ["params"], chosen_by(found), setting)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    points = sum(len(chunk.values["params"]) for chunk in Grid(study, quantities).prices())
    seconds = time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"points": points, "seconds": seconds, "mebibytes": grown / 1024}


def _mode(arguments: argparse.Namespace) -> Mode:
    return Mode(arguments.run, "float32")


def show(name: str, found: Mapping[str, Any]) -> None:
    """One case in a few lines."""
    unseen, plain, memory = found["unseen"], found["without a fit"], found["memory"]
    noise = "" if found["noise"] is None else f", of the measurement {100 * found['noise']:.2f} %"
    mape, tau = unseen["mape"], unseen["tau"]
    print(f"{name}: {found['words']}; {found['size']}x{found['size']}, {found['seconds']:.0f} s")
    print(
        f"  {found['parts']} {found['by']}s by themselves, fitted to {CALIBRATION}, {unseen['n']} "
        f"unseen: R2 {unseen['r2']:.3f}, MAPE {100 * mape['value']:.2f} % "
        f"({100 * mape['low']:.2f} to {100 * mape['high']:.2f}), worst "
        f"{100 * unseen['worst']:.1f} %, tau {tau['value']:.2f} "
        f"({tau['low']:.2f} to {tau['high']:.2f})"
    )
    print(f"  errors without a fit {100 * plain['mape']['value']:.2f} %{noise}")
    print(
        f"  peak memory from stages: median error {100 * memory['median']:.2f} %, worst "
        f"{100 * memory['worst']:.1f} %, exact for {100 * memory['exact']:.0f} % of {memory['n']}",
        flush=True,
    )


def main() -> None:
    """Measure the cases, print and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = ",".join(cases())
    parser.add_argument("--only", default=known, help=f"cases, separated by commas (of {known})")
    parser.add_argument("--mixes", type=int, default=0, help="unseen mixes (default: the case's)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds in each process")
    parser.add_argument("--processes", type=int, default=3, help="fresh processes")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--run", default="eager", choices=["eager", "compiled", "graph"])
    parser.add_argument("--out", type=Path, default=RESULT, help="where the result is written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    before, found = load(), dict[str, Any]()
    for name in arguments.only.split(","):
        found[name] = predict(name, cases()[name], arguments)
        show(name, found[name])
    many = price_many()
    print(
        f"{many['points']:,.0f} points priced in {many['seconds']:.2f} s, "
        f"{many['mebibytes']:.0f} MiB more memory"
    )
    settings = {name: getattr(arguments, name) for name in ("rounds", "processes", "device", "run")}
    result = {"load_before": before, "load_after": load(), "machine": describe(), **settings}
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps({**result, "cases": found, "many": many}, indent=1) + "\n")
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
