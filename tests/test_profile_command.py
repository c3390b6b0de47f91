"""`ablate profile` says what one network costs, and says clearly what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from ablate import price_timing, price_words, pricing
from ablate.mix import Profile
from ablate.network import build
from ablate.price_json import as_json
from ablate.profiled import PriceError, Profiled, asked_profile
from ablate.profiling.flops import count_parameters
from ablate.profiling.padding import padding
from ablate.study import load_study
from tests.test_cli import Cli, cli  # noqa: F401  (a fixture)
from tests.test_network import stage, unet

ONE = """
question = "What does it cost?"
[task]
degradation = "gaussian_noise"
[network]
topology = "unet"
width = 8
[[network.stage]]
block = "rdcnn"
[[network.stage]]
block = { cycle = ["emvm", "mwsa"] }
depth = 2
[profile]
size = [26, 36]
rounds = 2
processes = 2
"""
SEVERAL = ONE.replace('"rdcnn"', '["rdcnn", "nafblock"]')


@pytest.fixture
def one(tmp_path: Path) -> Path:
    path = tmp_path / "one.toml"
    path.write_text(ONE)
    return path


def test_the_network_is_counted_at_the_size_that_the_study_profiles(cli: Cli, one: Path):  # noqa: F811
    code, out, _ = cli("profile", one, "--no-latency", "--json")
    found = json.loads(out)
    study = load_study(one)
    with torch.device("meta"):
        model = build(study.mix(()).network)
    assert (code, found["size"], found["output"]) == (0, [3, 26, 36], [3, 26, 36])
    assert found["params"] == count_parameters(model)
    assert found["macs"] == sum(found["macs_by_class"].values()) == found["ablate"]["macs"]
    assert set(found["macs_by_class"]) == {"conv", "linear", "matmul", "scan"}
    assert found["macs_range"] == [found["macs"]] * 2
    assert (found["convention"], found["uncounted"], found["latency"]) == ("ablate", [], None)
    assert found["ablate"]["beside"]["norm"] > 0
    assert found["peak_memory"] > 4 * found["params"]


def test_a_convention_is_asked_for_by_name(cli: Cli, one: Path):  # noqa: F811
    _, out, _ = cli("profile", one, "--no-latency", "--json", "--convention", "thop")
    found = json.loads(out)
    assert found["convention"] == "thop"
    assert found["params"] < found["ablate"]["params"]
    assert set(found["macs_by_class"]) == {"conv", "linear", "norm", "softmax"}
    assert "ablate.selective_scan" in found["uncounted"]
    code, _, errors = cli("profile", one, "--no-latency", "--convention", "flops")
    assert code == 2
    assert errors.startswith("no convention is named 'flops'")


def test_the_words_hold_what_the_numbers_say(cli: Cli, one: Path):  # noqa: F811
    code, out, _ = cli("profile", one, "--no-latency", "--size", 33, 41)
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert lines[:3] == [
        "one: one image of 3x33x41",
        "33x41, padded to 34x42 inside",
        "blocks pad further: 17x21 to 24x24",
    ]
    assert any(line.startswith("parameters") for line in lines)
    assert "not counted: nothing" in lines
    assert any(line.startswith("memory of one call: ") and "forecast" in line for line in lines)
    assert not any("latency" in line for line in lines)


def test_a_network_that_enlarges_and_pads_says_both(cli: Cli):  # noqa: F811
    _, out, _ = cli("profile", "mambairv2-light-x2", "--no-latency", "--size", 20, 24)
    assert out.splitlines()[:2] == [
        "mambairv2-light-x2: one image of 3x20x24, enlarged to 3x40x48",
        "20x24, padded to 32x32 inside",
    ]


def test_two_counters_stand_side_by_side(cli: Cli, one: Path):  # noqa: F811
    _, out, _ = cli("profile", one, "--no-latency", "--convention", "conv-only")
    lines = out.splitlines()
    (linear,) = [line.split() for line in lines if line.strip().startswith("linear")]
    assert (linear[1] > "0", linear[2]) == (True, "-")
    assert "conv-only: convolutions and nothing else" in lines
    assert any(line.startswith("conv-only does not see: ") for line in lines)


def test_latency_has_an_interval_and_stands_beside_the_reference(cli: Cli, one: Path):  # noqa: F811
    _, out, _ = cli("profile", one, "--json", "--device", "cpu")
    latency = json.loads(out)["latency"]
    assert 0 < latency["low"] <= latency["seconds"] <= latency["high"]
    assert latency["relative"] == pytest.approx(
        latency["seconds"] / latency["reference"]["seconds"]
    )
    assert (latency["n"], latency["device"]) == (4, "cpu")
    assert "2 processes x 2 interleaved rounds" in latency["protocol"]
    assert latency["scan_backend"] in ("c", "torch", "reference")


def test_latency_in_words(cli: Cli, one: Path):  # noqa: F811
    _, out, _ = cli("profile", one, "--device", "cpu")
    assert "ms, 95 % interval " in out
    assert "times the reference network's" in out


def test_timing_says_first_what_it_will_take_and_how_to_take_less(cli: Cli, one: Path):  # noqa: F811
    code, out, _ = cli("profile", one, "--rounds", 1)
    lines = out.splitlines()
    forecast = next(k for k, line in enumerate(lines) if line.startswith("timing it takes about"))
    assert lines[forecast].endswith("(forecast); --rounds N takes less, --no-latency nothing")
    assert code == 0 and any("latency" in line for line in lines[forecast + 1 :])
    assert asked_profile(Profile(), rounds="7").rounds == 7
    code, _, error = cli("profile", one, "--rounds", "none")
    assert (code, error) == (2, "--rounds: expected a whole number from 1; got 'none'\n")


def test_of_several_mixes_one_must_be_named(cli: Cli, tmp_path: Path):  # noqa: F811
    path = tmp_path / "several.toml"
    path.write_text(SEVERAL)
    code, _, errors = cli("profile", path, "--no-latency")
    assert (code, errors) == (
        2,
        'several: 2 mixes, and one is profiled at a time; say which: --mix "rdcnn"\n',
    )
    code, out, _ = cli("profile", path, "--no-latency", "--mix", "nafblock")
    assert (code, out.splitlines()[0]) == (0, "several: nafblock: one image of 3x26x36")
    code, _, errors = cli("profile", path, "--no-latency", "--mix", "nafblok")
    assert (code, errors) == (
        2,
        "several: no mix is named 'nafblok'; did you mean 'nafblock'? (mixes: rdcnn; nafblock)\n",
    )


@pytest.mark.parametrize(
    "size", [["64"], ["1", "2", "3", "4"], ["64", "0"], ["64", "x"], ["64", "1.5"], ["64", "²"]]
)
def test_a_size_is_two_or_three_whole_numbers(cli: Cli, one: Path, size: list[str]):  # noqa: F811
    code, _, errors = cli("profile", one, "--no-latency", "--size", *size)
    assert (code, errors) == (
        2,
        "--size: expected height and width, or channels, height and width, as in 256 256 or "
        f"3 256 256; got {' '.join(size)}\n",
    )


def test_the_channels_must_be_the_networks(cli: Cli, one: Path):  # noqa: F811
    code, out, _ = cli("profile", one, "--no-latency", "--json", "--size", 3, 16, 16)
    assert (code, json.loads(out)["size"]) == (0, [3, 16, 16])
    code, _, errors = cli("profile", one, "--no-latency", "--size", 1, 16, 16)
    assert (code, errors) == (
        2,
        "--size: the network takes images of 3 channels; got 1 16 16 (channels come first)\n",
    )


GREY = ONE.replace("width = 8", "width = 8\nimage_channels = 1").replace(
    '{ cycle = ["emvm", "mwsa"] }', '"nafblock"'
)


def test_a_grey_network_is_counted_on_one_grey_image(cli: Cli, tmp_path: Path):  # noqa: F811
    path, color = tmp_path / "grey.toml", tmp_path / "color.toml"
    path.write_text(GREY)
    color.write_text(GREY.replace("image_channels = 1", ""))
    arguments = ("--no-latency", "--json", "--size")
    grey = json.loads(cli("profile", path, *arguments, 1, 32, 32)[1])
    same = json.loads(cli("profile", path, *arguments, 32, 32)[1])
    assert (grey["size"], same) == ([1, 32, 32], grey)
    others = json.loads(cli("profile", color, *arguments, 32, 32)[1])
    ends = 9 * 32 * 32 * 2 * (8 + 8)  # two channels less into the stem and out of the head
    assert others["macs"] - grey["macs"] == ends
    code, _, errors = cli("profile", path, *arguments, 3, 32, 32)
    assert (code, "takes images of 1 channels; got 3 32 32" in errors) == (2, True)


def test_a_grey_network_is_timed_on_grey_images(tmp_path: Path):
    path = tmp_path / "grey.toml"
    path.write_text(GREY)
    study = load_study(path)
    timing = price_timing.time_alone(
        study.mix(()), (1, 16, 16), profile=study.profile, device="cpu"
    )
    assert timing.network.seconds > 0


def test_a_network_that_cannot_be_timed_is_one_line(monkeypatch: pytest.MonkeyPatch, one: Path):
    study = load_study(one)
    failed = price_timing.REFERENCE

    class Failed:
        failure, dropped, samples = f"no {failed}", {}, ()

    monkeypatch.setattr(price_timing, "time_together", lambda *given, **more: Failed)
    with pytest.raises(PriceError) as raised:
        price_timing.time_alone(study.mix(()), (3, 8, 9), profile=study.profile, device="cpu")
    assert str(raised.value) == "latency at 8x9 cannot be measured: no reference"


def test_padding_is_what_the_first_convolution_is_given():
    network = unet(stage("stage1", "mwsa"), stage("decoder1"), stage("middle"), width=8)
    with torch.device("meta"):
        model = build(network)
    found = padding(model, (1, 3, 19, 30))
    assert (found.whole, found.inside) == ((20, 30), (((20, 30), (24, 32)),))
    assert padding(model, (1, 3, 16, 24)).inside == ()


def test_padding_on_all_sides_is_no_filling_up():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReflectionPad2d(1), nn.Conv2d(4, 4, 3))
    assert padding(model, (1, 3, 8, 9)).inside == ()
    assert padding(nn.ReLU(), (1, 3, 8, 9)).whole == (8, 9)


def test_routed_networks_show_both_ends():
    text = ONE.replace('"rdcnn"', '"moce"')
    study = load_study_text(text)
    subject = Profiled(name="routed", mix=study.mix(()), profile=Profile())
    found = pricing.price(subject, (3, 16, 16), convention="fvcore", device="cpu")
    assert found.ledger and found.charged
    assert found.ledger.least.macs < found.ledger.total.macs < found.ledger.most.macs
    _, rows = price_words.table(found)
    names = [row[0].strip() for row in rows]
    assert names.index("dearest experts") == names.index("cheapest experts") + 1
    assert as_json(found)["macs_range"] == found.charged.range


def load_study_text(text: str):
    import tomllib

    return load_study(tomllib.loads(text))
