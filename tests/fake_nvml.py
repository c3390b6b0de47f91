"""A management library that answers as a healthy GPU does, or fails where a test wants it to."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

ANSWERS: dict[str, Any] = {
    "nvmlInit": None,
    "nvmlDeviceGetCount": 1,
    "nvmlDeviceGetHandleByIndex": "handle",
    "nvmlDeviceGetHandleByUUID": "handle",
    "nvmlDeviceGetName": "NVIDIA H100",
    "nvmlSystemGetDriverVersion": "580.1",
    "nvmlDeviceGetClockInfo": lambda handle, kind: {1: 1755, 2: 2619}[kind],
    "nvmlDeviceGetTemperatureV": 41,
    "nvmlDeviceGetTemperature": 41,
    "nvmlDeviceGetPowerUsage": 212_500,
    "nvmlDeviceGetEnforcedPowerLimit": 700_000,
    "nvmlDeviceGetTotalEnergyConsumption": 5_000_250,
    "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=37, memory=5),
    "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=12 * 2**30, total=80 * 2**30),
    "nvmlDeviceGetCurrentClocksEventReasons": 0,
    "nvmlDeviceGetCurrentClocksThrottleReasons": 0,
    "nvmlDeviceGetComputeRunningProcesses": [],
}


class FakeNvml:
    """Stands for pynvml.

    Args:
        answers: What differs from a healthy, idle device: by call, an answer or a function.
        fails: The call that fails.
        error: What it raises.
    """

    def __init__(
        self,
        answers: dict[str, Any] | None = None,
        fails: str = "",
        error: BaseException | None = None,
    ) -> None:
        self._answers = {**ANSWERS, **(answers or {})}
        self._fails, self._error = fails, error

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self._answers:
            raise AttributeError(f"function {name} not found")
        answer = self._answers[name]

        def call(*details: object) -> Any:
            if name == self._fails and self._error is not None:
                raise self._error
            return answer(*details) if callable(answer) else answer

        return call


def process(pid: int = 0, memory: int | None = 2**30) -> SimpleNamespace:
    """One line of NVML's list of processes; this one if no number is given."""
    return SimpleNamespace(pid=pid or os.getpid(), usedGpuMemory=memory)
