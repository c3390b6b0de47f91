"""The same jobs on a Ray cluster: two nodes on this machine, of which one is killed."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate.engines import EngineError, engine, ray_cluster
from ablate.engines.job import Done, Event, Failed, Interrupted, Job, Message
from ablate.engines.local import LocalEngine
from ablate.engines.ray_cluster import LOOPBACK
from ablate.engines.ray_course import Course, _Sent
from ablate.study import load_study
from ablate.tasks.dataset import Dataset, Photo
from ablate.trials.job import TrialJob

ROOT = Path(__file__).parents[1]
INSTALLED = importlib.util.find_spec("ray") is not None
with_ray = pytest.mark.skipif(not INSTALLED, reason="ray is not installed")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Tell who began, and wait for a file."""

    log: str
    go: str


def wait_for(payload: Waiting, report: Callable[[object], None]) -> str:
    with Path(payload.log).open("a") as log:
        log.write(f"{os.getpid()}\n")
    while not Path(payload.go).exists():
        report(os.getpid())
        time.sleep(0.05)
    return "done"


def waiting(folder: Path, name: str) -> Job:
    payload = Waiting(log=str(folder / f"{name}.log"), go=str(folder / "go"))
    return Job(name=name, function=f"{__name__}:wait_for", payload=payload)


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each, on loopback; the second one's death is the last test."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv(LOOPBACK, "0")  # nothing of this can be reached from elsewhere
        patched.setenv("PYTHONPATH", str(ROOT))
        from ray.cluster_utils import Cluster

        here = {"num_cpus": 1, "object_store_memory": 80 << 20}
        made = Cluster(initialize_head=True, head_node_args={**here, "include_dashboard": False})
        made.add_node(**here)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def on_ray(cluster: Any, told: list[str]) -> Iterator[Any]:
    made = engine("ray", address=cluster.address, tell=told.append)
    made.cluster.marks = {}  # whoever edits a file while tests run shall not stop them
    yield made
    made.close()


def trial_job(folder: Path, name: str) -> Job:
    settings = {
        "question": "?",
        "task": {"degradation": "gaussian_noise"},
        "network": {"width": 4, "stage": [{"block": "nafblock"}]},
        "training": {"steps": 2, "batch": 2, "crop": 16, "validate": 1},
        "evaluation": {"crop": 32, "crops": 2},
    }
    study = load_study(settings)
    payload = TrialJob(
        key="one",
        mix=study.mix(()).to_json(),
        seed=1,
        evaluation=study.evaluation,
        data=str(folder / "data.npy"),
        checkpoint=str(folder / name / "weights.pt"),
        device="cpu",
        pictures=True,
        state=str(folder / name / "state.pt"),
    )
    return Job(name=name, function="ablate.trials.trial:run_trial", payload=payload)


@with_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_trial_comes_to_the_same_bytes_as_on_this_machine_alone(on_ray: Any, tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    Dataset.of([Photo("a", pixels[0])], [Photo("b", pixels[1])]).save(tmp_path / "data.npy")
    ends: dict[str, Event] = {}
    for name, runs in (("ray", on_ray), ("local", LocalEngine(warm=False))):
        *_, ends[name] = runs([trial_job(tmp_path, name)], 1)
        runs.close() if name == "local" else None
    there, here = ends["ray"], ends["local"]
    assert isinstance(there, Done), there
    assert isinstance(here, Done), here
    assert replace(there.result, seconds=0.0) == replace(here.result, seconds=0.0)
    left = {name: list((tmp_path / name).iterdir()) for name in ends}
    assert [path.name for path in left["ray"]] == ["weights.pt"]
    assert left["ray"][0].read_bytes() == left["local"][0].read_bytes()


@with_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_jobs_end_when_the_run_wants_that_and_those_that_wait_do_not_begin(
    on_ray: Any, tmp_path: Path
):
    asked: list[bool] = []
    jobs = [waiting(tmp_path, name) for name in "abc"]
    events: list[Event] = []
    for event in on_ray(jobs, 3, stop=lambda: bool(asked)):
        events.append(event)
        if len({e.job.name for e in events if isinstance(e, Message)}) == 2:
            asked.append(True)  # both processors are taken: the third job waits for one
    ends = [e for e in events if not isinstance(e, Message)]
    assert [type(e) for e in ends] == [Interrupted, Interrupted]
    assert len({e.job.name for e in ends}) == 2
    assert len(list(tmp_path.glob("*.log"))) == 2


@with_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_job_on_a_node_that_dies_is_done_on_another(
    cluster: Any, on_ray: Any, told: list[str], tmp_path: Path
):
    begun: dict[str, int] = {}
    results: dict[str, object] = {}
    for event in on_ray([waiting(tmp_path, name) for name in "ab"], 2):
        if isinstance(event, Message):
            begun[event.job.name] = int(str(event.content))
            if len(begun) == 2 and cluster.worker_nodes:
                cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
            if told:  # else a job could be done before its host is missed
                (tmp_path / "go").touch()
        else:
            assert isinstance(event, Done), event
            results[event.job.name] = event.result
    assert results == {"a": "done", "b": "done"}
    starts = [line for log in tmp_path.glob("*.log") for line in log.read_text().split()]
    assert len(starts) >= 3
    assert len(told) == len(starts) - 2
    assert re.fullmatch(r"host \S+ was lost; its job [ab] starts anew", told[0])
    assert all(gone(int(pid)) for pid in starts)


def course(again: int = 1, deadline: float = 0.0) -> Course:
    """A course without a cluster, to be told of what went wrong."""
    told: list[str] = []
    made = Course.__new__(Course)
    made.again, made.deadline, made.tell = again, deadline, told.append
    made.ray, made.anew = FakeRay(), deque()
    return made


class Lost(Exception):
    """Of a node."""


class Nearly(Exception):
    """Full, of a memory."""


class Told(Exception):
    """By the code on a node."""


class FakeRay:
    class exceptions:
        OutOfMemoryError = Nearly
        RayTaskError = Told
        RuntimeEnvSetupError = Told


def test_what_ray_cannot_say_is_a_failure_of_a_kind(tmp_path: Path):
    sent = _Sent(waiting(tmp_path, "a"), host="n1")
    end = course()._broken(sent, Nearly("95 % of 8 GB"))
    assert isinstance(end, Failed)
    assert (end.kind, end.evidence) == ("out of memory", "95 % of 8 GB")
    assert end.reason == "host n1: Ray ended the job because the memory was nearly full"
    assert end.seconds == 0.0  # it had not said that it began
    end = course()._broken(sent, Told("Traceback ...\nModuleNotFoundError: No module 'ablate'\n"))
    assert isinstance(end, Failed)
    assert (end.kind, end.reason) == ("environment", "ModuleNotFoundError: No module 'ablate'")


def test_a_job_that_is_lost_too_often_has_failed(tmp_path: Path):
    began = time.monotonic() - 7
    runs, sent = course(again=1), _Sent(waiting(tmp_path, "a"), host="n1", began=began)
    assert runs._broken(sent, Lost()) is None
    (once_more,) = runs.anew
    assert once_more == _Sent(sent.job, lost=1, before=once_more.before)
    end = runs._broken(once_more, Lost())
    assert isinstance(end, Failed)
    assert end.kind == "lost"
    assert end.reason == "lost with its host (2 times in all; last: a host)"
    assert 7 <= end.seconds < 60


def test_a_job_that_is_lost_while_the_run_ends_was_interrupted_if_it_had_begun(tmp_path: Path):
    begun = _Sent(waiting(tmp_path, "a"), host="n1")
    assert course(deadline=1.0)._broken(begun, Lost()) == Interrupted(begun.job)
    assert course(deadline=1.0)._broken(_Sent(begun.job), Lost()) is None


def test_without_ray_the_engine_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError) as error:
        engine("ray")
    assert str(error.value) == (
        "engine: ray cannot be loaded (import of ray halted; None in sys.modules); add it: "
        "pip install 'ablate-restoration[ray]', or run here: --engine local"
    )


def test_nothing_but_its_engine_imports_ray():
    imports = re.compile(r'^\s*(import|from) ray\b|import_module\("ray', re.MULTILINE)
    files = (file for package in ("ablate", "reports") for file in (ROOT / package).rglob("*.py"))
    found = {
        file.relative_to(ROOT).as_posix() for file in files if imports.search(file.read_text())
    }
    assert found == {"ablate/engines/ray_cluster.py"}


def test_a_cluster_that_does_not_answer_is_said_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EngineError) as error:
            ray_cluster._require_answer(address)
    assert str(error.value) == (
        f"engine: no cluster answers at {address} (Connection refused); "
        "to start one: ray start --head"
    )


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "10.0.0.1", "host:", ":6379"])
def test_what_is_no_address_is_said(address: str):
    with pytest.raises(EngineError) as error:
        ray_cluster._require_answer(address)
    assert str(error.value) == f"--address: expected HOST:PORT or auto; got '{address}'"
