"""Styles and scripts lose what a browser does not read, and nothing else."""

from __future__ import annotations

import pytest

from reports.page.compacting import compacted
from reports.page.rendering import TEMPLATES

SCRIPTS = sorted((TEMPLATES / "scripts").glob("*.js"))


def test_a_style_keeps_its_texts_and_its_meaning():
    style = """
    /* a remark
       of two lines */
    .a > .b, p:hover { content: "a ; b { "; margin: calc(1px + 2px) auto; }
    @media (min-width: 9px) and (print) { .c .d { color: red !important; } }
    """
    assert compacted("css", style) == (
        '.a>.b,p:hover{content:"a ; b { ";margin:calc(1px + 2px) auto}'
        "@media (min-width:9px) and (print){.c .d{color:red !important}}"
    )


@pytest.mark.parametrize(
    ("script", "short"),
    [
        ('  const a = "b = c";\n\n  f(a, 1);', 'const a="b = c";f(a,1);'),
        ("// a remark\n  let b = a - -1; // and one behind\nb += 1;", "let b=a - -1;b +=1;"),
        ("const r = /[ =]+ /.test(x);\nf();", "const r = /[ =]+ /.test(x); \nf();"),
        ("f(`a = ${b ? `c , d` : e}`);\ng();", "f(`a = ${b ? `c , d` : e}`); \ng();"),
        ("f(); // don't\ng();", "f(); // don't \ng();"),
        ("a = b\nc = d", "a=b\nc=d"),
    ],
)
def test_a_script_keeps_its_texts_expressions_and_ends_of_lines(script: str, short: str):
    assert compacted("js", script) == short.strip()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_texts_of_scripts_end_on_their_line(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        assert line.count("`") % 2 == 0, line
