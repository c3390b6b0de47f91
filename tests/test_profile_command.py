"""`ablate profile` says what one network costs, and says clearly what it cannot do."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from ablate.network import build
from ablate.pricing import price as pricing
from ablate.pricing import profiled
from ablate.pricing import timing as price_timing
from ablate.pricing import words as price_words
from ablate.pricing.plain import as_json
from ablate.pricing.profiled import PriceError, Profiled, asked_profile
from ablate.pricing.timing import Timing
from ablate.pricing.timing_words import check_lines, timing_lines
from ablate.profile import Profile
from ablate.profiling.crosscheck import CrossCheck, Disagreement
from ablate.profiling.flops import count_parameters
from ablate.profiling.latency import FirstCall, LatencySummary
from ablate.profiling.padding import padding
from ablate.study import load_study
from tests.conftest import Cli
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
processes = 1
"""
SEVERAL = ONE.replace('"rdcnn"', '["rdcnn", "nafblock"]')

pytestmark = pytest.mark.usefixtures("forks", "counted_once")


counted = functools.cache(pricing.price)


@pytest.fixture
def counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One network is asked about in many ways: it is counted once for all of them."""
    monkeypatch.setattr("ablate.pricing.command.price", counted)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    path = tmp_path / "one.toml"
    path.write_text(ONE)
    return path


def test_the_network_is_counted_at_the_size_that_the_study_profiles(cli: Cli, one: Path):
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


def test_a_convention_is_asked_for_by_name(cli: Cli, one: Path):
    _, out, _ = cli("profile", one, "--no-latency", "--json", "--convention", "thop")
    found = json.loads(out)
    assert found["convention"] == "thop"
    assert found["params"] < found["ablate"]["params"]
    assert set(found["macs_by_class"]) == {"conv", "linear", "norm", "softmax"}
    assert "ablate.selective_scan" in found["uncounted"]
    code, _, errors = cli("profile", one, "--no-latency", "--convention", "flops")
    assert code == 2
    assert errors.startswith("no convention is named 'flops'")


def test_the_words_hold_what_the_numbers_say(cli: Cli, one: Path):
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


ENLARGING = """
question = "What does it cost?"
[task]
degradation = "shrink"
scale = 2
[network]
topology = "residual_groups"
width = 8
scale = 2
multiple = 16
[[network.group]]
block = "nafblock"
"""


def test_a_network_that_enlarges_and_pads_says_both(cli: Cli, tmp_path: Path):
    path = tmp_path / "enlarging.toml"
    path.write_text(ENLARGING)
    _, out, _ = cli("profile", path, "--no-latency", "--size", 20, 24)
    assert out.splitlines()[:2] == [
        "enlarging: one image of 3x20x24, enlarged to 3x40x48",
        "20x24, padded to 32x32 inside",
    ]


def test_two_counters_stand_side_by_side(cli: Cli, one: Path):
    _, out, _ = cli("profile", one, "--no-latency", "--convention", "conv-only")
    lines = out.splitlines()
    (linear,) = [line.split() for line in lines if line.strip().startswith("linear")]
    assert (linear[1] > "0", linear[2]) == (True, "-")
    assert "conv-only: convolutions and nothing else" in lines
    assert any(line.startswith("conv-only does not see: ") for line in lines)


def test_latency_has_an_interval_and_stands_beside_the_reference(cli: Cli, one: Path):
    _, out, _ = cli("profile", one, "--json", "--device", "cpu")
    latency = json.loads(out)["latency"]
    assert 0 < latency["low"] <= latency["seconds"] <= latency["high"]
    assert latency["relative"] == pytest.approx(
        latency["seconds"] / latency["reference"]["seconds"]
    )
    assert (latency["n"], latency["device"]) == (2, "cpu")
    assert "1 processes x 2 interleaved rounds" in latency["protocol"]
    assert latency["scan_backend"] in ("c", "torch", "reference")


def test_timing_says_first_what_it_will_take_and_how_to_take_less(cli: Cli, one: Path):
    code, out, _ = cli("profile", one, "--rounds", 1)
    assert "ms, 95 % interval " in out
    assert "times the reference network's" in out
    lines = out.splitlines()
    forecast = next(k for k, line in enumerate(lines) if line.startswith("timing it takes about"))
    assert lines[forecast].endswith("(forecast); --rounds N takes less, --no-latency nothing")
    assert code == 0 and any("latency" in line for line in lines[forecast + 1 :])
    assert asked_profile(Profile(), rounds="7").rounds == 7
    code, _, error = cli("profile", one, "--rounds", "none")
    assert (code, error) == (2, "--rounds: expected a whole number from 1; got 'none'\n")
    code, out, error = cli("profile", one, "--depth", "-1")
    assert (code, out, error) == (2, "", "--depth: expected a whole number from 1; got '-1'\n")


def test_of_several_mixes_one_must_be_named(cli: Cli, tmp_path: Path):
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
def test_a_size_is_two_or_three_whole_numbers(cli: Cli, one: Path, size: list[str]):
    code, _, errors = cli("profile", one, "--no-latency", "--size", *size)
    assert (code, errors) == (
        2,
        "--size: expected height and width, or channels, height and width, as in 256 256 or "
        f"3 256 256; got {' '.join(size)}\n",
    )


def test_the_channels_must_be_the_networks(cli: Cli, one: Path):
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


def test_a_grey_network_is_counted_on_one_grey_image(cli: Cli, tmp_path: Path):
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
    text = ONE.replace('"rdcnn"', '"moce"').replace('{ cycle = ["emvm", "mwsa"] }', '"identity"')
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


MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 1), nn.GELU())
    def forward(self, image):
        return self.body(self.head(image))

class ByValue(Net):
    def forward(self, image):
        return super().forward(image) * float(image.sum().item() > 0)

class Inverse(Net):
    def forward(self, image):
        return torch.linalg.inv(super().forward(image).mean(1) + torch.eye(image.shape[-1]))
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "my_module.py"
    path.write_text(MODULE)
    return path


def test_a_network_of_ones_own_is_counted_exactly(cli: Cli, own: Path):
    code, out, errors = cli(
        "profile", f"{own}:Net", "--size", 3, 16, 20, "--no-latency", "--json", "--training"
    )
    found = json.loads(out)
    head, body = 16 * 20 * 27 * 8, 16 * 20 * 8 * 8
    assert (code, errors, found["name"]) == (0, "", "my_module.py:Net")
    assert (found["size"], found["output"], found["padded"]) == ([3, 16, 20], [8, 16, 20], None)
    assert found["params"] == 27 * 8 + 8 + 64 + 8 == sum(found["params_by_stage"].values())
    assert found["macs"] == head + body
    by_module = {path: cost["macs"] for path, cost in found["ablate"]["by_module"].items()}
    assert by_module == {"": head + body, "head": head, "body": body, "body.0": body, "body.1": 0}
    assert found["ablate"]["flops"] == 2 * (head + body) + 16 * 20 * 8  # and one for each GELU
    step = found["training_step"]
    assert step["forward"]["macs"] == head + body
    assert step["backward"]["macs"] == head + 2 * body  # nothing wants the image's gradient
    assert (step["batch"], step["size"]) == (1, [3, 16, 20])
    assert step["memory"]["peak"] > found["peak_memory"] > 4 * found["params"]
    assert found["reasons"] == step["reasons"] == {}


def test_a_network_of_ones_own_in_words(cli: Cli, own: Path):
    _, out, _ = cli("profile", f"{own}:Net", "--size", 16, 20, "--no-latency", "--training")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "my_module.py:Net: one image of 3x16x20; returns 8x16x20"
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["head"][1] == "224" and rows["head"][3] == f"{100 * 27 / (27 + 8):.1f}"
    assert rows["body.0"][1] == "72"
    assert "one training step of 1 image of 3x16x20" in lines
    assert float(rows["backward"][1]) == pytest.approx(16 * 20 * (27 * 8 + 128) / 1e9, abs=1e-6)
    assert not any(line.startswith("not known") for line in lines)


def test_what_cannot_be_counted_says_why_and_the_rest_is_there(cli: Cli, own: Path):
    code, out, _ = cli("profile", f"{own}:ByValue", "--size", 8, 8, "--no-latency", "--json")
    found = json.loads(out)
    assert (code, found["macs"], found["params"]) == (0, None, 296)
    assert "cannot be counted" in found["reasons"]["multiply-adds"]
    _, out, _ = cli("profile", f"{own}:ByValue", "--size", 8, 8, "--no-latency")
    assert "not known: multiply-adds, ablate: multiply-adds over (1, 3, 8, 8) cannot be" in out


def test_operators_without_a_count_are_named_with_their_share_of_the_time(cli: Cli, own: Path):
    _, out, _ = cli("profile", f"{own}:Inverse", "--size", 8, 8, "--no-latency", "--json")
    found = json.loads(out)
    (name,) = found["ablate"]["uncounted"]
    assert name.startswith("aten.linalg_inv")
    assert 0 < found["time_of_uncounted"][name] < 1
    _, out, _ = cli("profile", f"{own}:Inverse", "--size", 8, 8, "--no-latency")
    (line,) = [line for line in out.splitlines() if line.startswith("not counted: ")]
    assert line.startswith(f"not counted: {name} in the network (") and "of the time)" in line


def test_parts_are_shown_by_stage_block_or_module(cli: Cli, one: Path):
    by = ("profile", one, "--no-latency", "--by")
    names = {}
    for way in ("stage", "block", "module"):
        lines = cli(*by, way)[1].splitlines()
        start = next(k for k, line in enumerate(lines) if "of all" in line)
        rows = [line.split("  ")[0].strip() or line.strip() for line in lines[start + 2 :]]
        names[way] = rows[: rows.index("")]
    assert names["stage"] == ["stage1", "stage2", "decoder2", "decoder1", "rest"]
    assert {"stage1.0 rdcnn", "stage2.0 emvm", "stage2.1 mwsa", "rest"} <= set(names["block"])
    assert len(names["module"]) > 3


def test_stages_add_up_and_have_parameters_and_memory(cli: Cli, one: Path):
    found = json.loads(cli("profile", one, "--no-latency", "--json")[1])
    stages = found["ablate"]["by_stage"]
    assert sum(cost["macs"] for cost in stages.values()) == found["macs"]
    assert sum(found["params_by_stage"].values()) == found["params"]
    assert max(found["memory"]["by_stage"].values()) == found["peak_memory"]
    assert set(stages) == set(found["params_by_stage"])


def test_a_second_counter_agrees_or_says_where_not(cli: Cli, own: Path):
    pytest.importorskip("fvcore")
    _, out, _ = cli("profile", f"{own}:Net", "--size", 16, 20, "--no-latency", "--check", "--json")
    check = json.loads(out)["check"]
    assert check["reason"] == "" and check["shape"] == [1, 3, 16, 20]
    assert check["ours"] == check["fvcore"]
    apart = Disagreement(kind="conv", ours=200, fvcore=100, modules=("body", ""))
    lines = check_lines(
        CrossCheck(
            shape=(1, 3, 8, 9),
            ours={"conv": 2_000_000, "product": 0},
            fvcore={"conv": 1_000_000, "product": 0},
            disagreements=(apart,),
            set_aside={"aten.bmm": 3_000_000},
        )
    )
    assert lines == [
        "fvcore disagrees at 3x8x9 (ours and fvcore's): conv 0.00200 and 0.00100 GMACs",
        "  conv: 200 and 100, apart in body, the network",
        "  set aside, as fvcore cannot count them (GMACs by us): aten.bmm 0.00300",
    ]
    gone = CrossCheck(shape=(1, 3, 8, 9), reason="fvcore is not installed (pip install fvcore)")
    assert check_lines(gone) == [f"no second count: {gone.reason}"]


def test_modes_are_timed_one_after_the_other_and_those_that_cannot_be_are_a_line(
    cli: Cli,
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    few = Profile(rounds=2, processes=1)
    monkeypatch.setattr(profiled, "Profile", lambda: few)
    arguments = ("profile", f"{own}:Net", "--size", 8, 8, "--device", "cpu", "--modes")
    code, out, _ = cli(*arguments, "eager", "graph")
    assert code == 0 and "latency: " in out
    assert "latency graph at 8x8 cannot be measured: run = 'graph' replays CUDA graphs" in out
    code, out, _ = cli(*arguments, "eager", "graph", "--json")
    found = json.loads(out)
    assert (code, len(found["latencies"])) == (0, 1)
    assert "replays CUDA graphs" in found["reasons"]["latency graph"]
    code, _, errors = cli(*arguments, "graph")
    assert (code, errors.startswith("latency graph at 8x8 cannot be measured")) == (2, True)
    code, _, errors = cli(*arguments, "graf")
    assert (code, errors.partition(" (modes:")[0]) == (
        2,
        "--modes: no mode is named 'graf'; did you mean 'graph'?",
    )
    both = asked_profile(Profile(), modes=["bfloat16", "eager", "compiled"])
    assert (both.run, both.precision) == (("eager", "compiled"), ("bfloat16",))


def test_a_mix_is_of_a_study_and_not_of_a_file(cli: Cli, own: Path):
    code, _, errors = cli("profile", f"{own}:Net", "--mix", "x", "--no-latency")
    assert (code, errors) == (2, f"--mix: a mix is of a study; {own}:Net is a Python file\n")
    code, _, errors = cli("profile", f"{own}:Nett", "--no-latency")
    assert (code, "did you mean 'Net'?" in errors) == (2, True)


def test_a_timing_says_what_the_machine_was_like():
    summary = LatencySummary(
        seconds=0.01, low=0.009, high=0.011, p90=0.012, relative=2.0, n=9, note="take care"
    )
    timing = Timing(
        network=summary, reference=summary, protocol="said so", device="cpu", backend="c",
        mode="compiled", first=FirstCall(seconds=3.0, compile=2.5),
        conditions={"load": 1.25, "cpu_clock": 3000.0}, disturbed=2, rounds=9,
    )  # fmt: skip
    assert timing_lines(timing) == [
        "latency compiled: 10 ms, 95 % interval 9 to 11 ms, on cpu (scan back end c); 2.00 times "
        "the reference network's 10 ms",
        "nine in ten calls took at most 12 ms as the clock was read",
        "first call in a fresh process: 3,000 ms, 2.5 s of it to prepare the mode",
        "measured as said so",
        "the machine meanwhile (medians over rounds): load 1.25, cpu_clock 3000 MHz",
        "disturbed in 2 of 9 rounds",
        "take care",
    ]


def test_what_cannot_be_computed_here_is_one_line(
    cli: Cli,
    one: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    def refuse(network: object) -> nn.Module:
        raise RuntimeError("no memory\nis left")

    monkeypatch.setattr(price_timing, "build", refuse)
    code, _, errors = cli("profile", one, "--device", "cpu")
    assert code == 2
    assert errors == "one image of 3x26x36 cannot be computed on cpu: no memory is left\n"


def test_names_are_shown_as_they_are_written(cli: Cli, tmp_path: Path):
    (tmp_path / "mine.py").write_text("from torch import nn\nok = nn.Conv2d(3, 3, 1)\n")
    code, out, _ = cli("profile", f"{tmp_path}/mine.py:ok", "--size", 8, 8, "--no-latency")
    assert (code, out.splitlines()[0]) == (0, "mine.py:ok: one image of 3x8x8")


def test_a_network_that_returns_one_number_is_said_to(cli: Cli, tmp_path: Path):
    text = "from torch import nn\nclass Mean(nn.Module):\n    def forward(self, x):\n"
    (tmp_path / "mine.py").write_text(f"{text}        return x.mean()\n")
    code, out, _ = cli("profile", f"{tmp_path}/mine.py:Mean", "--size", 8, 8, "--no-latency")
    said = "mine.py:Mean: one image of 3x8x8; returns one number"
    assert (code, out.splitlines()[0]) == (0, said)


def test_the_only_mix_of_a_study_may_be_named_as_the_study(cli: Cli, one: Path):
    code, out, _ = cli("profile", one, "--mix", "one", "--no-latency")
    assert (code, out.splitlines()[0]) == (0, "one: one image of 3x26x36")
