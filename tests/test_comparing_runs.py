"""`ablate compare RUN RUN`: what changed in the making, and which differences are real."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ablate.cli import main
from reports.comparing.runs import compare_runs, paired
from reports.comparing.sittings import CompareError
from reports.numbers.results import read
from reports.record import Measurement, Metric, MixRow, Record, TrialRow
from tests.simulated_run import METRICS

MIXES = 8
STUDY = 'question = "Why?"\n\n[training]\nsteps = {steps}\n'
PROFILE = {"profile": '{"threads": 1}', "training": '{"steps": 400}'}


def run(
    folder: Path,
    shift: dict[int, float] | None = None,
    *,
    seeds: int = 4,
    steps: int = 400,
    prefix: str = "m",
    rng_seed: int = 0,
    params: float = 1000.0,
    metrics: tuple[Metric, ...] = METRICS,
    **facts: str,
) -> Path:
    """A run of eight mixes with true qualities 28, 28.1 ...; `shift` adds to some of them."""
    folder.mkdir()
    path, rng = folder / "record.sqlite", np.random.default_rng(rng_seed)
    text, given = STUDY.format(steps=steps), {"device": "cpu", "torch": "2.13", **PROFILE, **facts}
    with Record.create(path, "s", text, "Why?", given, ("psnr", "params")) as record:
        record.define(metrics)
        record.add_mixes(MixRow(f"{prefix}{at}", f"mix {at}", "{}") for at in range(MIXES))
        for at in range(MIXES):
            for seed in range(seeds):
                key = f"{prefix}{at}-{seed}-{rng_seed}"
                value = 28 + 0.1 * at + 0.2 * np.sin(seed) + (shift or {}).get(at, 0.0)
                value += rng.normal(0, 0.01)
                record.add_trial(
                    TrialRow(key, f"{prefix}{at}", seed, "done"),
                    [Measurement(key, "psnr", float(value))],
                )
        record.add_sitting([Measurement(f"{prefix}{at}", "params", params) for at in range(MIXES)])
    return path


def test_a_mix_that_became_better_is_named_and_the_others_are_not(tmp_path: Path):
    before = run(tmp_path / "a", rng_seed=1)
    after = run(tmp_path / "b", {3: 0.3, 5: -0.3}, rng_seed=2, torch="2.14", params=1001.0)
    found = compare_runs(before, after)
    assert found.accuracy is not None
    real = {row.label: row.words for row in found.accuracy.rows if row.real}
    assert set(real) == {"mix 3", "mix 5"}
    assert real["mix 3"].startswith("better by 0.3")
    assert real["mix 5"].startswith("worse by 0.3")
    for row in found.accuracy.rows[2:]:
        assert row.words.startswith("no difference claimed (")
        assert row.change.n == 4
    assert found.accuracy.basis == (
        "seed by seed over 4 seeds; with 95\u00a0% probability all 8 comparisons hold (Holm)"
    )
    assert found.accuracy.common.startswith("all 8 mixes together: no difference claimed (")
    assert [one.words for one in found.made] == ["torch: 2.13 before, 2.14 after"]
    assert len(found.counted) == MIXES
    assert (found.counted[0].before, found.counted[0].after) == ("1,000", "1,001")
    assert "not timed in a common mode" in found.untimed


def test_claims_of_runs_that_differ_by_chance_alone_hold(tmp_path: Path):
    """Of 8 comparisons in each of 400 pairs of runs, 5 % of the pairs may claim one by chance."""
    from reports.analysis.statistics import holm, summarise

    rng = np.random.default_rng(4)
    false = 0
    for _ in range(400):
        gaps = rng.normal(0, 0.01, (MIXES, 4)) - rng.normal(0, 0.01, (MIXES, 4))
        false += any(holm([summarise(row).p_value for row in gaps]))
    assert false / 400 < 0.08


def test_trials_that_were_taken_over_are_the_same_to_the_last_digit(tmp_path: Path):
    before, after = run(tmp_path / "a", rng_seed=1), run(tmp_path / "b", rng_seed=1)
    found = compare_runs(before, after)
    assert found.accuracy is not None
    assert {row.words for row in found.accuracy.rows} == {"the same to the last digit"}
    assert found.accuracy.shared == 4 * MIXES
    assert found.made == () and found.counted == ()


def test_other_mixes_of_the_same_names_are_paired_and_said_to_be_others(tmp_path: Path):
    before = run(tmp_path / "a", rng_seed=1)
    other = dict.fromkeys(range(MIXES), 0.5)
    after = run(tmp_path / "b", other, steps=800, prefix="n", rng_seed=2)
    found = compare_runs(before, after)
    assert found.accuracy is not None
    assert not any(row.same for row in found.accuracy.rows)
    assert all(row.real for row in found.accuracy.rows)
    assert found.accuracy.common.startswith("all 8 mixes together: better by 0.5")
    assert paired(read(before), read(after)) == [(f"m{at}", f"n{at}") for at in range(MIXES)]


def test_with_two_seeds_no_difference_is_claimed(tmp_path: Path):
    before = run(tmp_path / "a", rng_seed=1)
    after = run(tmp_path / "b", {3: 1.0}, seeds=2, rng_seed=2)
    found = compare_runs(before, after)
    assert found.accuracy is not None
    assert not any(row.real for row in found.accuracy.rows)
    assert found.accuracy.basis == "2 seeds in common: no difference can be claimed"


def test_scores_of_another_unit_or_direction_are_not_compared(tmp_path: Path):
    before = run(tmp_path / "a")
    other = tuple(
        replace(each, unit="kilo" if each.name == "params" else each.unit, better="lower")
        if each.name in ("psnr", "params")
        else each
        for each in METRICS
    )
    found = compare_runs(before, run(tmp_path / "b", metrics=other, params=1.0))
    assert found.accuracy is None
    assert found.counted == ()


def test_scores_of_another_protocol_are_compared_with_that_doubt(tmp_path: Path):
    other = tuple(
        replace(each, protocol="Y of YCbCr") if each.name == "psnr" else each for each in METRICS
    )
    found = compare_runs(run(tmp_path / "a"), run(tmp_path / "b", metrics=other))
    assert found.accuracy is not None
    assert "; but they were scored otherwise, which may be all: RGB, float" in found.accuracy.basis
    assert found.accuracy.basis.endswith(" before, Y of YCbCr after")


def test_runs_with_nothing_in_common_are_refused(tmp_path: Path):
    before, after = tmp_path / "a", run(tmp_path / "b")
    Record.create(before, "s", "", "", {}, ()).close()
    with pytest.raises(CompareError, match="were not timed in a common mode"):
        compare_runs(before, after)


def test_the_command_says_what_changed_first_and_what_it_did_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run(tmp_path / "a", rng_seed=1)
    run(tmp_path / "b", {3: 0.3}, steps=500, rng_seed=2, training='{"steps": 500}', torch="2.14")

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), *arguments])
        assert not ended.value.code
        return capsys.readouterr().out

    lines = call().splitlines()
    assert lines[:3] == [
        "study: training.steps: 400 -> 500",
        "differs: torch: 2.13 before, 2.14 after",
        "accuracy, PSNR, dB",
    ]
    assert any("mix 3" in line and "better by 0.3" in line for line in lines)
    assert lines[-1].startswith("latency is not compared: ")
    said = json.loads(call("--json"))
    assert said["study"] == [{"name": "training.steps", "before": "400", "after": "500"}] or (
        said["study"][0]["name"] == "training.steps"
    )
    assert said["accuracy"]["rows"][0]["mix"] == "mix 3"
    assert said["accuracy"]["rows"][0]["real"] is True
    assert said["differs"] == [
        "torch: 2.13 before, 2.14 after",
        "training steps: 400 before, 500 after",
    ]
