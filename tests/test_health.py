"""What is wrong with a run is said before its numbers, and only that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reports.answering.doubts import sight
from reports.checks.health import health
from reports.numbers.finding import Finding
from reports.numbers.found import Found
from reports.numbers.results import read
from reports.record import Measurement, Note, Record
from tests.simulated_run import Kind, simulate
from tests.test_results import THREE, record_of

KINDS = (Kind("rdcnn", "cnn", 0.0, 1.0), Kind("emvm", "mamba", 0.5, 2.0))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("health")
    counts = {"stage1": 2, "stage2": 2}
    return read(simulate(folder / "r", counts, kinds=KINDS, noise=0.02, pictures=False))


def texts(found: Found) -> list[str]:
    return [finding.text.replace("\xa0", " ") for finding in health(found)]


def one(found: Found, start: str) -> Finding:
    (finding,) = [f for f in health(found) if f.text.replace("\xa0", " ").startswith(start)]
    return finding


def test_when_nothing_is_amiss_there_is_one_line(found):
    table = found.table[~found.table["baseline"]].drop(columns=["macs", "params"])
    fine = replace(found, table=table, notes=found.notes.iloc[:0])
    said = health(fine)
    if len(said) > 1:  # two of the four may not be separable by latency
        said = tuple(f for f in said if "separable" not in f.text)
    else:
        assert said[0].text == "Nothing amiss: 15 trials done; none diverged, none failed."
    assert len(said) <= 1


def test_the_worst_comes_first(tmp_path):
    mixes = THREE | {"wild": {"psnr": [99.0, 99.0], "status": {0: "failed", 1: "diverged"}}}
    levels = [finding.level for finding in health(read(record_of(tmp_path, mixes)))]
    assert levels == sorted(levels, key=("bad", "note", "good").index)
    assert levels[0] == "bad"


def test_mixes_no_better_than_their_input_are_named(tmp_path):
    poor = {"psnr": [19.0, 19.5, 20.0], "latency": 0.03}
    finding = one(read(record_of(tmp_path, THREE | {"poor": poor})), "1 of 3 mixes is no better")
    assert finding.level == "bad"
    assert finding.text == "1 of 3 mixes is no better than its input."
    assert finding.details == ("label poor: −0.50\xa0dB",)


def test_mixes_no_better_than_a_network_that_does_nothing_are_named(tmp_path):
    nothing = {"psnr": [28.5, 28.5, 28.5], "latency": 0.001, "baseline": True}
    finding = one(read(record_of(tmp_path, THREE | {"nothing": nothing})), "2 of 3 mixes are no")
    assert finding.text == "2 of 3 mixes are no better than the network that does nothing."
    assert finding.details[0] == "label poor: −1.40\xa0dB"


def with_levels(found: Found, **axes: list[str]) -> Found:
    mixes = found.ranked.index
    return replace(found, levels=pd.DataFrame(axes, index=mixes).reindex(found.table.index))


def test_choices_that_never_vary_apart_are_named(found):
    assert not any("never vary apart" in text for text in texts(found))
    twins = with_levels(found, stage1=["a", "a", "b", "b"], rate=["1", "1", "2", "2"])
    finding = one(twins, "stage1 and rate never vary apart in the mixes that were trained")
    assert finding.level == "bad"
    nested = with_levels(found, stage1=["a", "a", "b", "b"], rate=["1", "2", "3", "4"])
    assert not any("never vary apart" in text for text in texts(nested))
    finding = one(nested, "The mixes that were trained can't tell the effects of")
    assert "stage1" in finding.text


def test_one_choice_alone_is_confounded_with_none(found):
    alone = with_levels(found, stage1=["a", "a", "b", "b"], rate=["1"] * 4)
    assert not any("apart in the mixes" in text or "can't tell" in text for text in texts(alone))


def test_too_few_seeds_for_what_is_asked_are_told_with_what_could_be_seen(tmp_path):
    counts = {"stage1": 2, "stage2": 2}
    blind = read(simulate(tmp_path / "r", counts, kinds=KINDS, noise=0.8, pictures=False))
    seen = sight(blind)
    assert seen is not None
    assert 0.4 < seen.sd < 1.6
    assert seen.smallest > 2.5 * seen.sd
    assert seen.unseen == 1.0
    finding = one(blind, "Few seeds for what is asked: 100 % of all pairs of mixes differ by less")
    assert finding.text.endswith("dB that 3 seeds tell apart in four of five cases.")


def test_seeds_enough_are_not_mentioned(found):
    seen = sight(found)
    assert seen is not None
    assert seen.unseen < 0.5
    assert not any("Few seeds" in text for text in texts(found))


def test_mixes_timed_with_other_kernels_or_devices_do_not_compare(tmp_path):
    path = record_of(tmp_path, THREE)
    with Record.open(path, writable=True) as record:
        for key, backend, device in (("fast", "c", "cpu"), ("slow", "triton", "cuda")):
            row = Measurement(key, "latency", 0.01, mode="64x64", backend=backend, device=device)
            record.add_sitting([row])
    found = read(path)
    assert (
        one(found, "Mixes were timed with different kernels of the scan (c, triton)").level == "bad"
    )
    assert one(found, "Mixes were timed with different devices (cpu, cuda)").level == "bad"


def test_trials_of_other_devices_are_counted(found):
    assert not any("devices" in text for text in texts(found))
    facts = found.trial_facts.copy()
    some = facts[(facts["name"] == "device")].index[:3]
    facts.loc[some, "value"] = "cuda"
    finding = one(replace(found, trial_facts=facts), "Trials were trained with different devices (")
    assert finding.text.endswith("cpu: 12 trials, cuda: 3 trials): numbers may differ by that.")


def test_a_run_that_went_on_elsewhere_is_not_of_one_piece(found):
    note = Note("", "warning", "the run began with gpu A and went on with B")
    notes = pd.DataFrame([note.__dict__])
    said = texts(replace(found, notes=pd.concat([found.notes, notes])))
    assert "The run is not of one piece: it began with gpu A and went on with B." in said
    assert not any(text.startswith("Warnings") for text in said)


def test_one_objective_and_one_mix_are_told(found, tmp_path):
    alone = read(record_of(tmp_path, {"slow": THREE["slow"]}))
    assert "One mix alone: there is nothing to compare it with." in texts(alone)
    said = texts(replace(found, objectives=("psnr",)))
    assert "One objective, PSNR: the front is the best mix alone." in said


def test_a_mix_whose_seeds_scatter_far_more_is_named(tmp_path: Path):
    mixes = {
        f"m{at}": {"psnr": [30 + at, 30.1 + at, 29.95 + at + 0.01 * at], "latency": 0.01 + at}
        for at in range(6)
    }
    assert not any("scatters over" in t for t in texts(read(record_of(tmp_path, mixes))))
    (tmp_path / "wild").mkdir()
    wild = mixes | {"wild": {"psnr": [30.0, 36.0, 27.0], "latency": 0.5}}
    finding = one(read(record_of(tmp_path / "wild", wild)), "1 mix scatters over 4 times as much")
    assert finding.details[0].startswith("label wild: 3.")


def test_a_record_with_nothing_has_its_line(tmp_path):
    assert texts(read(record_of(tmp_path, {})))[0] == "No trial is in the record yet."
