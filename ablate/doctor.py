"""What this installation can use: machine, devices, scan back ends, and what would add the rest."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from ablate.instruments import Instruments, instruments
from ablate.instruments import lines as instrument_lines
from ablate.profiling.machine import describe
from blocks.scan import EXTENSION_INSTALL, backend_for, backends, compiler

_MACHINE = ("cpu", "cores", "memory", "load", "system", "python", "numpy")
_COMPILERS = {  # by the program that installs software on a system
    "apt-get": "sudo apt-get install -y gcc",
    "dnf": "sudo dnf install -y gcc",
    "apk": "sudo apk add gcc musl-dev",
    "pacman": "sudo pacman -S --noconfirm gcc",
    "xcode-select": "xcode-select --install",
}
RAY_INSTALL = "pip install 'ablate-restoration[ray]'"
_GPU_KERNELS = ("triton", "selective_scan_cuda")


@dataclass(frozen=True)
class ScanBackend:
    """One back end of the selective scan.

    Args:
        name: As studies and records have it.
        state: "live", or why it cannot run.
        runs_on: The devices on which it is what runs when none is asked for.
        add: The one command that adds it; nothing where it is live or no command can.
    """

    name: str
    state: str
    runs_on: tuple[str, ...]
    add: str


@dataclass(frozen=True)
class Examination:
    """What was found.

    Args:
        machine: Facts about processor, memory, system, Python, by name.
        torch: PyTorch, and the CUDA it was built for.
        devices: Where networks can run, in words.
        scan: Every back end of the selective scan.
        compiler: The C compiler that is tried first, or that there is none.
        nvml: NVIDIA's management library: the GPUs and driver that it sees, or why none.
        ray: The version of Ray, which runs trials on several machines, or how to install it.
        allocator: Whose malloc, and what is done about it.
        instruments: Of every device: its clock, tested, and what can be read beside it.
    """

    machine: dict[str, str]
    torch: str
    devices: tuple[str, ...]
    scan: tuple[ScanBackend, ...]
    compiler: str
    nvml: str
    ray: str
    allocator: str
    instruments: tuple[Instruments, ...]


def examine() -> Examination:
    """Look at this machine and process.

    Each scan back end that can runs once, and is checked; each device's clock times work of known
    length.
    """
    facts = describe()
    driver = facts.get("gpu_driver")
    return Examination(
        machine={name: facts[name] for name in _MACHINE if name in facts},
        torch=f"{torch.__version__}, {_cuda()}",
        devices=tuple(_devices()),
        scan=tuple(_backends(facts)),
        compiler=compiler() or "none",
        nvml=facts["gpu"] + (f", driver {driver}" if driver else ""),
        ray=_ray(),
        allocator=facts["allocator"],
        instruments=tuple(map(instruments, _places())),
    )


def _cuda() -> str:
    return f"CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"


def _ray() -> str:
    """The version, asked of the package and not by loading it, which takes seconds."""
    try:
        return importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        return f"not installed; trials on several machines need it: {RAY_INSTALL}"


def _places() -> Iterator[torch.device]:
    yield torch.device("cpu")
    for index in range(torch.cuda.device_count()):
        yield torch.device("cuda", index)


def _devices() -> Iterator[str]:
    yield "cpu"
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        size = f"{found.total_memory / 2**30:.0f} GiB"
        yield f"cuda:{index}: {found.name}, {size}, capability {found.major}.{found.minor}"


def _backends(facts: dict[str, str]) -> Iterator[ScanBackend]:
    kinds = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    chosen = {kind: backend_for(torch.device(kind)) for kind in kinds}
    gpu_seen = not facts["gpu"].startswith("none")
    for name, state in sorted(backends().items()):
        runs_on = tuple(kind for kind in kinds if chosen[kind] == name)
        add = "" if state == "live" else remedy(name, state, gpu_seen=gpu_seen)
        yield ScanBackend(name, state, runs_on, add)


def remedy(name: str, state: str, *, gpu_seen: bool) -> str:
    """The one command that adds a scan back end, or nothing where no command can.

    Args:
        name: The back end.
        state: Why it cannot run.
        gpu_seen: Whether the machine has an NVIDIA GPU, whatever PyTorch was built for.
    """
    if name == "c" and state.startswith("no C compiler found"):
        return next((text for tool, text in _COMPILERS.items() if shutil.which(tool)), "")
    if name == "selective_scan_cuda" and state.startswith("selective_scan_cuda"):
        return EXTENSION_INSTALL
    if name == "triton" and state.startswith("triton"):
        return f"pip install --no-deps '{_matching_triton()}'"
    if state == "no CUDA device" and gpu_seen and not torch.version.cuda:
        return f"pip install --force-reinstall torch=={torch.__version__.partition('+')[0]}"
    return ""


def _matching_triton() -> str:
    """The version that this PyTorch was made with, where it says one."""
    for line in importlib.metadata.requires("torch") or []:
        requirement = line.partition(";")[0].strip()
        if requirement.startswith("triton"):
            return requirement
    return "triton>=3.3"


def lines(found: Examination) -> Iterator[str]:
    """The examination in words, for a terminal or a log."""
    yield "machine"
    about = {**found.machine, "torch": found.torch, "devices": "; ".join(found.devices)}
    yield from _aligned(about.items())
    yield "selective scan"
    states = {b.name: _state(b, gpu=len(found.devices) > 1) for b in found.scan}
    width = max(map(len, states))
    for backend in found.scan:
        yield f"  {backend.name:{width}}  {states[backend.name]}"
        if backend.add:
            yield f"  {'':{width}}  to add it: {backend.add}"
    yield "tools"
    tools = {"C compiler": found.compiler, "NVML": found.nvml, "Ray": found.ray}
    yield from _aligned({**tools, "allocator": found.allocator}.items())
    yield "instruments"
    for each in found.instruments:
        yield from _aligned(instrument_lines(each))


def _state(backend: ScanBackend, *, gpu: bool) -> str:
    if backend.state == "live":
        return "live" + (f", runs on {', '.join(backend.runs_on)}" if backend.runs_on else "")
    needed = backend.name in _GPU_KERNELS and not gpu
    return backend.state + (" (needs an NVIDIA GPU)" if needed else "")


def _aligned(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    pairs = list(facts)
    width = max(len(name) for name, _ in pairs)
    return (f"  {name:{width}}  {value}" for name, value in pairs)
