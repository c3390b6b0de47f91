"""What a notebook shows of a study, a mix and a run: small tables of plain HTML, all escaped."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.numbers.found import Found

MOST = 12  # rows of a table
DPI = 144


@dataclass(frozen=True)
class Drawn:
    """A figure that a notebook shows as it is, without any set-up.

    Args:
        figure: matplotlib's, to change or save.
    """

    figure: Figure

    def _repr_png_(self) -> bytes:
        made = io.BytesIO()
        self.figure.savefig(made, format="png", dpi=DPI)
        return made.getvalue()


def study_html(
    name: str, question: str, axes: Mapping[str, Sequence[str]], facts: Mapping[str, object]
) -> str:
    """A study: its question, what it varies, and what it would do.

    Args:
        name: Of the study.
        question: What it asks.
        axes: Name of each axis -> its levels.
        facts: Whatever else is worth a line.
    """
    rows = [(axis, ", ".join(levels)) for axis, levels in axes.items()]
    varied = _table(("Varied", "Levels"), rows) if rows else "<p>Nothing is varied.</p>"
    return f"<p><b>{escape(question or name)}</b></p>{varied}{_facts(facts)}"


def mix_html(key: str, spec: Mapping[str, Any]) -> str:
    """A mix: what fills each stage, and how it is trained.

    Args:
        key: Of the mix.
        spec: The mix as records keep it: task, network, training.
    """
    network, training = spec["network"], spec["training"]
    rows = [(stage["slot"], _filled(stage["blocks"])) for stage in network["stages"]]
    facts = {
        "topology": _choice(network["topology"]),
        "restores": _choice(spec["task"]["degradation"]),
        "data": spec["task"]["data"]["name"],
        "training": "{steps} steps of {batch} crops of {crop}".format_map(training),
    }
    title = f"<p>Mix <code>{escape(key)}</code></p>"
    return f"{title}{_table(('Stage', 'Blocks'), rows)}{_facts(facts)}"


def run_html(record: Path) -> str:
    """A run: the answer so far, and the front in numbers.

    Raises:
        RecordError: The record cannot be read.
    """
    from reports.answering.answer import answer
    from reports.checks.health import health
    from reports.numbers.results import read

    found = read(record)
    title = found.facts.get("question") or found.facts.get("study_name", "")
    wrong = [finding.text for finding in health(found) if finding.level == "bad"]
    said = "".join(f"<li>{escape(text)}</li>" for text in wrong)
    return (
        f"<p><b>{escape(title)}</b></p><p>{escape(answer(found).sentence)}</p>"
        f"{f'<ul>{said}</ul>' if said else ''}{_front(found)}"
    )


def _front(found: Found) -> str:
    """The mixes on the front; all of them where there is none."""
    from reports.answering.answer import cost_metric, quality_metric
    from reports.numbers.units import ABSENT

    names = dict.fromkeys([quality_metric(found), *found.objectives, cost_metric(found)])
    scales = [found.scales[name] for name in names if name in found.scales]
    mixes = list(found.letters) or [str(mix) for mix in found.table.index]
    rows = [
        (
            found.letters.get(mix, ABSENT),
            found.label(mix),
            *(scale.number(found.number(mix, scale.metric)) for scale in scales),
        )
        for mix in mixes
    ]
    return _table(("Front", "Mix", *(scale.heading for scale in scales)), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; what is beyond the first rows is said in a line below."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows[:MOST])
    more = f"<p>and {len(rows) - MOST} more</p>" if len(rows) > MOST else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _filled(blocks: Sequence[Mapping[str, Any]]) -> str:
    """What is in a stage: each run of equal blocks once, with how many there are."""
    runs = [(words, len(list(equal))) for words, equal in groupby(map(_choice, blocks))]
    texts = [f"{words} ×{number}" if number > 1 else words for words, number in runs]
    return ", ".join(texts) or "empty"


def _choice(choice: Mapping[str, Any]) -> str:
    """A name with its knobs."""
    knobs = ", ".join(f"{name} {_value(value)}" for name, value in choice["knobs"])
    return f"{choice['name']} ({knobs})" if knobs else str(choice["name"])


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return _choice(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)


def _cells(row: Iterable[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in row)


def _facts(facts: Mapping[str, object]) -> str:
    said = "; ".join(f"{name}: {value}" for name, value in facts.items())
    return f"<p>{escape(said)}</p>" if said else ""
