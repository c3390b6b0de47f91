"""`ablate compare`: an injected slow-down is named, and other machines are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from ablate.cli import main
from reports.analysis.changes import REFERENCE, Change
from reports.comparing.sittings import CompareError, compare_records, compare_sittings, verdict
from reports.record import Measurement, Metric, MixRow, Note, Record, Sample
from tests.test_changes import FIELD, sitting

METRICS = (
    Metric("latency", "s", "lower", "wall time"),
    Metric("latency_cpu", "s", "none", "samples only"),
    Metric("latency_by_cpu", "", "none", "samples only"),
)
FACTS = {"device": "cpu", "cpu": "a processor", "torch": "2.13", "profile": '{"threads": 1}'}
SLOWER = {**FIELD, "net 3": 1.06 * FIELD["net 3"]}


def spec(name: str) -> str:
    return json.dumps({"network": {"topology": name}, "training": {"steps": 1}})


def add(
    path: Path,
    frame: pd.DataFrame,
    name: str = "s1",
    mode: str = "16x16",
    metric: str = "latency",
    notes: tuple[Note, ...] = (),
) -> None:
    """One more sitting of a record."""
    subjects = sorted(set(frame["subject"]))
    middle = frame.groupby("subject")["value"].median()
    measured = [
        Measurement(one, "latency", float(middle[one]), mode=mode, sitting=name) for one in subjects
    ]
    samples = [
        Sample(row.subject, metric, mode, name, row.process, row.round, row.value)
        for row in frame.itertuples()
    ]
    with Record.open(path, writable=True) as record:
        record.add_sitting(measured, samples, notes)


def run(folder: Path, seconds: dict[str, float], seed: int, **facts: str) -> Path:
    """A run whose networks take known times; labels are "mix of net 1"."""
    folder.mkdir()
    path = folder / "record.sqlite"
    with Record.create(path, "s", "", "", {**FACTS, **facts}, ("latency",)) as record:
        record.define(METRICS)
        names = [name for name in seconds if name != REFERENCE]
        record.add_mixes([MixRow(name, f"mix of {name}", spec(name)) for name in names])
    add(path, sitting(seconds, seed))
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["compare", *map(str, arguments)])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_an_injected_slow_down_in_one_mix_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "a", FIELD, 1)
    run(tmp_path / "b", SLOWER, 2, torch="2.14", profile='{"threads": 2}')
    code, out, _ = call(capsys, tmp_path / "a", tmp_path / "b")
    lines = out.splitlines()
    assert code == 0
    assert lines[:3] == [
        "differs: torch: 2.13 before, 2.14 after",
        "differs: profile threads: 1 before, 2 after",
        "latency at 16x16, sitting s1 and then s1",
    ]
    told = next(line for line in lines if "mix of net 3" in line)
    assert re.search(r"slower by [567]\.\d % \[\d\.\d, \d\.\d\]$", told.rstrip())
    assert out.count("not separable (") == 6  # the others, and all together beside the reference
    assert "with 95 % probability all 6 intervals hold" in out
    assert "over 6 processes" in out


def test_for_programs_it_is_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "a", FIELD, 1)
    run(tmp_path / "b", {**SLOWER, "new": 1.0}, 2)
    code, out, _ = call(capsys, tmp_path / "a", tmp_path / "b", "--json")
    said = json.loads(out)
    (compared,) = said["modes"]
    assert (code, compared["mode"], compared["alone"]) == (0, "16x16", ["mix of new"])
    apart = {row["mix"]: row["apart"] for row in compared["rows"]}
    assert [mix for mix, changed in apart.items() if changed] == ["mix of net 3"]
    row = compared["rows"][0]
    assert row["mix"] == "mix of net 3"
    assert 1 < row["low"] < row["ratio"] < row["high"]


def test_the_last_two_sittings_of_one_run_are_compared(tmp_path: Path) -> None:
    path = run(tmp_path / "a", FIELD, 1)
    with pytest.raises(CompareError, match="latency was measured once only; name a second run"):
        compare_sittings(path)
    add(path, sitting(SLOWER, 2), "s2")
    add(path, sitting(FIELD, 3), "s3")
    (compared,) = compare_sittings(path).modes
    assert compared.sittings == ("s2", "s3")
    assert [row.label for row in compared.rows if row.change.apart] == ["mix of net 3"]
    assert compared.rows[0].words.startswith("faster by ")


def test_one_network_is_said_to_be_held_against_the_reference(tmp_path: Path) -> None:
    few = {name: FIELD[name] for name in ("net 0", REFERENCE)}
    (compared,) = compare_records(run(tmp_path / "a", few, 1), run(tmp_path / "b", few, 2)).modes
    assert compared.basis == (
        "it is held against the reference network, over 6 processes; with 95 % probability its "
        "interval holds"
    )


def test_what_nobody_timed_cannot_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "record.sqlite"
    with Record.create(path, "s", "", "", FACTS, ("latency",)) as record:
        record.define(METRICS)
    with pytest.raises(CompareError, match="latency was measured not at all"):
        compare_sittings(path)
    with pytest.raises(CompareError, match=r"\(nothing there, 16x16 here\)$"):
        compare_records(path, run(tmp_path / "a", FIELD, 1))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"cpu": "an abacus"}, "on cpu a processor, .* on cpu an abacus: what changed of the"),
        ({"device": "cuda"}, "was timed on device cpu, .* on device cuda"),
    ],
)
def test_runs_of_different_machines_are_refused(
    tmp_path: Path, facts: dict[str, str], said: str
) -> None:
    first, second = run(tmp_path / "a", FIELD, 1), run(tmp_path / "b", FIELD, 2, **facts)
    with pytest.raises(CompareError, match=said):
        compare_records(first, second)


def test_mixes_that_differ_in_training_alone_are_one_network(tmp_path: Path) -> None:
    first = run(tmp_path / "a", FIELD, 1)
    renamed = {f"{name} of another key": value for name, value in SLOWER.items()}
    renamed[REFERENCE] = renamed.pop(f"{REFERENCE} of another key")
    second = tmp_path / "record.sqlite"
    with Record.create(second, "s", "", "", FACTS, ("latency",)) as record:
        record.define(METRICS)
        for key in renamed:
            network = key.removesuffix(" of another key")
            if key != REFERENCE:
                text = spec(network).replace('"steps": 1', '"steps": 2')
                record.add_mixes([MixRow(key, f"longer {network}", text)])
    add(second, sitting(renamed, 2))
    (compared,) = compare_records(first, second).modes
    assert compared.alone == ()
    assert [row.label for row in compared.rows if row.change.apart] == ["longer net 3"]


def test_on_a_busy_machine_the_least_cpu_time_is_compared(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", FIELD, 1), run(tmp_path / "b", FIELD, 2)
    for path, seconds in ((first, FIELD), (second, SLOWER)):
        frame = sitting(seconds, 3)
        add(path, frame, "busy", metric="latency_cpu")
        mark = Sample("reference", "latency_by_cpu", "16x16", "busy", 0, 0, 1.0)
        with Record.open(path, writable=True) as record:
            record.add_sitting((), (mark,), ())
    (compared,) = compare_records(first, second).modes
    assert compared.basis.startswith("least CPU time, as the machine was busy; each is held")
    assert [row.label for row in compared.rows if row.change.apart] == ["mix of net 3"]


def test_sittings_without_rounds_in_common_are_refused(tmp_path: Path) -> None:
    path = run(tmp_path / "a", FIELD, 1)
    add(path, sitting({"else": 1.0}, 2), "s2")
    with pytest.raises(CompareError, match=r"16x16: two sittings need the reference .* have 0$"):
        compare_sittings(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change("", 1.04, 1.03, 1.05), "slower by 4.0 % [3.0, 5.0]"),
        (Change("", 0.9, 0.88, 0.92), "faster by 10.0 % [8.0, 12.0]"),
        (Change("", 1.003, 0.99, 1.016), "not separable (+0.3 % [-1.0, +1.6])"),
        (Change("", 2.0, 0.0, float("inf")), "not separable"),
    ],
)
def test_a_change_is_said_in_words(change: Change, said: str) -> None:
    assert verdict(change) == said
