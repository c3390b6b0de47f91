"""The report says which mix is faster only where it can, where cost lies, and how it was found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reports.answering.answer import answer
from reports.build import sections, write_report
from reports.numbers.mixes import mixes
from reports.numbers.predicted import predictions
from reports.numbers.rankings import rank_texts, ranks
from reports.numbers.results import read
from reports.record import Measurement, Metric, MixRow, Note, Record, Sample, TrialRow
from reports.sections.method import method
from reports.sections.stages import MOST, stages
from tests.simulated_run import simulate
from tests.test_latency_rows import rows, seen
from tests.test_latency_rows import timed as samples
from tests.test_report import Page

LATENCY = Metric("latency", "s", "lower", "wall time")
EVERY = ("a", "b", "c")


def timed(
    path: Path,
    shares: dict[str, list[list[float]]],
    notes: tuple[Note, ...] = (),
    seeds: int = 1,
) -> Path:
    """A record of mixes with the times of each process, round by round; the first is the best."""
    objectives = ("psnr", "latency") if seeds > 1 else ("latency",)
    with Record.create(path, "s", "", "", {"cpu": "a processor"}, objectives) as record:
        record.define([LATENCY, Metric("latency_cpu", "s", "none", "samples only")])
        record.define([Metric("psnr", "dB", "higher", "made up")])
        record.add_mixes([MixRow(key, f"mix {key}", "{}") for key in shares])
        for at, key in enumerate(shares):
            for seed in range(seeds):
                trial = f"{key}-{seed}"
                value = Measurement(trial, "psnr", 30.0 - 0.01 * at + (-1) ** (at + seed))
                scores = [value] if seeds > 1 else []
                record.add_trial(TrialRow(trial, key, seed, "done"), scores)
        where = ("96x96", "c", "cpu", "s1")
        rows = [
            Measurement(key, "latency", t[0][0], 0.9 * t[0][0], 1.1 * t[0][0], 4, *where)
            for key, t in shares.items()
        ]
        samples = [
            Sample(key, "latency", "96x96", "s1", process, turn, value)
            for key, table in shares.items()
            for process, line in enumerate(table)
            for turn, value in enumerate(line)
        ]
        record.add_sitting(rows, samples, notes)
    return path


def spread(middle: float, error: float) -> list[list[float]]:
    """Three processes that differ by an error to either side."""
    return [[middle * (1 + error)] * 4, [middle] * 4, [middle * (1 - error)] * 4]


def test_ranks_are_ranges_where_mixes_are_not_separable(tmp_path: Path):
    times = {"a": spread(1.0, 0.01), "b": spread(1.005, -0.01), "c": spread(2.0, 0.01)}
    (shown,) = ranks(read(timed(tmp_path / "r", times)))
    assert [(row.mix, row.ranks) for row in shown.rows] == [("a", "1–2"), ("b", "1–2"), ("c", "3")]
    assert [row.tied for row in shown.rows] == [
        "not separable from A",
        "not separable from mix a",
        "",
    ]
    assert (shown.pairs, shown.separable, shown.ties) == (3, 2, 1)
    assert shown.sentence == (
        "1 of 3 pairs of mixes is not separable by latency; where that is so, a range of ranks is "
        "given."
    )
    assert "12 rounds in 3 fresh processes" in shown.basis
    assert rank_texts([shown]) == {"a": ("1–2", 1), "b": ("1–2", 1), "c": ("3", 3)}


def test_what_is_clear_and_what_is_not_has_a_sentence_of_its_own(tmp_path: Path):
    clear = {"a": spread(1.0, 0.0), "b": spread(1.1, 0.0)}
    (shown,) = ranks(read(timed(tmp_path / "clear", clear)))
    assert shown.sentence == "All 2 mixes can be told apart by latency."
    unclear = {"a": spread(1.0, 0.1), "b": spread(1.01, -0.1)}
    (shown,) = ranks(read(timed(tmp_path / "unclear", unclear)))
    wanted = "No two of the 2 mixes are separable by latency: they have no order."
    assert shown.sentence == wanted
    assert wanted in [finding.text for finding in sections(tmp_path / "unclear").health]
    (shown,) = ranks(read(timed(tmp_path / "one", {"a": [[1.0, 1.1]], "b": [[2.0, 2.1]]})))
    assert "2 rounds of one process: how much processes differ is not in" in shown.basis


def test_where_nothing_can_be_said_of_a_ratio_no_interval_is_shown(tmp_path: Path):
    (shown,) = ranks(read(timed(tmp_path / "r", {"a": [[1.0]], "b": [[2.0]]})))
    second = shown.rows[1]
    assert (second.ratio, second.interval, second.ends) == ("2.000×", "", ())


def test_the_table_of_mixes_has_the_ranks_beside_the_latency(tmp_path: Path):
    times = {"a": spread(1.0, 0.01), "b": spread(1.005, -0.01), "c": spread(2.0, 0.01)}
    path = timed(tmp_path / "r", times)
    table = mixes(read(path))
    titles = [column.title for column in table.columns]
    assert titles[titles.index("Latency") + 1] == "Rank by latency"
    at = titles.index("Rank by latency")
    assert {row.mix: (row.cells[at].text, row.cells[at].sort) for row in table.rows} == {
        "a": ("1–2", "1"),
        "b": ("1–2", "1"),
        "c": ("3", "3"),
    }
    text = write_report(path, tmp_path)["report.md"].read_text()
    assert "## Which is faster" in text
    assert "| 1–2 | mix a | 1.000× | not separable from A |" in text


def test_on_a_busy_machine_the_least_cpu_time_ranks(tmp_path: Path):
    said = "the machine was busy: 90 % of ...; least CPU time is given"
    busy = Note("a", "latency", f"96x96: {said}")
    path = timed(tmp_path / "r", {"a": spread(1.0, 0.0), "b": spread(1.0, 0.0)}, (busy,))
    cpu = [("a", 0, 0, 3.0), ("a", 0, 1, 2.0), ("a", 1, 0, 2.0)]
    cpu += [("b", 0, 0, 1.0), ("b", 0, 1, 9.0), ("b", 1, 0, 1.0)]
    with Record.open(path, writable=True) as record:
        record.add_sitting(
            [], [Sample(key, "latency_cpu", "96x96", "s1", p, r, v) for key, p, r, v in cpu], []
        )
    (shown,) = ranks(read(path))
    assert [(row.mix, row.ranks, row.ratio) for row in shown.rows] == [
        ("b", "1", "1.000×"),
        ("a", "2", "2.000×"),
    ]
    assert "so mixes are held against each other by their least CPU time" in shown.basis
    with Record.open(path, writable=True) as record:  # the same in another mode, and it was quiet
        other = ("96x96 compiled", "c", "cpu", "s1")
        record.add_sitting(
            [Measurement(key, "latency", 1.0, 0.9, 1.1, 4, *other) for key in "ab"], [], []
        )
    quiet = next(shown for shown in ranks(read(path)) if shown.mode == other[0])
    assert "as their rounds can't be paired" in quiet.basis


def test_without_rounds_intervals_hold_mixes_apart(tmp_path: Path):
    path = tmp_path / "r"
    with Record.create(path, "s", "", "", {}, ("latency",)) as record:
        record.define([LATENCY])
        record.add_mixes([MixRow(key, f"mix {key}", "{}") for key in EVERY])
        ends = {"a": (1.0, 0.9, 1.1), "b": (1.1, 1.0, 1.2), "c": (2.0, 1.9, 2.1)}
        rows = [Measurement(key, "latency", *e, 4, "96x96") for key, e in ends.items()]
        record.add_sitting(rows, [], [])
    (shown,) = ranks(read(path))
    assert [row.ranks for row in shown.rows] == ["1–2", "1–2", "3"]
    assert "intervals do not overlap, as their rounds can't be paired" in shown.basis


def test_what_was_timed_in_another_sitting_is_not_ranked(tmp_path: Path):
    path = timed(tmp_path / "r", {"a": spread(1.0, 0.0), "b": spread(2.0, 0.0)})
    with Record.open(path, writable=True) as record:
        record.add_mixes([MixRow("c", "mix c", "{}")])
        record.add_sitting([Measurement("c", "latency", 1.5, mode="96x96", sitting="s2")], [], [])
    (shown,) = ranks(read(path))
    assert {row.mix for row in shown.rows} == {"a", "b"}
    assert shown.basis.endswith("1 mix timed in another sitting can't be ranked beside these.")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return simulate(folder / "record.sqlite", {"stage1": 3, "stage2": 5}, pictures=False)


def test_costs_by_stage_are_pieces_of_one_bar(run: Path):
    shown = stages(read(run))
    assert shown.lanes == ("Latency, ms", "MACs, M")
    assert (len(shown.rows), shown.left_out) == (MOST, 3)
    assert shown.rest and shown.roofline
    longest = 0.0
    for row in shown.rows:
        for bar in row.bars:
            assert bar is not None
            assert [part.slot for part in bar.parts] == ["stage1", "stage2", "rest"]
            for one, after in zip(bar.parts, bar.parts[1:], strict=False):
                assert one.start + one.width == pytest.approx(after.start)
            longest = max(longest, bar.parts[-1].start + bar.parts[-1].width)
            assert "rest: " in bar.says and "20\xa0%" in bar.says
    assert longest == pytest.approx(1.0)
    assert [row.letter for row in shown.rows][:2] == ["A", "B"]


def test_only_what_is_an_interval_over_visits_is_called_one(tmp_path: Path):
    path = timed(tmp_path / "r", {"a": spread(1.0, 0.0), "b": spread(2.0, 0.0)})
    with Record.open(path, writable=True) as record:
        record.define([Metric("energy", "J", "lower", "counted")])
        record.define([Metric("predicted_latency", "s", "none", "predicted")])
        rows = [Measurement("a", "energy", 2.0, 1.8, 2.2, 5, "96x96")]
        rows += [Measurement("a", "predicted_latency", 1.0, 0.95, 1.05, 8, "96x96")]
        record.add_sitting(rows, [], [])
    said = {row.measure: row.spread for row in method(read(path)).protocols}
    shown = {column.title: column.spread for column in mixes(read(path)).columns}
    assert (shown["Energy"], shown["Latency"]) == ("range", "95 %")
    assert said["Energy"] == "least to greatest of 5 windows (median ±10.0\xa0%)"
    assert said["Predicted latency"] == "error on 8 unseen mixes (median ±5.0\xa0%)"
    assert said["Latency"] == "95\xa0% over 4 visits (median ±10.0\xa0%)"


def test_stages_have_numbers_with_their_spread_and_their_roof(run: Path):
    first = stages(read(run)).rows[0]
    assert [line.slot for line in first.lines] == ["stage1", "stage2", "rest"]
    value, low, high = _numbers(first.lines[0].cells[0])
    assert low == pytest.approx(0.98 * value, abs=0.01) and high > value
    assert first.lines[0].roofline == "memory-bound, at 61 % of the roof"
    assert first.lines[1].roofline == ""


def _numbers(cell: str) -> tuple[float, ...]:
    return tuple(float(part) for part in cell.strip(")").replace("(", "").replace("–", " ").split())


def test_without_costs_by_stage_there_is_no_such_section(tmp_path: Path):
    path = timed(tmp_path / "r", {"a": spread(1.0, 0.0), "b": spread(2.0, 0.0)})
    assert stages(read(path)).rows == ()
    text = write_report(path, tmp_path)["report.html"].read_text()
    assert "Where the cost lies" not in text and "Which is faster" in text


def test_the_page_holds_both_sections_and_stays_well_formed(run: Path, tmp_path: Path):
    shutil.copy(run, tmp_path / "r")
    text = write_report(tmp_path / "r", tmp_path)["report.html"].read_text()
    page = Page(text)
    names = [attrs["id"] for attrs in page.all("section") if "id" in attrs]
    assert names.index("mixes") < names.index("ranks") < names.index("stages")
    assert len(page.all("table", "class", "ranks")) == 2  # one for each size
    for attrs in page.all("svg", "role", "img"):
        assert attrs["aria-label"]


def test_every_measure_says_unit_spread_mode_and_machine(run: Path):
    rows = {row.measure: row for row in method(read(run)).protocols}
    latency = rows["Latency"]
    assert (latency.unit, latency.better) == ("s", "lower is better")
    assert latency.spread.startswith("95\xa0% over 90 visits (median ±")
    assert latency.modes == "128×128, 256×256"
    assert latency.place == "cpu (AMD EPYC 9R14, 2 cores), scan back end c"
    assert rows["PSNR"].spread == "95\xa0% over 3 seeds (t)"
    assert rows["MACs"].spread == "none: counted"
    assert rows["Memory"].spread == "none: one number each"
    assert "Load" not in rows


def test_the_conditions_of_the_rounds_are_shown(run: Path, tmp_path: Path):
    found = read(run)
    seen = {row.name: row for row in method(found).conditions}
    assert set(seen) == {"Load", "CPU clock"}
    clock = seen["CPU clock"]
    values = found.samples.loc[found.samples["metric"] == "cpu_clock", "value"]
    assert (clock.unit, clock.rounds, clock.meaning) == ("MHz", 15, "clock of the core")
    assert float(clock.middle) == pytest.approx(values.median(), abs=1)
    ends = [float(end) for end in clock.ends.split("–")]
    assert ends == pytest.approx([values.min(), values.max()], abs=1)


def test_a_disturbed_machine_is_said_at_the_top_and_a_lacking_sensor_is_not(tmp_path: Path):
    disturbed = rows(samples(), conditions=seen({1: ("shared: 1 other process",)}))[2]
    lacking = rows(samples(), absent={"power": "no GPU"})[2]
    times = {"a": spread(1.0, 0.0), "b": spread(2.0, 0.0)}
    found = sections(timed(tmp_path / "r", times, (*lacking, *disturbed)))
    said = [finding for finding in found.health if "disturbed" in finding.text]
    assert [(finding.text, finding.details) for finding in said] == [
        (f"The machine was disturbed while it timed: {disturbed[0].text}.", ())
    ]
    assert not any("not read" in finding.text for finding in found.health)
    told = [text for _, text in method(found.found).notes]
    assert told == [lacking[0].text, disturbed[0].text]


def test_a_mix_is_not_called_cheaper_where_latency_cannot_separate_it(tmp_path: Path):
    def answered(name: str, error: float) -> str:
        shares = {"a": spread(1.0, error), "b": spread(0.9, -error)}
        path = timed(tmp_path / name, shares, seeds=3)
        return answer(read(path)).cheaper

    assert answered("clear", 0.001) == "b"
    assert answered("unclear", 0.1) == ""


def test_predicted_latencies_are_held_against_what_was_measured(tmp_path: Path):
    path = timed(tmp_path / "r", {"a": [[1.0, 1.0]], "b": [[2.0, 2.0]], "c": [[4.0, 4.0]]})
    assert predictions(read(path)) == ()
    with Record.open(path, writable=True) as record:
        record.define([Metric("predicted_latency", "s", "none", "made up")])
        record.add_sitting(
            [
                Measurement("a", "predicted_latency", 1.02, 0.99, 1.05, 8, "96x96"),
                Measurement("b", "predicted_latency", 1.80, 1.75, 1.85, 8, "96x96"),
                Measurement("c", "predicted_latency", 9.0, 8.0, 9.9, 8, "64x64"),
            ],
            [],
            [Note("", "constraints", "3 of 9 points keep to latency <= 5 s")],
        )
    (said,) = predictions(read(path))
    assert said.replace("\u00a0", " ") == (
        "96x96: latency was predicted of 2 mixes before training and measured afterwards; the "
        "predictions were off by 6.0 % in the mean and 10.0 % at most, and 1 of 2 measured values "
        "lies within the error that was given"
    )
    notes = method(read(path)).notes
    assert ("Constraints", "3 of 9 points keep to latency <= 5 s") in notes
    assert ("Predicted latency", said) in notes
