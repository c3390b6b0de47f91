"""One piece of work in a new process, with its device for itself, waited for."""

from __future__ import annotations

from collections.abc import Callable

from ablate.engines.job import Done, Failed, Job, Message
from ablate.engines.local import run_jobs


def run_alone(
    function: str,
    payload: object,
    *,
    threads: int = 1,
    plugins: tuple[str, ...] = (),
    heard: Callable[[int], None] = lambda done: None,
) -> object:
    """The result of a job in a new interpreter, or a `Failed`: for whatever is timed or weighed.

    Args:
        function: "module:function"; it reports how much of its work is done, as a number.
        payload: What it is called on; picklable.
        threads: CPU threads that it may use.
        plugins: Files that the process loads first.
        heard: Told what it reports.
    """
    name = function.partition(":")[2]
    job = Job(
        name=name,
        function=function,
        payload=payload,
        threads=threads,
        plugins=plugins,
        fresh=True,
        alone=True,
    )
    for event in run_jobs([job], workers=1):
        if isinstance(event, Message):
            heard(int(str(event.content)))
        elif isinstance(event, Done):
            return event.result
        elif isinstance(event, Failed):
            return event
    return Failed(job, "it was stopped", "", "error")
