"""What PyTorch's own allocator hands out on a CPU, kernels' inner needs included."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

from torch.profiler import ProfilerActivity, profile


def most_allocated(run: Callable[[], object]) -> int:
    """Most bytes handed out at once while something runs on the CPU.

    Every allocation and release of PyTorch's allocator is recorded by its profiler. What libraries
    take for themselves is not among them.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        run()
    assert recorded.profiler is not None
    events = recorded.profiler.kineto_results.events()
    changes: list[tuple[int, int]] = sorted(
        ((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"),
        key=lambda change: change[0],
    )
    return max(accumulate((size for _, size in changes), initial=0))
