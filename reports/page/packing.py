"""What scripts are given, in fewer letters: base.js and the plot's scripts unpack it alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, object]
PACKED = ("values", "low", "high", "seeds")
CODED = ("facets", "slots", "colours")
MOST_DECIMALS = 9
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"  # of whole numbers, as JavaScript reads them
BASE = len(DIGITS)


def keep_order(keys: Sequence[str]) -> bool:
    """Whether JavaScript keeps the order of these keys: it puts whole numbers first."""
    return not any(key.isdecimal() for key in keys)


def packed_cards(cards: Mapping[str, Mapping[str, str]], facets: object) -> dict[str, Json]:
    """Cards without the labels that are made of the plot's choices: "stage1 emvm | stage2 lama".

    Args:
        cards: Key of each mix -> its card, in the order of the plot.
        facets: Of the plot: name, options, and a code for each mix.
    """
    if not isinstance(facets, Sequence):
        return dict(cards)
    return {
        key: {k: v for k, v in card.items() if k != "label" or v != _label(facets, at)}
        for at, (key, card) in enumerate(cards.items())
    }


def _label(facets: Sequence[Mapping[str, Sequence[object]]], at: int) -> str:
    """As base.js makes it."""
    return " | ".join(
        f"{facet['name']} {facet['options'][code]}" if isinstance(code, int) and code >= 0 else ""
        for facet in facets
        for code in [facet["codes"][at]]
    )


def packed_plot(plot: Json, keys: Sequence[str]) -> Json:
    """The plot's data without the keys that the cards have, its numbers as small whole ones."""
    slim = {name: value for name, value in plot.items() if name != "mixes"}
    if list(keys) != list(_list(plot.get("mixes"))):
        slim["mixes"] = plot["mixes"]
    slim["measures"] = [
        {name: packed(value) if name in PACKED else value for name, value in measure.items()}
        for measure in _list(plot.get("measures"))
    ]
    for name in CODED:
        slim[name] = [packed_codes(group) for group in _list(plot.get(name))]
    return slim


def packed(values: object) -> object:
    """Numbers of few decimals as whole ones in one text: how much more than the least each is.

    Whole numbers over a power of ten give exactly the number that was written with a point, so
    scripts see what they would have seen; numbers of many decimals stay as they are.

    Args:
        values: A list of numbers, or of equally long lists of them; None where there is none.

    Returns:
        by: What to divide by. least: What to add before. wide: Letters of each number, in base 36
        ("-": none). each: Numbers of each list, 0 without lists. of: The numbers, in one text.
    """
    rows = _list(values)
    each = len(_list(rows[0])) if rows else 0
    flat = [number for row in rows for number in _list(row)] if each else list(rows)
    known = [repr(number) for number in flat if isinstance(number, (int, float))]
    decimals = max((len(text.partition(".")[2]) for text in known), default=0)
    if not known or decimals > MOST_DECIMALS or any("e" in text for text in known):
        return values
    by = 10**decimals
    whole = [round(n * by) if isinstance(n, (int, float)) else None for n in flat]
    least = min(n for n in whole if n is not None)
    more = [None if n is None else _in_base(n - least) for n in whole]
    wide = max(len(text) for text in more if text is not None)
    text = "".join("-" * wide if word is None else word.rjust(wide, "0") for word in more)
    return {"by": by, "least": least, "wide": wide, "each": each, "of": text}


def packed_codes(group: Json) -> Json:
    """A choice whose levels are a letter for each mix, 0 to 9 and a to z, where these suffice."""
    codes = group["codes"]
    if not isinstance(codes, list) or any(not 0 <= code < BASE for code in codes):
        return group
    return {**group, "codes": "".join(DIGITS[code] for code in codes)}


def packed_networks(drawings: Json, keys: Sequence[str]) -> Json:
    """Networks with the number of their mix in place of its key."""
    mixes = drawings.get("mixes")
    places = {key: at for at, key in enumerate(keys)}
    if not isinstance(mixes, Mapping) or not set(mixes) <= set(places):
        return drawings
    listed: list[object] = [0] * (1 + max((places[key] for key in mixes), default=-1))
    for key, network in mixes.items():
        listed[places[key]] = network
    return {**drawings, "mixes": listed}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _in_base(number: int) -> str:
    """A whole number from 0 in base 36."""
    digits = DIGITS[number % BASE]
    while number := number // BASE:
        digits = DIGITS[number % BASE] + digits
    return digits
