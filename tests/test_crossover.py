"""Where blocks cross is found where it is known, and what cannot be told is said so."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ablate.cli import main
from ablate.crossover.crossings import compare
from ablate.crossover.found import Comparison
from ablate.crossover.grid import (
    Case,
    Contestant,
    CrossoverError,
    Grid,
    Point,
    cases_of,
    read_contestants,
    read_grid,
    shown,
)
from ablate.crossover.refining import Refining, closer, forecast_refining
from ablate.crossover.timing import Rehearsed, forecast_seconds
from ablate.crossover.words import begun, growth_words, heading, laws, sentences, table
from ablate.mix import Choice
from ablate.profile import Profile
from ablate.profiling.samples import LatencySample
from blocks import UnknownName
from reports.crossing.reading import read_crossings

SIZES = (32, 48, 64, 96, 128, 192, 256)
GRID = Grid(size=SIZES, width=(32,), batch=(1,))
ATTENTION = Contestant(name="windows", family="attention", members=(Choice(name="mwsa"),))
SCAN = Contestant(name="scan", family="mamba", members=(Choice(name="emvm"),))
BOTH = (ATTENTION, SCAN)

Seconds = Callable[[str, Point], float]


def measured(
    contestants: Sequence[Contestant], grid: Grid, seconds: Seconds, noise: float = 0.01
) -> list[LatencySample]:
    """Times with noise, in rounds that a slow machine stretches as a whole."""
    rng, found = np.random.default_rng(1), []
    for process in range(3):
        for number in range(10):
            slow = rng.uniform(1, 1.5)
            for case in cases_of(contestants, grid.points):
                time = seconds(case.block.name, case.point)
                time *= slow * math.exp(noise * rng.standard_normal())
                found.append(
                    LatencySample(
                        subject=case.key,
                        process=process,
                        round=number,
                        seconds=time,
                        cpu_seconds=time,
                        flagged=False,
                    )
                )
    return found


def compared(
    seconds: Seconds,
    memory: Seconds = lambda name, point: 1e6 * (1 + (name == "emvm")) * point.size,
    contestants: Sequence[Contestant] = (ATTENTION, SCAN),
    grid: Grid = GRID,
) -> Comparison:
    cases = cases_of(contestants, grid.points)
    rehearsed = {
        c.key: Rehearsed(seconds=1e-3, memory=int(memory(c.block.name, c.point))) for c in cases
    }
    return compare(contestants, grid, rehearsed, [measured(contestants, grid, seconds)])


def squares_against_pixels(name: str, point: Point) -> float:
    """Attention takes as long as the scan at 80 px: 6,400 pixels."""
    pixels = point.size**2
    return 1e-9 * pixels**2 if name == "mwsa" else 1e-9 * 6400 * pixels


def test_two_laws_cross_where_arithmetic_says():
    found = compared(squares_against_pixels)
    duel = found.duels[0]
    (crossing,) = duel.crossings
    assert (crossing.below, crossing.above) == ("windows", "scan")
    assert crossing.low <= 80 <= crossing.high
    assert crossing.at == pytest.approx(80, rel=0.01)
    assert crossing.high - crossing.low < 4
    assert crossing.between == (64, 96)
    assert duel.better == ("windows",) * 3 + ("scan",) * 4


def test_exponents_are_over_pixels_and_stand_in_the_table():
    found = compared(squares_against_pixels)
    exponents = {c.name: c.growth for c in found.courses if c.quantity == "latency"}
    for name, exponent in (("windows", 2), ("scan", 1)):
        growth = exponents[name]
        assert growth is not None
        assert growth.low - 0.01 <= exponent <= growth.high + 0.01
    headings, rows = table(found, "size", "latency")
    assert headings == ("px", "windows", "scan")
    assert [row[0] for row in rows] == [str(size) for size in SIZES]
    assert float(rows[1][2].replace(",", "")) == pytest.approx(1e-6 * 6400 * 48**2 * 1.25, rel=0.1)
    headings, rows = laws(found, "size")
    assert headings == ("block", "latency grows as", "memory grows as")
    assert rows[0][:2] == ("windows", growth_words(found.courses[0]))
    assert re.match(r"pixels\^(1\.9\d|2\.0\d) \(\d\.\d\d to \d\.\d\d\)$", rows[0][1])


def test_the_sentence_says_who_is_faster_where_and_how_sure_that_is():
    said = sentences(compared(squares_against_pixels), "GPU")
    pattern = (
        r"below (80|79\.\d|80\.\d) px on this GPU windows is faster than scan, above it scan is "
        r"faster than windows \(95 % interval 79\.\d to 80\.\d; "
    )
    assert re.match(pattern, said[0]), said[0]
    assert said[0].endswith("told apart at 64 and 96 px)")
    assert said[1] == (
        "windows takes less memory than scan from 32 to 256 px on this GPU, 2 times; "
        "no cross-over in this range"
    )


def test_equal_times_are_not_separable():
    found = compared(lambda name, point: 1e-6 * point.size, lambda name, point: 1e6)
    assert found.duels[0].better == ("",) * len(SIZES)
    assert sentences(found, "CPU")[:2] == [
        "windows and scan are not separable in latency from 32 to 256 px on this CPU",
        "windows and scan take the same memory from 32 to 256 px",
    ]


def test_a_difference_below_the_resolution_is_none_however_sure_it_is():
    found = compared(lambda name, point: 1e-6 * point.size * (1.01 if name == "mwsa" else 1))
    assert not any(found.duels[0].better)


def test_where_one_is_always_faster_there_is_no_crossing_and_ties_are_named():
    def seconds(name: str, point: Point) -> float:
        return 1e-6 * point.size * (2 if name == "emvm" and point.size > 48 else 1)

    found = compared(seconds)
    assert not found.duels[0].crossings
    said = sentences(found, "CPU")[0]
    assert said.startswith("windows is faster than scan from 32 to 256 px on this CPU, ")
    assert said.endswith("no cross-over in this range; not separable at 32, 48 px")


def test_two_laws_can_cross_twice():
    def seconds(name: str, point: Point) -> float:
        return 1e-3 * (1.5 if (name == "mwsa") == (point.size in (64, 96)) else 1)

    crossings = compared(seconds).duels[0].crossings
    assert [crossing.below for crossing in crossings] == ["windows", "scan"]
    assert [crossing.between for crossing in crossings] == [(48, 64), (96, 128)]


def test_of_a_family_the_fastest_block_counts_at_each_size():
    def seconds(name: str, point: Point) -> float:
        large = point.size > 96
        return {"mwsa": 3e-3 if large else 1e-3, "swin": 1e-3 if large else 3e-3}.get(name, 2e-3)

    both = (Choice(name="mwsa"), Choice(name="swin"))
    family = Contestant(name="attention", family="attention", members=both)
    found = compared(seconds, contestants=(family, SCAN))
    assert found.duels[0].better == ("attention",) * len(SIZES)
    assert found.courses[0].values == pytest.approx([1.25e-3] * len(SIZES), rel=0.1)
    assert heading((family, SCAN), GRID, "how")[0] == (
        "attention (the best of mwsa, swin), scan (mamba)"
    )


def test_around_each_crossing_two_more_values_can_be_timed_in_a_sitting_of_their_own():
    first = compared(squares_against_pixels)
    assert closer(first.duels) in ({"size": (72, 80)}, {"size": (80, 88)})
    grid = GRID.with_more({"size": (72, 80)})
    assert grid.base == GRID.base
    both = (ATTENTION, SCAN)
    later = [
        replace(sample, seconds=3 * sample.seconds)  # the machine is slower than before
        for sample in measured(both, grid, squares_against_pixels, noise=0.001)
        if " 80x80," in sample.subject or " 72x72," in sample.subject
    ]
    rehearsed = {case.key: Rehearsed(memory=9) for case in cases_of(both, grid.points)}
    sittings = [measured(both, GRID, squares_against_pixels), later]
    duel = compare(both, grid, rehearsed, sittings).duels[0]
    assert duel.x == (32, 48, 64, 72, 80, 96, 128, 192, 256)
    assert duel.ratios[3:5] == pytest.approx([0.81, 1.0], abs=0.003)
    assert duel.crossings[0].between == (72, 96)
    assert duel.crossings[0].at == pytest.approx(80, rel=0.01)


def test_where_the_gap_has_no_value_inside_nothing_more_is_timed():
    def seconds(name: str, point: Point) -> float:
        return 1e-3 * (2 if (name == "mwsa") == (point.batch > 1) else 1)

    grid = Grid(size=(32,), width=(32,), batch=(1, 2))
    found = compared(seconds, grid=grid)
    assert found.duels[0].crossings
    assert closer(found.duels) == {}


def test_memory_crosses_without_an_interval():
    def memory(name: str, point: Point) -> float:
        return point.size**2 if name == "mwsa" else 100 * point.size

    found = compared(squares_against_pixels, memory)
    crossing = found.duels[1].crossings[0]
    assert crossing.at == crossing.low == crossing.high == pytest.approx(100, rel=0.01)
    assert sentences(found, "CPU")[1].endswith("(told apart at 96 and 128 px)")


def test_what_cannot_be_run_is_named_and_costs_the_others_nothing():
    cases = cases_of((ATTENTION, SCAN), GRID.points)
    lost = {case.key for case in cases if case.block.name == "mwsa" and case.point.size > 128}
    rehearsed = {
        case.key: Rehearsed(reason="no memory left") if case.key in lost else Rehearsed(memory=9)
        for case in cases
    }
    times = measured((ATTENTION, SCAN), GRID, squares_against_pixels)
    kept = [sample for sample in times if sample.subject not in lost]
    found = compare((ATTENTION, SCAN), GRID, rehearsed, [kept])
    assert found.duels[0].x == (32, 48, 64, 96, 128)
    assert set(found.dropped) == lost
    said = sentences(found, "CPU")
    assert "mwsa at 192x192, width 32, batch 1 cannot be run: no memory left" in said
    assert table(found, "size", "latency")[1][6][:2] == ("256", "-")


def test_too_few_sizes_have_no_exponent_and_that_is_said():
    few = Grid(size=(32, 64), width=(32,), batch=(1,))
    found = compared(squares_against_pixels, grid=few)
    assert found.courses[0].growth is None
    assert laws(found, "size")[1][0][1] == "-"
    assert "no law is fitted: an exponent takes 4 different sizes; got 2" in sentences(found, "CPU")


def test_while_one_axis_varies_the_others_stay_in_their_middle():
    grid = read_grid({"size": ["64", "32", "128"], "width": ["8", "16"], "batch": ["2"]})
    assert grid.base == Point(64, 8, 2)
    assert grid.axes == ("size", "width")
    assert grid.along("width") == {8: Point(64, 8, 2), 16: Point(64, 16, 2)}
    assert len(grid.points) == 4
    assert grid.points[0].shape == (2, 8, 32, 32)


def test_blocks_are_written_with_the_knobs_that_are_not_at_their_defaults():
    (one,) = read_contestants(["mwsa:window=16,grow=false"])
    settings = one.members[0].settings
    assert (settings["window"], settings["grow"], settings["heads"]) == (16, False, 4)
    assert shown(one.members[0]) == "mwsa:grow=False,window=16"
    assert Case(block=one.members[0], point=Point(8, 4, 1)).key == (
        "mwsa:grow=False,window=16 at 8x8, width 4, batch 1"
    )


def test_a_family_stands_for_all_its_blocks():
    (family,) = read_contestants(["mamba"])
    assert {"emvm", "vss"} <= {member.name for member in family.members}
    assert family.family == "mamba"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["mwsb"], "no block is named 'mwsb'; did you mean 'mwsa'?"),
        (["mwsb"], "a family stands for all its blocks (cnn, mamba, attention, "),
        (["mwsa:windw=8"], "no mwsa knob is named 'windw'; did you mean 'window'?"),
        (["mwsa:window"], "knobs are written as in mwsa:name=value,other=value; got 'window'"),
        (["mwsa", "mwsa:window=8"], "'mwsa:window=8' is 'mwsa' once more; each is compared once"),
    ],
)
def test_a_wrong_block_is_one_clear_line(names: list[str], text: str):
    with pytest.raises((CrossoverError, UnknownName)) as raised:
        read_contestants(names)
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_wrong_size_is_one_clear_line():
    with pytest.raises(CrossoverError) as raised:
        read_grid({"size": ["64", "0"]})
    assert str(raised.value) == "--size: expected whole numbers from 1; got '0'"
    said = r"^nothing varies: give several .*; got size 64, width 32, batch 1$"
    with pytest.raises(CrossoverError, match=said):
        read_grid({"size": ["64"]})


def test_the_forecast_adds_up_what_every_process_does():
    profile = Profile(rounds=10, processes=2)
    one = Rehearsed(seconds=0.5)  # 8 calls to warm up, then one untimed and one timed a round
    assert forecast_seconds([one], profile, "cpu") == pytest.approx(2 * (5 + 14.01))
    short = Rehearsed(seconds=0.0)  # is called until there is something to read off the clock
    assert forecast_seconds([short], profile, "cpu") == pytest.approx(2 * (5 + 10 * 3e-3))
    compiled = replace(profile, run=("compiled",))
    assert forecast_seconds([one], compiled, "cpu") == pytest.approx(2 * (5 + 14.01) + 40)


def rehearsed_as(seconds: Seconds) -> dict[str, Rehearsed]:
    cases = cases_of(BOTH, GRID.points)
    return {c.key: Rehearsed(seconds=seconds(c.block.name, c.point)) for c in cases}


def timed_as(seconds: Seconds, sizes: Sequence[int], profile: Profile) -> float:
    """What timing both blocks at some sizes takes."""
    points = [Point(size=size, width=32, batch=1) for size in sizes]
    calls = [Rehearsed(seconds=seconds(c.block.name, c.point)) for c in cases_of(BOTH, points)]
    return forecast_seconds(calls, profile, "cpu")


def test_refining_is_forecast_from_the_order_of_single_calls():
    profile = Profile(rounds=15, processes=3)
    laws = squares_against_pixels
    found = forecast_refining(BOTH, GRID, rehearsed_as(laws), profile, "cpu")
    assert found.crossings == 1  # at 80, between 64 and 96: of 72, 80 and 88 two are timed
    around = [timed_as(laws, sizes, profile) for sizes in ((72, 80), (80, 88))]
    assert any(found.seconds == pytest.approx(seconds) for seconds in around)
    inside = (36, 40, 44, 52, 56, 60, 72, 80, 88, 104, 112, 120)
    inside += (144, 160, 176, 208, 224, 240)
    assert found.most == pytest.approx(timed_as(laws, inside, profile))


def test_where_single_calls_keep_their_order_refining_is_forecast_to_take_nothing():
    rehearsed = rehearsed_as(lambda name, point: 1e-9 * point.size**2 * (1 + (name == "mwsa")))
    found = forecast_refining(BOTH, GRID, rehearsed, Profile(), "cpu")
    assert (found.crossings, found.seconds) == (0, 0.0)
    assert found.most > 0
    lost = {key: Rehearsed(reason="no") for key in rehearsed}
    assert forecast_refining(BOTH, GRID, lost, Profile(), "cpu").most == 0.0


def test_what_timing_takes_is_said_with_its_refinement():
    mend = "--rounds N or fewer sizes take less, Ctrl-C stops it"
    assert begun(1, 60, None) == f"timing 1 case takes about 1 min 00 s (forecast); {mend}"
    assert begun(14, 60, Refining(crossings=2, seconds=30, most=300)) == (
        "timing 14 cases takes about 1 min 00 s (forecast), with --refine about 1 min 30 s in "
        f"all: single calls show 2 cross-overs; at most 6 min 00 s; {mend}"
    )


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["crossover", *arguments])
    output = capsys.readouterr()
    return int(str(ended.value.code)), output.out, output.err


@pytest.mark.usefixtures("forks")
def test_the_command_times_blocks_and_speaks_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    few = ("--size", "8", "--width", "6", "8", "--rounds", "2", "--processes", "1")
    given = (*few, "--device", "cpu", "--json", "--refine")
    code, out, beside = run(capsys, "identity", "mwsa", *given)
    said = json.loads(out)
    assert code == 0
    assert beside.startswith("timing 3 cases takes about ")
    assert "in all: single calls show 0 cross-overs; at most " in beside
    assert said["base"] == {"size": 8, "width": 6, "batch": 1}
    assert said["device"] == "cpu"
    assert said["forecast_seconds"] > 0
    assert "2 interleaved rounds" in said["protocol"]
    (lost,) = said["dropped"].items()
    assert lost[0] == "mwsa at 8x8, width 6, batch 1"
    assert "multiple of heads" in lost[1]
    latency = next(duel for duel in said["duels"] if duel["quantity"] == "latency")
    assert (latency["x"], latency["better"]) == ([8], ["identity"])
    assert {course["name"] for course in said["courses"]} == {"identity", "mwsa"}
    assert f"{lost[0]} cannot be run: {lost[1]}" in said["sentences"]
    (tmp_path / "found.json").write_text(out, encoding="utf-8")  # the report reads it back
    assert read_crossings(tmp_path / "found.json").sentences == tuple(said["sentences"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("mwsa", "--rounds", "none"), "--rounds: expected a whole number from 1; got 'none'"),
        (("mwsa", "--run", "graph"), "run = 'graph' replays CUDA graphs, and the device is cpu"),
    ],
)
def test_a_wrong_setting_is_one_line_before_anything_runs(
    arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
):
    assert run(capsys, *arguments, "--device", "cpu") == (2, "", f"{text}\n")


def test_who_runs_nowhere_is_compared_with_nobody():
    cases = cases_of((ATTENTION, SCAN), GRID.points)
    rehearsed = {
        case.key: Rehearsed(reason="too wide")
        if case.block.name == "mwsa"
        else Rehearsed(seconds=1e-3, memory=case.point.size)
        for case in cases
    }
    samples = measured((SCAN,), GRID, squares_against_pixels)
    found = compare((ATTENTION, SCAN), GRID, rehearsed, [samples])
    assert {course.name for course in found.courses} == {"scan"}
    assert [duel.x for duel in found.duels] == [(), ()]
    said = sentences(found, "CPU")
    assert said[0] == "windows and scan run at no size together" != said[1]
    assert "mwsa at 32x32, width 32, batch 1 cannot be run: too wide" in said


@pytest.mark.usefixtures("forks")
def test_where_nothing_can_be_run_that_is_the_answer(capsys: pytest.CaptureFixture[str]):
    few = ("--size", "8", "16", "--width", "6", "--device", "cpu", "--json")
    code, _, errors = run(capsys, "mwsa", *few)
    assert code == 2
    assert errors.startswith("no block can be run; mwsa at 8x8, width 6, batch 1: ")


def test_an_interrupt_ends_it_at_once_with_its_workers():
    command = [sys.executable, "-m", "ablate", "crossover", "mwsa", "--device", "cpu"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = ""
    while "rehearsal: " not in said:  # the phase has begun: a worker runs
        line = child.stdout.readline()
        assert line, child.stderr and child.stderr.read()
        said += line
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert errors.strip() == "interrupted"
