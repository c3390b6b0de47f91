"""What the plot of accuracy against cost is made of, by arithmetic and on simulated records."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports import page as report_page
from reports.analysis.paired import paired
from reports.analysis.pareto import front
from reports.analysis.seeds import scatter
from reports.analysis.statistics import t_quantile
from reports.answering.answer import answer
from reports.graphics.axes import axis, between
from reports.graphics.escaping import FORMULA
from reports.numbers.results import read
from reports.plot.compared import compared
from reports.plot.crowd import COLUMNS, ROWS, crowd, edge_of, sorted_pair
from reports.plot.drawing import edge, panel, squares, staircase
from reports.plot.evidence import Evidence
from reports.plot.facets import facets, slots
from reports.plot.measures import Measure, home, measures
from reports.plot.payload import payload
from reports.plot.plot import Plot, pins, plot
from reports.sections import speed
from reports.sections.section import Given
from tests.simulated_run import simulate

NAN = math.nan


def measure(values: list[float], *, name: str = "latency", **others: object) -> Measure:
    """A cost in milliseconds without intervals, or what others say."""
    empty = np.full(len(values), NAN)
    known: dict[str, object] = {
        "title": name.capitalize(),
        "unit": "ms",
        "decimals": 1,
        "better": "lower",
        "accuracy": False,
        "exact": False,
        "spread": "",
        "low": empty,
        "high": empty,
    }
    return Measure(name=name, value=np.array(values), **(known | others))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    path = tmp_path_factory.mktemp("plot") / "record.sqlite"
    return simulate(path, {"stage1": 3, "stage2": 4}, broken=2, pictures=False)


@pytest.fixture(scope="module")
def found(record):
    return read(record)


@pytest.fixture(scope="module")
def shown(found) -> Plot:
    return plot(found, answer(found))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "record.sqlite"
    counts = {"stage1": 5, "stage2": 8, "stage3": 5}
    return read(simulate(path, counts, pictures=False))


def test_accuracies_come_first_and_costs_at_every_size(shown):
    names = [each.name for each in shown.measures]
    assert names[:3] == ["psnr", "gain", "ssim"]
    assert names[3] == "latency"
    assert {"params", "macs", "peak_memory", "latency@256x256"} < set(names)
    assert [each.name for each in shown.measures if each.accuracy] == names[:3]
    assert {each.name for each in shown.measures if each.exact} == {"params", "macs", "peak_memory"}


def test_measures_are_in_the_unit_that_is_shown(found, shown):
    latency = shown.measure("latency")
    assert latency.heading == "Latency, ms"
    seconds = found.table.loc[list(shown.mixes), "latency"].to_numpy(dtype=float)
    assert latency.value == pytest.approx(1000 * seconds, abs=5.1e-5, nan_ok=True)
    assert latency.spread == "95\xa0% interval"
    assert shown.measure("psnr").spread == "95\xa0% interval over 3 seeds"


def test_two_seeds_have_no_bars(tmp_path):
    path = simulate(tmp_path / "r", {"stage1": 2}, seeds=2, pictures=False, baseline=False)
    found = read(path)
    psnr = measures(found, found.ranked.index)[0]
    assert np.isnan(psnr.low).all()
    assert psnr.spread == ""


def test_those_that_compete_stand_before_those_that_can_only_be_compared(found, shown):
    assert set(shown.mixes) == set(found.table.index)
    assert set(shown.mixes[: shown.competing]) == set(found.ranked.index)
    assert shown.total == 12
    assert shown.competing == 11  # one diverged; one failed trial leaves two
    assert "mixbaseline" in shown.mixes[shown.competing :]


def test_the_best_and_what_would_do_in_its_stead_are_compared_at_first(found, shown):
    said = answer(found)
    assert shown.pinned == pins(found, said)
    assert shown.pinned[0] == said.best
    letters = list(found.letters)
    assert shown.pinned[1] == (said.cheaper or letters[letters.index(said.best) - 1])


def test_mixes_can_be_filtered_by_what_fills_a_stage(found, shown):
    assert [facet.name for facet in shown.facets] == ["stage1", "stage2"]
    for facet in shown.facets:
        answers = [found.levels.at[mix, facet.name] for mix in shown.mixes[: shown.competing]]
        assert [facet.options[code] for code in facet.codes[: shown.competing]] == answers


def test_a_stage_that_goes_along_with_another_is_no_filter_of_its_own(found):
    encoder = found.stages[found.stages["slot"] == "stage1"]
    mirror = encoder.assign(slot="decoder1")
    own = encoder.assign(slot="middle", blocks=[f"b{n % 5}" for n in range(len(encoder))])
    more = replace(found, stages=pd.concat([found.stages, mirror, own], ignore_index=True))
    mixes = found.ranked.index
    assert [facet.name for facet in facets(more, mixes)] == ["stage1", "stage2", "middle"]
    filled = {slot.name: slot for slot in slots(more, mixes)}
    assert set(filled) == {"stage1", "stage2", "decoder1", "middle"}
    text, look = filled["stage1"].options[filled["stage1"].codes[0]]
    assert (text, look.slug) == ("rdcnn ×2", "cnn")


def test_a_mix_without_a_stage_has_no_filling(found):
    mixes = found.table.index
    some = found.stages[found.stages["mix"] != str(mixes[3])]
    fewer = replace(found, stages=some)
    assert [slot.codes[3] for slot in slots(fewer, mixes)] == [-1, -1]


def test_the_staircase_goes_left_where_more_is_better():
    corners = [(0.2, 0.1), (0.6, 0.5)]
    assert np.array(staircase(corners, rightwards=False)) == pytest.approx(
        np.array([(0.6, 1.0), (0.6, 0.5), (0.2, 0.5), (0.2, 0.1), (0.0, 0.1)])
    )


def test_only_those_that_compete_make_the_edge():
    x, y = measure([1.0, 2.0, 0.5]), measure([1.0, 2.0, 9.0], better="higher")
    assert edge(x, y, 2).tolist() == [True, True, False]
    assert edge(x, y, 3).tolist() == [False, False, True]


def test_every_point_lies_where_its_numbers_are(found, shown):
    drawn = panel(found, shown, "latency", "psnr")
    x, y = shown.homes["latency"], shown.homes["psnr"]
    at = {mix: place for place, mix in enumerate(shown.mixes)}
    assert len(drawn.points) == shown.competing
    for point in drawn.points:
        latency, psnr = (shown.measure(m).value[at[point.mix]] for m in ("latency", "psnr"))
        assert point.x == pytest.approx(x.at(latency))
        assert point.y == pytest.approx(1.0 - y.at(psnr)) or point.below
    assert {p.mix for p in drawn.points if p.on_front} == set(found.letters)
    assert drawn.missing == 1


def test_a_lower_score_that_is_better_is_drawn_higher_up(found, shown):
    drawn = panel(found, shown, "params", "latency")
    low = min(drawn.points, key=lambda point: point.y)
    costs = shown.measure("latency").value[: shown.competing]
    assert low.mix == shown.mixes[int(np.argmin(costs))]


def test_points_are_counted_in_the_square_they_lie_in():
    x = np.array([0.0, 0.001, 1.0, 0.5, NAN, 1.2])
    y = np.array([0.0, 0.001, 1.0, 0.5, 0.5, 0.5])
    made = crowd(x, y)
    assert set(made.cells) == {
        (0, 0, 2),
        (COLUMNS - 1, ROWS - 1, 1),
        (COLUMNS // 2, ROWS // 2, 1),
    }
    assert (made.total, made.most, made.beyond) == (4, 2, 1)
    low = next(square for square in squares(made) if square.number == 2)
    assert (low.x, low.y) == (0.0, 1.0 - 1.0 / ROWS)
    assert low.strength == 1.0


def test_with_too_many_mixes_those_off_the_fronts_are_counted(many):
    found = many
    few = plot(found, answer(found), most=50)
    assert few.competing < len(found.ranked)
    ranked = found.ranked
    kept = set(few.mixes[: few.competing])
    for cost in ("latency", "params", "macs"):
        for mixes in (ranked.index, *ranked.groupby("stage1").groups.values()):
            part = ranked.loc[mixes]
            points = part[[cost, "psnr"]].to_numpy(dtype=float)
            members = part.index[front(points, ["lower", "higher"])]
            assert set(members) <= kept
    for (x, y), counted in few.crowds.items():
        assert counted.total + counted.beyond == len(ranked) - few.competing
        assert not few.measure(x).accuracy
        assert few.measure(y).accuracy
    drawn = panel(found, few, "latency", "psnr")
    assert drawn.missing == 0
    assert sum(square.number for square in drawn.squares) == few.crowds["latency", "psnr"].total
    assert few.homes == plot(found, answer(found)).homes


def test_accuracies_differ_seed_by_seed():
    seeds = {"psnr": np.array([[30.0, 31.0, 32.0], [29.9, 30.8, 31.7], [30.0, 31.5, 31.4]])}
    psnr = measure([31.0, 30.8, 30.97], name="psnr", accuracy=True, better="higher")
    evidence = Evidence(seeds, {"psnr": (0.02, 4)}, {})
    gap = evidence.gap(psnr, 1, 0)
    assert gap.value == pytest.approx(-0.2)
    half = 2.776445 * 0.1 / math.sqrt(3)  # of t with four degrees of freedom
    assert (gap.low, gap.high) == pytest.approx((-0.2 - half, -0.2 + half), abs=1e-6)
    assert gap.apart
    assert evidence.gap(psnr, 1, 1).value == 0.0
    seeds["psnr"][1] = seeds["psnr"][0] - [0.05, 0.06, 0.04]
    gap = evidence.gap(psnr, 1, 0)
    half = 2.776445 * 0.02 * math.sqrt(2 / 3)  # they scatter less by luck than mixes do
    assert (gap.low, gap.high) == pytest.approx((-0.05 - half, -0.05 + half), abs=1e-6)
    seeds["psnr"][1, 1:] = NAN
    gap = evidence.gap(psnr, 1, 0)
    half = 2.776445 * 0.02 * math.sqrt(2)  # of the one seed that both have
    assert (gap.low, gap.high) == pytest.approx((-0.05 - half, -0.05 + half), abs=1e-6)
    assert not gap.apart
    few = Evidence(seeds, {"psnr": (NAN, 0)}, {}).gap(psnr, 2, 0)
    assert few.value == pytest.approx(-0.1 / 3)
    assert not few.apart and math.isnan(few.low)


def test_latencies_are_apart_as_they_were_ranked():
    latency = measure([1.0, 1.01, 2.0])
    evidence = Evidence({}, {}, {0: frozenset({1}), 1: frozenset({0}), 2: frozenset()})
    assert not evidence.gap(latency, 0, 1).apart
    assert evidence.gap(latency, 0, 2).apart
    assert evidence.gap(latency, 2, 0).value == pytest.approx(1.0)


def test_other_costs_are_apart_where_their_intervals_are_and_counts_where_they_differ():
    ends = {"low": np.array([0.9, 1.0, 1.6]), "high": np.array([1.1, 1.2, 1.8])}
    energy = measure([1.0, 1.1, 1.7], name="energy", **ends)
    unknown = measure([1.0, 9.0], name="energy")
    counted = measure([5.0, 5.0, 5.1], name="params", exact=True)
    evidence = Evidence({}, {}, {})
    assert not evidence.gap(energy, 0, 1).apart
    assert evidence.gap(energy, 0, 2).apart
    assert evidence.gap(energy, 2, 0).apart
    near = {"low": np.array([0.9, 1.15]), "high": np.array([1.1, 1.35])}
    assert evidence.gap(measure([1.0, 1.25], name="power", **near), 0, 1).apart
    ranges = measure([1.0, 1.25], name="energy", **near)  # of three windows: no intervals
    assert not evidence.gap(ranges, 0, 1).apart
    assert not evidence.gap(unknown, 0, 1).apart
    assert not evidence.gap(counted, 0, 1).apart
    assert evidence.gap(counted, 0, 2).apart


def test_mixes_side_by_side_say_how_they_differ_from_the_first(found, shown):
    first, other = shown.pinned
    table = compared(found, shown, shown.pinned)
    assert [head.mix for head in table.heads] == [first, other]
    lines = dict(table.lines)
    psnr = lines["PSNR"]
    gap = found.per_seed["psnr"].loc[other] - found.per_seed["psnr"].loc[first]
    assert psnr[0].gap == ""
    assert psnr[1].gap.startswith(f"{gap.mean():+.2f}".replace("-", "−") + "\xa0dB")
    assert psnr[0].spread.startswith("±")
    for cells in lines.values():
        assert all(cell.verdict in ("better", "worse", "even") for cell in cells[1:] if cell.gap)
        for cell in cells[1:]:
            assert ("not distinguishable" in cell.gap or cell.gap == "the same") == (
                cell.verdict == "even"
            )
        if any(cell.best for cell in cells):
            assert all(cell.verdict != "even" for cell in cells[1:])
    assert lines["Front probability"][0].value.endswith("\xa0%")
    assert [slot for slot, _ in table.stages] == ["stage1", "stage2"]


def test_the_best_is_marked_only_where_it_is_apart_from_all(found, shown):
    params = shown.measure("params")
    order = np.argsort(params.value[: shown.competing])
    keys = [shown.mixes[at] for at in order[:3]]
    cells = dict(compared(found, shown, keys).lines)["Parameters"]
    apart = params.value[order[0]] < params.value[order[1]]
    assert [cell.best for cell in cells] == [apart, False, False]
    equal = params.value.copy()
    equal[order[1]] = equal[order[0]]
    others = tuple(replace(m, value=equal) if m is params else m for m in shown.measures)
    again = dict(compared(found, replace(shown, measures=others), keys).lines)["Parameters"]
    assert [cell.gap for cell in again[:2]] == ["", "the same"]
    assert not any(cell.best for cell in again)


def test_a_baseline_and_a_mix_without_a_result_can_be_compared(found, shown):
    failed = next(str(mix) for mix in found.table.index if found.status(str(mix)) == "diverged")
    table = compared(found, shown, [shown.pinned[0], "mixbaseline", failed])
    assert [head.look for head in table.heads][1:] == [None, None]
    psnr = dict(table.lines)["PSNR"]
    assert psnr[1].verdict == "worse"
    noise = scatter(found.per_seed["psnr"].loc[found.ranked.index].to_numpy())
    values = found.per_seed["psnr"].loc[[shown.pinned[0], failed]].to_numpy()
    gap = paired(values, 0, noise, most=3)  # by the two seeds that both have
    words = "worse" if gap.high[1] < 0.0 else "better" if gap.low[1] > 0.0 else "even"
    assert psnr[2].verdict == words
    assert [head.status for head in table.heads] == ["", "baseline", "diverged"]


def test_the_script_gets_lists_as_long_as_there_are_mixes(found, shown):
    data = json.loads(json.dumps(payload(found, shown), allow_nan=False))
    number = len(data["mixes"])
    assert number == 13
    for each in data["measures"]:
        assert len(each["values"]) == number
        assert all(len(each[name]) == number for name in ("low", "high", "seeds") if name in each)
    assert all(len(facet["codes"]) == number for facet in data["facets"])
    assert [data["mixes"][at] for at in data["pinned"]] == list(shown.pinned)
    latency = next(each for each in data["measures"] if each["name"] == "latency")
    assert latency["values"] == pytest.approx(
        [float(f"{v:.6g}") for v in shown.measure("latency").value[:11]] + latency["values"][11:]
    )
    assert sorted(data["ties"]["order"]) == sorted(shown.evidence.ties)
    for at, runs in zip(data["ties"]["order"], data["ties"]["runs"], strict=True):
        places = [
            p
            for first, last in zip(runs[::2], runs[1::2], strict=True)
            for p in range(first, last + 1)
        ]
        assert {data["ties"]["order"][p] for p in places} == {at, *shown.evidence.ties[at]}
    psnr = next(each for each in data["measures"] if each["name"] == "psnr")
    sd, degrees = scatter(found.per_seed["psnr"].loc[found.ranked.index].to_numpy())
    assert psnr["scatter"]["sd"] == pytest.approx(sd)
    assert psnr["scatter"]["apart"] == pytest.approx(t_quantile(0.975, degrees), abs=1e-6)
    limits = dict(zip(data["left"], psnr["scatter"]["best"], strict=True))
    assert limits[2] == pytest.approx(t_quantile(0.975, degrees), abs=1e-4)
    assert limits[10] == pytest.approx(t_quantile(1 - 0.025 / 45, degrees), abs=1e-4)
    assert "scatter" not in next(each for each in data["measures"] if each["name"] == "latency")


def test_the_plot_tells_two_mixes_apart_as_the_answer_does(found, shown):
    noise = scatter(found.per_seed["psnr"].loc[found.ranked.index].to_numpy())
    keys = [str(key) for key in found.ranked.index[:6]]
    gaps = paired(found.per_seed["psnr"].loc[keys].to_numpy(), 0, noise)
    measure = shown.measure("psnr")
    for at, key in enumerate(keys[1:], 1):
        gap = shown.evidence.gap(measure, shown.mixes.index(key), shown.mixes.index(keys[0]))
        assert gap.value == pytest.approx(gaps.mean[at], abs=1e-3)
        assert gap.low == pytest.approx(gaps.low[at], abs=1e-3)
        assert gap.apart == (gaps.low[at] > 0.0 or gaps.high[at] < 0.0)


def test_what_two_hundred_mixes_take_in_the_page(many):
    part = speed.SECTION.part(Given(Path("unused"), many, answer(many)))
    assert part is not None
    letters = len(json.dumps(part.data, separators=(",", ":")))
    assert letters < 75_000


def test_markdown_has_the_compared_mixes_as_a_table(record, found):
    part = speed.SECTION.part(Given(record, found, answer(found)))
    assert part is not None
    rows = [line for line in part.markdown if line.startswith("| PSNR")]
    assert len(rows) == 1
    assert "dB" in rows[0]
    header = next(line for line in part.markdown if line.startswith("|  |"))
    assert header.count("|") - header.count(r"\|") == 4


def test_the_home_of_an_accuracy_leaves_out_the_few_that_are_far_off():
    values = [30.0, 30.1, 30.2, 30.3, 30.4, 30.5, 30.6, 30.7, 30.8, 12.0]
    far = measure(values, name="psnr", accuracy=True, better="higher")
    assert home(far).low > 29.0
    cost = measure([1.0, 2.0, 40.0])
    assert home(cost).log
    assert home(cost).low < 1.0 < 40.0 < home(cost).high
    assert home(cost, [True, True, False]).high < 3.0


def test_an_axis_places_many_values_at_once():
    for made in (axis([1.0, 100.0], log=True), axis([1.0, 100.0])):
        values = np.array([1.0, 7.0, 100.0, NAN])
        assert made.shares(values) == pytest.approx(
            [made.at(1.0), made.at(7.0), made.at(100.0), NAN], nan_ok=True
        )
    assert np.isnan(axis([1.0, 100.0], log=True).shares(np.array([0.0, -1.0]))).all()


def test_an_axis_between_two_values_starts_and_ends_there():
    part = between(28.03, 28.97, ticks=6)
    assert (part.low, part.high) == (28.03, 28.97)
    assert part.ticks == pytest.approx([28.2, 28.4, 28.6, 28.8])


def test_the_front_of_a_part_is_found_in_one_pass_over_all():
    rng = np.random.default_rng(4)
    values = rng.integers(0, 12, (2, 200)).astype(float)  # with many that are equal
    values[0, 3] = NAN
    x = measure(list(values[0]))
    y = measure(list(values[1]), name="psnr", better="higher")
    pair = sorted_pair(x, y)
    for among in (np.ones(200, dtype=bool), rng.random(200) < 0.3, np.zeros(200, dtype=bool)):
        expected = np.zeros(200, dtype=bool)
        expected[among] = front(values.T[among], ["lower", "higher"])
        assert edge_of(pair, among).tolist() == expected.tolist()


def test_scripts_guard_every_letter_that_makes_a_sheet_calculate():
    scripts = Path(report_page.__file__).parent.parent / "templates" / "scripts"
    for name in ("speed-export.js", "tables.js"):
        said = (scripts / name).read_text()
        assert all(each in said for each in (r"\uff1d\uff0b\uff0d\uff20]", r"[=+\-@\t\r")), name
    assert set(FORMULA) == set("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
