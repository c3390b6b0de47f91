"""What a click on a mix shows: its stages and its numbers; and the zeros of the scale."""

from __future__ import annotations

from collections.abc import Mapping

from reports.answer import by_gain, cost_metric, quality_metric, scale
from reports.families import LOOKS, OTHER, SEVERAL, look
from reports.found import Found
from reports.sections.mixes import numbers
from reports.units import plain

Card = dict[str, object]


def mix_cards(found: Found) -> dict[str, Card]:
    """Key of each mix -> its label, letter, stages (slot, blocks, look) and numbers."""
    stages: dict[str, list[tuple[str, str, str]]] = {}
    for mix, slot, blocks, family, depth in found.stages.to_numpy().tolist():
        filled = f"{blocks} ×{depth}" if depth > 1 else blocks
        stages.setdefault(mix, []).append((plain(slot), filled, look(family).slug))
    return {
        key: {
            "label": found.label(key),
            "letter": found.letters.get(key, ""),
            "stages": stages.get(key, []),
            "numbers": numbers(found, key),
            "short": " · ".join(text for _, text in objectives(found, key)),
        }
        for key in map(str, found.table.index)
    }


def picked(cards: Mapping[str, Card], key: str) -> Card:
    """The card that is open at first; drawn by the template, so with whole looks."""
    if key not in cards:
        return {"key": ""}
    by_slug = {each.slug: each for each in (*LOOKS.values(), SEVERAL, OTHER)}
    card = dict(cards[key], key=key)
    stages = card["stages"]
    assert isinstance(stages, list)
    return {**card, "stages": [(slot, blocks, by_slug[slug]) for slot, blocks, slug in stages]}


def objectives(found: Found, mix: str) -> list[tuple[str, str]]:
    """A mix's quality and cost: title and text."""
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
        texts = [text for _, text in objectives(found, str(key))]
        if quality in found.table and found.number(str(key), f"{quality}_n") > 0:
            words.append(f"{found.label(str(key))} at {', '.join(texts)}")
    return " and ".join(words)
