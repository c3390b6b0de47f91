"""Python source without what does not run."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator

from ablate.identity.importing import statements


def running(text: str, tree: ast.Module) -> str:
    """Python source without what does not run: comments, docstrings, blank lines.

    Args:
        text: The source.
        tree: The same, parsed.
    """
    lines = text.split("\n")
    for row, column in _comments(text) if "#" in text else ():
        lines[row] = lines[row][:column]
    for docstring in _docstrings(tree):
        assert docstring.end_lineno is not None
        if not lines[docstring.lineno - 1][: docstring.col_offset].strip():
            for row in range(docstring.lineno - 1, docstring.end_lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _comments(text: str) -> list[tuple[int, int]]:
    """Row and column, from 0, where each comment begins."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(t.start[0] - 1, t.start[1]) for t in tokens if t.type == tokenize.COMMENT]


def _docstrings(tree: ast.Module) -> Iterator[ast.Expr]:
    for node in (tree, *statements(tree)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first
