"""The section of trials: every trial has its line, or a stated rule says which have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.build import sections
from reports.numbers.found import Found
from reports.numbers.results import read
from reports.page.page import html
from reports.sections.trials import listed, markdown, trials
from tests.simulated_run import simulate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "record.sqlite"
    return simulate(path, {"stage1": 3, "stage2": 4}, broken=2, pictures=False)


@pytest.fixture(scope="module")
def found(run: Path) -> Found:
    return read(run)


def test_every_trial_has_a_line_with_its_own_numbers(found: Found):
    shown = trials(found)
    assert shown is not None
    lines = {line.key: line for group in shown.groups for line in group.lines}
    assert set(lines) == set(found.trials["key"])
    assert shown.headings[:2] == ("PSNR, dB", "SSIM")
    values = found.measurements[found.measurements["metric"] == "psnr"]
    for key, value in zip(values["subject"], values["value"], strict=True):
        assert lines[key].cells[0] == f"{value:.2f}"
    assert shown.left_out == 0


def test_trials_without_numbers_say_how_they_ended(found: Found):
    shown = trials(found)
    assert shown is not None
    ended = [line for group in shown.groups for line in group.lines if line.status != "done"]
    assert sorted(line.status for line in ended) == [
        "diverged: loss is nan at step 130",
        "failed: RuntimeError: out of memory",
    ]
    assert {line.cells for line in ended} == {("–",) * len(shown.headings)}


def test_the_best_mix_comes_first_and_its_trials_by_seed(found: Found):
    shown = trials(found)
    assert shown is not None
    assert shown.groups[0].mix == found.ranked["psnr"].idxmax()
    assert [line.seed for line in shown.groups[0].lines] == [0, 1, 2]


def test_of_many_trials_those_of_the_front_and_then_of_the_best_are_listed(found: Found):
    members = len(found.letters)
    chosen = listed(found, most=3 * (members + 2))
    assert set(found.letters) < set(chosen)
    assert len(chosen) == members + 2
    best = found.ranked["psnr"].drop(list(found.letters)).nlargest(2).index
    assert set(chosen) - set(found.letters) == set(best)
    shown = trials(found, most=3 * members)
    assert shown is not None
    assert shown.left_out == len(found.trials) - 3 * members
    assert f"Listed are {3 * members} trials of {members} mixes: those of the front" in shown.intro
    assert "ablate export RUN --csv trials.csv" in shown.intro
    assert "39 trials; they are listed on the page" in markdown(shown)[2]


def test_a_run_without_trials_has_no_such_section(tmp_path: Path):
    from reports.record import Record

    Record.create(tmp_path / "r", "s", "", "", {}, ()).close()
    assert trials(read(tmp_path / "r")) is None


def test_links_in_the_page_lead_to_the_trials_of_their_mix(run: Path):
    text = html(sections(run), [])
    places = set(re.findall(r'id="(trials-mix[^"]+)"', text))
    links = set(re.findall(r'href="#(trials-mix[^"]+)"', text))
    assert len(places) == 13
    assert links == places
