"""Pages from templates: one file with its style, script and data, and a policy to match."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.graphics.axes import svg_path
from reports.graphics.escaping import LETTERS, visible
from reports.graphics.families import LOOKS, OTHER, SEVERAL
from reports.numbers.units import count
from reports.page.compacting import compacted
from reports.page.maker import maker

TEMPLATES = Path(__file__).parents[1] / "templates"
SHARED = ("base", "lines", "tables")  # styles and scripts that all pages rely on


@cache
def environment() -> Environment:
    """Templates, each compiled once, with what all of them can call; all text is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    made.globals |= {"count": count, "percent": _percent, "svg_path": svg_path}
    made.globals["trials_of"] = _nowhere
    return made


def page(
    template: str,
    names: Iterable[str],
    data: Mapping[str, object],
    values: Mapping[str, object],
) -> str:
    """A page that needs nothing but itself.

    Args:
        template: Name of the template of the whole page.
        names: Of the styles and scripts beside the shared ones, where there are such files.
        data: What scripts are given.
        values: What the template is given.
    """
    wanted = (*SHARED, *names)
    style, script = (_joined(kind, wanted) for kind in ("css", "js"))
    return (
        environment()
        .get_template(template)
        .render(
            {
                "all_looks": [*LOOKS.values(), SEVERAL, OTHER],
                "maker": maker(),
                "data": _json({"latex": LETTERS, **data}),
                "style": style,
                "script": script,
                "style_hash": _hash(style),
                "script_hash": _hash(script),
                **values,
            }
        )
    )


def _joined(kind: str, names: Iterable[str]) -> str:
    """The styles or scripts of these names, where there are any; NAME-PIECE before NAME."""
    folder = TEMPLATES / {"css": "styles", "js": "scripts"}[kind]
    paths = [
        p for n in names for p in (*sorted(folder.glob(f"{n}-*.{kind}")), folder / f"{n}.{kind}")
    ]
    texts = [path.read_text(encoding="utf-8") for path in paths if path.is_file()]
    return compacted(kind, "\n".join(texts))


def _json(data: Mapping[str, object]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(_all_seen(data), ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _seen(value: object) -> object:
    """Whatever is printed: names may hold what can't be seen, or turns what follows."""
    if type(value) is float and value.is_integer():
        return int(value)  # 12 instead of 12.0
    return visible(value) if type(value) is str else value


def _all_seen(value: object) -> object:
    """The same for the data of scripts."""
    if isinstance(value, Mapping):
        return {visible(str(name)): _all_seen(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_all_seen(each) for each in value]
    return _seen(value)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def _percent(share: float) -> str:
    """A place in a plot: 12.34%."""
    return f"{100 * share:.2f}%"


def _nowhere(mix: str) -> str:
    """Pages without trials have no place where they stand."""
    return ""
