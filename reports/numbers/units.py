"""Numbers as people write them: 12.3 ms, 4.56 G, 31.2 MiB; the raw units stay in the record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sized
from dataclasses import dataclass

import numpy as np

ABSENT = "–"
TIE = "\u00a0"  # a space at which no line breaks
TITLES = {
    "gain": "Gain over input",
    "ssim_gain": "SSIM gain over input",
    "input_psnr": "PSNR of the input",
    "input_ssim": "SSIM of the input",
    "params": "Parameters",
    "macs_most": "MACs, dearest experts",
    "macs_least": "MACs, cheapest experts",
    "latency": "Latency",
    "peak_memory": "Memory",
    "training_memory": "Training memory",
    "energy": "Energy",
    "footing": "Off equal footing",
    "solved_width": "Width solved for",
    "solved_depth": "Blocks solved for",
    "chosen_rate": "Learning rate chosen",
}
ACRONYMS = {"macs": "MACs", "flops": "FLOPs", "cpu": "CPU", "gpu": "GPU"}
ACRONYMS |= {"psnr": "PSNR", "ssim": "SSIM"}
STEPS = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "byte": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "J": ((1.0, "J"), (1e-3, "mJ")),
    "share": ((1e-2, "%"),),
    "": ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
}
COUNTS = ("", "MAC", "FLOP", "parameter", "1")
DECIMALS = {"psnr": 2, "gain": 2, "input_psnr": 2, "ssim": 4, "input_ssim": 4, "ssim_gain": 4}
DECIMALS |= {"solved_width": 0, "solved_depth": 0, "chosen_rate": 5}


@dataclass(frozen=True)
class Scale:
    """How the numbers of one metric are shown, all with the same unit and decimals.

    Args:
        metric: Name of the metric.
        factor: What a raw value is divided by.
        unit: Unit shown, prefix included; "" for a bare number.
        decimals: Digits after the point.
    """

    metric: str
    factor: float
    unit: str
    decimals: int

    @property
    def title(self) -> str:
        """Heading without the unit."""
        return title(self.metric)

    @property
    def heading(self) -> str:
        """Heading with the unit: Latency, ms."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def number(self, value: float) -> str:
        """The number alone; a dash for what was not measured."""
        if math.isnan(value):
            return ABSENT
        return f"{value / self.factor:.{self.decimals}f}".replace("-", "−")

    def text(self, value: float) -> str:
        """The number with its unit."""
        number = self.number(value)
        return f"{number}{TIE}{self.unit}" if self.unit and number != ABSENT else number

    def signed(self, value: float) -> str:
        """A difference with its sign and unit."""
        text = self.text(value)
        if not text.strip("−0.").removeprefix(TIE).removesuffix(self.unit):  # rounds to nothing
            return text.removeprefix("−")
        return "+" + text if value > 0 else text

    def spread(self, low: float, high: float) -> str:
        """An interval in brackets, without the unit; nothing where there is none."""
        if math.isnan(low) or math.isnan(high):
            return ""
        return f"{self.number(low)} to {self.number(high)}"


def title(metric: str) -> str:
    """The heading of a metric: a known name, or its own name made readable."""
    name, _, mode = metric.partition("@")
    text = TITLES.get(name, heading(name))
    return f"{text} at {mode.replace('x', '×')}" if mode else text


def scale_of(metric: str, unit: str, values: Iterable[float]) -> Scale:
    """One scale for all values of a metric: the largest step below their middle.

    Args:
        metric: Name of the metric.
        unit: Raw unit in the record.
        values: Raw values; NaN is left out.
    """
    sizes = np.abs(np.asarray(values if isinstance(values, Sized) else list(values), dtype=float))
    sizes = np.sort(sizes[~np.isnan(sizes)])
    middle = float(sizes[len(sizes) // 2]) if len(sizes) else 1.0
    name = metric.partition("@")[0]
    if name in DECIMALS:
        return Scale(metric, 1.0, unit, DECIMALS[name])
    steps = STEPS.get("" if unit in COUNTS else unit, ((1.0, unit),))
    factor, shown = next((step for step in steps if middle >= step[0]), steps[-1])
    return Scale(metric, factor, shown, _decimals(middle / factor))


def _decimals(size: float) -> int:
    """Three significant digits, and never more than four decimals."""
    if size <= 0:
        return 2
    return min(max(2 - math.floor(math.log10(size)), 0), 4)


def percent(share: float) -> str:
    """A share as a whole percentage: 9 %."""
    return f"{100 * share:.0f}{TIE}%"


def share(explained: float) -> str:
    """A share of a variance: never all of it by rounding, and never less than nothing."""
    if 0.99 < explained < 1.0 - 1e-9:
        return f"more than {percent(0.99)}"
    return percent(max(explained, 0.0))


def spoken(heading: str) -> str:
    """A heading inside a sentence: latency, but still PSNR."""
    return heading if heading[1:2].isupper() else heading[:1].lower() + heading[1:]


def heading(name: str) -> str:
    """A name as a heading: macs_conv -> MACs conv, peak_memory -> Peak memory."""
    words = plain(name).split()
    text = " ".join(ACRONYMS.get(word.lower(), word) for word in words)
    return text[:1].upper() + text[1:]


def plain(text: str) -> str:
    """A name as a heading: underscores as spaces."""
    return text.replace("_", " ")


def count(number: int, thing: str) -> str:
    """1 mix, 2 mixes: the number with the thing in its plural."""
    if number == 1:
        return f"1 {thing}"
    ending = "es" if thing.endswith(("x", "s")) else "s"
    return f"{number} {thing}{ending}"
