"""A changed study is told key by key, with what of it may change."""

from __future__ import annotations

import json
import re
import sqlite3
import tomllib
from pathlib import Path

import pytest

import ablate
from ablate.engines.job import Event, Job
from ablate.events import Warned
from ablate.folder import RunError
from ablate.runs.differing import Change, change_words, changes, steering_changes
from ablate.study import load_study
from tests.small_runs import TEXT, done, failed, start, write_study


def test_changed_added_and_removed_keys_are_found_by_their_place():
    now = (
        TEXT.replace("steps = 2", "steps = 3")
        .replace("crops = 1\n", "")
        .replace('["identity", "nafblock"]', '["identity", "rdcnn"]\ndepth = 2')
    )
    assert changes(TEXT, now) == [
        Change("network.stage[1].block", "['identity', 'nafblock']", "['identity', 'rdcnn']"),
        Change("training.steps", "2", "3"),
        Change("evaluation.crops", "1", "not given"),
        Change("network.stage[1].depth", "not given", "2"),
    ]


def test_comments_and_the_way_a_study_is_written_are_no_change():
    assert changes(TEXT, f"# a remark\n{TEXT}") == []
    assert changes(TEXT, json.dumps(tomllib.loads(TEXT))) == []


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("training.seeds", True),
        ("training.timeout", True),
        ("report.objectives", True),
        ("search.stop.trials", True),
        ("question", True),
        ("training.steps", False),
        ("search.stopper", False),
        ("profile.rounds", False),
    ],
)
def test_what_no_number_depends_on_may_change(name: str, allowed: bool):
    assert Change(name, "1", "2").allowed is allowed


def test_words_give_what_may_not_change_first_and_end_after_a_few():
    found = [Change("training.seeds", "2", "3"), Change("training.steps", "2", "4")]
    expected = "may not change: training.steps: 2 -> 4; may change: training.seeds: 2 -> 3"
    assert change_words(found) == expected
    many = [Change(f"network.k{number}", "1", "2") for number in range(10)]
    assert change_words(many).endswith("network.k7: 1 -> 2, and 2 more")


LEARNING = ['strategy = "tpe"\nn = 2', "rungs = [1]"]  # what is tried next follows from results


@pytest.mark.parametrize("search", LEARNING)
def test_what_steers_a_search_that_learns_may_not_change(search: str):
    before = f"{TEXT}\n[search]\n{search}\n"
    now = before.replace("seeds = 2", "seeds = 3").replace("help?", "pay?")
    assert {change.name: change.allowed for change in changes(before, now)} == {
        "question": True,
        "training.seeds": False,
    }


@pytest.mark.parametrize("search", LEARNING)
@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("seeds = 2", "seeds = 3", "training.seeds: 2 -> 3"),
        ('["psnr"', '["ssim"', "report.objectives: ['psnr'] -> ['ssim']"),
    ],
)
def test_a_search_that_learns_refuses_what_would_lead_it_elsewhere(
    search: str, before: str, now: str, said: str, tmp_path: Path
):
    text = f'{TEXT}\n[search]\n{search}\n\n[report]\nobjectives = ["psnr"]\n'
    study = load_study(write_study(tmp_path, text.replace("help?", "pay?")))
    began = {"seeds": "2", "objectives": '["psnr"]'}
    assert steering_changes(began, study) == []
    assert steering_changes({}, study) == []  # facts that an older record does not have
    other = load_study(write_study(tmp_path, text.replace(before, now)))
    assert change_words(steering_changes(began, other)) == f"may not change: {said}"
    design = re.sub(r"\[search\]\n(.+\n)+", "", text)
    plain = load_study(write_study(tmp_path, design.replace(before, now)))
    assert steering_changes(began, plain) == []


def test_a_finished_search_is_not_led_on_by_another_number_of_seeds(tmp_path: Path):
    text = f"{TEXT}\n[search]\n{LEARNING[0]}\n"
    more = text.replace("seeds = 2", "seeds = 1")
    assert start(tmp_path, text).trained == 4
    with pytest.raises(RunError) as error:
        start(tmp_path, more)
    assert str(error.value) == (
        f"{tmp_path / 'run'}: this run began with something else (may not change: training.seeds: "
        "2 -> 1); its search would try other mixes than it has: put that back, or start beside "
        "it, where finished trials that fit are taken over: ablate run ... --new-run"
    )
    assert start(tmp_path, more, new_run=True).place.path.name == "run-2"
    assert start(tmp_path, text).trained == 0


def test_a_run_that_cannot_go_on_says_what_changed(tmp_path: Path):
    start(tmp_path)
    other = TEXT.replace("steps = 2", "steps = 3").replace("seeds = 2", "seeds = 3")
    with pytest.raises(RunError) as error:
        start(tmp_path, other)
    assert str(error.value) == (
        f"{tmp_path / 'run'}: this run began with something else (may not change: "
        "training.steps: 2 -> 3; may change: training.seeds: 2 -> 3); its numbers would not mix "
        "with new ones: put that back, or start beside it, where finished trials that fit are "
        "taken over: ablate run ... --new-run"
    )


def test_a_new_run_starts_beside_the_old_one_and_the_same_command_goes_on_there(tmp_path: Path):
    start(tmp_path)
    other = TEXT.replace('["identity", "nafblock"]', '["identity", "rdcnn"]')
    beside = start(tmp_path, other, new_run=True)
    assert beside.place.path == tmp_path / "run-2"
    assert beside.trained == 2  # identity was finished in the old one
    assert start(tmp_path, other, new_run=True).place.path == tmp_path / "run-2"
    third = start(tmp_path, TEXT.replace("steps = 2", "steps = 3"), new_run=True)
    assert third.place.path == tmp_path / "run-3"
    assert start(tmp_path, new_run=True).place.path == tmp_path / "run"


def test_the_study_that_a_run_was_last_given_is_kept(tmp_path: Path):
    start(tmp_path)
    place = start(tmp_path, TEXT.replace("seeds = 2", "seeds = 3").replace("help?", "pay?")).place
    with place.open() as record:
        kept = record.facts()
    assert (kept["seeds"], kept["question"]) == ("3", "Does a block pay?")
    assert "seeds = 3" in kept["study_text"]


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


def test_changed_source_of_what_is_finished_is_refused_and_that_of_what_is_not_is_taken_up(
    tmp_path: Path,
):
    plugin = tmp_path / "differs.py"
    plugin.write_text(PLUGIN)
    plugins = ablate.load_plugins([str(plugin)])
    text = TEXT.replace("nafblock", "differs")

    def end(job: Job) -> Event:
        return failed(job, "error") if "differs" in job.payload.mix else done(job)

    assert start(tmp_path, text, end, plugins=plugins).trained == 4
    plugin.write_text(PLUGIN.replace("return x", "return x * 2"))  # mended: no result hangs on it
    again = start(tmp_path, text, plugins=plugins)
    assert again.trained == 2
    with again.place.open() as record:
        assert record.trials()["status"].tolist() == ["done"] * 4
    plugin.write_text(f"# a remark\n{plugin.read_text()}")
    assert start(tmp_path, text, plugins=plugins).trained == 0
    plugin.write_text(PLUGIN)
    with pytest.raises(RunError, match=r"may not change: source of differs.py: \w+ -> another ver"):
        start(tmp_path, text, plugins=plugins)
    beside = start(tmp_path, text, plugins=plugins, new_run=True)
    assert (beside.place.path.name, beside.trained) == ("run-2", 2)


def test_a_run_from_before_sources_were_kept_goes_on_with_its_keys(tmp_path: Path):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ablate.runs.opening.SOURCES", "other")  # as if that fact did not exist
        patched.setattr("ablate.runs.running.SOURCES", "nowhere")
        old = start(tmp_path).place
    with sqlite3.connect(old.record) as connection:
        connection.execute("DELETE FROM facts WHERE name IN ('other', 'sources')")
    connection.close()
    assert start(tmp_path).trained == 0


def test_another_latency_model_is_another_run(tmp_path: Path):
    place = start(tmp_path).place
    with place.open(writable=True) as record:
        record.set_fact("latency_models", '{"latency-model-16x16.json": "0123"}')
    expected = r'may not change: latency models: \{"latency-model-16x16.json": "0123"\} -> \{\}'
    with pytest.raises(RunError, match=expected):
        start(tmp_path)


def test_other_images_are_told_by_their_digest(tmp_path: Path):
    place = start(tmp_path).place
    with place.open(writable=True) as record:
        record.set_fact("data_digest", "0123456789abcdef0123456789abcdef")
    with pytest.raises(RunError, match=r"may not change: images: 01234567... -> [0-9a-f]{8}..."):
        start(tmp_path)


def test_a_version_that_reads_the_same_text_otherwise_is_told(tmp_path: Path):
    place = start(tmp_path).place
    with place.open(writable=True) as record:
        record.set_fact("study_fingerprint", "0123")
    with pytest.raises(RunError, match=r"may not change: how ablate reads the study, commit: "):
        start(tmp_path)


def test_a_run_can_go_on_on_another_device_which_is_said_and_costs_are_found_there(tmp_path: Path):
    place = start(tmp_path).place
    with place.open(writable=True) as record:
        record.set_fact("device", "cuda")
        before = record.measurements()
    with sqlite3.connect(place.record) as connection:
        connection.execute("UPDATE kinds SET device = 'cuda' WHERE device = 'cpu'")
    connection.close()
    again = start(tmp_path)
    assert again.trained == 0
    said = "the run began with device cuda and went on with cpu"
    assert Warned(said) in again.heard
    with place.open() as record:
        measured = record.measurements()
        assert said in set(record.notes()["text"])
    memory = measured[measured["metric"] == "peak_memory"]
    found = memory.groupby("device")["subject"].agg(set)
    assert (
        found["cpu"] == found["cuda"] == set(before[before["metric"] == "peak_memory"]["subject"])
    )
    assert not any("device" in text for text in map(str, start(tmp_path).heard) if "Warned" in text)
