"""Equal predicted latency: solved for by a latency model, and only within its range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ablate.composition.limits import limits
from ablate.costs.footing_rows import footing_rows
from ablate.latency_model.fingerprint import fingerprint
from ablate.latency_model.fitting import Fit
from ablate.latency_model.measuring import Conditions
from ablate.latency_model.model import LatencyModel, PartCost
from ablate.latency_model.parts import frame_of, parts_of
from ablate.latency_model.storage import ModelError, save
from ablate.profiling.modes import modes_of
from ablate.study import Study, StudyError, load_study

WIDTHS = (8, 16, 32)
SECONDS = {"nafblock": 1e-5, "rdcnn": 2e-5}  # of a block, per squared channel of its stage


def study(model: Path | None = None, **network: Any) -> Study:
    level = {"equal": "latency", "equal_model": str(model)} if model else {}
    stages = [{"block": ["nafblock", "rdcnn"]}, {"block": "nafblock"}]
    return load_study(
        {
            "question": "?",
            "task": {"degradation": "gaussian_noise"},
            "network": {"width": 16, **level, **network, "stage": stages},
            "profile": {"size": [32, 32], "device": "cpu"},
        }
    )


def block_seconds(name: str, width: float) -> float:
    return SECONDS[name] * width**2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts that take seconds by a law, at three widths, and a frame that takes 1 ms."""
    plain, frames, parts = study(), {}, {}
    for width in WIDTHS:
        for point in plain.points():
            network = study(width=width).mix(point).network
            frames[frame_of(network)] = 1e-3
            for part in parts_of(network, "block"):
                seconds = block_seconds(part.blocks[0].name, width)
                parts[part] = PartCost(seconds=seconds, low=seconds, high=seconds)
    profile = plain.profile
    given = Conditions(size=(32, 32), profile=profile, mode=modes_of(profile)[0], device="cpu")
    made = LatencyModel(
        study="study",
        mode="32x32",
        fingerprint=fingerprint(given, {"nafblock", "rdcnn", "unet"}),
        by="block",
        frames=frames,
        parts=parts,
        fit=Fit(coefficients={"sum": 1.0}, left_out=0.0),
        check=None,
        wholes=(),
        made="2026-11-21",
    )
    path = tmp_path_factory.mktemp("model") / "latency-model.json"
    save(made, path)
    return path


def seconds(level: Study, point: tuple[int, ...]) -> float:
    """By the law: encoder and decoder of each of two stages, each as wide as it is there."""
    network = level.mix(point).network
    settings = network.topology.settings
    width = settings["width"]
    assert isinstance(width, int)
    widths = settings.get("widths") or (width, 2 * width)
    assert isinstance(widths, tuple)
    scales = {"1": widths[0], "2": widths[1] / 2}
    return 1e-3 + sum(
        block_seconds(stage.blocks[0].name, float(str(scales[stage.slot[-1]])))
        for stage in network.stages
    )


def test_every_mix_is_predicted_to_take_as_long_as_the_first(model: Path) -> None:
    level = study(model)
    wanted = 1e-3 + 4 * block_seconds("nafblock", 16)
    assert level.target == pytest.approx(wanted)
    assert level.mix((0,)) == study().mix((0,))
    assert seconds(level, (1,)) == pytest.approx(wanted, rel=0.021)
    written = 1e-3 + 2 * (block_seconds("rdcnn", 16) + block_seconds("nafblock", 16))
    assert written / wanted > 1.4  # it took longer as it was written


def test_the_mismatch_is_that_of_the_prediction(model: Path) -> None:
    level = study(model)
    mix, solved = level.mix((1,)), level.solved((1,))
    assert solved is not None and abs(solved.mismatch) <= 0.02
    rows = {row.metric: row.value for row in footing_rows(level, mix.key, mix.network, [])}
    assert rows["footing"] == pytest.approx(solved.mismatch)


def test_nothing_is_extrapolated(model: Path) -> None:
    with pytest.raises(StudyError) as caught:
        study(model, equal_to="1.05 ms")  # as long as a network of width 4 or so would take
    assert "equal latency: nafblock: no width brings it within 2 % of 1.05 ms" in str(caught.value)
    assert "the closest is width" in str(caught.value)


def test_an_amount_of_time_can_be_asked_for(model: Path) -> None:
    level = study(model, equal_to="15 ms")
    assert level.target == pytest.approx(0.015)
    for point in level.points():
        assert seconds(level, point) == pytest.approx(0.015, rel=0.021)


def test_a_model_that_is_not_there_or_of_other_conditions_is_refused(
    model: Path, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match="no latency model can be read here"):
        study(tmp_path / "none.json")
    other = tmp_path / "other.json"
    other.write_text(model.read_text().replace('"threads": "1"', '"threads": "7"'))
    with pytest.raises(StudyError, match=r"other conditions: threads 7, here 1"):
        study(other)


def test_a_run_on_another_device_than_the_model_is_refused(model: Path) -> None:
    level = study(model)
    assert level.footing_device == "cpu"
    assert limits(level, (), "cpu") is None
    with pytest.raises(ModelError) as error:
        limits(level, (), "cuda")
    assert str(error.value) == (
        "study: equal_model predicts latency on cpu, and the run is on cuda; add --device cpu, or "
        "make one while nothing else runs: ablate latency-model study --device cuda"
    )


def test_a_model_of_a_device_that_is_not_here_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    other = tmp_path / "other.json"
    other.write_text(model.read_text().replace('"device": "cpu"', '"device": "cuda"'))
    with pytest.raises(StudyError, match="was made on cuda, which is not here"):
        study(other)
