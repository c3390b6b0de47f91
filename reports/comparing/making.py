"""What is another in the making of two runs: machine, versions, settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reports.numbers.units import plain

MACHINE = ("device", "cpu", "cores", "memory", "gpu", "gpu_memory", "system")
VERSIONS = (
    *("python", "torch", "numpy", "cuda", "cudnn", "gpu_driver", "triton", "threads", "allocator"),
    *("scan_cpu", "scan_cuda", "commit", "plugins", "data_digest", "search", "seeds"),
)
SETTINGS = ("training", "evaluation", "profile")  # facts that are JSON objects


@dataclass(frozen=True)
class Told:
    """Something of the making of a run that is another in the other; "none" where it has none."""

    name: str
    before: str
    after: str

    @property
    def words(self) -> str:
        """torch: 2.13 before, 2.14 after."""
        return f"{self.name}: {self.before} before, {self.after} after"


def made(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Told]:
    """What differs.

    Args:
        first: Facts of the earlier run.
        second: Facts of the later one.
    """
    for name in (*MACHINE, *VERSIONS):
        before, after = first.get(name, ""), second.get(name, "")
        if before != after:
            yield Told(plain(name), before or "none", after or "none")
    for name in SETTINGS:
        old, new = (_settings(facts.get(name, "{}")) for facts in (first, second))
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                yield Told(f"{name} {plain(key)}", _said(old.get(key)), _said(new.get(key)))


def _settings(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _said(value: object) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
