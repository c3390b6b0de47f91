"""Which whole networks are measured beside the parts: a few to fit to, a few to check on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ablate.mix import Network
from ablate.searches import Point
from ablate.study import Study

POOL = 400  # points that are drawn to choose from
SOLVED = 48  # the same where each must first be brought to one cost


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Points whose networks all differ.

    Args:
        fitted: Such that every filling of every place occurs, as far as their number allows.
        unseen: Drawn at random from the others, to check on.
    """

    fitted: tuple[Point, ...]
    unseen: tuple[Point, ...]


def choose(study: Study, calibration: int, held_out: int, seed: int = 0) -> Chosen:
    """Networks to fit to and networks to check on; where a study has few, half of them each.

    Args:
        study: What may be chosen.
        calibration: How many to fit to, at most.
        held_out: How many to check on, at most.
        seed: Fixes which.
    """
    generator = random.Random(seed)
    most = SOLVED if study.footing else POOL
    if study.size <= most:
        points = list(study.points())
    else:
        points = [study.at(generator.randrange(study.size)) for _ in range(most)]
    points = [point for point in points if study.allows(point)]
    generator.shuffle(points)
    pool = list({study.mix(point).network: point for point in points}.items())
    fitted, met = list[Point](), Counter[object]()
    for _ in range(min(calibration, (len(pool) + 1) // 2)):
        network, point = max(pool, key=lambda item: _news(item[0], met))
        pool.remove((network, point))
        fitted.append(point)
        met.update(_fillings(network))
    return Chosen(fitted=tuple(fitted), unseen=tuple(point for _, point in pool[:held_out]))


def _news(network: Network, met: Counter[object]) -> float:
    """How much of a network was not met yet, or rarely."""
    return sum(1 / (1 + met[filling]) ** 2 for filling in _fillings(network))


def _fillings(network: Network) -> Iterable[object]:
    """The frame, and what fills each place."""
    return [network.topology, *((stage.slot, stage.blocks) for stage in network.stages)]
