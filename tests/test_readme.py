"""What README shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ablate
import blocks
from ablate.cli import main
from ablate.study import load_study, shipped_studies
from tests.test_running import TINY

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def fences(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_study_in_the_readme_loads(tmp_path: Path):
    (text,) = fences("toml")
    path = tmp_path / "readme.toml"
    path.write_text(text)
    assert load_study(path).size == 10


@pytest.mark.usefixtures("brief_runs")
def test_the_five_lines_of_python_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    script = next(text for text in fences("python") if "load_study" in text)
    text = TINY.replace('["nafblock", "rdcnn"]', '"nafblock"').replace("seeds = 2", "seeds = 1")
    (tmp_path / "tiny.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(script.replace('"quickstart"', '"tiny.toml"'), space)
    assert (tmp_path / "front.png").exists()
    assert len(space["table"]) == 2  # type: ignore[arg-type]


def test_the_block_in_the_readme_can_be_plugged_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = next(text for text in fences("python") if "register" in text)
    path = tmp_path / "gated_conv.py"
    path.write_text(text)
    ablate.load_plugins([str(path)])
    assert blocks.blocks["gated_conv"].knobs["kernel"].default == 3
    assert blocks.blocks["gated_conv"].knobs["kernel"].doc == "Side of the kernel, in pixels; odd."
    with pytest.raises(ValueError, match="kernel must be odd; got 4"):
        blocks.make("gated_conv", 8, kernel=4)


def test_every_command_in_the_readme_exists_with_its_options(capsys: pytest.CaptureFixture[str]):
    lines = re.findall(r"^ablate ([\w-]+)([^#\n>]*)", "\n".join(fences("sh")), flags=re.MULTILINE)
    used = {"new", "plan", "run", "report", "blocks", "restore", "evaluate", "latency-model"}
    assert used <= {command for command, _ in lines}
    for command, rest in lines:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        known = re.findall(r"--[\w-]+", capsys.readouterr().out)
        assert set(re.findall(r"--[\w-]+", rest)) <= set(known), command


def test_every_study_that_the_readme_names_is_shipped():
    listed = README[README.index("Shipped studies") :]
    named = set(re.findall(r"`(\w+)`", listed[: listed.index("- **Your pictures**")]))
    files = shipped_studies().values()
    general = {file.stem for file in files if file.parent.name == "studies"}
    assert general - {"template"} <= named
