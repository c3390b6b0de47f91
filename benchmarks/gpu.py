"""Everything that only a GPU can tell, in one command that may be stopped and gone on with.

    python -m benchmarks.gpu [--sections correct scan ...] [--seconds 540] [--out FILE]

Needs torch, triton, numpy and pandas (the section `study` needs what `ablate run`
does). Sections are made of items; each is written down when it is measured, in
benchmarks/results/gpu.json by default, and is not measured again while the code is the same. No
item is begun that would not end in time, as far as the longest of its section so far tells. The
last thing printed is a table. `--device cpu --small` tries the sections out without a GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from ablate.profiling.conditions import watcher
from ablate.profiling.machine import describe
from benchmarks.gpu_sections import SECTIONS
from benchmarks.gpu_sections.section import Json, Section, Setting, unmet

RESULT = Path(__file__).parent / "results" / "gpu.json"
RESERVE = 20.0  # seconds that are kept for the end


class Results:
    """The file: facts of the machine, and of each section what was found by item."""

    def __init__(self, path: Path, setting: Setting) -> None:
        self.path, self.facts = path, facts(setting)
        known = json.loads(path.read_text()) if path.is_file() else {}
        same = known.get("machine", {}).get("key") == self.facts["key"]
        self.sections: dict[str, Json] = known.get("sections", {}) if same else {}
        self.readings: list[Json] = known.get("readings", []) if same else []
        self.seconds: dict[str, float] = known.get("seconds", {}) if same else {}

    def of(self, section: str) -> Json:
        """What was found in a section so far."""
        found: Json = self.sections.setdefault(section, {})
        return found

    def keep(self, section: str, item: str, found: Json, seconds: float) -> None:
        """Write one more item down, whole or not at all."""
        self.of(section)[item] = found
        self.seconds[f"{section}: {item}"] = round(seconds, 1)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".partial")
        kept = {"readings": self.readings, "seconds": self.seconds, "sections": self.sections}
        draft.write_text(json.dumps({"machine": self.facts, **kept}, indent=1) + "\n")
        draft.replace(self.path)


def facts(setting: Setting) -> dict[str, str]:
    """Device, driver, versions and commit; the key says which results belong together."""
    found = describe()
    if setting.on_gpu:
        found["device"] = torch.cuda.get_device_name(setting.device)
        found["cuda"] = str(torch.version.cuda)
    same = ("device", "gpu_driver", "torch", "commit", "cpu")
    return {**found, "key": "; ".join(found.get(name, "") for name in same)}


def state(setting: Setting) -> Json:
    """Clocks, temperature, power and others on the device, and what of it cannot be read."""
    seen = watcher(setting.device)()
    return {
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        **seen.as_numbers(),
        **seen.reasons_absent(),
    }


def work(
    section: Section, name: str, setting: Setting, results: Results, deadline: float
) -> Iterator[str]:
    """Measure what is left of a section; a line for each item."""
    longest = 0.0
    for item in section.items(setting):
        if item in results.of(name):
            continue
        if time.monotonic() + longest > deadline:
            yield f"{name}: out of time before {item}"
            return
        began = time.monotonic()
        try:
            found = section.measure(item, setting)
        except Exception as error:  # whatever it is, the other items can be measured
            found = {"failed": f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"}
        seconds = time.monotonic() - began
        longest = max(longest, seconds)
        results.keep(name, item, found, seconds)
        yield f"{name}: {item}, {seconds:.1f} s{' FAILED' if 'failed' in found else ''}"


def table(results: Results, names: list[str]) -> Iterator[str]:
    """What was found, section by section, with the goals beside it."""
    yield f"\n{results.facts['key']}"
    for name in names:
        section, found = SECTIONS[name], results.of(name)
        yield f"\n{name}: {section.words}. Goal: {section.goal}. {len(found)} items."
        yield from (f"  {line}" for line in section.lines(found))
        yield from (f"  not measured: {line}" for line in unmet(found))


def main() -> None:
    """Measure until the time is up, then print the table."""
    chosen = _arguments()
    setting = Setting(device=torch.device(chosen.device), small=chosen.small)
    if setting.on_gpu and not torch.cuda.is_available():
        raise SystemExit("no CUDA device: nothing measured (--device cpu --small tries it out)")
    deadline = time.monotonic() + chosen.seconds - RESERVE
    results = Results(chosen.out, setting)
    results.readings.append(state(setting))
    for name in chosen.sections:
        for line in work(SECTIONS[name], name, setting, results, deadline):
            print(line, flush=True)
    print("\n".join(table(results, chosen.sections)))
    print(f"written to {chosen.out}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--seconds", type=float, default=540.0, help="for all of it")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--small", action="store_true", help="tiny inputs, to try it out")
    parser.add_argument("--out", type=Path, default=RESULT, help="where results are kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
