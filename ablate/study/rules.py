"""Which values make sense in the tables that are not registered things, all in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ablate.mix import Evaluation, Training
from ablate.study.values import number, show


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """A range of numbers; for a list, of each item.

    Args:
        low: Smallest value.
        high: Largest value.
        above: The value must be larger than this.
        below: The value must be smaller than this.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def words(self) -> str:
        """The rule, to be read after "must be"."""
        parts = {
            "at least": self.low,
            "above": self.above,
            "at most": self.high,
            "below": self.below,
        }
        return " and ".join(f"{word} {number(v)}" for word, v in parts.items() if v is not None)

    def breaks(self, value: object) -> bool:
        """Whether a number, or one in a list, is outside."""
        if isinstance(value, tuple):
            return any(self.breaks(item) for item in value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return not (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


SEEDS = Bounds(low=1)
TIMEOUT = Bounds(low=0)
DEPTH = Bounds(low=0, high=1000)
REPEAT = Bounds(low=1, high=100)
WEIGHT = Bounds(above=0)

TRAINING: Mapping[str, Bounds] = {
    "steps": Bounds(low=1),
    "batch": Bounds(low=1),
    "crop": Bounds(low=16),
    "scale_weights": Bounds(low=0),
    "auxiliary": Bounds(low=0),
    "rate": Bounds(above=0),
    "rates": Bounds(above=0),
    "probe": Bounds(low=1),
    "final_rate": Bounds(low=0),
    "betas": Bounds(low=0, below=1),
    "weight_decay": Bounds(low=0),
    "constant": Bounds(low=0, high=1),
    "warmup": Bounds(low=0, high=1),
    "clip": Bounds(low=0),
    "ema": Bounds(low=0, below=1),
    "validate": Bounds(low=1),
}

EVALUATION: Mapping[str, Bounds] = {
    "crop": Bounds(low=0),
    "crops": Bounds(low=1),
    "border": Bounds(low=0),
    "noise_seed": Bounds(low=0),
}

PROFILE: Mapping[str, Bounds] = {
    "size": Bounds(low=16),
    "batch": Bounds(low=1),
    "rounds": Bounds(low=1),
    "processes": Bounds(low=1),
    "threads": Bounds(low=1),
    "interval": Bounds(low=0, below=1),
    "budget": Bounds(low=0),
}

COSTS = (  # that objectives can name, beside the metrics
    "energy",
    "latency",
    "macs",
    "params",
    "peak_memory",
    "training_memory",
)


def training_problems(training: Training) -> Iterator[tuple[str, str]]:
    """Rules between fields of a training: the field to blame and what is wrong."""
    t = training
    if not t.rates and t.final_rate > t.rate:
        yield "final_rate", f"final_rate must be at most rate = {t.rate:g}; got {t.final_rate:g}"
    if t.rates and t.final_rate > min(t.rates):
        rule = f"final_rate must be at most the smallest of rates, {min(t.rates):g}"
        yield "final_rate", f"{rule}; got {t.final_rate:g}"
    if len(set(t.rates)) < len(t.rates):
        yield "rates", f"rates tries each rate once; got {show(t.rates)}"
    if t.schedule == "constant_then_cosine" and t.warmup + t.constant > 1:
        total = number(t.warmup + t.constant)
        yield "constant", f"warmup + constant must be at most 1, all the steps; got {total}"
    if not any(t.scale_weights):
        yield "scale_weights", f"one scale must weigh something; got {show(t.scale_weights)}"


def evaluation_problems(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Rules between fields of an evaluation: the field to blame and what is wrong."""
    crop, border = evaluation.crop, evaluation.border
    if 0 < crop < 16:
        yield "crop", f"crop must be 0, for whole images, or at least 16; got {crop}"
    elif crop and crop - 2 * border < 11:
        yield "border", f"border = {border} leaves less than SSIM's 11 pixels of a crop of {crop}"
