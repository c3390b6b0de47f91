"""The answer is a claim with numbers and its doubt, and says so where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reports.answering.answer import answer
from reports.numbers.goals import place
from reports.numbers.results import read
from tests.simulated_run import Kind, simulate
from tests.test_results import THREE, record_of

PAYS = (Kind("rdcnn", "cnn", 0.0, 1.0), Kind("emvm", "mamba", 0.5, 2.0))
ALIKE = (Kind("rdcnn", "cnn", 0.0, 1.0), Kind("lama", "linear_attention", 0.0, 1.0))


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


def said(folder: Path, mixes: dict[str, dict]) -> str:
    return plain(answer(read(record_of(folder, mixes))).sentence)


@pytest.fixture(scope="module")
def pays(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pays")
    counts = {"stage1": 2, "stage2": 2}
    record = simulate(folder / "r", counts, kinds=PAYS, noise=0.02, pictures=False)
    return plain(answer(read(record)).sentence)


def test_what_pays_and_what_it_costs_comes_first_with_its_interval(pays):
    first, second = pays.split(". Mix ")
    assert first.startswith("At stage 2, emvm instead of rdcnn gains 0.7")
    assert "dB (95 %: 0." in first
    assert "ms; at stage 1, emvm instead of rdcnn gains 0." in first
    assert first.count("and costs") == 2
    assert "has the best mean PSNR of 4 mixes: " in second


def test_where_nothing_can_be_claimed_the_largest_difference_is_told_with_what_could_be_seen(
    tmp_path,
):
    counts = {"stage1": 2, "stage2": 2}
    record = simulate(tmp_path / "r", counts, kinds=ALIKE, noise=0.3, pictures=False)
    text = plain(answer(read(record)).sentence)
    assert text.startswith("No difference claimed between any two choices: the largest, ")
    assert "dB could easily have been missed. " in text
    assert "no difference claimed between it and 3 other mixes." in text


def test_the_best_mix_is_named_with_its_numbers(tmp_path):
    found = read(record_of(tmp_path, THREE))
    assert answer(found).best == "slow"
    assert plain(answer(found).sentence).endswith(
        "Mix B (label slow) has the best mean PSNR of 3 mixes: 30.10 dB (29.85 to 30.35, 3 seeds) "
        "at 10.0 ms; it beats every other mix by more than the seeds differ."
    )


def test_a_cheaper_mix_that_seeds_cannot_tell_apart_is_offered(tmp_path):
    twin = {"psnr": [30.2, 29.9, 30.1], "latency": 0.006}
    found = answer(read(record_of(tmp_path, THREE | {"twin": twin})))
    assert found.cheaper == "twin"
    words = plain(found.sentence)
    assert "; mix B (label twin) is not distinguishable from it (−0.03 dB, " in words
    assert words.endswith(" and needs 40 % less latency (6.0 ms).")


def test_the_best_is_compared_with_all_others_at_once(tmp_path):
    near = {"psnr": [29.8, 29.97, 29.93], "latency": 0.012}  # 0.2 dB less, p of 0.03 alone
    far = {f"far{at}": {"psnr": [20.0, 20.1, 20.2], "latency": 0.02} for at in range(3)}
    assert "it beats every other mix" in said(tmp_path, {"slow": THREE["slow"], "near": near})
    (tmp_path / "more").mkdir()
    close = {"psnr": [29.99, 30.08, 30.14], "latency": 0.012}
    also = {"psnr": [29.98, 30.09, 30.13], "latency": 0.013}
    more = {"slow": THREE["slow"], "close": close, "also": also, **far}
    words = said(tmp_path / "more", more)
    assert "no difference claimed between it and 2 of the 5 others" in words


def test_two_seeds_claim_no_difference(tmp_path):
    mixes = {key: facts | {"psnr": facts["psnr"][:2]} for key, facts in THREE.items()}
    words = said(tmp_path, mixes)
    assert words.startswith("With 2 seeds to a mix, no difference claimed between any two choices.")
    assert "with 2 seeds to a mix, no difference claimed between the mixes." in words


def test_a_run_without_trials_says_so(tmp_path):
    assert said(tmp_path, {"a": {"psnr": []}}) == "No mix has been trained to the end yet."
    (tmp_path / "none").mkdir()
    empty = "There is nothing in this run yet: no mix, no trial."
    assert said(tmp_path / "none", {}) == empty


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({0: "failed", 1: "failed"}, "All 2 trials failed: there is nothing to compare."),
        ({0: "failed", 1: "diverged"}, "All 2 trials failed or diverged: there is nothing to"),
        ({0: "diverged", 1: "diverged"}, "All 2 trials diverged: there is nothing to compare."),
    ],
)
def test_a_run_in_which_all_failed_says_so(tmp_path, status, words):
    assert said(tmp_path, {"a": {"psnr": [1.0, 1.0], "status": status}}).startswith(words)


def test_costs_are_told_where_there_is_nothing_else(tmp_path):
    mixes = {"a": {"psnr": [], "latency": 0.005}, "b": {"psnr": [], "latency": 0.004}}
    words = (
        "No mix has been trained to the end yet; by latency alone, label b comes first (4.00 ms)."
    )
    assert said(tmp_path, mixes) == words


def test_one_mix_alone_has_its_number_and_no_comparison(tmp_path):
    words = said(tmp_path, {"slow": THREE["slow"]})
    assert words == (
        "Mix A (label slow) is the only mix with a PSNR: 30.10 dB (29.85 to 30.35, 3 seeds) at "
        "10.0 ms."
    )
    (tmp_path / "one").mkdir()
    one = said(tmp_path / "one", {"slow": {"psnr": [30.0], "latency": 0.01}})
    assert one == "Mix A (label slow) is the only mix with a PSNR: 30.00 dB (1 seed) at 10.0 ms."


def test_an_unfinished_run_says_how_much_of_it_there_is(tmp_path):
    words = said(tmp_path, THREE | {"late": {"psnr": []}})
    assert words.startswith("So far (3 of 4 mixes trained): ")
    assert "mix B (label slow) has" in words or "Mix B (label slow) has" in words


def test_mixes_that_are_worse_than_their_input_are_the_answer(tmp_path):
    poor = {key: facts | {"input": 33.0} for key, facts in THREE.items()}
    assert said(tmp_path, poor).startswith(
        "No mix is better than its input: the best, mix B (label slow), lacks 2.90 dB of PSNR."
    )


def test_mixes_that_are_worse_than_nothing_are_the_answer(tmp_path):
    nothing = {"psnr": [31.0, 31.0, 31.0], "latency": 0.001, "baseline": True}
    words = said(tmp_path, THREE | {"nothing": nothing})
    assert words.startswith("No mix is better than the network that does nothing: the best, ")


def test_what_the_study_could_not_see_is_among_the_doubts(tmp_path):
    record = simulate(tmp_path / "r", {"stage1": 2, "stage2": 3}, noise=0.1, pictures=False)
    doubts = [plain(text) for text in answer(read(record)).doubts]
    seen = [text for text in doubts if text.startswith("3 seeds that scatter by 0.")]
    assert len(seen) == 1
    assert seen[0].endswith("could easily be taken for alike.")


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ("stage2", "at stage 2"),
        ("decoder3", "at decoder 3"),
        ("middle", "at middle"),
        ("final_rate", "for final rate"),
        ("stage2.depth", "for depth at stage 2"),
    ],
)
def test_a_choice_has_a_place(axis, words):
    assert place(axis) == words


def test_choices_that_depend_on_each_other_are_a_doubt(tmp_path):
    rows = {
        f"{one}{other}": {
            "psnr": [30 + value + s for s in (0.0, 0.02, -0.01)],
            "latency": 0.01,
            "axes": {"stage1": one, "stage2": other},
        }
        for (one, other), value in zip(("aa", "ab", "ba", "bb"), (0.0, 1.0, 1.0, 0.0), strict=True)
    }
    for at, facts in enumerate(rows.values()):
        facts["psnr"][at % 3] += 0.01
    found = read(record_of(tmp_path, rows))
    axes = pd.DataFrame([facts["axes"] for facts in rows.values()], index=list(rows))
    crossed = replace(found, levels=axes.reindex(found.table.index))
    doubts = [plain(text) for text in answer(crossed).doubts]
    wanted = "What fits stage 1 depends on stage 2: read mixes and interactions, not means."
    assert wanted in doubts
    alone = [plain(text) for text in answer(found).doubts]
    assert not any("depends on" in text for text in alone)
