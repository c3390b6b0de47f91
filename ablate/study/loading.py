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

from ablate.study.levelling import (
    check_target,
    footing_keys,
    footing_to_come,
    read_footing,
)
from ablate.study.lines import line_numbers
from ablate.study.places import TABLES, Problems, StudyError
from ablate.study.probing import probe
from ablate.study.questions import Question
from ablate.study.recipe import (
    DEFAULT_SEEDS,
    read_seeds,
    read_task,
    read_timeout,
    read_training,
)
from ablate.study.scheduling import check_goals, read_schedule, read_stop
from ablate.study.settings import (
    read_constraints,
    read_evaluation,
    read_profile,
    read_report,
    read_search,
)
from ablate.study.stages import read_network
from ablate.study.study import Study
from ablate.study.tables import Table, as_table, unknown_key
from ablate.study.values import show
from blocks import nearest

_PACKAGE = pathlib.Path(__file__).parents[1]


def shipped_studies() -> dict[str, pathlib.Path]:
    """The studies that come with the project, by name: those in folders after the others."""
    installed = _PACKAGE / "shipped_studies"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "studies"
    files = [*sorted(folder.glob("*.toml")), *sorted(folder.glob("*/*.toml"))]
    return {file.stem: file for file in files}


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
    path, text, raw = _read(source)
    return _study(raw, path.stem, path, text, Problems(str(source), line_numbers(text)))


def load_study_to_time(source: str | pathlib.Path) -> Study:
    """Read a study for which a latency model is to be made.

    One whose mixes are to have the same latency cannot be solved for yet: its mixes are as they
    are written, and its footing says what will be asked.

    Raises:
        StudyError: As for `load_study`.
    """
    path, text, raw = _read(source)
    problems, network = Problems(str(source), line_numbers(text)), raw.get("network")
    if not isinstance(network, dict) or network.get("equal") != "latency":
        return _study(raw, path.stem, path, text, problems)
    footing = footing_to_come(network, problems)
    bare = {key: value for key, value in network.items() if key not in footing_keys()}
    study = _study({**raw, "network": bare}, path.stem, path, text, problems)
    return replace(study, footing=footing)


def _read(source: str | pathlib.Path) -> tuple[pathlib.Path, str, dict[str, Any]]:
    """The file that is meant, its text, and what that says.

    Raises:
        StudyError: There is none, or it is not TOML.
    """
    path = _find(source)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise StudyError((f"{source}: cannot be read: {reason}",)) from error
    return path, text, _parsed(text, str(source))


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
    study = Study(
        name=_name(raw, name, problems),
        path=path,
        text=text,
        question=_question(raw, problems),
        questions=_named_apart(questions),
        slots=slots,
        search=read_search(raw, problems),
        seeds=(seeds := read_seeds(training.get("seeds", DEFAULT_SEEDS), problems)),
        timeout=read_timeout(training.get("timeout", 0.0), problems),
        evaluation=read_evaluation(raw, problems),
        profile=(profile := read_profile(raw, problems)),
        constraints=read_constraints(raw, profile, problems),
        report=read_report(raw, problems),
        footing=read_footing(raw.get("network", {}), questions, problems),
        schedule=read_schedule(raw, questions, seeds, problems),
        stop=read_stop(raw, seeds, problems),
    )
    check_goals(study.schedule, study.stop, study.report.objectives, problems)
    problems.raise_if_any()
    check_target(study, problems)
    problems.raise_if_any()
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
    if "name" in raw and not (isinstance(name, str) and re.fullmatch(r"\w[\w .-]*", name)):
        rule = "must start with a letter or digit and be fit for a folder's name"
        problems.add(("name",), f"name {rule}; got {show(name)}")
    return str(name)


def _named_apart(questions: list[Question]) -> tuple[Question, ...]:
    """Axes of one name get their table's name before it."""
    names = Counter(question.name for question in questions if len(question.answers) > 1)
    return tuple(
        replace(question, name=f"{question.place[0]}.{question.name}")
        if names[question.name] > 1
        else question
        for question in questions
    )
