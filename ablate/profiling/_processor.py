"""What Linux says of the processor: its clock now, and whose work it did since the last look."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ablate.profiling._nvml_answers import Absent, attempt

_CORE_FIELD = 36  # of /proc/PID/stat after the name: the core that it last ran on (man proc)
_SPAN = 0.2  # seconds: the system counts in hundredths, a shorter span says little


@dataclass(frozen=True)
class CpuShares:
    """Shares of the cores' time, 0 to 1: of other processes, and taken by the hypervisor."""

    others: float
    stolen: float


@dataclass(frozen=True)
class _Counted:
    """Seconds since the start: by the clock, and of processor time by whom."""

    clock: float
    busy: float
    stolen: float
    ours: float


def cpu_clock(root: Path = Path("/")) -> float | Absent:
    """Clock of the core that this thread runs on, in MHz.

    Args:
        root: Where the system's own files are.
    """
    return attempt(lambda: _cpu_clock(root))


def _cpu_clock(root: Path) -> float:
    stat = (root / "proc/thread-self/stat").read_text()
    core = int(stat.rpartition(")")[2].split()[_CORE_FIELD])
    governed = root / f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq"
    if governed.exists():
        return int(governed.read_text()) / 1000
    lines = (root / "proc/cpuinfo").read_text().splitlines()
    clocks = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    if core >= len(clocks):
        raise ValueError(f"neither cpufreq nor /proc/cpuinfo has the clock of core {core}")
    return clocks[core]


def load() -> float | Absent:
    """Processes that wanted a core, the mean of the last minute."""
    return attempt(lambda: os.getloadavg()[0])


class CpuWatch:
    """Whose work the cores did lately: over the time since the last look, at least 0.2 s.

    Args:
        root: Where the system's own files are.
        clock: Seconds.
        ours: Seconds of processor time that this process has used, with its ended children.
        cores: Of the machine; none asks.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        clock: Callable[[], float] = time.monotonic,
        ours: Callable[[], float] = lambda: sum(os.times()[:4]),
        cores: int | None = None,
    ) -> None:
        self._root, self._clock, self._ours = root, clock, ours
        self._cores = cores or os.cpu_count() or 1
        self._seen = deque[_Counted]()
        self.look()

    def look(self) -> CpuShares | Absent:
        """The shares since the last look that is at least 0.2 s ago; absent before there is one."""
        now = attempt(self._count)
        if isinstance(now, Absent):
            return now
        self._seen.append(now)
        while len(self._seen) > 1 and now.clock - self._seen[1].clock >= _SPAN:
            self._seen.popleft()
        before = self._seen[0]
        span = now.clock - before.clock
        if span < _SPAN:
            return Absent(f"watched for less than {_SPAN} s")
        others = (now.busy - before.busy) - (now.ours - before.ours)
        return CpuShares(
            others=max(others, 0.0) / span / self._cores,
            stolen=(now.stolen - before.stolen) / span / self._cores,
        )

    def _count(self) -> _Counted:
        first = (self._root / "proc/stat").read_text().partition("\n")[0]
        ticks = [int(field) for field in first.split()[1:]]
        user, nice, system, _, _, interrupts, softly, stolen = ticks[:8]
        second = os.sysconf("SC_CLK_TCK")
        return _Counted(
            clock=self._clock(),
            busy=(user + nice + system + interrupts + softly) / second,
            stolen=stolen / second,
            ours=self._ours(),
        )
