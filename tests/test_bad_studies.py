"""Every mistake in a study file is told in one line: file, line, place, rule, value and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.cli import main
from ablate.study import StudyError, load_study
from ablate.topologies import topologies
from blocks import Entry, blocks

GOOD = """\
question = "Which block?"
[task]
degradation = "gaussian_noise"
sigma = 25
[network]
topology = "unet"
width = 8
[[network.stage]]
block = "rdcnn"
depth = 1
[[network.stage]]
block = ["rdcnn", "lama"]
[training]
steps = 10
"""

KEYS = "keys: question, task, network, training, evaluation, search, profile, report"
TRAINING_KEYS = (
    "keys: steps, batch, crop, augment, loss, scale_weights, auxiliary, optimizer, rate, "
    "rates, probe, final_rate, betas, weight_decay, schedule, constant, warmup, clip, ema, "
    "precision, channels_last, validate, seeds, timeout"
)
UNET_KNOBS = (
    "knobs: down, head, image_channels, local_means, multi_input, padding, skip, stem, supervised, "
    "up, width, widths, zero_head"
)
TOPOLOGIES = f"topologies: {', '.join(topologies)}"
BLOCKS, FIRST = f"blocks: {', '.join(blocks)}", next(iter(blocks))
OBJECTIVES = "objectives: energy, latency, macs, params, peak_memory, psnr, ssim, training_memory"

# what is changed, into what, and all that is said about it
MISTAKES = {
    "no question": (
        'question = "Which block?"',
        "",
        'question is missing; write question = "..." at the top',
    ),
    "an empty question": ('"Which block?"', '" "', ":1: question must be a sentence; got ' '"),
    "an unknown table": (
        "[training]",
        "[trainings]",
        f":13: no key is named 'trainings'; did you mean 'training'? ({KEYS})",
    ),
    "a name that no folder can have": (
        'question = "Which block?"',
        'question = "?"\nname = "../x"',
        ":2: name must start with a letter or digit and be fit for a folder's name; got '../x'",
    ),
    "no degradation": (
        'degradation = "gaussian_noise"\nsigma = 25',
        "",
        ':2: task: degradation is missing; write degradation = "gaussian_noise"',
    ),
    "a misspelt knob of a degradation": (
        "sigma = 25",
        "sgma = 25",
        ":4: task: no gaussian_noise knob is named 'sgma'; did you mean 'sigma'?"
        " (knobs: sigma, sigma_max)",
    ),
    "a degradation's knob of another type": (
        "sigma = 25",
        'sigma = "25"',
        ":4: task: gaussian_noise sigma must be a number; got '25'; write it without the quotes",
    ),
    "a number that is none": (
        "sigma = 25",
        "sigma = nan",
        ":4: task: gaussian_noise sigma must be a number; got nan",
    ),
    "a degradation out of range": (
        "sigma = 25",
        "sigma = -1",
        ":3: task: gaussian_noise: sigma must be from 0 to 255 levels; got sigma=-1",
    ),
    "a knob of one degradation beside several": (
        '"gaussian_noise"',
        '["gaussian_noise", "haze"]',
        ":4: task: no haze knob is named 'sigma' (knobs: airlight, beta, beta_max); write it only"
        ' where it belongs: { name = "...", sigma = 25 }',
    ),
    "a knob given twice": (
        '"gaussian_noise"',
        '{ name = "gaussian_noise", sigma = 5 }',
        ":3: task: gaussian_noise sigma is given twice, in the braces and beside them",
    ),
    "given without pairs": (
        'degradation = "gaussian_noise"\nsigma = 25',
        'degradation = "given"',
        ":3: task: degradation 'given' needs data that comes as pairs; got data 'photos'",
    ),
    "pairs with a degradation": (
        "sigma = 25",
        'sigma = 25\n[task.data]\nsource = "pairs"\ninput = "a"\ntarget = "b"',
        ":3: task: data 'pairs' holds degraded images already, so the degradation must be 'given';"
        " got 'gaussian_noise'",
    ),
    "pairs without a folder": (
        'degradation = "gaussian_noise"\nsigma = 25',
        '[task.data]\nsource = "pairs"\ninput = "a"',
        ":4: task.data: pairs needs target, a string: Folder of the clean images to train on.",
    ),
    "data that is no table": (
        "sigma = 25",
        'sigma = 25\ndata = "photos"',
        ":5: task.data: task.data is a table, written [task.data]; got 'photos'",
    ),
    "an unknown topology": (
        '"unet"\nwidth = 8',
        '"unett"',
        f":6: network: no topology is named 'unett'; did you mean 'unet'? ({TOPOLOGIES})",
    ),
    "an unknown option of a topology": (
        "width = 8",
        "widht = 8",
        f":7: network: no unet knob is named 'widht'; did you mean 'width'? ({UNET_KNOBS})",
    ),
    "an unknown place": (
        "[training]",
        '[network.midle]\nblock = "lama"\n[training]',
        f":13: network: no unet knob is named 'midle'; did you mean 'middle'? ({UNET_KNOBS})",
    ),
    "a network that cannot be built": (
        "width = 8",
        "width = 0",
        ":5: network: width must be at least 1; got width=0",
    ),
    "a stage without a block": (
        'block = "rdcnn"\n',
        "",
        ':8: stage 1: block is missing; write block = "rdcnn", or another block or a list',
    ),
    "an unknown block": (
        '"rdcnn"\ndepth',
        '"rdcn"\ndepth',
        f":9: stage 1: no block is named 'rdcn'; did you mean 'rdcnn'? ({BLOCKS})",
    ),
    "a block that is no name": (
        '"rdcnn"\ndepth',
        "3\ndepth",
        f':9: stage 1: a block is written "{FIRST}" or {{ name = "{FIRST}" }}; got 3',
    ),
    "a misspelt knob of a block": (
        '["rdcnn", "lama"]',
        '[\n"rdcnn",\n{ name = "mwsa", windw = [4, 8] },\n]',
        ":14: stage 2: no mwsa knob is named 'windw'; did you mean 'window'?"
        " (knobs: grow, heads, mlp_ratio, window)",
    ),
    "a knob beside its block": (
        "depth = 1",
        "window = 4",
        ":10: stage 1: no key is named 'window' (keys: block, depth); a knob goes with its block:"
        ' block = { name = "rdcnn", window = 4 }',
    ),
    "an integer that is a float": (
        '["rdcnn", "lama"]',
        '{ name = "mwsa", window = 8.0 }',
        ":12: stage 2: mwsa window must be an integer; got 8.0; write 8",
    ),
    "a truth that is a number": (
        '["rdcnn", "lama"]',
        '{ name = "mwsa", grow = 0 }',
        ":12: stage 2: mwsa grow must be true or false; got 0; write false",
    ),
    "channels that heads do not divide": (
        '["rdcnn", "lama"]',
        '["rdcnn", { name = "mwsa", heads = [2, 3] }]',
        ":12: stage 2: mwsa: channels must be a multiple of heads; got channels=16, heads=3",
    ),
    "an empty list": (
        '["rdcnn", "lama"]',
        "[]",
        ":12: stage 2: block = [] asks nothing; write at least one value",
    ),
    "an alternative written twice": (
        '["rdcnn", "lama"]',
        '["lama", "rdcnn", { name = "lama" }]',
        ":12: stage 2: block lists { name = 'lama' } twice; each alternative is tried once",
    ),
    "an empty cycle": (
        '["rdcnn", "lama"]',
        "{ cycle = [] }",
        ':12: stage 2: cycle takes a list of blocks, as in cycle = ["emvm", "mwsa"]; got []',
    ),
    "a cycle in a cycle": (
        '["rdcnn", "lama"]',
        '{ cycle = ["emvm", { cycle = ["lama"] }] }',
        ":12: stage 2: a cycle cannot hold a cycle; write its blocks out in one list",
    ),
    "a depth inside a cycle": (
        '["rdcnn", "lama"]',
        '{ cycle = ["emvm", "lama"], depth = 2 }',
        ":12: stage 2: no key is named 'depth' (keys: cycle)",
    ),
    "a negative depth": (
        "depth = 1",
        "depth = [1, -1]",
        ":10: stage 1: depth must be at least 0 and at most 1000; got -1",
    ),
    "more alternatives than anyone means": (
        '["rdcnn", "lama"]',
        "{ cycle = [" + ", ".join(['["rdcnn", "lama"]'] * 14) + "] }",
        ":12: stage 2: 16384 alternatives in one place; at most 10000 are sensible",
    ),
    "more decoder stages than stages": (
        "[training]",
        "[[network.decoder]]\n[[network.decoder]]\n[[network.decoder]]\ndepth = 2\n[training]",
        ":15: decoder 3: 3 decoder stages for 2 stages; there is one for each, or fewer",
    ),
    "an unknown key of the training": (
        "steps = 10",
        "step = 10",
        f":14: training: no key is named 'step'; did you mean 'steps'? ({TRAINING_KEYS})",
    ),
    "no steps": ("steps = 10", "steps = 0", ":14: training: steps must be at least 1; got 0"),
    "a truth where a number belongs": (
        "steps = 10",
        "steps = true",
        ":14: training: steps must be an integer; got true",
    ),
    "seeds by name": (
        "steps = 10",
        "steps = 10\nseeds = [0, 1, 2]",
        ":15: training: seeds says how many, not which; write seeds = 3; got [0, 1, 2]",
    ),
    "an unknown loss": (
        "steps = 10",
        "loss = { l1 = 1.0, ftf_l1 = 0.1 }",
        ":14: training: no loss is named 'ftf_l1'; did you mean 'fft_l1'?"
        " (losses: charbonnier, fft_l1, l1, psnr)",
    ),
    "a loss without weight": (
        "steps = 10",
        "loss = { l1 = 0 }",
        ":14: training: the weight of l1 must be above 0; got 0.0",
    ),
    "an optimizer that is none": (
        "steps = 10",
        'optimizer = "adamm"',
        ":14: training: optimizer must be one of 'adam', 'adamw'; got 'adamm';"
        " did you mean 'adam'?",
    ),
    "a pair that is no pair": (
        "steps = 10",
        "betas = [0.9]",
        ":14: training: betas must be a list of 2 numbers; got [0.9]",
    ),
    "a pair out of range": (
        "steps = 10",
        "betas = [0.9, 1]",
        ":14: training: each item of betas must be at least 0 and below 1; got [0.9, 1.0]",
    ),
    "a rate that would rise": (
        "steps = 10",
        "rate = [1e-3, 1e-5]\nfinal_rate = 1e-4",
        ":15: training: final_rate must be at most rate = 1e-05; got 0.0001",
    ),
    "phases longer than the training": (
        "steps = 10",
        'schedule = "constant_then_cosine"\nwarmup = 0.5\nconstant = 0.75',
        ":16: training: warmup + constant must be at most 1, all the steps; got 1.25",
    ),
    "a list where nothing is asked": (
        "[training]",
        "[evaluation]\nborder = [0, 4]\n[training]",
        ":14: evaluation: border must be an integer; got [0, 4]; here a list is no question",
    ),
    "a border larger than the crop": (
        "[training]",
        "[evaluation]\ncrop = 32\nborder = 11\n[training]",
        ":15: evaluation: border = 11 leaves less than SSIM's 11 pixels of a crop of 32",
    ),
    "an unknown strategy": (
        "[training]",
        '[search]\nstrategy = "gird"\n[training]',
        ":14: search: no strategy is named 'gird'; did you mean 'grid'?"
        " (strategies: d_optimal, factorial, grid, leave_one_out, nsga2, one_at_a_time, random,"
        " swap, tpe, uniform)",
    ),
    "a knob that a strategy has not": (
        "[training]",
        "[search]\nn = 4\n[training]",
        ":14: search: no grid knob is named 'n' (knobs: none)",
    ),
    "a value that a strategy rejects": (
        "[training]",
        '[search]\nstrategy = "random"\nn = 0\n[training]',
        ":13: search: random: n must be at least 1; got 0",
    ),
    "half a size": (
        "[training]",
        "[profile]\nsize = 256\n[training]",
        ":14: profile: size is height and width; write size = [256, 256]; got 256",
    ),
    "one of several sizes is wrong": (
        "[training]",
        "[profile]\nsize = [[256, 256], [128]]\n[training]",
        ":14: profile: size, item 2, must be a list of 2 integers; got [128]",
    ),
    "an unknown objective": (
        "[training]",
        '[report]\nobjectives = ["psnr", "latensy"]\n[training]',
        f":14: report: no objective is named 'latensy'; did you mean 'latency'? ({OBJECTIVES})",
    ),
    "an objective that is not counted": (
        "[training]",
        '[report]\nobjectives = ["psnr", "energy"]\n[training]',
        ":14: report: objectives names energy; to count it, write energy = true in profile",
    ),
    "no objective": (
        "[training]",
        "[report]\nobjectives = []\n[training]",
        ':14: report: objectives = [] weighs nothing; write ["psnr", "latency"]',
    ),
    "a text that is no TOML": (
        "steps = 10",
        "steps 10",
        ":14: not valid TOML: Expected '=' after a key in a key/value pair",
    ),
}


def problems_of(text: str, folder: Path) -> tuple[str, ...]:
    file = folder / "bad.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(file)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return tuple(line.removeprefix(str(file)) for line in caught.value.problems)


def test_the_study_that_is_spoilt_below_is_good(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD, encoding="utf-8")
    assert load_study(tmp_path / "good.toml").size == 2


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_helpful_line(mistake: str, tmp_path: Path) -> None:
    old, new, said = MISTAKES[mistake]
    assert GOOD.count(old) == 1
    said = said if said.startswith(":") else f": {said}"
    assert problems_of(GOOD.replace(old, new), tmp_path) == (said,)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_at_the_command_line_a_mistake_is_that_line_and_exit_code_two(
    mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, said = MISTAKES[mistake]
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["run", str(path), "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(said)
    assert not (tmp_path / "run").exists()


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = GOOD.replace("sigma", "sgma").replace("lama", "lamma").replace("steps = 10", "steps = 0")
    problems = problems_of(text, tmp_path)
    assert [problem.split(":")[1] for problem in problems] == ["4", "12", "14"]


def test_one_mistake_in_two_mirrored_places_is_told_once(tmp_path: Path) -> None:
    text = GOOD.replace('"lama"]', '{ name = "mwsa", heads = 3 }]')
    assert len(problems_of(text, tmp_path)) == 1


def test_a_mistake_of_the_decoder_is_told_there(tmp_path: Path) -> None:
    text = GOOD.replace("[training]", '[[network.decoder]]\nblock = "mwsas"\n[training]')
    assert problems_of(text, tmp_path)[0].startswith(":14: decoder 1: no block is named 'mwsas';")


def test_single_brackets_around_a_stage_are_told(tmp_path: Path) -> None:
    text = GOOD.replace("[[network.stage]]\nblock = [", "[network.decoder]\nblock = [")
    said = ":11: decoder: write [[network.decoder]] with two brackets, once for each decoder"
    assert problems_of(text, tmp_path) == (said,)


def test_a_study_without_a_network_is_told_what_to_write() -> None:
    with pytest.raises(StudyError) as caught:
        load_study({"question": "?", "task": {"degradation": "haze"}})
    said = 'study: network: no stage is given; write [[network.stage]] with block = "rdcnn"'
    assert caught.value.problems == (said,)


def test_a_dictionary_has_places_but_no_lines() -> None:
    stages = [{"block": "rdcnn"}, {"block": {"name": "mwsa", "window": 0}}]
    study = {"question": "?", "task": {"degradation": "haze"}, "network": {"stage": stages}}
    with pytest.raises(StudyError) as caught:
        load_study(study)
    said = "study: stage 2: mwsa: window must be at least 1; got window=0"
    assert caught.value.problems == (said,)


def test_a_missing_file_is_told_with_the_nearest_shipped_study() -> None:
    with pytest.raises(
        StudyError,
        match=r"^quickstrat: no such study file; did you mean "
        r"'quickstart'\? \(shipped studies: .*my_pairs, quickstart",
    ):
        load_study("quickstrat")


def test_a_folder_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot be read: Is a directory$"):
        load_study(tmp_path)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "image.toml").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(StudyError, match=r"image.toml: cannot be read: it is not UTF-8 text$"):
        load_study(tmp_path / "image.toml")


def test_a_text_that_ends_too_early_is_told_with_its_last_line(tmp_path: Path) -> None:
    (problem,) = problems_of('question = "?"\n[network]\nwidth = [8, ', tmp_path)
    assert problem == ":3: not valid TOML: Invalid value (at end of document)"


def test_brackets_without_end_are_told(tmp_path: Path) -> None:
    (problem,) = problems_of("a = " + "[" * 100_000, tmp_path)
    assert problem == ": not valid TOML: nested too deeply"


def test_a_block_that_fails_in_its_own_way_is_told_with_its_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(channels: int) -> None:
        raise RuntimeError(f"no luck with {channels}\nand more")

    monkeypatch.setitem(blocks._entries, "unlucky", Entry("unlucky", fail, {}))
    (problem,) = problems_of(GOOD.replace('"lama"', '"unlucky"'), tmp_path)
    said = "cannot be built: RuntimeError: no luck with 16"
    assert problem == f":12: stage 2: unlucky: {said}"
