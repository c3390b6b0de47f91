"""A run does not go on where its finished trials would be made of, or by, other source now."""

from __future__ import annotations

import importlib
import json
import re
import sqlite3
from pathlib import Path

import pytest

import ablate
from ablate.events import Warned
from ablate.folder import RunError, RunFolder
from ablate.identity.sources import Sources
from ablate.metrics import metrics
from ablate.runs.failures import StudyStopped
from blocks import blocks
from reports.record import Record
from tests.small_runs import TEXT, failed, start

PLUGIN = '''
from torch import nn

from blocks import register


@register(family="none", source="a test")
class Differs(nn.Module):
    """Gives back what it is given."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x):
        return x
'''

METRIC = """
from ablate.metrics import metrics


@metrics.register(unit="dB", better="higher", method="own")
def METRIC_NAME(restored, clean):
    return 1.0
"""


def test_a_metric_that_is_brought_later_is_refused_before_anything_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    start(tmp_path)
    monkeypatch.setattr(metrics, "_entries", dict(metrics._entries))  # the others do not have it
    plugin = tmp_path / "brought_later.py"
    plugin.write_text(METRIC.replace("METRIC_NAME", "brought_later"))
    plugins = ablate.load_plugins([str(plugin)])
    with pytest.raises(RunError) as error:
        start(tmp_path, plugins=plugins)
    expected = r"may not change: source of brought_later.py: not given -> \w{16}\); its numbers"
    assert re.search(expected, str(error.value))
    assert str(error.value).endswith(": ablate run ... --new-run")
    beside = start(tmp_path, plugins=plugins, new_run=True)
    assert (beside.place.path.name, beside.trained) == ("run-2", 4)


def test_a_finished_trial_with_another_key_is_in_the_way_of_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = start(tmp_path).place
    with sqlite3.connect(place.record) as connection:
        connection.execute("DELETE FROM trial_facts WHERE name = 'code'")  # the gate sees nothing
    connection.close()
    monkeypatch.setattr(Sources, "code_digest", lambda sources, mix: "0123")
    with pytest.raises(RunError) as error:
        start(tmp_path, end=pytest.fail)
    assert str(error.value).startswith(
        f"{place.path}: 'identity' with seed 0 is finished, made with something else (what is "
    )
    assert str(error.value).endswith(": ablate run ... --new-run, or --out FOLDER")


def test_source_of_a_run_whose_trials_were_all_taken_over_may_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    plugin = tmp_path / "taken.py"
    plugin.write_text(PLUGIN)
    plugins = ablate.load_plugins([str(plugin)])
    text = TEXT.replace("nafblock", "taken")
    start(tmp_path, text, name="first", plugins=plugins)
    assert start(tmp_path, text, plugins=plugins).trained == 0
    with Record.open(tmp_path / "run" / "record.sqlite") as record:
        assert {"taken.py", "blocks/identity.py"} <= set(json.loads(record.facts()["sources"]))
    plugin.write_text(PLUGIN.replace("return x", "return x * 2"))
    with pytest.raises(RunError, match=r"may not change: source of taken.py: \w+ -> another ver"):
        start(tmp_path, text, end=pytest.fail, plugins=plugins)


def test_a_run_with_an_installed_plugin_goes_on_until_what_it_imports_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    package = tmp_path / "brought_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "ops.py").write_text("two = 2\n")
    (package / "brought.py").write_text(f"from brought_package.ops import two\n{PLUGIN}")
    importlib.invalidate_caches()
    importlib.import_module("brought_package.brought")
    text = TEXT.replace("nafblock", "brought")
    assert start(tmp_path, text).trained == 4
    assert start(tmp_path, text).trained == 0
    (package / "ops.py").write_text("two = 3\n")
    expected = r"may not change: source of brought_package/ops.py: \w+ -> another version\);"
    with pytest.raises(RunError, match=expected):
        start(tmp_path, text)


def test_another_code_that_trains_is_refused_and_begins_beside(tmp_path: Path):
    place = start(tmp_path).place
    with place.open(writable=True) as record:
        assert record.facts()["training_code"] == "0123456789abcdef"
        record.set_fact("training_code", "fedcba9876543210")
    with pytest.raises(RunError) as error:
        start(tmp_path)
    assert (
        "may not change: the code that trains: fedcba9876543210 -> 0123456789abcdef); its numbers"
    ) in str(error.value)
    assert str(error.value).endswith(": ablate run ... --new-run")
    assert start(tmp_path, new_run=True).place.path.name == "run-2"


def test_code_that_trains_may_be_mended_while_no_trial_came_to_a_result(tmp_path: Path):
    with pytest.raises(StudyStopped):
        start(tmp_path, end=lambda job: failed(job, "error"))
    place = RunFolder(tmp_path / "run")
    with place.open(writable=True) as record:
        record.set_fact("training_code", "fedcba9876543210")
    again = start(tmp_path)
    assert again.trained == 4
    assert not [event for event in again.heard if isinstance(event, Warned)]
    with place.open() as record:
        assert record.facts()["training_code"] == "0123456789abcdef"


@pytest.mark.parametrize(
    ("done_so", "said"),
    [
        ("SELECT 1", ""),
        ("UPDATE trial_facts SET value = 'fedc' WHERE name = 'training_code'", "fedc"),
        ("DELETE FROM trial_facts WHERE name = 'training_code'", "unknown"),
    ],
)
def test_a_run_from_before_the_code_that_trains_was_kept_goes_on_with_a_warning(
    tmp_path: Path, done_so: str, said: str
):
    place = start(tmp_path).place
    with sqlite3.connect(place.record) as connection:
        connection.execute("DELETE FROM facts WHERE name = 'training_code'")
        connection.execute(done_so)
    connection.close()
    more = TEXT.replace("seeds = 2", "seeds = 3")
    again = start(tmp_path, more)
    assert again.trained == 2
    warning = Warned(
        f"trials of this run were trained by other code ({said}) than it goes on with "
        "(0123456789abcdef)"
    )
    assert (warning in again.heard) == bool(said)
    with place.open() as record:
        assert record.facts()["training_code"] == "0123456789abcdef"
        assert (warning.text in set(record.notes()["text"])) == bool(said)
    assert warning not in start(tmp_path, more).heard
