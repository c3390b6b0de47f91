"""What holds for every test: one thread, the longest files first; and what many tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.warm_forks import WarmForks

# Before torch is imported; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["tests.browser"]  # `browser` and `visit`, for whoever asks for them

Outcome = tuple[int, str, str]  # exit code, what was said, what was said of errors
Cli = Callable[..., Outcome]

LONGEST = (
    "test_chaos",
    "test_running",
    "test_run_states",
    "test_profile_command",
    "test_scan_triton",
    "test_report",
    "test_scan",
    "test_blocks",
    "test_systems",
    "test_systems_groups",
    "test_golden_counts",
    "test_shipped_studies",
    "test_cli",
    "test_footing",
    "test_super_resolution",
    "test_latency",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the files that take longest first, so that no worker is left with one in the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


PLUGINS = "ablate_plugins."  # modules of plug-ins are called so


@pytest.fixture(scope="module", autouse=True)
def plugins_stay_in_their_file() -> Iterator[None]:
    """What the plug-ins of a file registered is there for no other file, whatever their order."""
    yield
    loaded = [name for name in sys.modules if name.startswith(PLUGINS)]
    if not loaded:
        return
    from ablate.metrics import metrics
    from ablate.searches import strategies
    from ablate.tasks.data import sources
    from ablate.tasks.degradations import degradations
    from ablate.topologies import topologies
    from ablate.training.losses import losses
    from blocks import blocks

    for registry in (blocks, degradations, losses, metrics, sources, strategies, topologies):
        for name in list(registry):
            if registry[name].make.__module__.startswith(PLUGINS):
                del registry._entries[name]
    for name in loaded:
        del sys.modules[name]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, in this process."""
    from ablate.cli import main

    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return int(str(ended.value.code)), output.out, output.err

    return call


@pytest.fixture(scope="session")
def warm_forks() -> Iterator[WarmForks]:
    """Forks in place of new interpreters, where a fixture asks for them."""
    from tests.warm_forks import WarmForks

    with closing(WarmForks()) as forks:
        yield forks


@pytest.fixture
def forks(warm_forks: WarmForks) -> Iterator[None]:
    """Forks in place of new interpreters, in one test."""
    with warm_forks.instead():
        yield


@pytest.fixture
def brief_runs(warm_forks: WarmForks) -> Iterator[None]:
    """In one test, runs without new interpreters, forecasts of memory and drawn reports."""
    with warm_forks.brief():
        yield
