"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.answer import Answer, cost_metric, quality_metric, scale
from reports.axes import svg_path
from reports.cards import mix_cards
from reports.families import LOOKS, OTHER, SEVERAL
from reports.found import Found
from reports.health import Finding
from reports.sections.section import Part
from reports.units import TIE, count, plain, spoken

TEMPLATES = Path(__file__).parent / "templates"
SHARED = ("base", "tables")  # styles and scripts that sections rely on


@dataclass(frozen=True)
class Parts:
    """A whole report as plain data.

    Args:
        found: The numbers.
        said: The answer.
        health: What went wrong or is missing.
        sections: Those that have something to say, in the order of the page.
    """

    found: Found
    said: Answer
    health: tuple[Finding, ...]
    sections: tuple[Part, ...]

    def shown(self, name: str) -> object:
        """The data of a section; None where the report has no such section."""
        return next((part.shown for part in self.sections if part.name == name), None)


def html(parts: Parts, files: Iterable[tuple[str, str]]) -> str:
    """The page.

    Args:
        parts: The report.
        files: Name and description of the files beside it.
    """
    names = (*SHARED, *(part.name for part in parts.sections))
    style, script = (_joined(kind, names) for kind in ("css", "js"))
    environment = _environment()
    facts = parts.found.facts
    return environment.get_template("page.html").render(
        study=plain(facts.get("study_name", "")),
        date=(facts.get("started") or facts.get("created", ""))[:10],
        question=facts.get("question", ""),
        said=parts.said,
        strip=strip(parts.found, parts.said),
        health=parts.health,
        parts=[_section(environment, part) for part in parts.sections],
        files=list(files),
        all_looks=[*LOOKS.values(), SEVERAL, OTHER],
        data=_json(script_data(parts)),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def strip(found: Found, said: Answer) -> list[tuple[str, str, str]]:
    """The few numbers at the top: title, number, addition."""
    mixes = int((~found.table["baseline"]).sum())
    done = int((found.trials["status"] == "done").sum())
    items = [
        ("Mixes", str(mixes), f"{len(found.letters)} on the front" if found.letters else ""),
        ("Trials finished", str(done), f"of {len(found.trials)} tried"),
    ]
    if said.best:
        quality, cost = quality_metric(found), cost_metric(found)
        seeds = int(found.number(said.best, f"{quality}_n"))
        shown = scale(found, quality)
        items.append(
            (
                f"Best mean {spoken(shown.title)}",
                shown.text(found.number(said.best, quality)),
                f"over {count(seeds, 'seed')}",
            )
        )
        if "gain" in found.table and quality != "gain":
            gain = scale(found, "gain")
            items.append((gain.title, gain.signed(found.number(said.best, "gain")), "the same mix"))
        if cost:
            across = scale(found, cost)
            low, high = found.ranked[cost].min(), found.ranked[cost].max()
            spread = f"{across.number(low)}–{across.number(high)}{TIE}{across.unit}"
            items.append((f"{across.title}, all mixes", spread.strip(), "lowest to highest"))
    return items


def script_data(parts: Parts) -> dict[str, object]:
    """What scripts know: the mixes, and of each section what it gave them."""
    own = {part.name: part.data for part in parts.sections if part.data}
    return {"mixes": mix_cards(parts.found), **own}


def _section(environment: Environment, part: Part) -> str:
    return environment.get_template(f"sections/{part.name}.html").render(shown=part.shown)


def _joined(kind: str, names: Iterable[str]) -> str:
    """The styles or scripts of these names, where there are any."""
    folder = TEMPLATES / {"css": "styles", "js": "scripts"}[kind]
    paths = [folder / f"{name}.{kind}" for name in names]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if path.is_file())


def _json(data: Mapping[str, object]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def _percent(share: float) -> str:
    """A place in a plot: 12.34%."""
    return f"{100 * share:.2f}%"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"count": count, "percent": _percent, "svg_path": svg_path}
    return environment
