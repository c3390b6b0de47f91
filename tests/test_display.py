"""What a notebook shows of a study, a mix and a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import ablate
from reports.display import mix_html, run_html, study_html
from reports.record import Record
from tests.simulated_run import simulate

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "record.sqlite"
    return simulate(path, {"stage1": 2, "stage2": 3}, pictures=False)


def test_a_study_shows_its_question_and_what_it_varies():
    study = ablate.load_study("quickstart")
    shown = study._repr_html_()
    for axis in study.axes:
        assert f"<td>{axis.name}</td>" in shown
    assert f"mixes: {study.size}" in shown
    assert "objectives: psnr, latency" in shown


def test_a_mix_shows_its_stages():
    study = ablate.load_study("quickstart")
    mix = study.mix(study.at(0))
    shown = mix._repr_html_()
    assert mix.key in shown
    for stage in mix.network.stages:
        assert f"<tr><td>{stage.slot}</td>" in shown
    assert f"{mix.training.steps} steps of {mix.training.batch} crops" in shown


def test_blocks_that_follow_each_other_are_counted():
    block = {"name": "rdcnn", "knobs": [["grow", True], ["of", [{"name": "a", "knobs": []}]]]}
    other = {"name": "mwsa", "knobs": []}
    spec = {
        "task": {"data": {"name": "photos"}, "degradation": other},
        "network": {"topology": other, "stages": [{"slot": "s", "blocks": [block, block, other]}]},
        "training": {"steps": 1, "batch": 2, "crop": 3},
    }
    assert "<td>rdcnn (grow True, of [a]) ×2, mwsa</td>" in mix_html("k", spec)


def test_a_run_shows_the_answer_and_the_front(record: Path):
    shown = run_html(record)
    assert "has the best mean PSNR of 6 mixes" in shown
    assert "<th>PSNR, dB</th><th>Latency, ms</th>" in shown
    assert "<td>A</td>" in shown


def test_a_run_from_python_shows_itself_and_its_figure(record: Path):
    run = ablate.Run(record.parent)
    assert run._repr_html_() == run_html(record)
    figure = run.figure()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.figure.axes[0].get_ylabel() == "PSNR, dB"


def test_names_are_text(tmp_path: Path):
    assert EVIL not in study_html(EVIL, EVIL, {EVIL: [EVIL]}, {EVIL: EVIL})
    Record.create(tmp_path / "r", EVIL, "", EVIL, {}, ()).close()
    assert EVIL not in run_html(tmp_path / "r")


def test_of_many_rows_the_first_are_shown():
    shown = study_html("s", "", {f"axis {at}": ["a", "b"] for at in range(20)}, {})
    assert shown.count("<tr>") == 13
    assert "and 8 more" in shown
