from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch

from blocks.scan import (
    _choice,
    _compile,
    _native,
    _operator,
    _probe,
    backend_for,
    backends,
    selective_scan,
)

CPU = torch.device("cpu")
SOURCE = "int seven(void) { return 7; }"


def forget() -> None:
    caches = (_native._kernel, _choice._best, _choice._warn_once, _operator.usable, _probe.fault)
    for cached in caches:
        cached.cache_clear()


def random_arguments() -> list[torch.Tensor]:
    torch.manual_seed(0)
    inputs = [torch.randn(2, 20, 70), torch.randn(2, 20, 70), -torch.rand(20, 5)]
    return [*inputs, torch.randn(2, 2, 5, 70), torch.randn(2, 2, 5, 70)]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache folder, and a process that has not looked for a compiler yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    forget()
    yield tmp_path
    forget()


needs_compiler = pytest.mark.skipif(backends()["c"] != "live", reason="no C compiler")


@needs_compiler
def test_a_library_is_compiled_once_and_kept(fresh: Path) -> None:
    source = fresh / "seven.c"
    source.write_text(SOURCE)
    assert _compile.load(source).seven() == 7
    (kept,) = (fresh / "cache" / "ablate").iterdir()
    made = kept.stat().st_mtime_ns
    assert _compile.load(source).seven() == 7
    assert kept.stat().st_mtime_ns == made


@needs_compiler
def test_another_source_is_another_library(fresh: Path) -> None:
    source = fresh / "seven.c"
    source.write_text(SOURCE)
    _compile.load(source)
    source.write_text(SOURCE.replace("7;", "8;"))
    assert _compile.load(source).seven() == 8
    assert len(list((fresh / "cache" / "ablate").iterdir())) == 2


@needs_compiler
def test_a_damaged_library_is_built_again(fresh: Path) -> None:
    source = fresh / "seven.c"
    source.write_text(SOURCE)
    compiler, flags = _compile._compilers()[0], next(iter(_compile._flag_sets()))
    kept = _compile.cache_folder() / f"seven-{_compile._digest(source, compiler, flags)}.so"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"half a library")
    assert _compile.load(source).seven() == 7
    assert kept.stat().st_size > 1000


@needs_compiler
def test_where_nothing_can_be_kept_it_still_runs(fresh: Path) -> None:
    (fresh / "cache").write_text("a file where the folder should be")
    source = fresh / "seven.c"
    source.write_text(SOURCE)
    assert _compile.load(source).seven() == 7


@needs_compiler
def test_several_processes_may_build_at_once(fresh: Path) -> None:
    source = fresh / "seven.c"
    source.write_text(SOURCE)
    script = (
        "import sys, pathlib, importlib.util as i;"
        f"s = i.spec_from_file_location('c', {_compile.__file__!r}); m = i.module_from_spec(s);"
        "s.loader.exec_module(m); print(m.load(pathlib.Path(sys.argv[1])).seven())"
    )
    command = [sys.executable, "-c", script, str(source)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[0].strip() for process in running] == ["7"] * 4
    (kept,) = (fresh / "cache" / "ablate").iterdir()
    assert kept.suffix == ".so"


@needs_compiler
def test_a_compiler_that_knows_neither_this_processor_nor_openmp_will_do(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _compile._compilers()[0][0]
    plain = fresh / "plaincc"
    plain.write_text(
        '#!/bin/sh\ncase "$*" in *native*|*openmp*) echo "error: no such flag" >&2; exit 1;; esac\n'
        f'exec {real} "$@"\n'
    )
    plain.chmod(plain.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(plain))
    assert backends()["c"] == "live"
    given = random_arguments()
    slow = selective_scan(*given, backend="reference")
    assert torch.allclose(selective_scan(*given, backend="c"), slow, atol=1e-5)


def test_a_library_with_other_arguments_is_refused_with_both_sizes() -> None:
    library = MagicMock()
    library.ablate_scan_sizeof.return_value = 1
    with pytest.raises(_compile.CannotCompile) as error:
        _native._Kernel(library)
    ours = ctypes.sizeof(_native._Problem)
    assert str(error.value) == (f"kernel.c lays its arguments out in 1 bytes, _native.py in {ours}")


@needs_compiler
@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_vectors_of_any_width_give_the_same(
    lanes: int, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = _compile._compilers()[0][0]
    monkeypatch.setenv("CC", f"{compiler} -DLANES={lanes}")
    quick = tuple(flag.replace("-O3", "-O1") for flag in _compile._BASE)
    monkeypatch.setattr(_compile, "_BASE", quick)
    kernel = _native._kernel()
    assert isinstance(kernel, _native._Kernel)
    assert kernel.lanes == lanes
    given = [t.requires_grad_() for t in random_arguments()]
    results = []
    for backend in ("c", "reference"):
        y = selective_scan(*given, backend=backend)
        results.append([y, *torch.autograd.grad(y.square().sum(), given)])
    for ours, true in zip(*results, strict=True):
        assert torch.allclose(ours, true, rtol=1e-4, atol=1e-4 * true.abs().max().item())


def test_without_a_compiler_it_warns_once_and_the_torch_route_runs(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    expected = r"run .no C compiler found \(looked for gcc, cc, clang\): install gcc .*slower"
    with pytest.warns(UserWarning, match=expected) as caught:
        assert backend_for(CPU) == "torch"
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backend_for(CPU) == "torch"
    assert backends()["c"].startswith("no C compiler found")
    with pytest.raises(ValueError, match=r"'c' cannot run: no C compiler found \(looked for"):
        selective_scan(*random_arguments(), backend="c")


def test_a_compiler_that_fails_is_quoted(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = fresh / "brokencc"
    broken.write_text('#!/bin/sh\necho "fatal error: no disk left" >&2\nexit 1\n')
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(broken))
    assert backends()["c"].startswith("no C compiler works")
    assert "fatal error: no disk left" in backends()["c"]
