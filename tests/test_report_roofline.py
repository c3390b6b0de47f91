"""Stages under the roofs of the machine, as the report draws them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.numbers.results import read
from reports.record import Measurement, Metric, Note, Record
from reports.sections.roofline import SECTION, Roofline
from tests import one_section
from tests.simulated_run import simulate

METRICS = (
    Metric("intensity", "FLOP/byte", "none"),
    Metric("roof_share", "", "none"),
    Metric("flops", "FLOP", "lower"),
    Metric("copy_bandwidth", "byte/s", "none"),
    Metric("product_rate", "FLOP/s", "none"),
)
BANDWIDTH, PRODUCT = 20e9, 100e9  # they meet at 5 FLOP per byte


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two mixes; stage1 of each moves bytes, stage2 of the first computes."""
    path = tmp_path_factory.mktemp("roofs") / "record.sqlite"
    simulate(path, {"stage1": 2, "stage2": 2}, seeds=1, pictures=False, baseline=False)
    with Record.open(path, writable=True) as record:
        mixes = list(record.mixes()["key"])
        known = record.measurements()
        rows, notes = [machine("copy_bandwidth", BANDWIDTH), machine("product_rate", PRODUCT)], []
        for mix, slot, intensity in ((0, 1, 1.0), (0, 2, 50.0), (1, 1, 2.0)):
            subject = f"{mixes[mix]}:stage{slot}"
            own = known[(known["subject"] == subject) & (known["metric"] == "latency")]
            best = min(PRODUCT, BANDWIDTH * intensity)
            flops = 0.5 * best * float(own["value"].iloc[0])  # half of what the roof allows
            values = {"intensity": intensity, "roof_share": 0.5, "flops": flops}
            rows += [Measurement(subject, n, v, mode="128x128") for n, v in values.items()]
            kind = "compute" if intensity > 5 else "memory"
            notes.append(Note(subject, "bound", f"{kind}-bound, at 50 % of the roof"))
        record.define(METRICS)
        record.add_sitting(rows, (), notes)
    return path


def machine(metric: str, value: float) -> Measurement:
    return Measurement("machine", metric, value, mode="128x128")


def shown(path: Path) -> Roofline:
    section = one_section.data(SECTION, path)
    assert section is not None
    return section


def test_a_stage_stands_at_what_it_did_a_second(record: Path):
    found = {(one.slot, one.intensity): one for one in shown(record).placed}
    assert len(found) == 3
    assert found["stage1", 1.0].rate == pytest.approx(10e9)
    assert found["stage2", 50.0].rate == pytest.approx(50e9)
    assert found["stage2", 50.0].limit == "compute-bound, at 50 % of the roof"


def test_the_roof_rises_with_bytes_and_ends_at_arithmetic(record: Path):
    plot = shown(record).plot
    start, ridge, end = plot.curves[0].points
    assert start[0] < ridge[0] < end[0]
    assert start[1] > ridge[1] == pytest.approx(end[1])
    for mark in plot.marks:
        roof = ridge[1] if mark.place[0] >= ridge[0] else slope(start, ridge, mark.place[0])
        assert mark.place[1] > roof  # below it
    assert len({round(slope_gap(plot.curves[0].points, m.place), 3) for m in plot.marks}) == 1


def slope(start: tuple[float, float], end: tuple[float, float], x: float) -> float:
    return start[1] + (end[1] - start[1]) * (x - start[0]) / (end[0] - start[0])


def slope_gap(roof: tuple[tuple[float, float], ...], place: tuple[float, float]) -> float:
    """How far below the roof: the same for all, as each is at half of its own."""
    start, ridge, _ = roof
    return place[1] - (ridge[1] if place[0] >= ridge[0] else slope(start, ridge, place[0]))


def test_what_limits_them_is_said_and_shown(record: Path):
    section = shown(record)
    assert section.summary.startswith("3 stages: ")
    assert "2 memory-bound" in section.summary and "1 compute-bound" in section.summary
    assert section.summary.endswith("; the middle one is at 50\u00a0% of its roof.")
    assert section.roofs.startswith("20.0 GB/s copied in main memory and 100.0 GFLOP/s")
    page = one_section.html(SECTION, section)
    assert '<section id="roofline" aria-labelledby="roofline-title">' in page
    assert "50 GFLOP/s at 50 FLOP per byte; compute-bound" in page
    assert "| stage2 | 50.00 | 50.0 | compute-bound" in one_section.markdown(SECTION, section)


def test_without_the_roofs_or_the_stages_there_is_no_such_section(record: Path, tmp_path: Path):
    plain = simulate(tmp_path / "plain.sqlite", {"stage1": 2}, seeds=1, pictures=False)
    assert one_section.data(SECTION, plain) is None
    with Record.open(plain, writable=True) as made:
        key = made.mixes()["key"].iloc[0]
        made.define(METRICS)
        made.add_sitting([Measurement(f"{key}:stage1", "roof_share", 0.5, mode="128x128")])
    assert one_section.data(SECTION, plain) is None


def test_only_some_mixes_are_drawn_and_the_others_are_counted(
    record: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("reports.sections.roofline.MOST", 1)
    section = shown(record)
    assert section.left_out == 1
    assert len({one.mix for one in section.placed}) == 1
    assert set(read(record).table.index) > {one.mix for one in section.placed}
