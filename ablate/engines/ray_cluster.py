"""A Ray cluster as an engine needs it: joined or started, with a store for files, tidied up.

This is the only place where Ray is imported, and only once an engine is made.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ablate.engines.engine import EngineError
from ablate.engines.errand import Parcel, marks
from ablate.engines.host import clean

TIDYING = 5.0  # seconds that hosts have to answer a question, or to remove what a run left there
REACHING = 5.0  # seconds in which a cluster must answer
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Where this is 0 as Ray is imported, it listens on loopback only; else on all interfaces."""


class Cluster:
    """The cluster that this process belongs to.

    Args:
        address: As `ray start` printed it; "auto" for the cluster that this machine belongs to;
            empty to start Ray on this machine alone, until `close`.

    Raises:
        EngineError: Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(self, address: str) -> None:
        if not address:
            os.environ.setdefault(LOOPBACK, "0")
        self.ray = import_ray()
        self.own = not self.ray.is_initialized()
        if self.own:
            _connect(self.ray, address)
        self.run = f"run-{uuid.uuid4().hex[:12]}"
        self.marks = marks()
        self._stored: dict[str, Any] = {}

    def resources(self) -> Mapping[str, float]:
        """What the hosts have together: CPU, GPU."""
        there: Mapping[str, float] = self.ray.cluster_resources()
        return there

    def store(self, parcel: Parcel) -> Any:
        """A reference to the contents of a file, which are put into Ray's store once."""
        if parcel.name not in self._stored:
            self._stored[parcel.name] = self.ray.put(np.fromfile(parcel.path, dtype=np.uint8))
        return self._stored[parcel.name]

    def only(self, node: str = "") -> Any:
        """Ray's word for one node: by its identity, or the one that this process is on."""
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        node = node or self.ray.get_runtime_context().get_node_id()
        return strategies.NodeAffinitySchedulingStrategy(node, soft=False)

    def close(self) -> None:
        """Remove what the run left on the hosts, and end Ray where it was started for us."""
        if not self.ray.is_initialized():
            return
        with contextlib.suppress(self.ray.exceptions.RayError):
            self._tidy()
        self._stored.clear()
        if self.own:
            self.ray.shutdown()

    def _tidy(self) -> None:
        task = self.ray.remote(num_cpus=0, max_retries=0)(clean)
        hosts = [self.only(node["NodeID"]) for node in self.ray.nodes() if node["Alive"]]
        tasks = [task.options(scheduling_strategy=host).remote(self.run) for host in hosts]
        self.ray.wait(tasks, num_returns=len(tasks), timeout=TIDYING)


def import_ray() -> ModuleType:
    """Ray, which tells nobody that it is used.

    Raises:
        EngineError: It is not installed, or not whole.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise EngineError(
            f"engine: ray cannot be loaded ({error}); add it: "
            "pip install 'ablate-restoration[ray]', or run here: --engine local"
        ) from error


def _connect(ray: ModuleType, address: str) -> None:
    """Join a cluster, or start Ray here and for this machine only."""
    if address not in ("", "auto"):
        _require_answer(address)
    alone = {} if address else {"include_dashboard": False}
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with _signals_kept():
            ray.init(address=address or "local", **quiet, **alone)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        where = f"no cluster answers at {address}" if address else "Ray does not start here"
        raise EngineError(f"engine: {where} ({said}); to start one: ray start --head") from error


def _require_answer(address: str) -> None:
    """See that somebody answers there: Ray itself tries for minutes.

    Raises:
        EngineError: The address is none, or nobody answers.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise EngineError(f"--address: expected HOST:PORT or auto; got '{address}'")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHING).close()
    except OSError as error:
        raise EngineError(
            f"engine: no cluster answers at {address} ({error.strerror or error}); "
            "to start one: ray start --head"
        ) from error


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray sets handlers of its own, and a run has its own way to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
