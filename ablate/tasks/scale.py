"""How many times smaller a task makes its images: 1 for restoration, more for super-resolution."""

from __future__ import annotations

import math

from ablate.mix import Choice, Task
from ablate.tasks.degradations import degradations


def task_scale(task: Task) -> int:
    """How many times fewer pixels a side the degraded images of a task have.

    Raises:
        ValueError: A mixture draws one of several degradations that do not shrink alike.
    """
    if task.degradation.name == "given":
        return _whole(task.data.settings.get("scale", 1))
    return shrinking(task.degradation)


def shrinking(degradation: Choice) -> int:
    """How many times fewer pixels a side a degradation leaves.

    Raises:
        ValueError: A mixture draws one of several degradations that do not shrink alike.
    """
    entry = degradations[degradation.name]
    if entry.facts.get("shrinks"):
        return _whole(degradation.settings.get("scale", entry.knobs["scale"].default))
    if degradation.name == "mixture":
        of = degradation.settings.get("of", entry.knobs["of"].default)
        assert isinstance(of, tuple)
        inner = [choice for choice in of if isinstance(choice, Choice)]
        return _mixed(inner, in_turn=degradation.settings.get("apply") == "all")
    return 1


def _mixed(of: list[Choice], *, in_turn: bool) -> int:
    scales = [shrinking(choice) for choice in of]
    if in_turn or not of:
        return math.prod(scales)
    if len(set(scales)) > 1:
        found = ", ".join(f"{c.name} {scale}" for c, scale in zip(of, scales, strict=True))
        raise ValueError(
            "a mixture that applies one degradation needs all of one scale, because a network"
            f' has one; got {found}; apply = "all" applies them in turn'
        )
    return scales[0]


def _whole(scale: object) -> int:
    assert isinstance(scale, int)
    return scale
