"""The keys of the search table that say how far mixes are trained, and when to propose no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.mix import Training
from ablate.searches.schedule import Schedule
from ablate.searches.stopping import Stop
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.questions import Question
from ablate.study.rules import Bounds
from ablate.study.tables import Table, as_table, plain_table, settings_of, unknown_key
from ablate.study.values import show

SCHEDULE: Mapping[str, Bounds] = {
    "rungs": Bounds(low=1),
    "keep": Bounds(above=0, high=1),
    "confirm": Bounds(low=2),
}
STOP: Mapping[str, Bounds] = {
    "trials": Bounds(low=1),
    "hours": Bounds(above=0),
    "device_hours": Bounds(above=0),
    "flat": Bounds(low=1),
}
LATE = ("energy",)  # objectives that are measured when nothing trains any more

_PATH: Path = ("search",)


def schedule_keys() -> tuple[str, ...]:
    """The keys of the search table that are read here."""
    return (*settings_of(Schedule).knobs, "stop")


def without_schedule(table: Table, problems: Problems) -> Table:
    """The rest of the search table, for the strategy; misspelt keys of ours are said here."""
    keys = schedule_keys()
    misspelt = [key for key in table if key not in keys and key.startswith(_BEGINNINGS)]
    for key in misspelt:
        problems.add((*_PATH, key), unknown_key(key, ("strategy", "constraints", *keys)))
    return {key: value for key, value in table.items() if key not in (*keys, *misspelt)}


_BEGINNINGS = ("rung", "keep", "confirm", "stop")


def read_schedule(
    raw: Table, questions: Sequence[Question], seeds: int, problems: Problems
) -> Schedule:
    """Rungs and confirmation: `rungs = [25, 50]`, `keep = 0.5`, `confirm = 5`.

    Args:
        raw: The whole study.
        questions: Everything that the study settles or asks.
        seeds: Trials of each mix.
        problems: Where mistakes go.
    """
    table = raw.get("search", {})
    table = table if isinstance(table, Mapping) else {}
    keys = settings_of(Schedule).knobs
    own = {key: value for key, value in table.items() if key in keys}
    schedule = plain_table(own, Schedule, SCHEDULE, _PATH, problems)
    _check_rungs(schedule, questions, problems)
    if "rungs" in own and own["rungs"] == []:
        problems.add((*_PATH, "rungs"), "rungs = [] rests nowhere; leave it out")
    if "keep" in own and not schedule.rungs:
        problems.add((*_PATH, "keep"), "keep is about rungs, which are missing; write rungs = [25]")
    if schedule.confirm and schedule.confirm <= seeds:
        text = f"confirm must be more than the seeds of every mix, {seeds}; got {schedule.confirm}"
        problems.add((*_PATH, "confirm"), text)
    return schedule


def read_stop(raw: Table, seeds: int, problems: Problems) -> Stop:
    """When the search ends: the table `search.stop`.

    Args:
        raw: The whole study.
        seeds: Trials of each mix.
        problems: Where mistakes go.
    """
    search = raw.get("search", {})
    path: Path = (*_PATH, "stop")
    table = search.get("stop", {}) if isinstance(search, Mapping) else {}
    stop = plain_table(as_table(table, path, problems), Stop, STOP, path, problems)
    if 0 < stop.trials < seeds:
        text = f"trials must be at least the seeds of one mix, {seeds}; got {stop.trials}"
        problems.add((*path, "trials"), text)
    return stop


def check_goals(
    schedule: Schedule, stop: Stop, objectives: Sequence[str], problems: Problems
) -> None:
    """That mixes can be compared while they are still trained."""
    asking = [key for key, asks in (("rungs", schedule.rungs), ("stop", stop.flat)) if asks]
    for late in (name for name in objectives if name in LATE):
        for key in asking:
            what = "flat" if key == "stop" else key
            text = (
                f"{what} compares mixes before the end, when {late} is not known yet; leave {what} "
                f"or the objective {late} out"
            )
            problems.add((*_PATH, key), text)


def _check_rungs(schedule: Schedule, questions: Sequence[Question], problems: Problems) -> None:
    """That rungs ascend and lie before the last step of every mix."""
    rungs, path = schedule.rungs, (*_PATH, "rungs")
    if list(rungs) != sorted(set(rungs)):
        problems.add(path, f"rungs ascend, each step once; got {show(rungs)}")
    asked = [q.answers for q in questions if q.place == ("training", "steps")]
    steps = min(asked[0]) if asked else Training.steps
    if rungs and max(rungs) >= steps:
        text = f"rungs lie before the last step of every mix, {steps}; got {show(rungs)}"
        problems.add(path, text)
