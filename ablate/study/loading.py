"""Reads a study from a TOML file or a dictionary; every mistake is found here, all at once."""

from __future__ import annotations

import json
import pathlib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ablate.metrics import metrics
from ablate.mix import Choice, Evaluation, Profile
from ablate.search import strategies
from ablate.study.alternatives import Reader
from ablate.study.lines import Path, line_numbers
from ablate.study.places import TABLES, Problems, StudyError
from ablate.study.probing import probe
from ablate.study.recipe import DEFAULT_SEEDS, read_seeds, read_task, read_training
from ablate.study.rules import COSTS, EVALUATION, PROFILE, evaluation_problems
from ablate.study.stages import read_network
from ablate.study.study import Question, ReportSettings, Study
from ablate.study.tables import Table, as_table, named_settings, plain_table, unknown_key
from ablate.study.values import show
from blocks import nearest

_PACKAGE = pathlib.Path(__file__).parents[1]


def shipped_studies() -> dict[str, pathlib.Path]:
    """The studies that come with the project, by name."""
    installed = _PACKAGE / "shipped_studies"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "studies"
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def load_study(source: str | pathlib.Path | Mapping[str, Any]) -> Study:
    """Read and check a study.

    Args:
        source: A TOML file, the name of a shipped study, or the same as a dictionary.

    Raises:
        StudyError: The study cannot be used; its `problems` are all that is wrong with it, a
            line each: file and line, place, rule, value and mend.
    """
    if isinstance(source, Mapping):
        raw = _plain(source)
        text = json.dumps(raw, indent=2, default=str)
        return _study(raw, "study", None, text, Problems("study"))
    path = _find(source)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise StudyError((f"{source}: cannot be read: {reason}",)) from error
    raw = _parsed(text, str(source))
    return _study(raw, path.stem, path, text, Problems(str(source), line_numbers(text)))


def _find(source: str | pathlib.Path) -> pathlib.Path:
    """The file that is meant: one that exists, or else a shipped study."""
    path, shipped = pathlib.Path(source), shipped_studies()
    if path.exists() or str(source) not in shipped:
        if not path.exists():
            hint = nearest(path.stem, shipped)
            known = ", ".join(shipped)
            raise StudyError((f"{source}: no such study file{hint} (shipped studies: {known})",))
        return path
    return shipped[str(source)]


def _parsed(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        where = re.search(r" \(at line (\d+), column \d+\)$", message)
        line = int(where[1]) if where else text.count("\n") + 1
        reason = message[: where.start()] if where else message
        raise StudyError((f"{source}:{line}: not valid TOML: {reason}",)) from error
    except RecursionError as error:
        raise StudyError((f"{source}: not valid TOML: nested too deeply",)) from error


def _plain(raw: Any) -> Any:
    """A dictionary as TOML could have held it: tuples as lists, paths as text."""
    match raw:
        case Mapping():
            return {str(key): _plain(value) for key, value in raw.items()}
        case list() | tuple():
            return [_plain(item) for item in raw]
        case pathlib.PurePath():
            return str(raw)
    return raw


def _study(
    raw: dict[str, Any], name: str, path: pathlib.Path | None, text: str, problems: Problems
) -> Study:
    """Read all tables, then probe what they ask for."""
    for key in raw:
        if key not in ("question", "name", *TABLES):
            problems.add((key,), unknown_key(key, ("question", *TABLES)))
    network, slots = read_network(raw.get("network", {}), problems)
    training = as_table(raw.get("training", {}), ("training",), problems)
    questions = [*read_task(raw.get("task", {}), problems), *network]
    questions += read_training(training, problems)
    evaluation = _plain_table(raw, Evaluation, EVALUATION, problems)
    for key, wrong in evaluation_problems(evaluation):
        problems.add(("evaluation", key), wrong)
    arguments = {
        "name": _name(raw, name, problems),
        "question": _question(raw, problems),
        "search": _search(raw, problems),
        "seeds": read_seeds(training.get("seeds", DEFAULT_SEEDS), problems),
        "evaluation": evaluation,
        "profile": _profile(raw, problems),
        "report": _report(raw, problems),
    }
    problems.raise_if_any()
    study = Study(
        path=path,
        text=text,
        questions=_named_apart(questions),
        slots=slots,
        **arguments,
    )
    probe(study, problems)
    problems.raise_if_any()
    return study


def _question(raw: Table, problems: Problems) -> str:
    question = raw.get("question")
    if question is None:
        problems.add((), 'question is missing; write question = "..." at the top')
    elif not isinstance(question, str) or not question.strip():
        problems.add(("question",), f"question must be a sentence; got {show(question)}")
    return str(question)


def _name(raw: Table, default: str, problems: Problems) -> str:
    name = raw.get("name", default)
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w .-]*", name):
        rule = "must start with a letter or digit and be fit for a folder's name"
        problems.add(("name",), f"name {rule}; got {show(name)}")
    return str(name)


def _search(raw: Table, problems: Problems) -> Choice:
    path: Path = ("search",)
    table = {"strategy": "grid", **as_table(raw.get("search", {}), path, problems)}
    reader = Reader(strategies, problems, asks=False)
    return named_settings(table, "strategy", path, reader) or Choice(name="grid")


def _plain_table(raw: Table, kind: type[Any], bounds: Mapping[str, Any], problems: Problems) -> Any:
    path: Path = (kind.__name__.lower(),)
    table = as_table(raw.get(str(path[0]), {}), path, problems)
    return plain_table(table, kind, bounds, path, problems)


def _profile(raw: dict[str, Any], problems: Problems) -> Profile:
    """The profile table; one size may be written without the outer brackets."""
    table = raw.get("profile", {})
    size = table.get("size") if isinstance(table, Mapping) else None
    if isinstance(size, int):
        text = f"size is height and width; write size = [{size}, {size}]; got {size}"
        problems.add(("profile", "size"), text)
        table = {key: value for key, value in table.items() if key != "size"}
    if size == []:
        problems.add(("profile", "size"), "size = [] measures nothing; write size = [256, 256]")
    if isinstance(size, list) and size and not any(isinstance(side, list) for side in size):
        table = {**table, "size": [size]}
    profile: Profile = _plain_table({"profile": table}, Profile, PROFILE, problems)
    return replace(profile, size=tuple(dict.fromkeys(profile.size)))


def _report(raw: Table, problems: Problems) -> ReportSettings:
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
    if not report.objectives:
        text = 'objectives = [] weighs nothing; write ["psnr", "latency"]'
        problems.add(("report", "objectives"), text)
    return report


def _named_apart(questions: list[Question]) -> tuple[Question, ...]:
    """Axes of one name get their table's name before it."""
    names = Counter(question.name for question in questions if len(question.answers) > 1)
    return tuple(
        replace(question, name=f"{question.place[0]}.{question.name}")
        if names[question.name] > 1
        else question
        for question in questions
    )
