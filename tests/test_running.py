"""A run from the study to the report: whole, continued, killed, and with mixes that fail."""

from __future__ import annotations

import os
import shutil
import socket
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import ablate
from ablate.applying import restore_files, score_images
from ablate.events import Began, Ended, TrialEnded, Warned
from ablate.folder import RunError
from ablate.runs.preparing import keep, prepare_data
from ablate.runs.runner import Runner
from ablate.runs.running import run
from ablate.study import load_study, shipped_studies
from ablate.tasks.data import DataError, Dataset
from reports.record import Record
from tests.warm_forks import WarmForks

TINY = """
question = "Does a block help at half resolution?"

[task]
degradation = "gaussian_noise"

[network]
width = 8

[[network.stage]]
block = ["identity", "nafblock"]

[[network.stage]]
block = ["nafblock", "rdcnn"]

[training]
steps = 4
batch = 2
crop = 16
seeds = 2
validate = 2

[evaluation]
crop = 32
crops = 3

[profile]
size = [32, 32]
rounds = 3
processes = 1
"""

TIMED = {"latency", "first_call", "front_probability", "on_front"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def undisturbed(tiny: Path) -> Path:
    """A run with all that belongs to one: new interpreters, and the whole report."""
    events = []
    place = run(load_study(tiny), tiny.parent / "run", workers=2, listener=events.append)
    assert sum(isinstance(event, TrialEnded) for event in events) == 8
    assert isinstance(events[-1], Ended)
    return place.path


def accuracy(folder: Path) -> pd.DataFrame:
    """The table of results without what depends on the clock, in one order."""
    table = ablate.Run(folder).results()
    kept = [name for name in table.columns if not any(name.startswith(t) for t in TIMED)]
    return table[kept].sort_values("label").reset_index(drop=True)


def test_a_run_leaves_a_record_weights_and_every_form_of_report(undisturbed: Path):
    written = "record.sqlite report.html report.md results.csv results.tex swaps.csv"
    assert set(written.split()) <= {path.name for path in undisturbed.iterdir()}
    assert len(list((undisturbed / "checkpoints").glob("*.pt"))) == 8
    assert {path.suffix for path in (undisturbed / "figures").iterdir()} == {".png", ".svg"}


def test_every_mix_is_trained_with_every_seed_and_measured(undisturbed: Path):
    table = ablate.Run(undisturbed).results()
    assert len(table) == 4
    for column in ("psnr", "ssim", "params", "macs", "latency", "peak_memory", "training_memory"):
        assert table[column].notna().all(), column
    assert (table["psnr_n"] == 2).all()
    assert table["on_front"].any()


def test_raw_latencies_are_kept_those_of_the_shared_reference_among_them(undisturbed: Path):
    with Record.open(undisturbed / "record.sqlite") as record:
        samples, measured = record.samples(), record.measurements()
        mixes = set(record.mixes()["key"])
    samples = samples[samples["metric"] == "latency"]
    assert samples.groupby("subject").size().to_dict() == dict.fromkeys({*mixes, "reference"}, 3)
    assert set(measured[measured["metric"] == "latency"]["subject"]) == {*mixes, "reference"}


def test_first_calls_and_the_state_of_the_machine_are_kept_with_latencies(undisturbed: Path):
    with Record.open(undisturbed / "record.sqlite") as record:
        samples, measured = record.samples(), record.measurements()
    first = measured[measured["metric"] == "first_call"]
    assert len(first) == 4 + 1
    assert (first["value"] > 0).all()
    assert not (measured["metric"] == "compile").any()
    loads = samples[(samples["subject"] == "machine") & (samples["metric"] == "load")]
    assert len(loads) == 3


def test_the_record_says_how_costs_were_found(undisturbed: Path):
    with Record.open(undisturbed / "record.sqlite") as record:
        words = record.metrics().set_index("name")["protocol"]
    assert "1 processes x 3 interleaved rounds" in words["latency"]
    assert "forecast: storages alive at once" in words["peak_memory"]
    assert "9 B L D N" in words["macs"]


def test_the_five_lines_of_the_readme_work(undisturbed: Path, tmp_path: Path):
    done = ablate.Run(undisturbed)
    assert len(done.front()) >= 1
    assert done.draw(tmp_path / "front.png").stat().st_size > 1000


brief = pytest.mark.usefixtures("brief_runs")


@brief
def test_the_same_command_again_trains_nothing(tiny: Path, undisturbed: Path):
    before = accuracy(undisturbed)
    events = []
    run(load_study(tiny), undisturbed, workers=2, listener=events.append)
    began = next(event for event in events if isinstance(event, Began))
    assert (began.trials, began.finished) == (0, 8)
    pd.testing.assert_frame_equal(before, accuracy(undisturbed), check_exact=True)


def test_another_study_is_refused_in_the_same_folder(tiny: Path, undisturbed: Path, tmp_path: Path):
    other = tmp_path / "tiny.toml"
    other.write_text(TINY.replace("steps = 4", "steps = 5"))
    with pytest.raises(RunError, match=r"may not change: training.steps: 4 -> 5\).*--new-run"):
        run(load_study(other), undisturbed)


def test_a_trained_mix_is_not_used_on_a_device_that_is_not_there(
    undisturbed: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done, mix = ablate.Run(undisturbed), "nafblock | nafblock"
    for use in (
        lambda: score_images(done, mix, device="cuda"),
        lambda: list(restore_files(done, mix, [], undisturbed / "restored", device="cuda")),
    ):
        with pytest.raises(RunError, match="torch sees no CUDA device; use cpu"):
            use()


@brief
def test_going_on_with_another_torch_is_noted(tiny: Path, undisturbed: Path, tmp_path: Path):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    run(load_study(tiny), folder)
    with Record.open(folder / "record.sqlite", writable=True) as record:
        assert not record.notes()["text"].str.contains("torch").any()
        record.set_fact("torch", "1.0")
    run(load_study(tiny), folder)
    with Record.open(folder / "record.sqlite") as record:
        notes = set(record.notes()["text"])
    assert f"the run began with torch 1.0 and went on with {torch.__version__}" in notes


@brief
def test_other_objectives_are_taken_up_without_training(undisturbed: Path, tmp_path: Path):
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    assert ablate.Run(folder).results().attrs["objectives"] == ("psnr", "latency")
    (tmp_path / "tiny.toml").write_text(TINY + '\n[report]\nobjectives = ["ssim", "params"]\n')
    events = []
    run(load_study(tmp_path / "tiny.toml"), folder, listener=events.append)
    assert ablate.Run(folder).results().attrs["objectives"] == ("ssim", "params")
    assert not any(isinstance(event, TrialEnded) for event in events)


def test_a_run_killed_before_its_metrics_are_defined_goes_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def killed(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Record, "define", killed)
        run(load_study(tiny), tmp_path / "run")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Runner, "train", killed)  # mixes are entered and counted by then
        run(load_study(tiny), tmp_path / "run")
    with Record.open(tmp_path / "run" / "record.sqlite") as record:
        assert "params" in set(record.measurements()["metric"])


def test_a_damaged_copy_of_the_data_is_made_again(tmp_path: Path):
    study = tmp_path / "tiny.toml"
    study.write_text(TINY)
    (data,) = prepare_data(load_study(study)).values()
    copy = tmp_path / "data.npy"
    copy.write_bytes(b"cut short")
    keep(data, copy)
    assert Dataset.read(copy).digest == data.digest


def test_whole_images_too_small_to_score_are_named_before_training(tmp_path: Path):
    (tmp_path / "train").mkdir()
    (tmp_path / "small").mkdir()
    for name, side in (("train/a", 40), ("small/b", 12)):
        pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    data = '[task.data]\nsource = "folder"\ntrain = "train"\nvalidation = "small"\n\n[network]'
    text = TINY.replace("[network]", data).replace("crop = 32", "crop = 0\nborder = 2")
    (tmp_path / "tiny.toml").write_text(text)
    with pytest.raises(DataError, match=r"smaller than the 15 x 15 pixels.*b.png is 12 x 12"):
        prepare_data(load_study(tmp_path / "tiny.toml"))


@brief
def test_a_comment_in_the_study_changes_nothing(tiny: Path, undisturbed: Path, tmp_path: Path):
    other = tmp_path / "tiny.toml"
    other.write_text("# a remark\n" + TINY)
    run(load_study(other), undisturbed)


def test_a_second_runner_is_told_who_holds_the_run(tiny: Path, undisturbed: Path):
    from ablate.folder import RunFolder

    with RunFolder(undisturbed).held(), pytest.raises(RunError) as error:
        run(load_study(tiny), undisturbed)
    holder = f"process {os.getpid()} on {socket.gethostname()} has been running this study since "
    assert str(error.value).startswith(f"{undisturbed}: {holder}2")
    assert str(error.value).endswith(f" UTC; wait for it, or look on: ablate watch {undisturbed}")


@brief
def test_a_mix_that_diverges_is_recorded_with_its_step_and_not_on_the_front(tmp_path: Path):
    study = tmp_path / "wild.toml"
    text = TINY.replace('["identity", "nafblock"]', '"nafblock"').replace("seeds = 2", "seeds = 1")
    settings = "steps = 4\nrate = [1e-3, 1e30]\nclip = 0\nweight_decay = 0"
    study.write_text(text.replace("steps = 4", settings).replace(', "rdcnn"]', "]"))
    place = run(load_study(study), tmp_path / "run")
    with place.open() as record:
        trials = record.trials().set_index("status")
    assert "at step" in trials.loc["diverged", "reason"]
    table = ablate.Run(place.path).results().set_index("status")
    assert pd.isna(table.loc["diverged", "psnr"])
    assert not table.loc["diverged", "on_front"]


@pytest.fixture(scope="module")
def troubled(
    tmp_path_factory: pytest.TempPathFactory, warm_forks: WarmForks
) -> tuple[pd.DataFrame, list[object]]:
    """Trials by the block of stage 1, and the events, of a run in which two of three go wrong."""
    folder = tmp_path_factory.mktemp("troubled")
    for name, text in (("fragile", FRAGILE), ("blind", BLIND)):
        (folder / f"{name}.py").write_text(text)
    text = TINY.replace('["identity", "nafblock"]', '["identity", "fragile", "blind"]')
    text = text.replace('["nafblock", "rdcnn"]', '"nafblock"').replace("= 2", "= 1")
    (folder / "troubled.toml").write_text(text)
    plugins = ablate.load_plugins([str(folder / "fragile.py"), str(folder / "blind.py")])
    events: list[object] = []
    study = load_study(folder / "troubled.toml")
    with warm_forks.brief():
        place = run(study, folder / "run", plugins=plugins, listener=events.append)
    with place.open() as record:
        blocks = dict(zip(record.mixes()["key"], record.mixes()["label"], strict=True))
        trials = record.trials()
    return trials.set_index(trials["mix"].map(blocks)), events


def test_a_mix_that_fails_is_recorded_and_the_others_go_on(
    troubled: tuple[pd.DataFrame, list[object]],
):
    trials, events = troubled
    assert Warned("1 of 3 trials failed; the same command tries them again") in events
    assert trials.loc["fragile", "status"] == "failed"
    assert trials.loc["fragile", "reason"] == "RuntimeError: this block breaks in training"
    assert tuple(trials.loc["identity", ["status", "reason"]]) == ("done", "")


def test_a_score_that_is_no_number_is_a_divergence_and_the_others_go_on(
    troubled: tuple[pd.DataFrame, list[object]],
):
    """Seen only in the full scoring at the end: the curve looks at fewer images."""
    trials, _ = troubled
    assert trials.loc["blind", "status"] == "diverged"
    assert trials.loc["blind", "reason"] == "the psnr was nan after step 4"


BLIND = '''
from torch import nn

from blocks import register


@register(family="none", source="a test")
class Blind(nn.Module):
    """Sees three images in evaluation, as many as the curve needs, and then nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.looks = 0

    def forward(self, x):
        self.looks += not self.training and not x.is_meta
        return x * float("nan") if self.looks > 3 else x
'''


FRAGILE = '''
from torch import nn

from blocks import register


@register(family="none", source="a test")
class Fragile(nn.Module):
    """Works until it is trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x):
        if self.training and not x.is_meta:
            raise RuntimeError("this block breaks in training")
        return x
'''


@brief
def test_the_quickstart_runs(tmp_path: Path):
    """As shipped, but for a handful of steps and the tiniest of images."""
    name = "quickstart"
    raw = tomllib.loads(shipped_studies()[name].read_text(encoding="utf-8"))
    raw["training"] |= {"steps": 2, "batch": 1, "crop": 16, "seeds": 1}
    raw["evaluation"] = {"crop": 32, "crops": 1}
    raw["profile"] = {"size": [32, 32], "rounds": 2, "processes": 1}
    raw["name"] = name
    study = load_study(raw)
    place = run(study, tmp_path / "run")
    table = ablate.Run(place.path).results()
    assert len(table) == study.size
    assert table["psnr"].notna().all()
    assert table["latency"].notna().all()


@brief
def test_the_data_can_be_a_question(tiny: Path, tmp_path: Path):
    for name in ("many", "few"):
        (tmp_path / name).mkdir()
        for number in range(3 if name == "many" else 2):
            pixels = np.random.default_rng((len(name), number)).integers(0, 256, (40, 40, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    text = TINY.replace('["identity", "nafblock"]', '"nafblock"')
    data = '[task.data]\nsource = "folder"\ntrain = ["many", "few"]\n\n[network]'
    study = tmp_path / "data.toml"
    study.write_text(text.replace("[network]", data).replace("seeds = 2", "seeds = 1"))
    place = run(load_study(study), tmp_path / "run")
    assert len(list(place.path.glob("data-*.npy"))) == 2
    assert ablate.Run(place.path).results()["psnr"].nunique() == 4


@brief
def test_a_run_can_be_given_more_seeds(tiny: Path, undisturbed: Path, tmp_path: Path):
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    more = tmp_path / "tiny.toml"
    more.write_text(TINY.replace("seeds = 2", "seeds = 3"))
    events = []
    run(load_study(more), folder, listener=events.append)
    began = next(event for event in events if isinstance(event, Began))
    assert (began.trials, began.finished) == (4, 8)
    assert (ablate.Run(folder).results()["psnr_n"] == 3).all()


@brief
def test_a_network_that_cannot_be_timed_does_not_cost_the_others_their_latency(tmp_path: Path):
    plugin = tmp_path / "picky.py"
    plugin.write_text(FRAGILE.replace("self.training and not x.is_meta", "x.shape[-1] == 32"))
    study = tmp_path / "study.toml"
    text = TINY.replace('["identity", "nafblock"]', '["identity", "picky"]')
    text = text.replace('["nafblock", "rdcnn"]', '"nafblock"').replace("= 2", "= 1")
    modes = 'rounds = 3\nrun = ["eager", "graph"]\nprecision = ["float32", "bfloat16"]'
    study.write_text(text.replace("crop = 32", "crop = 48").replace("rounds = 3", modes))
    plugins, events = ablate.load_plugins([str(plugin)]), []
    place = run(load_study(study), tmp_path / "run", plugins=plugins, listener=events.append)
    table = ablate.Run(place.path).results().set_index("label")
    assert table["latency"].notna().to_dict() == {"identity": True, "picky": False}
    expected = "latency of picky was not measured: this block breaks in training"
    assert Warned(expected) in events
    other = table["latency@32x32 bfloat16"]
    assert other.notna().to_dict() == {"identity": True, "picky": False}
    lacking = "run = 'graph' replays CUDA graphs, and the device is cpu"
    for precision in ("float32", "bfloat16"):
        said = f"latency of all mixes (graph {precision}) was not measured: {lacking}"
        assert events.count(Warned(said)) == 1
