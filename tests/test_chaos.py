"""Runs that are killed anywhere: nothing finished is lost, nothing counts twice, nothing is left.

`ABLATE_CHAOS=200 pytest tests/test_chaos.py` kills so often, and sweeps faults at more passings.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.faults import POINTS, Deed
from tests.chaos import Place, Started, Warm, fault, until
from tests.warm_runner import TINY

KILLS = int(os.environ.get("ABLATE_CHAOS", "50"))
SLOW = KILLS > 50
CAMPAIGNS = 2  # tests that share the kills, so that two cores share them
LONGEST = 3.0  # seconds before a kill, however slow the machine is
DEEDS: tuple[Deed, ...] = ("kill", "raise", "disk-full")

LINUX = Path("/proc/self/stat").exists()
pytestmark = [
    pytest.mark.skipif(not LINUX, reason="finds processes in /proc: Linux only"),
    pytest.mark.timeout(3000 if SLOW else 600),
]


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as forks:
        yield forks


@pytest.fixture(scope="module")
def undisturbed(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(warm, tmp_path_factory.mktemp("undisturbed") / "place")
    place.finish()
    place.require_like(place)
    assert len(place.accepted) == 4
    return place


@pytest.fixture(scope="module")
def usual_seconds(undisturbed: Place) -> float:
    """How long a whole run takes here, as far as its own files tell; not too long to wait for."""
    began = undisturbed.study.stat().st_mtime
    return min((undisturbed.run / "report.html").stat().st_mtime - began, LONGEST)


def strike(started: Started, chance: random.Random) -> str:
    """Kill a worker, the runner, or all at once; says which."""
    victim = chance.choice(("worker", "runner", "both"))
    if victim == "worker" and (workers := started.workers()):
        started.kill(chance.choice(workers))
        return victim
    if victim == "both":
        for pid in chance.sample(order := started.processes(), len(order)):
            started.kill(pid)
        return victim
    started.kill(started.pid)
    return "runner"


@pytest.mark.parametrize("campaign", range(CAMPAIGNS))
def test_killed_at_random_a_run_comes_to_what_an_undisturbed_one_has(
    campaign: int, warm: Warm, undisturbed: Place, usual_seconds: float, tmp_path: Path
):
    chance, kills, places = random.Random(campaign), 0, 0
    while kills < KILLS // CAMPAIGNS:
        place = Place(warm, tmp_path / str(places))
        places += 1
        while kills < KILLS // CAMPAIGNS:
            started = place.start()
            while started.ended() is None and kills < KILLS // CAMPAIGNS:
                time.sleep(chance.uniform(0, usual_seconds))
                if started.ended() is not None:
                    break
                if strike(started, chance) != "worker":
                    kills += 1
                    break
                kills += 1
            code = started.wait()
            place.look()
            if code == 0:
                break
        place.finish()
        place.require_like(undisturbed)


@pytest.mark.parametrize("deed", DEEDS)
def test_a_fault_at_any_point_loses_nothing(
    deed: Deed, warm: Warm, undisturbed: Place, tmp_path: Path
):
    """One run goes from fault to fault, as long as it passes the next; else a new one begins."""
    often = undisturbed.passings()
    places = [Place(warm, tmp_path / "0")]
    for point in POINTS:
        rated = point.startswith("status.")  # passed as often as time allows, not as work does
        last = often.get(point, 1) if SLOW and not rated else 1
        for passing in sorted({1, last}):
            if not strikes(places[-1], deed, point, passing):
                places.append(Place(warm, tmp_path / str(len(places))))
                assert strikes(places[-1], deed, point, passing), f"{point} is never passed"
    for place in places:
        place.finish()
        place.require_like(undisturbed)


def strikes(place: Place, deed: Deed, point: str, passing: int) -> bool:
    """Go on with a run that has a fault ahead; whether it came to it."""
    started = place.start(fault(deed, point, passing))
    started.wait()
    place.look()
    return place.passings().get(point, 0) >= passing


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_its_workers_which_keep_their_state(
    number: signal.Signals, code: int, warm: Warm, tmp_path: Path
):
    place = Place(warm, tmp_path / "place", TINY.replace("steps = 2", "steps = 100_000"))
    started = place.start()
    until(lambda: place.passings().get("state.kept", 0) > 0, "nothing is trained")
    os.kill(started.pid, number)
    assert started.wait() == code
    assert "the same command goes on from here" in started.said
    assert "Traceback" not in started.said
    assert list(place.run.glob("states/*.pt"))


def test_every_point_is_passed_by_an_undisturbed_run(
    undisturbed: Place, warm: Warm, tmp_path: Path
):
    place = Place(warm, tmp_path / "counted")
    started = place.start()
    assert started.wait() == 0, started.said
    assert set(place.passings()) == set(POINTS)
