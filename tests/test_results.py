from __future__ import annotations

import math
from pathlib import Path

import pytest

from reports.answering.answer import answer, choice_costs, quality_effects, strongest
from reports.build import write_report
from reports.checks.health import health
from reports.numbers.found import Found
from reports.numbers.mixes import mixes
from reports.numbers.results import main_mode, read, results
from reports.plot.drawing import Panel, panel
from reports.plot.plot import plot
from reports.record import Measurement, MixRow, Record, StageRow, TrialRow
from reports.sections.method import method
from tests.simulated_run import METRICS, Kind, simulate


def record_of(folder: Path, mixes: dict[str, dict]) -> Path:
    """mixes: key -> psnr (one value per seed), latency, and status of its trials."""
    path = folder / "record.sqlite"
    with Record.create(path, "s", "", "Why?", {}, ("psnr", "latency")) as record:
        record.define(METRICS)
        for key, facts in mixes.items():
            levels = {"stage1": facts.get("level", key)}
            stage = StageRow("stage1", key, facts.get("family", "cnn"), 1)
            baseline = facts.get("baseline", False)
            record.add_mixes([MixRow(key, f"label {key}", "{}", levels, (stage,), baseline)])
            for seed, value in enumerate(facts["psnr"]):
                trial = f"{key}-{seed}"
                status = facts.get("status", {}).get(seed, "done")
                measured = [
                    Measurement(trial, "psnr", value),
                    Measurement(trial, "input_psnr", facts.get("input", 20.0)),
                ]
                record.add_trial(
                    TrialRow(trial, key, seed, status, "why" * (status != "done")),
                    measured if status == "done" else [],
                )
            if "latency" in facts:
                middle = facts["latency"]
                record.add_sitting(
                    [Measurement(key, "latency", middle, middle * 0.98, middle * 1.02, 30, "64x64")]
                )
    return path


def first_panel(found: Found) -> Panel:
    """What the plot shows at first."""
    shown = plot(found, answer(found))
    return panel(found, shown, shown.x, shown.y)


THREE = {
    "fast": {"psnr": [28.0, 28.1, 28.2], "latency": 0.005},
    "slow": {"psnr": [30.0, 30.1, 30.2], "latency": 0.010},
    "poor": {"psnr": [27.0, 27.1, 27.2], "latency": 0.020},
}


def test_there_is_one_row_per_mix_with_means_over_seeds(tmp_path):
    path = record_of(tmp_path, THREE)
    with Record.open(path) as record:
        table = results(record)
    assert list(table.index) == ["fast", "slow", "poor"]
    assert table.loc["slow", "psnr"] == pytest.approx(30.1)
    assert table.loc["slow", "psnr_n"] == 3
    assert table.loc["slow", "gain"] == pytest.approx(10.1)
    assert table.loc["slow", "stage1"] == "slow"
    assert list(table["on_front"]) == [True, True, False]
    assert list(table["front_probability"]) == [1.0, 1.0, 0.0]
    assert table.attrs["units"]["latency"] == "s"


def test_a_mix_that_diverged_once_is_off_the_front_and_beats_nobody(tmp_path):
    mixes = THREE | {"wild": {"psnr": [99.0, 99.0], "latency": 0.001, "status": {1: "diverged"}}}
    table = read(record_of(tmp_path, mixes)).table
    assert table.loc["wild", "status"] == "diverged"
    assert list(table["on_front"]) == [True, True, False, False]
    assert math.isnan(table.loc["wild", "front_probability"])


def test_a_mix_whose_trial_failed_counts_with_the_seeds_that_are_left(tmp_path):
    mixes = THREE | {"lucky": {"psnr": [29.0, 0.0], "latency": 0.007, "status": {1: "failed"}}}
    table = read(record_of(tmp_path, mixes)).table
    assert table.loc["lucky", "status"] == "partial"
    assert table.loc["lucky", "psnr"] == pytest.approx(29.1)  # its seed adds 0.1 less than others
    assert table.loc["lucky", "psnr_n"] == 1
    assert table.loc["lucky", "on_front"]


def test_a_mix_without_latency_is_not_on_the_front(tmp_path):
    mixes = THREE | {"unknown": {"psnr": [40.0, 40.0, 40.0]}}
    found = read(record_of(tmp_path, mixes))
    assert not found.table.loc["unknown", "on_front"]
    assert math.isnan(found.table.loc["unknown", "latency"])
    assert any("1 mix without latency" in finding.text for finding in health(found))


def test_one_seed_gives_no_front_probability(tmp_path):
    table = read(record_of(tmp_path, {"a": {"psnr": [28.0], "latency": 0.01}})).table
    assert table["front_probability"].isna().all()
    assert table["on_front"].all()


def test_mixes_that_are_one_network_share_the_error_of_its_timing(tmp_path):
    mixes = {
        "sigma 15": {"psnr": [33.0, 33.1, 33.2], "input": 24.0, "latency": 0.005},
        "sigma 50": {"psnr": [26.0, 26.1, 26.2], "input": 14.0, "latency": 0.005},
    }
    table = read(record_of(tmp_path, mixes)).table
    assert sorted(table["front_probability"]) == [0.0, 1.0]


def test_letters_go_along_the_front_from_cheap_to_dear_without_baselines(tmp_path):
    nothing = {"psnr": [20.0, 20.0, 20.0], "latency": 0.001, "baseline": True}
    found = read(record_of(tmp_path, THREE | {"nothing": nothing}))
    assert found.table.loc["nothing", "on_front"]
    assert found.letters == {"fast": "A", "slow": "B"}


def test_the_latest_sitting_counts(tmp_path):
    path = record_of(tmp_path, THREE)
    with Record.open(path, writable=True) as record:
        record.add_sitting([Measurement("fast", "latency", 0.004, mode="64x64", sitting="again")])
    found = read(path)
    assert found.table.loc["fast", "latency"] == 0.004
    assert any("2 sittings" in finding.text for finding in health(found))


def test_other_sizes_have_columns_of_their_own(tmp_path):
    found = read(simulate(tmp_path / "r.sqlite", {"stage1": 2, "stage2": 2}))
    assert {"latency", "latency@256x256"} <= set(found.table)
    assert main_mode(found.measurements)["latency"] == "128x128"


def test_failures_are_listed_with_their_reasons(tmp_path):
    mixes = THREE | {"wild": {"psnr": [99.0, 99.0], "status": {0: "failed", 1: "diverged"}}}
    findings = {finding.text: finding for finding in health(read(record_of(tmp_path, mixes)))}
    diverged = findings["1 of 11 trials diverged; its mix is kept off the front."]
    assert diverged.details == ("label wild, seed 1: why",)
    assert "1 of 11 trials failed; its mix is judged by the seeds that are left." in findings
    assert not any(finding.level == "good" for finding in findings.values())


def test_different_inputs_are_a_reason_to_compare_gains(tmp_path):
    mixes = THREE | {"other": {"psnr": [31.0, 31.0, 31.0], "input": 25.0, "latency": 0.01}}
    texts = [finding.text for finding in health(read(record_of(tmp_path, mixes)))]
    assert any("compare the gain, not the PSNR" in text for text in texts)


def test_seeds_still_to_come_are_said(tmp_path):
    mixes = THREE | {"late": {"psnr": [28.0]}, "waiting": {"psnr": []}}
    texts = [finding.text for finding in health(read(record_of(tmp_path, mixes)))]
    assert "1 mix with fewer seeds than the others so far." in texts
    assert "1 mix of 5 not trained yet." in texts


def test_the_strongest_choice_is_the_one_that_was_simulated(tmp_path):
    kinds = (Kind("weak", "cnn", 0.0, 1.0), Kind("strong", "mamba", 1.0, 1.2))
    path = simulate(tmp_path / "r.sqlite", {"stage1": 1, "stage2": 2, "stage3": 2}, kinds=kinds)
    found = read(path)
    effects = quality_effects(found)
    assert strongest(effects) == "stage3"
    # half of 1 dB times 1 + 0.6 * 2
    strong = next(effect for effect in effects.of("stage3") if effect.level == "strong")
    assert strong.value == pytest.approx(1.1, abs=0.1)
    assert strong.claimed


TASKS = {
    "sigma 15": {"psnr": [33.0, 33.1, 33.2], "input": 24.6, "latency": 0.005, "level": "15"},
    "sigma 50": {"psnr": [26.0, 26.1, 26.2], "input": 14.2, "latency": 0.005, "level": "50"},
}


def test_different_tasks_are_ranked_by_gain_everywhere(tmp_path):
    path = record_of(tmp_path, TASKS)
    found, said = read(path), answer(read(path))
    assert found.objectives == ("gain", "latency")
    assert said.best == "sigma 50"
    assert found.letters == {"sigma 50": "A"}
    words = said.sentence.replace("\xa0", " ")
    assert (
        "Mix A (label sigma 50) has the best mean gain over input of 2 mixes (mixes restored "
        "different inputs, so they are compared by gain, not by PSNR): 11.90 dB"
    ) in words
    effects = quality_effects(found)
    assert effects.metric == "gain"
    assert max(effects.effects, key=lambda effect: effect.value).level == "50"
    drawn = first_panel(found)
    assert drawn.up == "Gain over input, dB"
    assert min(drawn.points, key=lambda point: point.y).mix == "sigma 50"
    table = mixes(found)
    assert [row.mix for row in table.rows[:2]] == ["sigma 50", "sigma 15"]
    assert table.columns[0].metric == "gain"
    page = write_report(path, tmp_path)["report.html"].read_text()
    assert "compared by gain, not by PSNR.</p>" in page
    assert "One of 2 mixes is on the front: 11.90\xa0dB of gain at 5.00\xa0ms" in page


def test_parameters_are_exact_and_unrepeated_timings_are_not(tmp_path):
    path = record_of(tmp_path, {key: {"psnr": facts["psnr"]} for key, facts in THREE.items()})
    with Record.open(path, writable=True) as record:
        for at, key in enumerate(THREE):
            counted, timed = (
                Measurement(key, "params", 100 + at),
                Measurement(key, "latency", 1.0 + at),
            )
            record.add_sitting([counted, timed])
    found = read(path)
    assert choice_costs(found, "params").effects[0].claimed
    assert not any(effect.claimed for effect in choice_costs(found, "latency").effects)


def test_a_latency_that_was_measured_later_is_not_said_to_be_missing(tmp_path):
    path = record_of(tmp_path, THREE | {"never": {"psnr": [28.0, 28.0, 28.0]}})
    with Record.open(path, writable=True) as record:
        for subject in ("", "slow", "never"):
            record.note(subject, "latency", f"latency was not measured: reason of {subject!r}")
    found = read(path)
    assert list(found.notes["text"]) == ["latency was not measured: reason of 'never'"]
    assert [text for _, text in method(found).notes] == list(found.notes["text"])


def test_a_busy_machine_is_said_once_with_the_mixes_concerned(tmp_path):
    path = record_of(tmp_path, THREE)
    busy = "the machine was busy: 40 % of the timed visits were disturbed"
    with Record.open(path, writable=True) as record:
        for key in ("fast", "slow"):
            record.note(key, "latency", busy)
    texts = [(f.level, f.text) for f in health(read(path)) if "busy" in f.text]
    assert texts == [("note", f"Take the latency of 2 mixes with care: {busy}.")]


def test_the_plot_holds_the_bars_of_all_its_points(tmp_path):
    wide = {"psnr": [28.3, 29.0, 29.7], "latency": 0.03}  # 29 +- 1.74, off the front
    points = first_panel(read(record_of(tmp_path, THREE | {"wide": wide}))).points
    assert all(0.0 < end < 1.0 for point in points for end in point.down)


def test_long_bars_leave_the_points_a_third_of_the_height(tmp_path):
    wide = {"psnr": [19.0, 29.0, 39.0], "latency": 0.03}
    points = first_panel(read(record_of(tmp_path, THREE | {"wide": wide}))).points
    heights = [point.y for point in points]
    assert max(heights) - min(heights) == pytest.approx(1 / 3)
    assert {point.mix for point in points if set(point.down) & {0.0, 1.0}} == {"wide"}


def test_one_task_is_ranked_by_the_raw_score(tmp_path):
    found = read(record_of(tmp_path, THREE))
    assert found.objectives == ("psnr", "latency")
    assert quality_effects(found).metric == "psnr"
    assert "ssim_gain" not in found.table
