"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reports.answering.answer import Answer, cost_metric, quality_metric, scale
from reports.checks.health import Finding
from reports.numbers.found import Found
from reports.numbers.units import TIE, count, plain, spoken
from reports.page.navigation import navigation
from reports.page.packing import keep_order, packed_cards, packed_networks, packed_plot
from reports.page.rendering import environment, page
from reports.plot.cards import mix_cards
from reports.sections.section import Part


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
    facts = parts.found.facts
    anchors = {mix: at for part in parts.sections for mix, at in part.anchors.items()}
    values = {
        "study": plain(facts.get("study_name", "")),
        "date": (facts.get("started") or facts.get("created", ""))[:10],
        "question": facts.get("question", ""),
        "record_hash": parts.found.record_hash,
        "said": parts.said,
        "strip": strip(parts.found, parts.said),
        "health": parts.health,
        "parts": [_section(part, anchors) for part in parts.sections],
        "files": list(files),
    }
    names = [part.name for part in parts.sections]
    values["navigation"] = navigation([*names, "files"])
    return page("page.html", names, script_data(parts), values)


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
    plotted = own.get("speed", {}).get("mixes")
    mixes = plotted if isinstance(plotted, tuple) else ()
    cards = mix_cards(parts.found, mixes)
    if "speed" not in own or not keep_order(mixes):
        return {"mixes": cards, **own}
    plot = own["speed"]
    own["speed"] = packed_plot(plot, mixes)
    if "drawings" in own:
        own["drawings"] = packed_networks(own["drawings"], mixes)
    return {"mixes": packed_cards(cards, plot.get("facets")), **own}


def _section(part: Part, anchors: Mapping[str, str]) -> str:
    """A section; `trials_of` says where the trials of a mix stand, or "" where they do not."""
    template = environment().get_template(f"sections/{part.name}.html")
    return template.render(shown=part.shown, trials_of=lambda mix: anchors.get(mix, ""))
