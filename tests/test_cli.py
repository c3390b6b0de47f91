"""The command line says what a person needs, and bad input is one line and exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from ablate.results import load_model
from ablate.runs.plan import Plan, PlannedMix
from ablate.runs.running import run
from ablate.study import load_study
from blocks import blocks
from tests.conftest import Cli
from tests.test_running import TINY
from tests.warm_forks import WarmForks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, warm_forks: WarmForks) -> Path:
    """A finished run of one mix with one seed."""
    path = tmp_path_factory.mktemp("cli")
    text = TINY.replace('["identity", "nafblock"]', '"nafblock"').replace("seeds = 2", "seeds = 1")
    text = text.replace('["nafblock", "rdcnn"]', '"nafblock"')
    pictures = '[task.data]\nsource = "folder"\ntrain = "train"\nvalidation = "validation"\n'
    (path / "one.toml").write_text(text.replace("[network]", f"{pictures}\n[network]", 1))
    for height, part in enumerate(("train", "train", "validation"), 60):
        (path / part).mkdir(exist_ok=True)
        photograph(path / part / f"{height}.png", height, 70)
    with warm_forks.brief():
        return run(load_study(path / "one.toml"), path / "run").path


def photograph(path: Path, height: int = 40, width: int = 50) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_new_writes_a_study_that_loads_as_it_stands(cli: Cli, tmp_path: Path):
    path = tmp_path / "my_study.toml"
    code, out, _ = cli("new", path)
    assert code == 0
    assert f"ablate plan {path}" in out
    assert load_study(path).size > 1


def test_new_does_not_overwrite(cli: Cli, tmp_path: Path):
    path = tmp_path / "my_study.toml"
    path.write_text("mine")
    code, _, errors = cli("new", path)
    assert (code, path.read_text()) == (2, "mine")
    assert errors == f"{path}: exists already; choose another name or remove it\n"


def test_new_says_which_studies_it_can_copy(cli: Cli, tmp_path: Path):
    code, _, errors = cli("new", tmp_path / "a.toml", "--like", "quikstart")
    assert code == 2
    assert "no shipped study is named 'quikstart'" in errors
    assert "quickstart" in errors


@pytest.mark.usefixtures("forks")
def test_plan_counts_mixes_parameters_macs_time_and_memory(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.replace('["nafblock", "rdcnn"]', '"nafblock"'))
    code, out, _ = cli("plan", path, "--json")
    planned = json.loads(out)
    assert code == 0
    assert (planned["total"], planned["seeds"], len(planned["mixes"])) == (2, 2, 2)
    assert planned["training_seconds"] > 0
    assert planned["latency_seconds"] > 0
    assert planned["memory"] > 0
    assert all(mix["params"] > 0 and mix["macs"] > 0 for mix in planned["mixes"])
    mixes = tuple(PlannedMix(**mix) for mix in planned["mixes"])
    monkeypatch.setattr(
        "ablate.planning.command.make_plan", lambda *_, **__: Plan(**planned | {"mixes": mixes})
    )
    code, out, _ = cli("plan", path)
    assert "2 mixes x 2 seeds = 4 trials" in out
    assert not (tmp_path / "runs").exists()


def test_every_mistake_in_a_study_is_a_line_and_the_code_is_two(cli: Cli, tmp_path: Path):
    path = tmp_path / "bad.toml"
    path.write_text(TINY.replace("steps = 4", "steps = 0").replace("width", "widht"))
    code, _, errors = cli("plan", path)
    assert code == 2
    assert all(
        line.startswith(f"{path.name}:") or str(path) in line for line in errors.splitlines()
    )


@pytest.mark.usefixtures("brief_runs")
def test_a_run_in_json_ends_with_the_report(cli: Cli, folder: Path):
    study = folder.parent / "one.toml"
    code, out, _ = cli("run", study, "--out", folder, "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert events[-1]["event"] == "Ended"
    assert Path(events[-1]["report"]).name == "report.html"


def test_quiet_says_nothing(cli: Cli, folder: Path):
    assert cli("run", folder.parent / "one.toml", "--out", folder, "--quiet") == (0, "", "")
    assert cli("report", folder, "--quiet") == (0, "", "")


def test_report_of_a_folder_without_a_run_is_one_line(cli: Cli, tmp_path: Path):
    code, _, errors = cli("report", tmp_path)
    expected = f"{tmp_path}: no run is here (no record.sqlite); start one: ablate run\n"
    assert (code, errors) == (2, expected)


@pytest.mark.parametrize("place", ["file", "file/inside"])
def test_a_file_in_place_of_the_run_is_one_line(cli: Cli, tmp_path: Path, place: str):
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "file").write_text("mine")
    code, _, errors = cli("run", tmp_path / "tiny.toml", "--out", tmp_path / place, "--quiet")
    assert code == 2
    assert errors == (
        f"{tmp_path / place}: a run cannot be kept here (a file is in the way); "
        "name a folder that can be written: ablate run ... --out FOLDER\n"
    )


def test_what_the_system_refuses_is_one_line(cli: Cli, folder: Path, tmp_path: Path):
    picture, blocked = photograph(tmp_path / "photo.png"), tmp_path / "file"
    blocked.write_text("mine")
    code, _, errors = cli("restore", folder, "one", picture, "--out", blocked)
    assert (code, errors) == (2, f"{blocked}: File exists\n")


def test_an_interruption_is_one_line_that_promises_only_what_is_so(cli: Cli, monkeypatch):
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ablate.command_line.plan.carry_out", interrupted)
    monkeypatch.setattr("ablate.command_line.run.carry_out", interrupted)
    assert cli("plan", "quickstart") == (130, "", "interrupted\n")
    goes_on = "interrupted; the same command goes on from here\n"
    assert cli("run", "quickstart") == (130, "", goes_on)


def test_sigterm_is_one_line_too_and_keeps_its_exit_code(cli: Cli, monkeypatch):
    def terminated(*given: object) -> None:
        raise SystemExit(143)

    monkeypatch.setattr("ablate.command_line.run.carry_out", terminated)
    goes_on = "terminated; the same command goes on from here\n"
    assert cli("run", "quickstart") == (143, "", goes_on)


def test_seconds_between_states_are_a_whole_number(cli: Cli):
    code, _, errors = cli("run", "quickstart", "--save-every", "soon")
    expected = "--save-every: expected a whole number from 1; got 'soon'\n"
    assert (code, errors) == (2, expected)


WARNING = """
import warnings
import ablate.cli
from ablate.command_line import blocks as command

def carry_out(options, console):
    warnings.warn("mind\\nthe gap")
    console.print("\\u2212 1\\u00a0dB")

command.carry_out = carry_out
ablate.cli.main(["blocks"])
"""


@pytest.fixture(scope="module")
def warned() -> subprocess.CompletedProcess[str]:
    """A command that warns, in a locale without UTF-8."""
    return subprocess.run(
        [sys.executable, "-c", WARNING],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )


def test_a_warning_is_one_line_without_our_code(warned: subprocess.CompletedProcess[str]):
    assert warned.stderr == "warning: mind the gap\n"


def test_a_locale_without_utf8_gets_question_marks(warned: subprocess.CompletedProcess[str]):
    assert warned.stdout == "? 1?dB\n"


def test_help_does_not_wait_for_torch():
    code = (
        "import sys; from ablate.command_line import commands; commands(); "
        "print({'torch', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_blocks_lists_families_costs_and_knobs(cli: Cli):
    _, out, _ = cli("blocks")
    for word in ("nafblock", "emvm", "linear_attention", "GMACs"):
        assert word in out
    first = [line.split()[0] for line in out.splitlines() if line.strip()]
    families = ["cnn", "mamba", "attention", "linear_attention", "moe", "prompt", "none"]
    assert [word for word in first if word in families] == families
    between = first[first.index("mamba") + 1 : first.index("attention")]
    assert between == sorted(n for n in blocks if blocks[n].facts["family"] == "mamba")
    _, out, _ = cli("blocks", "mwsa")
    for word in ("window", "heads", "arXiv:2504.10967", "attention"):
        assert word in out
    code, _, errors = cli("blocks", "nafblok")
    assert code == 2
    assert "no block is named 'nafblok'; did you mean 'nafblock'?" in errors


def test_the_schema_is_a_schema(cli: Cli):
    code, out, _ = cli("schema")
    assert code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(out))


def test_a_device_that_is_not_there_is_one_line(cli: Cli, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    code, _, errors = cli("run", path, "--out", tmp_path / "run", "--device", "cuda")
    expected = "device: cuda was asked for, but torch sees no CUDA device; use cpu\n"
    assert (code, errors) == (2, expected)


def test_workers_must_be_a_number(cli: Cli, tmp_path: Path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    code, _, errors = cli("run", path, "--out", tmp_path / "run", "--workers", "0")
    assert (code, errors) == (2, "--workers: expected auto or a whole number from 1; got '0'\n")


def test_restore_writes_pictures_of_the_same_size(cli: Cli, folder: Path, tmp_path: Path):
    source = photograph(tmp_path / "mine.png", 41, 53)
    out = tmp_path / "out"
    code, _, _ = cli("restore", folder, "one", source, "--out", out)
    assert code == 0
    with Image.open(out / "mine.png") as restored:
        assert restored.size == (53, 41)


def test_restore_in_tiles_gives_nearly_the_same(cli: Cli, folder: Path, tmp_path: Path):
    source = photograph(tmp_path / "mine.png", 96, 96)
    for name, tile in (("whole", 0), ("tiled", 64)):
        cli("restore", folder, "one", source, "--out", tmp_path / name, "--tile", tile)
    whole, tiled = (
        np.asarray(Image.open(tmp_path / name / "mine.png"), dtype=float)
        for name in ("whole", "tiled")
    )
    assert np.abs(whole - tiled).mean() < 8  # channel attention sees the tile, not the image


def test_restore_names_what_cannot_be_read(cli: Cli, folder: Path, tmp_path: Path):
    bad = tmp_path / "notes.png"
    bad.write_text("not a picture")
    code, _, errors = cli("restore", folder, "one", bad, "--out", tmp_path / "out")
    assert code == 2
    assert errors.startswith(f"{bad}: ")
    code, _, errors = cli("restore", folder, "one", tmp_path / "no.png", "--out", tmp_path / "out")
    assert code == 2
    assert errors.startswith(f"{tmp_path / 'no.png'}: ")


def test_restore_never_replaces_its_source(cli: Cli, folder: Path, tmp_path: Path):
    source = photograph(tmp_path / "mine.png")
    code, _, errors = cli("restore", folder, "one", source, "--out", tmp_path)
    assert code == 2
    assert errors == f"{source}: the result would replace the picture; choose another --out\n"


def test_pictures_that_would_become_one_are_named(cli: Cli, folder: Path, tmp_path: Path):
    (tmp_path / "other").mkdir()
    first, second = photograph(tmp_path / "mine.png"), photograph(tmp_path / "other" / "mine.png")
    code, _, errors = cli("restore", folder, "one", first, second, "--out", tmp_path / "out")
    assert code == 2
    assert errors == (
        f"{first} and {second} would both become {tmp_path / 'out' / 'mine.png'}; "
        "restore them into different folders\n"
    )


def test_an_unknown_mix_is_named_with_the_nearest(cli: Cli, folder: Path, tmp_path: Path):
    source = photograph(tmp_path / "mine.png")
    code, _, errors = cli("restore", folder, "on", source, "--out", tmp_path / "out")
    assert code == 2
    assert errors == "no mix of this run is named 'on'; did you mean 'one'? (mixes: one)\n"
    code, _, errors = cli("restore", folder, "one", source, "--seed", 7)
    assert errors == "mix 'one' has no finished trial with seed 7 (finished seeds: 0)\n"


def test_evaluate_scores_whole_pictures_and_crops(cli: Cli, folder: Path, tmp_path: Path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    photograph(pictures / "a.png", 60, 70)
    code, out, _ = cli("evaluate", folder, "one", "--data", pictures, "--json")
    scores = json.loads(out)
    assert code == 0
    assert [score["what"] for score in scores] == ["whole images", "crops of 32x32"]
    assert all(score["values"]["psnr"] > 0 for score in scores)


def test_evaluate_repeats_the_score_of_the_run(cli: Cli, folder: Path):
    _, out, _ = cli("evaluate", folder, "one", "--json")
    crops = json.loads(out)[-1]
    recorded = float(load_results(folder)["psnr"])
    assert crops["values"]["psnr"] == pytest.approx(recorded, abs=1e-6)


def load_results(folder: Path) -> dict[str, object]:
    import ablate

    return ablate.Run(folder).results().iloc[0].to_dict()


def test_evaluate_refuses_pairs_for_a_mix_that_degrades_itself(
    cli: Cli, folder: Path, tmp_path: Path
):
    for name in ("degraded", "clean"):
        (tmp_path / name).mkdir()
        photograph(tmp_path / name / "a.png", 60, 70)
    code, _, errors = cli(
        "evaluate", folder, "one", "--pairs", tmp_path / "degraded", tmp_path / "clean"
    )
    expected = "mix 'one' was trained on gaussian_noise; give clean pictures: --data FOLDER\n"
    assert (code, errors) == (2, expected)


def test_damaged_weights_are_noticed(folder: Path, tmp_path: Path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = next((copy / "checkpoints").glob("*.pt"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"the weights are not those that were saved"):
        load_model(copy, "one")
    weights.unlink()
    with pytest.raises(ValueError, match=r"the weights are missing"):
        load_model(copy, "one")


def test_a_plugin_adds_a_block_and_a_broken_one_is_one_line(cli: Cli, tmp_path: Path):
    plugin = tmp_path / "doubling.py"
    plugin.write_text(DOUBLING)
    _, out, _ = cli("blocks", "doubling", "--plugin", plugin)
    assert "Doubles its input." in out
    code, _, errors = cli("blocks", "--plugin", tmp_path / "missing.py")
    assert (code, errors) == (2, f"plug-in {tmp_path / 'missing.py'}: no such Python file\n")
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_package")
    code, _, errors = cli("blocks", "--plugin", broken)
    assert code == 2
    assert errors == (f"plug-in {broken}: ModuleNotFoundError: No module named 'no_such_package'\n")


DOUBLING = '''
from torch import Tensor, nn

from blocks import register


@register(family="none", source="a test")
class Doubling(nn.Module):
    """Doubles its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x
'''


def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "ablate", "--version"], capture_output=True)
    assert done.stdout.startswith(b"ablate ")
