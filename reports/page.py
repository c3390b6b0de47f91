"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.answer import Answer, by_gain, cost_metric, quality_metric, scale
from reports.families import LOOKS, OTHER, SEVERAL, look
from reports.found import Found
from reports.health import Finding
from reports.results import DRAWS
from reports.sections.choices import Choices
from reports.sections.learning import Learning
from reports.sections.method import Method
from reports.sections.mixes import Table, numbers
from reports.sections.pictures import Strip
from reports.sections.ranks import Ranks
from reports.sections.rungs import Rungs
from reports.sections.scatter import Scatter
from reports.sections.stages import REST_WORDS, Stages
from reports.units import TIE, count, plain, share, spoken, title

TEMPLATES = Path(__file__).parent / "templates"
HEIGHT = 440  # pixels of the scatter


@dataclass(frozen=True)
class Parts:
    """All sections of a report as plain data."""

    found: Found
    said: Answer
    health: tuple[Finding, ...]
    scatter: Scatter
    table: Table
    choices: Choices
    learning: Learning
    strips: tuple[Strip, ...]
    method: Method
    ranks: tuple[Ranks, ...]
    stages: Stages
    rungs: Rungs


def html(parts: Parts, files: Iterable[tuple[str, str]]) -> str:
    """The page.

    Args:
        parts: The sections.
        files: Name and description of the files beside it.
    """
    style, script = (_text(f"report.{ending}") for ending in ("css", "js"))
    cards = mix_cards(parts)
    picked = parts.said.best or next(iter(parts.found.letters), "")
    return (
        _environment()
        .get_template("report.html")
        .render(
            study=plain(parts.found.facts.get("study_name", "")),
            date=(parts.found.facts.get("started") or parts.found.facts.get("created", ""))[:10],
            question=parts.found.facts.get("question", ""),
            said=parts.said,
            strip=strip(parts.found, parts.said),
            health=parts.health,
            scatter=parts.scatter,
            scatter_title=_scatter_title(parts),
            objectives=" and ".join(spoken(title(name)) for name in parts.found.objectives),
            baselines=baselines(parts.found),
            by_gain=by_gain(parts.found),
            height=HEIGHT,
            picked=_picked(cards, picked),
            choices=parts.choices,
            explained=explained(parts.choices),
            strips=parts.strips,
            table=parts.table,
            table_intro=table_intro(parts.found),
            learning=parts.learning,
            all_curves="".join(
                svg_path(line.points) for panel in parts.learning.panels for line in panel.lines
            ),
            method=parts.method,
            ranks=parts.ranks,
            stages=parts.stages,
            rungs=parts.rungs,
            rest_words=REST_WORDS,
            draws=DRAWS,
            count=count,
            files=list(files),
            all_looks=[*LOOKS.values(), SEVERAL, OTHER],
            path=svg_path,
            data=_json({"mixes": cards, "families": _slugs(parts.scatter)}),
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
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


def mix_cards(parts: Parts) -> dict[str, dict[str, object]]:
    """What a click on a mix shows."""
    found = parts.found
    stages: dict[str, list[tuple[str, str, str]]] = {}
    for mix, slot, blocks, family, depth in found.stages.to_numpy().tolist():
        filled = f"{blocks} ×{depth}" if depth > 1 else blocks
        stages.setdefault(mix, []).append((plain(slot), filled, look(family).slug))
    cards: dict[str, dict[str, object]] = {}
    for key in map(str, found.table.index):
        shown = numbers(found, key)
        cards[key] = {
            "label": found.label(key),
            "letter": found.letters.get(key, ""),
            "stages": stages.get(key, []),
            "numbers": shown,
            "short": " · ".join(text for _, text in _objectives(found, key)),
        }
    return cards


def _objectives(found: Found, mix: str) -> list[tuple[str, str]]:
    names = dict.fromkeys([quality_metric(found), cost_metric(found)])
    shown = [scale(found, name) for name in names if name in found.table]
    return [(each.title, each.text(found.number(mix, each.metric))) for each in shown]


def baselines(found: Found) -> str:
    """The zeros of the scale in words: the degraded input, and networks that do nothing."""
    words = []
    if by_gain(found):
        words.append(f"the degraded inputs at {scale(found, quality_metric(found)).text(0.0)}")
    elif "input_psnr" in found.table and found.table["input_psnr"].notna().any():
        shown = scale(found, "input_psnr")
        values = found.table["input_psnr"].dropna()
        low, high = float(values.min()), float(values.max())
        same = shown.text(low) == shown.text(high)
        words.append(
            f"the degraded input at {shown.text(low) if same else shown.spread(low, high) + ' dB'}"
        )
    quality = quality_metric(found)
    for key in found.table.index[found.table["baseline"]]:
        texts = [text for _, text in _objectives(found, str(key))]
        if quality in found.table and found.number(str(key), f"{quality}_n") > 0:
            words.append(f"{found.label(str(key))} at {', '.join(texts)}")
    return " and ".join(words)


def explained(choices: Choices) -> str:
    """How far the mean effects go."""
    if choices.explained != choices.explained:
        return ""
    return (
        f"Adding up these mean effects explains {share(choices.explained)} of the variance "
        "between mixes (adjusted R²); what is left is how the choices interact, and noise."
    )


def table_intro(found: Found) -> str:
    """What the numbers of the table are."""
    seeds = max((values.shape[1] for values in found.per_seed.values()), default=0)
    fewest = min((int(v.notna().sum(axis=1).min()) for v in found.per_seed.values()), default=0)
    over = f"{fewest} to {seeds} seeds" if 0 < fewest < seeds else count(seeds, "seed")
    text = f"Means over {over}. " if seeds else "Nothing has been trained yet. "
    if 0 < fewest < seeds and seeds > int(found.facts.get("seeds", seeds)):
        text += "From mixes with fewer is taken what their seeds add for all mixes alike. "
    if seeds > 2:
        text += "± is half the 95\u00a0% interval over seeds. "
    if "latency" in found.table:
        text += "Where a rank by latency is a range, the mix is not separable from others. "
    if found.letters:
        text += "Letters mark the front. "
    if found.table["front_probability"].notna().any():
        text += (
            "The front probability says how often a mix is on the front when seeds and latencies "
            "are drawn again. "
        )
    return text.strip()


def svg_path(points: Iterable[tuple[float, float]]) -> str:
    """Points as a path in a field of 1000 by 1000."""
    return "M" + "L".join(f"{1000 * x:.0f} {1000 * y:.0f}" for x, y in points)


def _scatter_title(parts: Parts) -> str:
    if not parts.scatter.panels:
        return "Accuracy against cost"
    found, members = parts.found, list(parts.found.letters)
    cost, quality = parts.scatter.panels[0].metric, quality_metric(found)
    if not members or {cost, quality} != set(found.objectives):
        return f"{scale(found, quality).title} against {spoken(parts.scatter.panels[0].title)}"
    total = count(int((~found.table["baseline"]).sum()), "mix")
    more = " of gain" if by_gain(found) else ""
    ends = [
        f"{scale(found, quality).text(found.number(mix, quality))}{more} at "
        f"{scale(found, cost).text(found.number(mix, cost))}"
        for mix in (members[0], members[-1])
    ]
    if len(members) == 1:
        return f"One of {total} beats all others: {ends[0]}"
    return f"{len(members)} of {total} are on the front, from {ends[0]} to {ends[1]}"


def _picked(cards: dict[str, dict[str, object]], key: str) -> dict[str, object]:
    """The card that is open at first; drawn by the template, so with whole looks."""
    if key not in cards:
        return {"key": ""}
    by_slug = {each.slug: each for each in (*LOOKS.values(), SEVERAL, OTHER)}
    card = dict(cards[key], key=key)
    stages = card["stages"]
    assert isinstance(stages, list)
    return {**card, "stages": [(slot, blocks, by_slug[slug]) for slot, blocks, slug in stages]}


def _slugs(scatter: Scatter) -> dict[str, dict[str, str]]:
    return {
        slot: {mix: each.slug for mix, each in of.items()} for slot, of in scatter.families.items()
    }


def _json(data: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
