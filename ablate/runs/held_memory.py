"""What a training takes of a GPU's memory, so that several can share one."""

from __future__ import annotations

from typing import Final

from reports.record import Record

MEASURED: Final = "device_memory"
"""The fact of a trial with the most bytes that it held of its GPU, by PyTorch's allocator."""
MARGIN: Final = 1.5
"""A forecast times this: a trial also scores whole images, and allocators hold more than is used.
"""


def memory_needs(record: Record) -> dict[str, int]:
    """Bytes of a GPU that a trial takes, by key of its mix.

    The most that any trial of the mix held, where one was run; else its training memory, as it was
    measured or forecast for one step, and a margin. A mix of which nothing is known is left out.

    Args:
        record: Of the run.
    """
    steps = record.measurements()
    steps = steps[steps["metric"] == "training_memory"]
    needs = {
        str(mix): int(value * MARGIN)
        for mix, value in zip(steps["subject"], steps["value"], strict=True)
    }
    facts = record.trial_facts()
    facts = facts[facts["name"] == MEASURED]
    held = dict(zip(facts["trial"], facts["value"], strict=True))
    trials = record.trials()
    measured: dict[str, int] = {}
    for trial, mix in zip(trials["key"], trials["mix"], strict=True):
        if trial in held:
            measured[mix] = max(measured.get(mix, 0), int(held[trial]))
    return needs | measured
