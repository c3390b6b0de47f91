"""What every script knows of a mix; and the zeros of the scale in words."""

from __future__ import annotations

from collections.abc import Iterable

from reports.numbers.found import Found
from reports.numbers.goals import by_gain, cost_metric, quality_metric, scale

Card = dict[str, str]


def mix_cards(found: Found, mixes: Iterable[str]) -> dict[str, Card]:
    """Key of each of these mixes -> its label, its letter on the front, and its status if any."""
    cards = {mix: {"label": found.label(mix)} for mix in mixes}
    for mix, card in cards.items():
        if status := said_status(found, mix):
            card["status"] = status
    for mix, letter in found.letters.items():
        if mix in cards:
            cards[mix]["letter"] = letter
    return cards


def said_status(found: Found, mix: str) -> str:
    """What a mix that does not compete is, or how it ended; "" for all others."""
    status = found.status(mix)
    if found.number(mix, "baseline"):
        return "baseline"
    return "" if status in ("done", "partial") else status


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
