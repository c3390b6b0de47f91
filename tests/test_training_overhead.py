"""The benchmark of the training loop compares trainings that do the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ablate.training.checkpoint import load_state
from ablate.training.progress import Progress
from benchmarks.training_overhead import alike, bare, ours, work_of


def test_the_bare_loop_and_ours_come_to_the_same_weights(tmp_path: Path) -> None:
    seen: list[Progress] = []
    work = work_of("quickstart", 3, torch.device("cpu"))
    small = [(degraded[:1, :, :16, :16], clean[:1, :, :16, :16]) for degraded, clean in work.pairs]
    work = replace(work, pairs=small)
    one, two = bare(work), ours(work, seen.append, 1e-9, tmp_path)
    assert alike(one, two) and not alike(one, work.model)
    assert [progress.step for progress in seen] == [1, 2, 3]
    assert set(load_state(tmp_path / "state")[0]) == {"watch", "scores", "updates", "generators"}
