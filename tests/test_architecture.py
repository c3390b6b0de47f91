"""The structure that ARCHITECTURE.md describes, held by tests."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("ablate", "blocks", "reports")


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def tops(package: str) -> set[str]:
    return {name.split(".")[0] for file in (ROOT / package).rglob("*.py") for name in imports(file)}


def test_blocks_know_nothing_of_ours():
    assert not tops("blocks") & {"ablate", "reports"}


def test_reports_know_no_torch_and_nothing_of_ours():
    assert not tops("reports") & {"ablate", "blocks", "torch"}


def modules() -> dict[str, Path]:
    found = {}
    for package in OURS:
        for file in (ROOT / package).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported_at_start(file: Path, known: set[str]) -> set[str]:
    """Modules of ours that a module imports at its top level, type checking aside."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found |= inner or ({node.module} & known)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & known
    return found


def test_no_module_imports_itself_in_a_circle():
    files = modules()
    graph = {name: imported_at_start(file, set(files)) for name, file in files.items()}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above, name))
        if name not in done:
            for other in graph[name] - {name}:
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_our_packages_are_ours():
    for package in OURS:
        module = importlib.import_module(package)
        assert module.__file__ is not None
        where = Path(module.__file__).resolve()
        assert where.is_relative_to(ROOT), f"a stranger's package named {package} is at {where}"


LIGHT = (
    "blocks",
    "ablate.engines.worker",
    "ablate.trials.trial",
    "ablate.profiling.flops",
    "ablate.profiling.latency",
    "ablate.profiling.machine",
    "ablate.profiling.memory",
)
HEAVY = ("pandas", "matplotlib", "optuna", "fvcore", "rich", "jinja2", "PIL", "scipy")


def test_workers_need_only_torch_and_numpy():
    """In one process, as torch takes its time: the first that brings more is named."""
    code = (
        f"import importlib, sys\nfor name in {LIGHT!r}:\n    importlib.import_module(name)\n"
        f"    if found := [heavy for heavy in {HEAVY!r} if heavy in sys.modules]:\n"
        "        sys.exit(f'{name} imports {found}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_only_the_command_line_prints():
    for name, file in modules().items():
        where = str(file.relative_to(ROOT))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                assert where == "ablate/cli.py", f"{name} prints at line {node.lineno}"
