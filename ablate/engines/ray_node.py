"""What Ray runs on a node: one job at a time, and how it speaks with whoever sent it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import ModuleType
from typing import Any

from ablate.engines.errand import Errand, News, Parcel
from ablate.engines.host import run_errand
from ablate.engines.ray_cluster import TIDYING, import_ray


class Bell:
    """Says whether the run wants its jobs to end; lives beside whoever started them."""

    def __init__(self) -> None:
        self.rung = False

    def ring(self) -> None:
        """They should end."""
        self.rung = True

    def heard(self) -> bool:
        """Whether they should."""
        return self.rung


def errand_on_node(errand: Errand, contents: Mapping[str, Any], bell: Any) -> Iterator[News]:
    """What Ray runs on a node: one job, with what comes from the store and the GPUs it was given.

    Args:
        errand: The job.
        contents: References to what it reads, by the name of the parcel.
        bell: Asked whether to end; gone with whoever started the job.
    """
    ray = import_ray()
    devices = ",".join(str(number) for number in ray.get_gpu_ids())
    if devices:
        errand = replace(errand, job=replace(errand.job, devices=devices))
    line = _Line(ray, contents, bell)
    try:
        yield from run_errand(errand, line.fetch, line.stop)
    finally:
        line.close()


class _Line:
    """To whoever sent a job, from a thread of its own.

    A task that waits in its main thread lends its processor to others meanwhile, and more trials
    than processors would run.
    """

    def __init__(self, ray: ModuleType, contents: Mapping[str, Any], bell: Any) -> None:
        self.ray, self.contents, self.bell = ray, contents, bell
        self.thread = ThreadPoolExecutor(1)
        self.asked: Future[bool] | None = None

    def fetch(self, parcel: Parcel) -> memoryview:
        """The contents of a file."""
        return memoryview(self.thread.submit(self.ray.get, self.contents[parcel.name]).result())

    def stop(self) -> bool:
        """Whether to end, as far as it is known; does not wait for an answer."""
        self.asked = self.asked or self.thread.submit(self._heard)
        if not self.asked.done():
            return False
        answer, self.asked = self.asked.result(), None
        return answer

    def close(self) -> None:
        """No more is asked."""
        self.thread.shutdown(wait=False, cancel_futures=True)

    def _heard(self) -> bool:
        try:
            return bool(self.ray.get(self.bell.heard.remote(), timeout=TIDYING))
        except self.ray.exceptions.GetTimeoutError:  # busy: it will say so later
            return False
        except self.ray.exceptions.RayError:
            return True
