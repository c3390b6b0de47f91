"""The tutorial's commands do what it says, with its study made small."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ablate.study import load_study
from tests.conftest import Cli

TUTORIAL = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
SMALLER = (
    ("width = 16", "width = 4"),
    ('["nafblock", "rdcnn"]', '["nafblock"]'),
    ('["nafblock", "emvm", "mwsa"]', '["nafblock", "rdcnn", "plain_block"]'),
    ("seeds = 3", "seeds = 2"),
    ("steps = 100", "steps = 2"),
    ("batch = 8", "batch = 1"),
    ("crop = 32", "crop = 16"),
    ("crop = 128", "crop = 16"),
    ("crops = 12", "crops = 3"),
    ("size = [96, 96]", "size = [16, 16]"),
    ("rounds = 10", "rounds = 2"),
)


def fences(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL, flags=re.DOTALL)


@pytest.mark.usefixtures("forks")
def test_the_tutorial_goes_from_a_question_to_a_paper_that_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = fences("toml")
    for old, new in SMALLER:
        assert old in text, old
        text = text.replace(old, new)
    Path("attention.toml").write_text(text)
    for command in fences("sh"):
        assert command.count("\n") == 1
        program, *arguments = command.split()
        assert program == "ablate"
        code, out, err = cli(*arguments)
        assert code == 0, (command, out, err)
    assert Path("runs/attention/report.html").stat().st_size > 10_000
    written = {path.suffix for path in Path("paper").rglob("*")}
    assert {".tex", ".pdf", ".svg", ".bib"} <= written


def test_the_tutorials_study_has_as_many_mixes_as_it_says() -> None:
    (text,) = fences("toml")
    assert "six mixes; three seeds make eighteen trainings" in " ".join(TUTORIAL.split())
    study = load_study({"name": "attention", **tomllib.loads(text)})
    assert (study.size, study.seeds) == (6, 3)
