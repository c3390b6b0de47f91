"""`ablate latency-model`, and what plans and runs make of the model."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.cli import main
from ablate.folder import RunError
from ablate.study import Study, load_study
from ablate.study.loading import load_study_to_time

STUDY = """
question = "Which fits?"
[task]
degradation = "gaussian_noise"
[network]
width = 8
[[network.stage]]
block = ["rdcnn", "lama", "identity"]
[[network.stage]]
block = ["rdcnn", "identity"]
[training]
steps = 2
batch = 1
crop = 16
seeds = 1
[evaluation]
crop = 32
crops = 1
[search]
constraints = ["latency <= 1 s", "params <= 4 K"]
[profile]
size = [16, 16]
rounds = 2
processes = 1
"""

pytestmark = pytest.mark.usefixtures("forks")


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bounded.toml").write_text(STUDY)
    return tmp_path


def test_a_model_is_made_saved_and_used(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("plan", "bounded.toml") == 2
    assert capsys.readouterr().err.endswith("ablate latency-model bounded.toml --device cpu\n")
    assert call("latency-model", "bounded.toml", "--device", "cpu", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["saved"] == "runs/bounded/latency-model-16x16.json"
    assert (place / told["saved"]).exists()
    assert (told["parts"], told["by"], told["range"]["priced"]) == (10, "stage", 6)
    assert {whole["role"] for whole in told["wholes"]} == {"fitted", "unseen"}
    assert call("plan", "bounded.toml", "--json") == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["constraints"].startswith("3 of 6 points keep to latency <= 1 s and params")
    assert (planned["total"], planned["size"]) == (3, 6)
    assert all(mix["latency"] > 0 and mix["params"] <= 4000 for mix in planned["mixes"])


def test_the_account_names_what_was_measured_and_how_well_it_predicts(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("latency-model", "bounded.toml", "--rounds", "1", "--out", "there") == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"10 parts and 6 whole networks are timed together, in about \d+ s", lines[0]
    )
    assert "latency model of bounded at 16x16: 10 stages by themselves, 1 base and 6 whole " in (
        "\n".join(lines)
    )
    assert any(line.startswith("on 3 networks that it had not seen: MAPE ") for line in lines)
    assert any(line.startswith("prices 6 of 6 points: ") for line in lines)
    assert lines[-1] == "saved: there/latency-model-16x16.json"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--size", "64"), "--size: expected height and width, as in 256 256; got 64"),
        (("--size", "64", "8"), "--size: expected a whole number from 16; got '8'"),
        (("--fit", "1", "--check", "1"), "2 different networks are too few to fit a model to"),
        (("--rounds", "0"), "--rounds: expected a whole number from 1; got '0'"),
        (("--fit", "some"), "--fit: expected a whole number from 1; got 'some'"),
        (("--width", "8", "0"), "--width: expected a whole number from 1; got '0'"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], reason: str
) -> None:
    assert call("latency-model", "bounded.toml", "--device", "cpu", *options) == 2
    found = capsys.readouterr()
    assert reason in found.err and found.err.count("\n") == 1
    assert found.out == ""  # nothing was begun


def test_a_study_of_equal_latency_is_checked_before_it_is_measured(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = 'width = 8\nequal = "latency"\nequal_by = "height"'
    (place / "level.toml").write_text(STUDY.replace("width = 8", asked))
    assert call("latency-model", "level.toml", "--device", "cpu") == 2
    assert capsys.readouterr().err == (
        "level.toml:8: network: equal_by must be one of 'width', 'depth', 'depth_and_width'; "
        "got 'height'\n"
    )


def test_the_command_that_makes_a_model_can_be_typed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "my own.toml").write_text('name = "another"\n' + STUDY)
    assert call("plan", "my own.toml", "--device", "cpu") == 2
    said = capsys.readouterr().err
    assert said.endswith("ablate latency-model 'my own.toml' --device cpu\n")


def test_a_study_of_equal_latency_is_timed_as_it_is_written(place: Path) -> None:
    asked = 'width = 8\nequal = "latency"\nequal_by = "depth"\nequal_model = "not_yet.json"'
    (place / "level.toml").write_text(STUDY.replace("width = 8", asked))
    level, plain = load_study_to_time("level.toml"), load_study("bounded.toml")
    assert level.footing is not None and level.footing.equal_by == "depth"
    assert replace(level, footing=None).mix((1, 0)) == plain.mix((1, 0))
    assert load_study_to_time("bounded.toml") == plain


def test_a_plan_looks_for_the_model_where_the_run_will_lie(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[object]()

    def look(study: Study, folders: object, *rest: object) -> None:
        asked.append(folders)
        raise RunError("enough is known")

    monkeypatch.setattr("ablate.planning.command.limits", look)
    assert call("plan", "bounded.toml", "--device", "cpu", "--out", "there") == 2
    assert asked == [(Path("there"), Path("runs/bounded"))]
