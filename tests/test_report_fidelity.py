"""What the report says of a short training as a judge: its checkpoints, and a longer training."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from reports.fidelity.checkpoints import course, mean_over_seeds
from reports.fidelity.holding import held, unfair_judge
from reports.fidelity.judging import judged
from reports.fidelity.longer import FACT, Kept, kept_text, longer
from reports.numbers.results import read
from reports.record import CurvePoint, Measurement, Metric, MixRow, Record, StageRow, TrialRow
from reports.sections.fidelity import SECTION, Fidelity
from tests import one_section
from tests.simulated_run import simulate

METRICS = (Metric("psnr", "dB", "higher"), Metric("params", "", "lower"))
STEPS = (100, 200, 300, 400)


def mix_row(number: int) -> MixRow:
    stage = StageRow("stage1", f"block{number}", "cnn", 1)
    return MixRow(f"m{number}", f"mix {number}", "{}", {"stage1": f"block{number}"}, (stage,))


def trained(record: Record, number: int, seed: int, values: dict[int, float], psnr: float) -> None:
    key = f"m{number}-{seed}"
    curve = [CurvePoint(key, "psnr", step, value) for step, value in values.items()]
    measured = [Measurement(key, "psnr", psnr)]
    record.add_trial(TrialRow(key, f"m{number}", seed, "done"), measured, curve)


def written(path: Path, values: np.ndarray, steps: tuple[int, ...] = STEPS) -> Path:
    """A record of trainings: (checkpoints, mixes, seeds), of which the last is the result."""
    with Record.create(path, "demo", "", "Why?", {}, ("psnr", "params")) as record:
        record.define(METRICS)
        record.add_mixes([mix_row(number) for number in range(values.shape[1])])
        for number, seed in np.ndindex(values.shape[1:]):
            own = values[:, number, seed].tolist()
            trained(record, number, seed, dict(zip(steps, own, strict=True)), own[-1])
        costs = [Measurement(f"m{n}", "params", 1000.0 + n) for n in range(values.shape[1])]
        record.add_sitting(costs)
    return path


@pytest.fixture(scope="module")
def settling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight mixes: at step 100 in the opposite order, from 300 on in that of the end."""
    final = 28 + 0.2 * np.arange(8.0)
    order = np.stack([final[::-1], np.roll(final, 2), final, final])
    seeds = 0.01 * np.arange(3.0)
    values = order[:, :, None] + seeds - np.array([3.0, 2.0, 1.0, 0.0])[:, None, None]
    return written(tmp_path_factory.mktemp("judge") / "record.sqlite", values)


def shown(path: Path) -> Fidelity:
    section = one_section.data(SECTION, path)
    assert section is not None
    return section


def page(path: Path) -> str:
    return one_section.html(SECTION, shown(path))


def text_of(path: Path) -> str:
    return one_section.markdown(SECTION, shown(path))


def test_checkpoints_are_read_with_their_seeds(settling: Path):
    found = course(read(settling))
    assert found is not None
    assert (found.steps, found.parts) == (STEPS, (0.25, 0.5, 0.75, 1.0))
    assert found.values.shape == (4, 8, 3)
    assert np.allclose(found.values[-1], found.final)


def test_each_checkpoint_is_held_against_the_end(settling: Path):
    trained = course(read(settling))
    assert trained is not None
    found = judged(trained)
    assert found is not None
    taus = [one.bands["all"].tau for one in found.checkpoints]
    assert taus == pytest.approx([-1.0, (16 - 12) / 28, 1.0, 1.0])  # 2 of 8 fell below 6 others
    assert [one.lost for one in found.checkpoints] == pytest.approx([1.4, 1.2, 0.0, 0.0])
    assert [one.best.share for one in found.checkpoints] == pytest.approx([0, 1 / 3, 1, 1])
    assert (found.settled, found.seeds_agree) == (2, 1.0)
    assert [one.settled for one in found.checkpoints] == [0.0, 0.0, 1.0, 1.0]


def test_it_is_said_in_words_and_in_a_table(settling: Path):
    section = shown(settling)
    text = " ".join(section.sentences)
    assert text.startswith("At step\u00a0200 of 400 the order of the 8 mixes was another: ")
    assert "would have lost 1.20\u00a0dB." in text
    assert "From step\u00a0300 on the best three stayed the same" in text
    assert "they had settled by then in 100\u00a0% of cases" in text
    assert "Two seeds order the mixes with tau 1.00 in the end, one seed at step" in text
    assert "in the end with 0.14: seeds alone do not explain what the checkpoint" in text
    assert section.bands == ("all, 8", "best half, 4")
    assert [row.place for row in section.rows] == ["100", "200", "300", "400 (end)"]
    assert [row.taus[0][0] for row in section.rows] == ["−1.00", "0.14", "1.00", "1.00"]


def test_a_page_has_the_curve_of_tau_and_every_number(settling: Path):
    html = page(settling)
    assert '<section id="fidelity" aria-labelledby="fidelity-title">' in html
    assert "Kendall&#39;s tau over the training." in html
    text = text_of(settling)
    assert "## Was the short training a fair judge?" in text
    assert "| 200 | 0.14 (" in text


def test_mixes_of_different_lengths_are_compared_by_the_part_of_their_training(tmp_path: Path):
    path = tmp_path / "record.sqlite"
    with Record.create(path, "demo", "", "Why?", {}, ("psnr",)) as record:
        record.define(METRICS)
        record.add_mixes([mix_row(number) for number in range(4)])
        for number in range(4):
            steps = 100 * (1 + number % 2)
            values = {steps // 2: 20.0 + number, steps: 25.0 + number}
            trained(record, number, 0, values, 25.0 + number)
    found = course(read(path))
    assert found is not None
    assert (found.parts, found.steps) == ((0.5, 1.0), (0, 0))
    section = shown(path)
    assert section.sentences[0].startswith("At 50\u00a0% of the training the 4 mixes stood much")
    assert section.rows[0].other_seed == section.rows[0].settled == "–"  # there is one seed


def test_a_trial_that_lacks_checkpoints_leaves_the_others_their_comparison(tmp_path: Path):
    values = np.tile(28 + np.arange(6.0)[None, :, None], (4, 1, 2))
    path = written(tmp_path / "record.sqlite", values)
    with Record.open(path, writable=True) as record:
        record.add_mixes([mix_row(9)])
        trained(record, 9, 0, {400: 40.0}, 40.0)
    found = course(read(path))
    assert found is not None
    assert "m9" not in found.mixes and len(found.mixes) == 6


def test_without_checkpoints_or_with_few_mixes_there_is_no_such_section(tmp_path: Path):
    few = written(tmp_path / "few.sqlite", np.tile(np.arange(3.0)[None, :, None], (4, 1, 2)))
    assert one_section.data(SECTION, few) is None
    once = written(tmp_path / "once.sqlite", np.zeros((1, 6, 2)) + np.arange(6.0)[:, None], (400,))
    assert one_section.data(SECTION, once) is None


def test_mixes_ranked_by_gain_are_followed_by_gain(tmp_path: Path):
    """Half of the mixes restored an easier input: by PSNR they would lead at every checkpoint."""
    path, gains = tmp_path / "record.sqlite", [1.0, 2.0, 3.0, 4.0]
    with Record.create(path, "demo", "", "Why?", {}, ("psnr",)) as record:
        record.define([*METRICS, Metric("input_psnr", "dB", "none")])
        record.add_mixes([mix_row(number) for number in range(4)])
        for number, gain in enumerate(gains):
            start, key = 30.0 - 10.0 * (number % 2), f"m{number}-0"
            measured = [Measurement(key, "psnr", start + gain)]
            measured += [Measurement(key, "input_psnr", start)]
            points = ((100, start + gain / 2), (200, start + gain))
            curve = [CurvePoint(key, "psnr", step, value) for step, value in points]
            record.add_trial(TrialRow(key, f"m{number}", 0, "done"), measured, curve)
    found = course(read(path))
    assert found is not None
    assert np.allclose(found.means, [[0.5, 1.0, 1.5, 2.0], gains])


@pytest.fixture
def checked(settling: Path, tmp_path: Path) -> Path:
    """The same with four mixes that were trained longer: the best two changed sides."""
    path = shutil.copy(settling, tmp_path / "record.sqlite")
    seeds = 0.01 * np.array([1.0, -1.0, 0.5])
    means = {"m7": 30.0, "m6": 30.5, "m3": 29.0, "m0": 28.0}
    values = {
        mix: {seed: mean + turn * off for seed, off in enumerate(seeds.tolist())}
        for turn, (mix, mean) in enumerate(means.items(), -1)
    }
    kept = Kept(4.0, 1600, "psnr", values)
    with Record.open(path, writable=True) as record:
        record.set_fact(FACT, kept_text(record.facts(), "demo-fidelity", kept))
    return Path(path)


def test_a_longer_training_is_held_against_the_short_one(checked: Path):
    (one,) = longer(read(checked))
    assert one.mixes == ("m7", "m6", "m3", "m0")  # the best of the short training first
    found = held(one)
    assert found.order.tau == pytest.approx(4 / 6)
    assert (found.verdicts.before, found.verdicts.kept) == (6, 5)
    assert found.verdicts.reversed == ((0, 1),)
    assert (found.best, round(found.lost.mean, 2)) == (1, 0.5)


def test_a_longer_training_is_said_and_shown(checked: Path):
    (long,) = shown(checked).longer
    assert long.title == "Trained 4 times as long, 1,600 steps"
    text = " ".join(long.sentences)
    assert "4 mixes, from the front and spread over the ranking, came out in an order" in text
    assert "Kendall's tau 0.67." in text
    assert "Of 6 pairs, the short training told 6 apart: 5 stand, none can no longer be" in text
    assert "1 turned round" in text
    assert "Choosing by the short training loses 0.50\u00a0dB" in text
    assert long.reversed == ("mix 7 was better than mix 6; trained longer, it is worse.",)
    assert [row.ranks for row in long.rows] == [(1, 2), (2, 1), (3, 3), (4, 4)]
    assert "Trained 4 times as long, 1,600 steps" in page(checked)
    assert "mix 6 | 29.21 ±0.02 | 2 | 30.50" in text_of(checked)


def test_a_verdict_that_turned_is_a_health_check(checked: Path, settling: Path):
    (finding,) = unfair_judge(read(checked))
    assert (finding.level, len(finding.details)) == ("bad", 1)
    assert finding.text == (
        "Trained 4 times as long, 1,600 steps, 1 pair of mixes changed sides: the short training "
        "was no fair judge of them."
    )
    assert unfair_judge(read(settling)) == []


def test_a_second_check_stands_beside_the_first(checked: Path):
    with Record.open(checked, writable=True) as record:
        kept = Kept(8.0, 3200, "psnr", {"m7": {0: 31.0}, "m0": {0: 28.0}})
        record.set_fact(FACT, kept_text(record.facts(), "demo-fidelity-2", kept))
    assert [one.times for one in longer(read(checked))] == [4.0, 8.0]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        '{"a": 3}',
        '{"a": {"times": "x", "steps": 1, "metric": "psnr", "values": {}}}',
        '{"a": {"times": 4, "steps": 1, "metric": "ssim", "values": {"m1": {"0": 1}}}}',
        '{"a": {"times": 4, "steps": 1, "metric": "psnr", "values": {"m1": [1]}}}',
        '{"a": {"times": 4, "steps": 1, "metric": "psnr", "values": {"m1": {"0": NaN}}}}',
        '{"a": {"times": 4, "steps": 1, "metric": "psnr", "values": {"gone": {"0": 1}}}}',
    ],
)
def test_what_another_version_left_is_passed_over(settling: Path, tmp_path: Path, text: str):
    path = shutil.copy(settling, tmp_path / "record.sqlite")
    with Record.open(path, writable=True) as record:
        record.set_fact(FACT, text)
    assert longer(read(path)) == ()


def test_names_are_text_wherever_they_stand(settling: Path, tmp_path: Path):
    nasty = "<img src=x onerror=alert(1)>"
    path = shutil.copy(settling, tmp_path / "record.sqlite")
    with Record.open(path, writable=True) as record:
        kept = {nasty: {"times": 4, "steps": 0, "metric": "psnr", "values": {}}}
        kept[nasty]["values"] = {f"m{n}": {"0": 30.0 + n} for n in range(4)}
        record.set_fact(FACT, json.dumps(kept))
    html = page(Path(path))
    assert nasty not in html
    assert "Trained 4 times as long</h3>" in html


def test_means_over_seeds_compare_where_a_mix_lacks_the_poor_one():
    values = np.array([[1.0, 3.0], [2.0, 4.0], [math.nan, 3.5]])
    assert mean_over_seeds(values) == pytest.approx([2.0, 3.0, 2.5])
    both = mean_over_seeds(np.stack([values, values + 1.0]))
    assert both == pytest.approx(np.array([[2.0, 3.0, 2.5], [3.0, 4.0, 3.5]]))


def test_two_seeds_have_no_interval(tmp_path: Path):
    rng = np.random.default_rng(0)
    path = written(tmp_path / "two.sqlite", rng.normal(30, 0.1, (len(STEPS), 5, 2)))
    values = {mix: {0: 31.0 + at, 1: 31.1 + at} for at, mix in enumerate(read(path).table.index)}
    with Record.open(path, writable=True) as record:
        record.set_fact(FACT, kept_text({}, "longer", Kept(4.0, 400, "psnr", values)))
    found = shown(path).longer[0]
    assert not any(row.short[1] or row.long[1] for row in found.rows)
    assert "The short training told none of the 10 pairs apart" in " ".join(found.sentences)
    assert "at 95 %" not in found.sentences[-1]


def test_a_simulated_run_has_a_course(tmp_path: Path):
    path = simulate(tmp_path / "record.sqlite", {"stage1": 3, "stage2": 2}, pictures=False)
    section = shown(path)
    assert [row.place for row in section.rows] == ["100", "200", "300", "400 (end)"]
    assert section.longer == ()
