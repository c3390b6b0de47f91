"""The tables that ask nothing: search, evaluation, profile and report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ablate.constraints import Constraint, read_constraint
from ablate.metrics import metrics
from ablate.mix import Choice, Evaluation
from ablate.profile import Profile
from ablate.searches import strategies
from ablate.study.alternatives import Reader
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.rules import COSTS, EVALUATION, PROFILE, Bounds, evaluation_problems
from ablate.study.scheduling import without_schedule
from ablate.study.study import ReportSettings
from ablate.study.tables import Table, as_table, named_settings, plain_table, unknown_key
from ablate.study.values import show
from blocks import nearest


def read_search(raw: Table, problems: Problems) -> Choice:
    """The strategy and its knobs."""
    path: Path = ("search",)
    table = {"strategy": "grid", **as_table(raw.get("search", {}), path, problems)}
    table.pop("constraints", None)
    table = dict(without_schedule(table, problems))
    for key in [key for key in table if key.startswith("constrain")]:
        problems.add((*path, key), unknown_key(key, ("strategy", "constraints")))
        del table[key]
    reader = Reader(strategies, problems, asks=False)
    return named_settings(table, "strategy", path, reader) or Choice(name="grid")


def read_constraints(raw: Table, profile: Profile, problems: Problems) -> tuple[Constraint, ...]:
    """What mixes must keep to, to be tried: `constraints` of the search table."""
    search = raw.get("search", {})
    written = search.get("constraints", []) if isinstance(search, Mapping) else []
    path: Path = ("search", "constraints")
    if not isinstance(written, list) or not all(isinstance(one, str) for one in written):
        example = 'constraints = ["latency <= 5 ms"]'
        problems.add(path, f"constraints is a list of texts, as in {example}; got {show(written)}")
        return ()
    found = []
    for position, text in enumerate(written):
        try:
            constraint = read_constraint(text)
        except ValueError as error:
            problems.add((*path, position), str(error))
            continue
        if constraint.size not in (None, *profile.size):
            sizes = ", ".join(f"{height}x{width}" for height, width in profile.size)
            wrong = f"'{text}' names a size that is not profiled (sizes: {sizes})"
            problems.add((*path, position), wrong)
        found.append(constraint)
    return tuple(found)


def read_evaluation(raw: Table, problems: Problems) -> Evaluation:
    """The evaluation table."""
    evaluation: Evaluation = _plain_table(raw, Evaluation, EVALUATION, problems)
    for key, wrong in evaluation_problems(evaluation):
        problems.add(("evaluation", key), wrong)
    return evaluation


def read_profile(raw: Table, problems: Problems) -> Profile:
    """The profile table; one size, way to run or precision may be written without brackets."""
    table = raw.get("profile", {})
    if isinstance(table, Mapping):
        several = {key: table[key] for key in ("run", "precision") if key in table}
        table = {**table, **{key: _listed(value) for key, value in several.items()}}
    size = table.get("size") if isinstance(table, Mapping) else None
    if isinstance(size, int):
        text = f"size is height and width; write size = [{size}, {size}]; got {size}"
        problems.add(("profile", "size"), text)
        table = {key: value for key, value in table.items() if key != "size"}
    if size == []:
        problems.add(("profile", "size"), "size = [] measures nothing; write size = [256, 256]")
    if isinstance(size, list) and size and not any(isinstance(side, list) for side in size):
        table = {**table, "size": [size]}
    for key in ("run", "precision"):
        if isinstance(table, Mapping) and table.get(key) == []:
            text = f'{key} = [] measures nothing; write {key} = "{getattr(Profile(), key)[0]}"'
            problems.add(("profile", key), text)
    profile: Profile = _plain_table({"profile": table}, Profile, PROFILE, problems)
    return replace(
        profile,
        size=tuple(dict.fromkeys(profile.size)),
        run=tuple(dict.fromkeys(profile.run)) or Profile().run,
        precision=tuple(dict.fromkeys(profile.precision)) or Profile().precision,
    )


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def read_report(raw: Table, problems: Problems) -> ReportSettings:
    """The report table; objectives are metrics or costs."""
    table = as_table(raw.get("report", {}), ("report",), problems)
    report = plain_table(table, ReportSettings, {}, ("report",), problems)
    known = sorted([*metrics, *COSTS])
    for position, name in enumerate(report.objectives):
        path: Path = ("report", "objectives", position)
        if name not in known:
            hint = nearest(name, known)
            listed = ", ".join(known)
            problems.add(path, f"no objective is named '{name}'{hint} (objectives: {listed})")
        elif name in report.objectives[:position]:
            problems.add(path, f"objectives lists '{name}' twice")
        elif name == "energy" and not _counts_energy(raw):
            text = "objectives names energy; to count it, write energy = true in profile"
            problems.add(path, text)
    if not report.objectives:
        text = 'objectives = [] weighs nothing; write ["psnr", "latency"]'
        problems.add(("report", "objectives"), text)
    return report


def _counts_energy(raw: Table) -> bool:
    profile = raw.get("profile")
    return isinstance(profile, dict) and profile.get("energy") is True


def _plain_table(
    raw: Table, kind: type[Any], bounds: Mapping[str, Bounds], problems: Problems
) -> Any:
    path: Path = (kind.__name__.lower(),)
    table = as_table(raw.get(str(path[0]), {}), path, problems)
    return plain_table(table, kind, bounds, path, problems)
