"""What the measurements ran on: processor, memory, system, libraries, devices, scan back ends."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import torch

from ablate.profiling.nvml import Absent, gpus

_ROOT = Path(__file__).resolve().parents[2]


def describe() -> dict[str, str]:
    """Facts about this machine and process, in words; what cannot be found out is left out."""
    facts = {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count() or ""),
        "memory": _memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": str(torch.get_num_threads()),
        "load": load(),
        "allocator": _allocator(),
        "commit": commit(_ROOT),
        **_scan(),
        **_gpu(),
    }
    return {name: value for name, value in facts.items() if value}


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: fewer than there are, in a container
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load() -> str:
    """Processes that wanted a core in the last 1, 5 and 15 minutes, or nothing where unknown."""
    try:
        return " ".join(f"{value:.2f}" for value in os.getloadavg())
    except OSError:
        return ""


def commit(root: Path) -> str:
    """The git commit of a checkout, with "+" where files differ from it; nothing elsewhere."""
    if not (root / ".git").exists():
        return ""
    revision = _output(["git", "-C", str(root), "rev-parse", "HEAD"])
    if not revision:
        return ""
    changed = _output(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return revision + ("+" if changed else "")


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _cpu_model() -> str:
    """The name that Linux gives, or what Python knows elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return ""
    return f"{size / 2**30:.1f} GiB"


def _allocator() -> str:
    library, version = platform.libc_ver()
    if library != "glibc":
        return "system default"
    return f"glibc {version} malloc; keeps freed memory while latency is measured"


def _scan() -> dict[str, str]:
    """Which selective scan runs, and what can be said about the others."""
    from blocks.scan import backend_for, backends

    states = "; ".join(f"{name}: {state}" for name, state in backends().items())
    devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    chosen = {f"scan_{device}": backend_for(torch.device(device)) for device in devices}
    return {**chosen, "scan_backends": states}


def _gpu() -> dict[str, str]:
    """Name and driver by NVML, without starting CUDA; or why there is none to be seen."""
    facts, found = {"cuda": torch.version.cuda or ""}, gpus()
    if isinstance(found, Absent):
        return {**facts, "gpu": f"none ({found.reason})"}
    names = ", ".join(found.names) or "none (the driver lists no device)"
    return {**facts, "gpu": names, "gpu_driver": found.driver}
