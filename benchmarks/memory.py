"""How far forecast memory is from what is measured: inference calls and training steps of mixes.

    python -m benchmarks.memory [--studies quickstart every_block] [--mixes N] [--size H W]
                                [--allocators returning steady] [--device cpu|cuda]
                                [--workers 2] [--out FILE]

On a CPU each call and each step runs in a fresh process. Its forecast is held against what
PyTorch's allocator handed out at most (allocated), and against what the process grew by at most
(resident) under three settings of the system's allocator: `returning` gives every freed tensor back
at once, so that only what is alive is resident; `steady` keeps freed memory, as trials and timing
have it; `system` is as it comes. On CUDA the forecast is held against what PyTorch's allocator
counts, and beside it stand what it reserved and what NVML says of the process.

Printed and written: the error of the forecast, of what was measured, median and worst, and which
mix is worst. Nothing is timed, so a busy machine finds the same. About eight minutes on two quiet
cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import torch

from ablate.costs.memory_rows import training_shape
from ablate.costs.resident import ResidentJob
from ablate.engines.job import Done, Failed, Job
from ablate.engines.local import run_jobs
from ablate.mix import Mix
from ablate.network import build
from ablate.profiling.device_memory import DeviceMemory, measure_inference, measure_training
from ablate.profiling.machine import describe
from ablate.profiling.memory import MemoryProfile, forecast_inference, forecast_training
from ablate.profiling.nvml import Absent
from ablate.profiling.resident import Allocator, Resident
from ablate.study import load_study

STUDIES = ("quickstart", "every_block")
RESULT = Path(__file__).parent / "results" / "memory-{device}.json"
MEBIBYTE = 2**20

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Case:
    """One call, or one step, of a mix."""

    study: str
    label: str
    what: str  # peak_memory or training_memory
    mix: Mix
    shape: Shape


@dataclass(frozen=True)
class Row:
    """What was found of a case: bytes forecast, where its worst moment is, bytes by who counts."""

    study: str
    label: str
    what: str
    shape: Shape
    forecast: int
    where: str
    measured: dict[str, int]


def cases(studies: Sequence[str], mixes: int, size: tuple[int, int]) -> Iterator[Case]:
    """An inference call at this size and a training step of the mixes of studies."""
    for name in studies:
        study = load_study(name)
        for index in range(min(study.size, mixes or study.size)):
            point = study.at(index)
            mix, label = study.mix(point), study.label(point).replace(" | ", " / ")
            yield Case(name, label, "peak_memory", mix, (1, 3, *size))
            yield Case(name, label, "training_memory", mix, training_shape(mix))


def forecast(case: Case) -> MemoryProfile:
    """What the case should take."""
    with torch.device("meta"):
        model = build(case.mix.network)
    if case.what == "training_memory":
        return forecast_training(model, case.shape, case.mix.training)
    return forecast_inference(model, case.shape)


def on_cpu(todo: Sequence[Case], allocators: Sequence[Allocator], workers: int) -> list[Row]:
    """Every case under every setting of the allocator, each in a fresh process."""
    keys = [(index, allocator) for index in range(len(todo)) for allocator in allocators]
    jobs = [_job(todo[index], allocator, f"{index} {allocator}") for index, allocator in keys]
    found: dict[int, dict[str, int]] = {index: {} for index in range(len(todo))}
    for event in run_jobs(jobs, workers):
        index, allocator = event.job.name.split()
        case = todo[int(index)]
        if isinstance(event, Failed):
            print(f"{case.study}, {case.label}, {case.what}: {event.reason}", flush=True)
        if isinstance(event, Done):
            assert isinstance(event.result, Resident)
            found[int(index)][f"resident, {allocator}"] = event.result.peak
            found[int(index)]["allocated"] = event.result.allocated
            print(f"{case.study}, {case.label}, {case.what}, {allocator}: measured", flush=True)
    return [_row(case, found[index]) for index, case in enumerate(todo) if found[index]]


def on_cuda(todo: Sequence[Case], device: torch.device) -> list[Row]:
    """Every case in this process, one after the other."""
    rows = []
    for case in todo:
        measured = _on_device(case, device)
        counts = {"allocated": measured.allocated, "reserved": measured.reserved}
        if not isinstance(measured.process, Absent):
            counts["process"] = measured.process
        rows.append(_row(case, counts))
        same = "the same" if measured.profile.where == rows[-1].where else "not the same"
        print(f"{case.study}, {case.label}, {case.what}: worst moment {same}", flush=True)
    return rows


def errors(rows: Sequence[Row], what: str, count: str) -> list[tuple[float, Row]]:
    """Forecast / measured - 1 of each row that has this count, the largest in size first."""
    found = [
        (row.forecast / row.measured[count] - 1, row)
        for row in rows
        if row.what == what and row.measured.get(count, 0) > 0
    ]
    return sorted(found, key=lambda error: -abs(error[0]))


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The errors as Markdown, and how many bytes measured stand beyond the forecast."""
    yield "| what | held against | n | median error | worst | beyond, median | worst mix |"
    yield "|---|---|---|---|---|---|---|"
    counts = dict.fromkeys(count for row in rows for count in row.measured)
    for what in ("peak_memory", "training_memory"):
        for count in counts:
            found = errors(rows, what, count)
            if not found:
                continue
            middle = statistics.median(abs(error) for error, _ in found)
            beyond = statistics.median(row.measured[count] - row.forecast for _, row in found)
            worst, row = found[0]
            yield (
                f"| {what} | {count} | {len(found)} | {middle:.2%} | {worst:+.2%} "
                f"| {beyond / MEBIBYTE:.1f} MiB | {row.study}: {row.label} |"
            )


def _job(case: Case, allocator: Allocator, name: str) -> Job:
    work = ResidentJob(
        mix=case.mix.to_json(),
        metric=case.what,
        shape=case.shape,
        precision="float32",
        channels_last=True,
        allocator=allocator,
    )
    function = "ablate.costs.resident:measure_resident"
    return Job(name=name, function=function, payload=work, fresh=True)


def _on_device(case: Case, device: torch.device) -> DeviceMemory:
    torch.manual_seed(0)
    model = build(case.mix.network)
    if case.what == "training_memory":
        return measure_training(model, case.shape, device, case.mix.training)
    return measure_inference(model, case.shape, device)


def _row(case: Case, measured: dict[str, int]) -> Row:
    expected = forecast(case)
    return Row(
        case.study, case.label, case.what, case.shape, expected.peak, expected.where, measured
    )


def _summary(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    counts = dict.fromkeys(count for row in rows for count in row.measured)
    found = {
        f"{what}, {count}": errors(rows, what, count)
        for what in ("peak_memory", "training_memory")
        for count in counts
    }
    return {
        name: {
            "n": len(those),
            "median_error": statistics.median(abs(error) for error, _ in those),
            "worst_error": those[0][0],
        }
        for name, those in found.items()
        if those
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", nargs="+", default=STUDIES, help="whose mixes")
    parser.add_argument("--mixes", type=int, default=0, help="at most of each study; 0 for all")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 256), help="of inference calls")
    parser.add_argument(
        "--allocators", nargs="+", choices=get_args(Allocator), default=("returning", "steady")
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time, on a CPU")
    parser.add_argument("--out", type=Path, help="where the result is written")
    return parser.parse_args()


def main() -> None:
    """Forecast, measure, print, write."""
    chosen = _arguments()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device: nothing measured")
    todo = list(cases(chosen.studies, chosen.mixes, tuple(chosen.size)))
    if chosen.device == "cuda":
        rows = on_cuda(todo, torch.device("cuda"))
    else:
        rows = on_cpu(todo, chosen.allocators, chosen.workers)
    print("\n".join(("", *table(rows))))
    out = chosen.out or Path(str(RESULT).format(device=chosen.device))
    out.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "machine": describe(),
        "summary": _summary(rows),
        "rows": [asdict(row) for row in rows],
    }
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
