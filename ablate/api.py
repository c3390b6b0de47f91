"""What `import ablate` offers to notebooks and scripts, gathered in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ablate.events import Listener, silence
from ablate.plugins import load_plugins
from ablate.results import Run, load_model
from ablate.runs import running
from ablate.study import Study, StudyError, load_study
from ablate.workplace import Workers

__all__ = ["Run", "StudyError", "load_model", "load_plugins", "load_study", "run"]


def run(
    study: Study,
    folder: Path | str | None = None,
    *,
    workers: Workers = "auto",
    device: str = "auto",
    plugins: Sequence[str] = (),
    listener: Listener = silence,
    reuse: bool = True,
    new_run: bool = False,
) -> Run:
    """Run a study, or go on with it where it was interrupted.

    Args:
        study: From `load_study`.
        folder: Where the run lies; runs/NAME where it is not given.
        workers: Processes that train at a time; auto is one per core.
        device: cpu, cuda, or auto.
        plugins: Files with blocks of your own, for the workers to load.
        listener: Called with each event of `ablate.events`.
        reuse: Take over trials that runs beside this one finished.
        new_run: Where the folder holds another study, begin or go on beside it.

    Raises:
        RunError: The folder holds another study, is in use, or the device is not there.
        DataError: The images cannot be used.
    """
    place = running.run(
        study,
        folder,
        workers=workers,
        device=device,
        plugins=plugins,
        listener=listener,
        reuse=reuse,
        new_run=new_run,
    )
    return Run(place.path)
