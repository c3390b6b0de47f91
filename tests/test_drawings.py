from __future__ import annotations

from pathlib import Path

import pytest

from reports.answering.answer import answer
from reports.numbers.results import read
from reports.record import Measurement, MixRow, Record, StageRow
from reports.sections.drawings import MOST, SECTION, Drawings, compared
from reports.sections.section import Given
from tests.simulated_run import METRICS, simulate


def given(path: Path) -> Given:
    found = read(path)
    return Given(path, found, answer(found))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Given:
    path = tmp_path_factory.mktemp("run") / "record.sqlite"
    counts = {"stage1": 3, "stage2": 3}
    return given(simulate(path, counts, pictures=False, mirrored=True))


@pytest.fixture(scope="module")
def shown(run) -> Drawings:
    made = SECTION.collect(run)
    assert made is not None
    return made


def test_the_front_is_drawn_in_its_order_with_the_mixes_of_the_answer(run, shown):
    drawn = [each.mix for each in shown.drawn]
    front = list(run.found.letters)
    assert drawn == [mix for mix in front if mix in drawn]
    assert run.said.best in drawn
    assert {each.letter for each in shown.drawn} <= set(run.found.letters.values())
    assert len(drawn) <= MOST


def test_a_long_front_is_thinned_out_evenly_but_keeps_its_ends_and_the_best(run):
    path = simulate(run.record.with_name("long.sqlite"), {"stage1": 6, "stage2": 5}, pictures=False)
    found = read(path)
    front = list(found.letters)
    assert len(front) > MOST
    chosen = compared(found, front[-1], front[3])
    assert len(chosen) == MOST
    assert {front[0], front[3], front[-1]} <= set(chosen)
    assert chosen == sorted(chosen, key=front.index)


def test_stages_have_their_channels_resolution_and_share_of_the_latency(run, shown):
    assert (shown.basis, shown.timed, shown.placed) == ("latency", True, True)
    boxes = {box.slot: box for box in shown.drawn[0].picture.boxes}
    assert list(boxes) == ["stage1", "stage2", "decoder2", "decoder1"]
    assert boxes["decoder2"].name == "decoder2 · 32\u00a0ch"
    subject = f"{shown.drawn[0].mix}:stage1"
    rows = run.found.measurements
    mine = rows[(rows["metric"] == "latency") & rows["subject"].str.startswith(subject[:-7] + ":")]
    value = mine[mine["subject"] == subject]["value"].iloc[0]
    assert boxes["stage1"].share == pytest.approx(value / mine["value"].sum())


def test_every_mix_can_be_drawn_by_the_script(run, shown):
    data = SECTION.data(shown)
    assert set(data["mixes"]) == set(run.found.table.index)
    assert data["of"] == "latency"
    assert len(data["frames"]) == 2  # the baseline's stages are not mirrored


def test_in_markdown_each_stage_has_its_row(shown):
    lines = SECTION.markdown(shown)
    assert lines[:2] == ["## The networks", ""]
    assert lines[2] == "| Mix | Stage | Blocks | Share of the latency |"
    assert len(lines) == 4 + 4 * len(shown.drawn) + 1


def test_a_record_with_mixes_but_no_results_is_drawn_as_far_as_known(tmp_path):
    path = tmp_path / "record.sqlite"
    stages = (StageRow("stage1", "rdcnn", "cnn", 2), StageRow("stage2", "empty", "none", 0))
    with Record.create(path, "s", "", "", {}, ("psnr",)) as record:
        record.add_mixes([MixRow("a", "A", "{}", {}, stages), MixRow("b", "B", "{}", {}, stages)])
    shown = SECTION.collect(given(path))
    assert [each.mix for each in shown.drawn] == ["a", "b"]
    assert (shown.basis, shown.placed) == ("", False)
    assert [box.says for box in shown.drawn[0].picture.boxes] == [
        "stage1: rdcnn\u00a0×2",
        "stage2: empty",
    ]


def test_a_cost_that_all_drawn_mixes_have_by_stage_is_shared_out(tmp_path):
    path = tmp_path / "record.sqlite"
    stages = (StageRow("stage1", "rdcnn", "cnn", 1), StageRow("stage2", "rdcnn", "cnn", 1))
    with Record.create(path, "s", "", "", {}, ("psnr",)) as record:
        record.define(METRICS)
        record.add_mixes([MixRow("a", "A", "{}", {}, stages)])
        record.add_sitting([Measurement("a:stage1", "macs", 3), Measurement("a:stage2", "macs", 1)])
    shown = SECTION.collect(given(path))
    assert shown.basis == "MACs"
    assert [box.share for box in shown.drawn[0].picture.boxes] == [0.75, 0.25]


def test_without_stages_nothing_is_drawn(tmp_path):
    path = tmp_path / "record.sqlite"
    with Record.create(path, "s", "", "", {}, ("psnr",)) as record:
        assert SECTION.collect(given(path)) is None
        record.add_mixes([MixRow("a", "my_network.py:build", "{}")])
    assert SECTION.collect(given(path)) is None
