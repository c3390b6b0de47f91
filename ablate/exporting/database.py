"""A run as an Optuna study in a database, so that optuna-dashboard and the like can show it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ablate.exporting.trials import optuna_trials
from ablate.folder import RunFolder
from reports.numbers.found import Found
from reports.numbers.results import collect
from reports.record import Record, RecordError
from reports.tables import with_unit

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study

Direction = Literal["maximize", "minimize"]

MARK = "ablate"  # attribute of an Optuna study that says which run it was exported from


class ExportError(ValueError):
    """A run that cannot be exported to where that was asked; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written.

    Args:
        study: Name of the Optuna study.
        where: The database, without a password.
        states: How many of its trials have which of Optuna's states.
    """

    study: str
    where: str
    states: Mapping[str, int]


def export_optuna(run: Path | str, url: str, name: str = "") -> Exported:
    """Write a run as an Optuna study: each mix a trial, each axis a categorical parameter.

    All that is known of a mix is in the attributes of its trial; see `optuna_trials` for states. A
    study that was exported from this run before is replaced.

    Args:
        run: The folder of the run; its record is only read.
        url: A database as SQLAlchemy has them: sqlite:///FILE.db.
        name: Of the Optuna study; the study's own where it is empty.

    Raises:
        ExportError: The URL is none, there is another study of that name, or the database cannot
            be written.
        RunError: There is no run.
        RecordError: Its record cannot be read.
    """
    with RunFolder(Path(run)).open() as record:
        found = collect(record)
    where = _database(url)
    directions = [_direction(found, objective) for objective in found.objectives]
    if not directions:
        raise ExportError(f"{run}: the study weighs no objective, and Optuna needs one")
    trials = list(optuna_trials(found))
    with _optuna_errors(where), _storage(url) as storage:
        study = _new_study(storage, name or found.facts["study_name"], directions, found)
        study.add_trials(trials)
    states = Counter(trial.state.name for trial in trials)
    return Exported(study=study.study_name, where=where, states=states)


def _database(url: str) -> str:
    """The URL without its password, once it is sure that writing there does no harm.

    Raises:
        ExportError: It is no URL, or names a file that must not be written.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
    except ArgumentError:
        example = f"sqlite:///{url}" if url.endswith((".db", ".sqlite")) else "sqlite:///x.db"
        raise ExportError(
            f"--optuna: expected the URL of a database; got '{url}', try: {example}"
        ) from None
    if parts.get_backend_name() == "sqlite":
        _require_harmless(parts.database, url)
    return parts.render_as_string(hide_password=True)


def _require_harmless(file: str | None, url: str) -> None:
    if not file or file == ":memory:":
        raise ExportError(
            f"--optuna: {url} is a database in memory, gone at once; name a file: sqlite:///x.db"
        )
    if not Path(file).parent.is_dir():
        raise ExportError(f"--optuna: the folder {Path(file).parent} does not exist")
    try:
        Record.open(file).close()
    except (RecordError, OSError):
        return
    raise ExportError(f"--optuna: {file} is the record of a run; name another file")


@contextmanager
def _optuna_errors(where: str) -> Iterator[None]:
    """Optuna without its chatter, and its many errors as one line.

    Raises:
        ExportError: Something went wrong.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    loud = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    except (optuna.exceptions.OptunaError, SQLAlchemyError, ImportError, RuntimeError) as error:
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
        raise ExportError(f"--optuna: {where} cannot be written ({reason})") from error
    finally:
        optuna.logging.set_verbosity(loud)


@contextmanager
def _storage(url: str) -> Iterator[RDBStorage]:
    from optuna.storages import RDBStorage

    storage = RDBStorage(url)
    try:
        yield storage
    finally:
        storage.engine.dispose()


def _new_study(
    storage: RDBStorage, name: str, directions: Sequence[Direction], found: Found
) -> Study:
    """An empty study; one that was exported from the same run gives way.

    Raises:
        ExportError: There is a study of that name that is not ours to replace.
    """
    import optuna

    mark = f"{found.facts.get('study_fingerprint', '')} {found.facts.get('started', '')}"
    if name in optuna.get_all_study_names(storage=storage):
        before = optuna.load_study(study_name=name, storage=storage)
        if before.user_attrs.get(MARK) != mark:
            raise ExportError(
                f"--optuna: there is a study '{name}' already, and not of this run; "
                f"choose another name: --name {name}-2"
            )
        optuna.delete_study(study_name=name, storage=storage)
    study = optuna.create_study(study_name=name, storage=storage, directions=list(directions))
    study.set_user_attr(MARK, mark)
    study.set_user_attr("question", found.facts.get("question", ""))
    study.set_user_attr("study", found.facts.get("study_text", ""))
    study.set_metric_names([with_unit(found, objective) for objective in found.objectives])
    return study


def _direction(found: Found, objective: str) -> Direction:
    """Optuna's word for the better direction of a metric that may not be measured yet."""
    metric = found.metrics.get(objective)
    return "maximize" if metric is None or metric.better == "higher" else "minimize"
