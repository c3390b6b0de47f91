"""Makes the latency model of a study: measures its parts and a few mixes, fits and checks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from ablate.composition.choosing import choose
from ablate.composition.skeletons import CompositionError, Skeleton, chosen_by, skeletons
from ablate.costs.latency_rows import mode_name
from ablate.costs.sitting import called
from ablate.latency_model.fingerprint import fingerprint
from ablate.latency_model.fitting import Fit, Terms, agreement, fit
from ablate.latency_model.measuring import Conditions, MeasuringError, PartsTimed, measure
from ablate.latency_model.model import LatencyModel, OutsideRange, PartCost, Whole
from ablate.latency_model.parts import By, Frame, Part, holding, parts_of
from ablate.mix import Network
from ablate.profiling.summary import LatencySummary
from ablate.study import Study

CALIBRATION, HELD_OUT = 8, 8
FEWEST = 3  # different networks: two to fit to, one to check on

FITTED, UNSEEN = "fitted", "unseen"

LEAST, MOST, STEPS, GRAIN = 0.5, 2.0, 5, 8  # widths around one: from half to twice, in eights


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What is measured for the model of a study.

    Args:
        by: Whether parts are stages or blocks.
        bases: A network for each frame.
        parts: Every part with the network that it is taken from.
        wholes: Networks to fit to and to check on: label, role, network.
    """

    by: By
    bases: Mapping[Frame, Network]
    parts: Mapping[Part, Network]
    wholes: tuple[tuple[str, str, Network], ...]


def survey(
    study: Study,
    *,
    calibration: int = CALIBRATION,
    held_out: int = HELD_OUT,
    by: By | None = None,
    seed: int = 0,
    widths: Sequence[int] = (),
) -> Survey:
    """What must be measured so that every mix of a study can be priced.

    Args:
        study: What is asked.
        calibration: Whole mixes to fit the correction to.
        held_out: Whole mixes to check it on.
        by: Whether stages are measured, or blocks; none for stages where they are few.
        seed: Fixes which whole mixes.
        widths: Widths to measure beside those of the study; where its mixes are brought to one
            cost, which gives each widths of its own, some around the one that is written if none
            are named.

    Raises:
        CompositionError: The study joins stages in too many ways, or has too few networks.
    """
    flat = replace(study, footing=None)
    found = skeletons(flat)
    around = _around(found) if study.footing else []
    needs_model = study.footing is not None and study.footing.equal == "latency"
    mixed = flat if needs_model else study
    found = (*found, *_wider(found, widths or around))
    how = by or chosen_by(found)
    chosen = choose(mixed, calibration, held_out, seed)
    wholes = [(FITTED, point) for point in chosen.fitted]
    wholes += [(UNSEEN, point) for point in chosen.unseen]
    if len(wholes) < FEWEST:
        raise CompositionError(
            f"{study.name}: {len(wholes)} different networks are too few to fit a model to and "
            f"check it on (at least {FEWEST}); `ablate run` measures them all"
        )
    named = [(mixed.label(point), role, mixed.mix(point).network) for role, point in wholes]
    parts = {part: holding(part, one.base) for one in found for part in one.parts(how)}
    bases = {one.frame: one.base for one in found}
    return Survey(by=how, bases=bases, parts=parts, wholes=tuple(named))


def make_model(
    study: Study,
    surveyed: Survey,
    conditions: Conditions,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> LatencyModel:
    """Measure, fit and check.

    Args:
        study: What is asked.
        surveyed: What is measured.
        conditions: How, on which device and at which size.
        report: Told how many rounds of how many are done.

    Raises:
        MeasuringError: A process failed, or too few networks can run.
    """
    wholes = {network.key: network for _, _, network in surveyed.wholes}
    wholes |= {base.key: base for base in surveyed.bases.values()}
    names = {part: f"part {n} ({part.words})" for n, part in enumerate(surveyed.parts, 1)}
    parts = {names[part]: (part, network) for part, network in surveyed.parts.items()}
    labels = {network.key: label for label, _, network in surveyed.wholes}
    try:
        timed = measure(wholes, parts, conditions, report)
    except MeasuringError as error:
        raise MeasuringError(called(str(error), labels)) from error
    return compose(study, surveyed, conditions, names, timed)


def compose(
    study: Study,
    surveyed: Survey,
    conditions: Conditions,
    names: Mapping[Part, str],
    timed: PartsTimed,
) -> LatencyModel:
    """The model, from what was timed: base networks give what is around the stages.

    Raises:
        MeasuringError: Too few networks can run.
    """
    seconds = timed.summaries()
    parts = {
        part: _cost(seconds[name], timed.relaid[name])
        for part, name in names.items()
        if name in seconds
    }
    dropped = {part: timed.dropped[name] for part, name in names.items() if name in timed.dropped}
    model = LatencyModel(
        study=study.name,
        mode=mode_name(conditions.size, conditions.profile, conditions.mode),
        fingerprint={},
        by=surveyed.by,
        frames=_frames(surveyed, parts, seconds),
        parts=parts,
        dropped=dropped,
        fit=Fit(coefficients={"sum": 1.0}, left_out=0.0),
        check=None,
        wholes=(),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    here = fingerprint(conditions, model.names)
    return _corrected(replace(model, fingerprint=here), surveyed, seconds)


def _cost(summary: LatencySummary, relaid: int) -> PartCost:
    return PartCost(seconds=summary.seconds, low=summary.low, high=summary.high, relaid=relaid)


def _frames(
    surveyed: Survey, parts: Mapping[Part, PartCost], seconds: Mapping[str, LatencySummary]
) -> dict[Frame, float]:
    """Seconds of what is around the stages: a base network less its parts.

    Zero where the parts by themselves took longer, as noise may have it in tiny networks.
    """
    found = {}
    for frame, base in surveyed.bases.items():
        inside = list(parts_of(base, surveyed.by))
        if base.key in seconds and all(part in parts for part in inside):
            around = seconds[base.key].seconds - sum(parts[p].seconds for p in inside)
            found[frame] = max(around, 0.0)
    return found


def _corrected(
    model: LatencyModel, surveyed: Survey, seconds: Mapping[str, LatencySummary]
) -> LatencyModel:
    """The same with its correction, and how well it predicts what it was not fitted to."""
    terms: dict[str, Terms] = {}
    for _, _, network in surveyed.wholes:
        if network.key in seconds:
            try:
                terms[network.key] = model.terms(network)
            except OutsideRange:
                continue
    roles = [(role, network.key) for _, role, network in surveyed.wholes if network.key in terms]
    fitted, unseen = ([key for r, key in roles if r == role] for role in (FITTED, UNSEEN))
    if len(fitted) < 2:
        why = next(iter(model.dropped.values()), "whole networks fail at this size")
        raise MeasuringError(f"too few networks can run to fit a model: {why}")
    correction = fit([terms[key] for key in fitted], [seconds[key].seconds for key in fitted])
    predicted = {key: correction.seconds(row) for key, row in terms.items()}
    check = None
    if unseen:
        check = agreement([predicted[k] for k in unseen], [seconds[k].seconds for k in unseen])
    wholes = tuple(
        Whole(
            label=label,
            key=network.key,
            role=role,
            seconds=seconds[network.key].seconds,
            low=seconds[network.key].low,
            high=seconds[network.key].high,
            predicted=predicted[network.key],
        )
        for label, role, network in surveyed.wholes
        if network.key in terms
    )
    return replace(model, fit=correction, check=check, wholes=wholes)


def _around(found: Sequence[Skeleton]) -> list[int]:
    """Widths that mixes are likely to be given, where they are brought to one cost."""
    written = [one.frame.width_at() for one in found]
    known = [width for width in written if width is not None]
    if not known:
        return []
    ends = (LEAST * min(known), MOST * max(known))
    steps = np.geomspace(*ends, STEPS) / GRAIN
    return sorted({max(round(step), 1) * GRAIN for step in steps})


def _wider(found: Sequence[Skeleton], widths: Sequence[int]) -> list[Skeleton]:
    """The frames again in other widths.

    Raises:
        CompositionError: A topology has none.
    """
    wider: dict[Frame, Skeleton] = {}
    known = {one.frame for one in found}
    for one, width in itertools.product(found, widths):
        if one.frame.width_at() is None:
            name = one.frame.topology.name
            raise CompositionError(
                f"--width {width}: {name} has no width, so that none can be measured beside it"
            )
        frame = one.frame.with_width(width)
        if frame not in known:
            base = replace(one.base, topology=frame.topology)
            wider[frame] = replace(one, frame=frame, base=base)
    return list(wider.values())
