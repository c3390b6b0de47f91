"""The mix for each budget, and the front with what can be said of it, in page and Markdown."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reports.answering.answer import answer
from reports.answering.recommending import by_cost
from reports.graphics.escaping import escape_markdown
from reports.numbers.objectives import weighed
from reports.numbers.rates import frugal, zero
from reports.numbers.results import read
from reports.page.rendering import environment
from reports.record import Measurement, Record
from reports.sections.budgets import SECTION as BUDGETS
from reports.sections.budgets import Budgets
from reports.sections.front import SECTION as FRONT
from reports.sections.front import Front
from reports.sections.section import Given
from reports.wording.front import knees_of, margin, sentences
from tests.simulated_run import simulate
from tests.test_report import Page
from tests.test_results import TASKS, THREE, record_of

NOTHING = {"psnr": [22.0, 22.0, 22.0], "latency": 0.001, "baseline": True}


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


def given(path: Path) -> Given:
    found = read(path)
    return Given(path, found, answer(found))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("front")
    return given(simulate(folder / "r", {"stage1": 3, "stage2": 4}, pictures=False))


def budgets(path: Path) -> Budgets:
    shown = BUDGETS.collect(given(path))
    assert shown is not None
    return shown


def test_each_step_of_the_front_has_a_round_budget_and_its_mix(tmp_path):
    lines = budgets(record_of(tmp_path, THREE)).first.lines
    assert [plain(line.budget) for line in lines] == ["under 6 ms", "any"]
    assert [line.best.mix for line in lines] == ["fast", "slow"]
    assert [plain(line.cost) for line in lines] == ["5.0", "10.0"]
    assert plain(lines[0].behind) == "−2.00 (−2.00 to −2.00)"
    assert lines[1].behind == ""
    assert [plain(line.wins) for line in lines] == ["100 %", "100 %"]
    assert [line.as_good for line in lines] == ["none", "none"]


def test_a_mix_that_does_nothing_is_recommended_to_nobody(tmp_path):
    lines = budgets(record_of(tmp_path, THREE | {"nothing": NOTHING})).first.lines
    assert [line.best.mix for line in lines] == ["fast", "slow"]


def test_who_is_as_good_under_the_budget_is_named_the_cheapest_first(tmp_path):
    near = {"psnr": [30.2, 29.9, 30.1], "latency": 0.009}
    also = {"psnr": [30.3, 29.8, 30.1], "latency": 0.0095}
    mixes = {"slow": THREE["slow"], "poor": THREE["poor"], "also": also, "near": near}
    last = budgets(record_of(tmp_path, mixes)).first.lines[-1]
    assert (last.best.mix, last.as_good) == ("slow", "A, B")
    assert int(plain(last.wins).split()[0]) < 70
    more = mixes | {f"m{at}": also | {"latency": 0.0096 + 0.0001 * at} for at in range(3)}
    (tmp_path / "more").mkdir()
    last = budgets(record_of(tmp_path / "more", more)).first.lines[-1]
    assert last.as_good == "A, B and 3 more"


def test_with_too_few_seeds_nobody_is_called_as_good(tmp_path):
    mixes = {key: facts | {"psnr": facts["psnr"][:1]} for key, facts in THREE.items()}
    shown = budgets(record_of(tmp_path, mixes))
    assert shown.first.lines[1].as_good == "too few seeds to tell"
    assert shown.draws == 0
    assert shown.first.lines[0].wins == ""
    assert plain(shown.first.lines[0].behind) == "−2.00"


def test_a_long_front_keeps_the_budgets_that_gain_most(tmp_path):
    mixes = {
        f"m{at}": {"psnr": [28.0 + gain + s for s in (0.0, 0.1, 0.2)], "latency": 0.001 * (at + 1)}
        for at, gain in enumerate((0.0, 0.01, 1.0, 1.5, 1.51, 2.0, 3.0))
    }
    found = read(record_of(tmp_path, mixes))
    shown = by_cost(found, "latency")
    assert shown is not None
    assert [line.best.mix for line in shown.lines] == ["m0", "m2", "m3", "m5", "m6"]
    assert shown.left_out == 2


def test_every_cost_that_was_measured_has_its_budgets(run):
    shown = BUDGETS.collect(run)
    assert shown is not None
    assert shown.first.cost == "Latency, ms"
    assert {"Parameters, k", "Memory, MiB"} <= {each.cost for each in shown.others}


def test_without_a_cost_there_are_no_budgets_and_no_front(tmp_path):
    mixes = {key: {"psnr": facts["psnr"]} for key, facts in THREE.items()}
    alone = given(record_of(tmp_path, mixes))
    assert BUDGETS.collect(alone) is None
    assert FRONT.collect(alone) is None
    (tmp_path / "none").mkdir()
    assert BUDGETS.collect(given(record_of(tmp_path / "none", {}))) is None


def front_of(path: Path) -> Front:
    shown = FRONT.collect(given(path))
    assert shown is not None
    return shown


def test_the_front_says_who_is_on_it_and_how_surely(tmp_path):
    shown = front_of(record_of(tmp_path, THREE))
    assert shown.title == "2 of 3 mixes are on the front, all of them surely"
    assert [(row.mix, plain(row.probability)) for row in shown.members] == [
        ("fast", "100 %"),
        ("slow", "100 %"),
    ]
    assert plain(shown.sentences[-1]).startswith("The front covers ")


def test_mixes_that_may_belong_to_the_front_stand_below_it(tmp_path):
    noisy = {
        "a": {"psnr": [30.0, 30.4, 29.7], "latency": 0.005},
        "b": {"psnr": [30.1, 29.6, 30.1], "latency": 0.006},
        "c": {"psnr": [27.0, 27.1, 27.2], "latency": 0.007},
    }
    shown = front_of(record_of(tmp_path, noisy))
    assert [(row.mix, row.letter) for row in shown.members] == [("a", "A"), ("b", "")]
    assert 10 < int(plain(shown.members[1].probability).split()[0]) < 60
    words = " ".join(map(plain, shown.sentences))
    assert "1 other mix is as good as the front, as far as seeds and timings tell: " in words


def test_gains_are_counted_from_the_network_that_does_nothing_or_from_the_input(tmp_path):
    with_one = read(record_of(tmp_path, THREE | {"nothing": NOTHING}))
    start = zero(with_one)
    assert start is not None
    assert start.words == "the network that does nothing (label nothing)"
    assert (start.quality, start.costs["latency"]) == (22.0, 0.001)
    _, (rate,) = frugal(with_one, ["fast", "slow"])
    assert rate.heading == "dB per ms"
    # (28.1 - 22) / (5 - 1) and (30.1 - 22) / (10 - 1)
    assert [text for text, _ in rate.texts] == ["1.52", "0.90"] or [
        float(text) for text, _ in rate.texts
    ] == [pytest.approx(6.1 / 4, abs=0.01), pytest.approx(0.9, abs=0.01)]
    (tmp_path / "input").mkdir()
    words, (rate,) = frugal(read(record_of(tmp_path / "input", THREE)), ["fast"])
    assert words == "the degraded input, which costs nothing"
    assert float(rate.texts[0][0]) == pytest.approx(8.1 / 5, abs=0.01)
    low, high = map(float, rate.texts[0][1].split(" to "))
    assert low < 8.1 / 5 < high


def test_gains_of_different_tasks_are_counted_from_their_own_inputs(tmp_path):
    words, (rate,) = frugal(read(record_of(tmp_path, TASKS)), ["sigma 50"])
    assert words == "the degraded input, which costs nothing"
    assert float(rate.texts[0][0]) == pytest.approx(11.9 / 5, abs=0.01)


def test_without_an_input_there_is_no_rate(tmp_path):
    path = record_of(tmp_path, THREE)
    found = read(path)
    table = found.table.drop(columns=["input_psnr", "gain"])
    assert frugal(replace(found, table=table), ["fast"]) == ("", ())


def test_what_chance_does_to_two_mixes_is_the_margin(run):
    found = run.found
    ends = found.ranked[["latency_low", "latency_high"]].to_numpy(dtype=float)
    half = float(np.median((ends[:, 1] - ends[:, 0]) / 2))
    assert margin(found, "latency") == pytest.approx(math.sqrt(2) * half)
    assert margin(found, "params") == 0.0
    assert 0.01 < margin(found, "psnr") < 0.2


def test_a_knee_is_named_with_its_steadiness(run):
    mixes = weighed(run.found, run.found.objectives)
    assert mixes is not None
    first = plain(sentences(run.found, mixes, knees_of(run.found, mixes))[0])
    assert first.startswith("Its knee is mix ")
    assert first.endswith("% of the draws.")


def test_three_objectives_have_a_front_of_their_own(tmp_path):
    path = record_of(tmp_path, THREE)
    with Record.open(path, writable=True) as record:
        record.set_fact("objectives", '["psnr", "latency", "params"]')
        record.add_sitting(
            [Measurement(key, "params", 1e6 * (3 - at)) for at, key in enumerate(THREE)]
        )
    shown = front_of(path)
    assert shown.title.startswith("3 of 3 mixes are on the front")
    assert [len(row.objectives) for row in shown.members] == [3, 3, 3]
    assert len(shown.objectives) == 3


def test_page_and_markdown_hold_the_same_numbers(run):
    for section in (BUDGETS, FRONT):
        part = section.part(run)
        assert part is not None
        template = environment().get_template(f"sections/{part.name}.html")
        text = template.render(shown=part.shown)
        Page(text)
        lines = "\n".join(part.markdown)
        shown = part.shown
        if isinstance(shown, Budgets):
            for line in shown.first.lines:
                for words in (line.budget, line.quality, line.cost, line.wins, line.behind):
                    assert words in text
                    assert escape_markdown(words) in lines
        else:
            assert isinstance(shown, Front)
            assert shown.title in text
            for row in shown.members:
                for words in (*row.objectives, row.probability, *(r for r, _ in row.rates)):
                    assert words in text
                    assert escape_markdown(words) in lines


def test_names_are_text_in_both_sections(tmp_path):
    evil = "<b>x</b>|`$"
    mixes = {evil: THREE["fast"], "slow": THREE["slow"]}
    run = given(record_of(tmp_path, mixes))
    for section in (BUDGETS, FRONT):
        part = section.part(run)
        assert part is not None
        text = environment().get_template(f"sections/{part.name}.html").render(shown=part.shown)
        assert "<b>x" not in text
        assert "<b>" not in "\n".join(part.markdown).replace(r"\<b\>", "")
