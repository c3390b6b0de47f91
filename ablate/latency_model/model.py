"""The latency model of a study: seconds of parts, a correction, and how far to trust it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ablate.latency_model.fitting import Agreement, Fit, Terms
from ablate.latency_model.parts import By, Frame, Part, frame_of, parts_of
from ablate.mix import Mix, Network


class OutsideRange(ValueError):
    """A mix holds something that was never measured; the message names it."""


@dataclass(frozen=True, kw_only=True)
class PartCost:
    """Seconds of a part by itself, with their 95 % interval, and elements that it relays."""

    seconds: float
    low: float
    high: float
    relaid: int = 0


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole network that was measured, beside what the model says of it.

    Args:
        label: What the study calls it.
        key: Of the network.
        role: What it was measured for: fitted or unseen.
        seconds: Measured.
        low: Lower end of the 95 % interval.
        high: Upper end.
        predicted: What the model says.
    """

    label: str
    key: str
    role: str
    seconds: float
    low: float
    high: float
    predicted: float


@dataclass(frozen=True, kw_only=True)
class LatencyModel:
    """Predicts what networks take from their parts, and says where it cannot.

    Args:
        study: Whose parts were measured.
        mode: What was measured, such as 256x256, as measurements have it.
        fingerprint: The machine and all that a time depends on.
        by: Whether parts are stages or blocks.
        frames: Seconds of what is around the stages, by frame.
        parts: Seconds of every part.
        dropped: What could not be measured, with the reason.
        fit: The correction.
        check: Predictions beside measurements, on networks that the fit has not seen; None
            where the study has none.
        wholes: Every whole network that was measured.
        made: When, ISO 8601.
    """

    study: str
    mode: str
    fingerprint: Mapping[str, str]
    by: By
    frames: Mapping[Frame, float]
    parts: Mapping[Part, PartCost]
    dropped: Mapping[Part, str] = field(default_factory=dict)
    fit: Fit
    check: Agreement | None
    wholes: tuple[Whole, ...]
    made: str

    @property
    def device(self) -> str:
        """The device that it was measured on."""
        return self.fingerprint.get("device", "cpu")

    @property
    def names(self) -> frozenset[str]:
        """The blocks and topologies that it is made of."""
        parts = (*self.parts, *self.dropped)
        fillings = {choice.name for part in parts for choice in part.blocks}
        return frozenset(fillings | {frame.topology.name for frame in self.frames})

    @property
    def error(self) -> float:
        """Relative error to reckon with: the worst on unseen networks, the mean on left-out ones.

        The larger of the two.
        """
        return max(self.fit.left_out, self.check.worst if self.check else 0.0)

    def predict(self, mix: Mix | Network) -> float:
        """Seconds of one call of a network.

        Between two widths that were measured, parts are interpolated; nothing is extrapolated.

        Raises:
            OutsideRange: The network has a part that was never measured.
        """
        network = mix.network if isinstance(mix, Mix) else mix
        return self.fit.seconds(self.terms(network))

    def outside(self, mix: Mix | Network) -> str:
        """Why a network cannot be priced; empty where it can."""
        try:
            self.predict(mix)
        except OutsideRange as error:
            return str(error)
        return ""

    def terms(self, network: Network) -> Terms:
        """What the time of a network is made of.

        Raises:
            OutsideRange: It has a part that was never measured.
        """
        rest = self.rest(frame_of(network))
        total, relaid = rest, 0.0
        for part in parts_of(network, self.by):
            seconds, moved = self.part(part)
            total += seconds
            relaid += moved
        return Terms(total=total, rest=rest, relaid=relaid)

    def rest(self, frame: Frame) -> float:
        """Seconds of what is around the stages.

        Raises:
            OutsideRange: The frame was never measured.
        """
        return sum(share * self.frames[at] for at, share in self._between(frame).items())

    def outside_frame(self, frame: Frame) -> str:
        """Why networks of a frame cannot be priced; empty where they can."""
        try:
            self._between(frame)
        except OutsideRange as error:
            return str(error)
        return ""

    def part(self, part: Part) -> tuple[float, float]:
        """Seconds of a part by itself and elements that it relays.

        Raises:
            OutsideRange: It was never measured.
        """
        shares = self._between(part.frame, part.slot)
        found = [(share, self._measured(part, frame)) for frame, share in shares.items()]
        if len(found) == 1:
            return found[0][1].seconds, found[0][1].relaid
        logarithm = sum(share * math.log(cost.seconds) for share, cost in found)
        return math.exp(logarithm), sum(share * cost.relaid for share, cost in found)

    def _measured(self, part: Part, frame: Frame) -> PartCost:
        there = Part(frame=frame, slot=part.slot, blocks=part.blocks, last=part.last)
        if there in self.parts:
            return self.parts[there]
        reason = self.dropped.get(there)
        why = f"could not be measured: {reason}" if reason else "was not measured"
        raise OutsideRange(f"{part.words} {why}; the model knows nothing of it")

    def _between(self, frame: Frame, slot: str = "") -> dict[Frame, float]:
        """The frames that a place of this one is taken from, with their shares.

        The frame itself where it was measured; else two of other widths, between which the place
        (or without one, what is around the stages) lies.
        """
        if frame in self.frames:
            return {frame: 1.0}
        width, widths = frame.width_at(slot), self._widths.get(frame.plain, ())
        if width is None or not widths:
            name = frame.topology.name
            raise OutsideRange(
                f"{name} with these options and places was not measured; "
                "the model knows nothing of it"
            )
        if not widths[0] <= width <= widths[-1]:
            listed = ", ".join(map(str, widths))
            where = f" of {slot}, for the first stage," if slot and slot != "stage1" else ""
            raise OutsideRange(
                f"width {width:g}{where} is outside the measured widths ({listed}); "
                "nothing is extrapolated"
            )
        above = min(bisect.bisect(widths, width), len(widths) - 1)
        low, high = widths[max(above - 1, 0)], widths[above]
        share = math.log(width / low) / math.log(high / low) if high > low else 1.0
        shares = {frame.with_width(low): 1 - share, frame.with_width(high): share}
        return {at: part for at, part in shares.items() if part > 0}

    @cached_property
    def _widths(self) -> dict[Frame, tuple[int, ...]]:
        """The measured widths of frames that are alike but for them."""
        found: dict[Frame, list[int]] = {}
        for frame in self.frames:
            width = frame.width_at()
            if width is not None and frame.with_width(round(width)) == frame:
                found.setdefault(frame.plain, []).append(round(width))
        return {frame: tuple(sorted(widths)) for frame, widths in found.items()}
