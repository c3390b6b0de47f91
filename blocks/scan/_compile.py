"""Compile a C file on this machine at first use, and keep the library for the next process.

The library is named by a digest of all that it depends on (source, compiler, flags, processor),
so a stale one is never loaded; it appears by a rename, so no process sees half of one.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_BASE = ("-shared", "-fPIC", "-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno")
_OPENMP = ("-fopenmp",)
_NATIVE = (("-march=native",), ("-mcpu=native",), ())
"""How this processor is asked for: GCC and Clang on x86, Clang on some ARM, not at all."""


class CannotCompile(RuntimeError):
    """No compiler on this machine made a library; the message says what each of them said."""


def load(source: Path) -> ctypes.CDLL:
    """The compiled library of a C file.

    Raises:
        CannotCompile: There is no compiler, or none that compiles this file.
    """
    refusals = []
    for compiler in _compilers():
        for flags in _flag_sets():
            try:
                return _load_or_build(source, compiler, flags)
            except (OSError, subprocess.SubprocessError) as error:
                refusals.append(f"{compiler[0]}: {_last_line(error)}")
    if not refusals:
        looked = ", ".join(command[0] for command in _wanted())
        raise CannotCompile(
            f"no C compiler found (looked for {looked}): install gcc or clang, or name one in CC"
        )
    raise CannotCompile(f"no C compiler works: {refusals[0]}")


def compiler() -> str:
    """The path of the compiler that is tried first, or nothing where there is none."""
    return next((command[0] for command in _compilers()), "")


def _compilers() -> list[list[str]]:
    """Command lines of the compilers that are installed, the user's own choice first."""
    return [[path, *rest] for name, *rest in _wanted() if (path := shutil.which(name))]


def _wanted() -> list[list[str]]:
    named = shlex.split(os.environ.get("CC", ""))
    return [named] if named else [["gcc"], ["cc"], ["clang"]]


def _flag_sets() -> Iterator[tuple[str, ...]]:
    """From the fastest to the plainest; Apple's Clang has no OpenMP and then uses one thread."""
    for native in _NATIVE:
        yield (*_BASE, *native, *_OPENMP)
    for native in _NATIVE:
        yield (*_BASE, *native)


def _load_or_build(source: Path, compiler: list[str], flags: tuple[str, ...]) -> ctypes.CDLL:
    name = f"{source.stem}-{_digest(source, compiler, flags)}.so"
    kept = cache_folder() / name
    with contextlib.suppress(OSError):  # absent, damaged or made for another system: build it
        return ctypes.CDLL(str(kept))
    with tempfile.TemporaryDirectory(prefix="ablate-") as folder:
        built = Path(folder) / name
        command = [*compiler, *flags, str(source), "-o", str(built)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        library = ctypes.CDLL(str(built))  # stays mapped when the folder is gone
        with contextlib.suppress(OSError):  # a home that cannot be written to: build every time
            _keep(built, kept)
        return library


def cache_folder() -> Path:
    """Where libraries are kept: ablate/ in XDG_CACHE_HOME or in ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if Path(root).is_absolute() else Path("~/.cache").expanduser()) / "ablate"


def _keep(built: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = kept.with_name(f".{kept.name}.{os.getpid()}")
    try:
        shutil.copyfile(built, draft)
        draft.replace(kept)
    finally:
        draft.unlink(missing_ok=True)


def _digest(source: Path, compiler: list[str], flags: tuple[str, ...]) -> str:
    program = Path(compiler[0]).resolve()
    made = program.stat()
    parts = (*compiler, *flags, str(program), made.st_size, made.st_mtime_ns, _processor())
    return hashlib.sha256(source.read_bytes() + repr(parts).encode()).hexdigest()[:20]


def _processor() -> str:
    """What tells one kind of processor from another: a shared home may serve several."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        keys = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part")
        return repr(sorted({line for line in lines if line.split("\t")[0].strip() in keys}))
    return f"{platform.machine()} {platform.processor()} {platform.platform()}"


def _last_line(error: Exception) -> str:
    """The compiler's own words, where there are any."""
    said = getattr(error, "stderr", None) or str(error)
    lines = [line for line in str(said).splitlines() if "error" in line] or [str(said)]
    return lines[0].strip()[:200]
