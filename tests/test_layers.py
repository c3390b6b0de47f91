"""Packages of ours stand in layers: what one imports, directly or not, never imports it back."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Edges = Mapping[tuple[str, str], str]  # (importing, imported) -> where


def imported(file: Path, top: str) -> Iterator[tuple[str, int]]:
    """Parts of a package that a file imports, anywhere in it, and in which line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == top:
            names = (f"{top}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (node.module,)
        for name in names:
            package, _, rest = name.partition(".")
            if package == top and rest:
                yield rest.partition(".")[0], node.lineno


def edges(folder: Path) -> dict[tuple[str, str], str]:
    """Imports between the packages and modules that lie directly in a package."""
    found: dict[tuple[str, str], str] = {}
    for file in sorted(folder.rglob("*.py")):
        inside = file.relative_to(folder)
        part = inside.with_suffix("").parts[0]
        if part != "__init__":
            for other, line in imported(file, folder.name):
                if other != part:
                    found.setdefault((part, other), f"{folder.name}/{inside}:{line}")
    return found


def circles(known: Edges) -> list[str]:
    """Each import by which a package comes back to itself over others, in words."""
    said = []
    for (part, other), place in known.items():
        if way := _way(known, other, part):
            said.append(f"{place}: {part} imports {other}, but {' -> '.join(way)}")
    return said


def _way(known: Edges, start: str, goal: str) -> list[str]:
    """The shortest way along imports; empty where there is none."""
    before = {start: ""}
    for at in (order := [start]):
        if at == goal:
            way = [at]
            while before[way[0]]:
                way.insert(0, before[way[0]])
            return way
        for one, other in known:
            if one == at and other not in before:
                before[other] = at
                order.append(other)
    return []


@pytest.mark.parametrize("package", ["ablate", "blocks", "reports"])
def test_packages_stand_in_layers(package: str):
    said = circles(edges(ROOT / package))
    assert not said, "\n".join(said)


def test_a_circle_over_packages_is_named_with_its_imports(tmp_path: Path):
    """No module of these imports itself in a circle, and yet the packages do."""
    for name, text in {
        "ours/ink/curves.py": "from ours.sections.learning import mean\n",
        "ours/sections/learning.py": "mean = 0\n",
        "ours/sections/method.py": "def late():\n    import ours.paper.details\n",
        "ours/paper/details.py": "from ours import ink\n",
        "ours/paper/__init__.py": "",
        "ours/build.py": "from ours.ink import curves\n",
        "ours/__init__.py": "from ours.build import nothing\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert circles(edges(tmp_path / "ours")) == [
        "ours/ink/curves.py:1: ink imports sections, but sections -> paper -> ink",
        "ours/paper/details.py:1: paper imports ink, but ink -> sections -> paper",
        "ours/sections/method.py:2: sections imports paper, but paper -> ink -> sections",
    ]
