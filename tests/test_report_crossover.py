"""Cross-overs of blocks in the report: read from what the command printed, drawn, and doubted."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from reports.crossing.reading import FILE, LARGEST, CrossingError, keep_crossings, read_crossings
from reports.sections.crossover import SECTION, Crossover, crossover, markdown
from tests import one_section
from tests.simulated_run import simulate

SIZES = [32, 64, 128]


def course(name: str, quantity: str, values: list[float]) -> dict[str, Any]:
    low, high = [0.9 * value for value in values], [1.1 * value for value in values]
    known = {"name": name, "quantity": quantity, "axis": "size"}
    return {**known, "x": SIZES, "values": values, "low": low, "high": high}


def duel(quantity: str, crossings: list[dict[str, Any]]) -> dict[str, Any]:
    return {"first": "mwsa", "second": "emvm", "quantity": quantity, "axis": "size"} | {
        "x": SIZES,
        "ratios": [0.5, 1.0, 2.0],
        "better": ["mwsa", "", "emvm"],
        "crossings": crossings,
    }


CROSSING = {"below": "mwsa", "above": "emvm", "at": 64.0, "low": 60.0, "high": 70.0}
FOUND: dict[str, Any] = {
    "contestants": [
        {"name": "mwsa", "family": "attention", "members": []},
        {"name": "emvm", "family": "mamba", "members": []},
        {"name": "mwsa:window=16", "family": "attention", "members": []},
    ],
    "machine": "a processor",
    "torch": "2.13.0",
    "device": "cpu",
    "scan_backend": "c",
    "protocol": "15 interleaved rounds",
    "grid": {},
    "base": {"size": 64, "width": 32, "batch": 1},
    "courses": [
        course("mwsa", "latency", [1e-3, 4e-3, 16e-3]),
        course("emvm", "latency", [2e-3, 4e-3, 8e-3]),
        course("mwsa:window=16", "latency", [2e-3, 8e-3, 32e-3]),
        course("mwsa", "memory", [2.0**20, 2.0**22, 2.0**24]),
    ],
    "duels": [duel("latency", [CROSSING | {"between": [32, 128]}]), duel("memory", [])],
    "dropped": {"prompt at 128x128, width 32, batch 1": "no memory left"},
    "note": "",
}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "record.sqlite"
    return simulate(path, {"stage1": 2}, seeds=1, pictures=False)


def written(folder: Path, found: object) -> Path:
    path = folder / "found.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def shown(folder: Path, found: object = FOUND) -> Crossover:
    return crossover(read_crossings(written(folder, found)))


def test_each_quantity_along_each_axis_has_a_plot_and_its_numbers(tmp_path: Path):
    latency, memory = shown(tmp_path).plots
    assert (latency.title, latency.ytitle) == ("Latency of one call", "ms, log scale")
    assert memory.title == "Peak memory"
    assert [curve.name for curve in latency.curves] == ["mwsa", "emvm", "mwsa:window=16"]
    table = shown(tmp_path).tables[0]
    assert table.heads == ("Side, px", "mwsa", "emvm", "mwsa:window=16")
    assert table.rows[1] == ("64", "4.00", "4.00", "8.00")


def test_lines_lie_where_logarithms_say(tmp_path: Path):
    latency = shown(tmp_path).plots[0]
    left, middle, right = latency.curves[1].points
    assert middle[0] == pytest.approx((left[0] + right[0]) / 2)
    assert middle[1] == pytest.approx((left[1] + right[1]) / 2)
    assert left[1] > middle[1] > right[1]  # from the top: it takes more and more
    (mark,) = latency.marks
    assert mark.place == pytest.approx(middle)
    assert mark.says == "mwsa and emvm cross at 64"


def test_blocks_of_one_family_share_its_colour_and_differ_in_their_dashes(tmp_path: Path):
    keys = shown(tmp_path).keys
    assert [(key.slug, key.dash) for key in keys] == [
        ("attention", 0),
        ("mamba", 0),
        ("attention", 1),
    ]


def test_the_commands_own_sentences_come_first(tmp_path: Path):
    said = shown(tmp_path, FOUND | {"sentences": ["below 64 px on this CPU ..."]}).sentences
    assert said == ("below 64 px on this CPU ...",)


def test_a_file_without_sentences_is_put_into_words(tmp_path: Path):
    said = shown(tmp_path).sentences
    assert said[0] == (
        "below 64 size px mwsa is faster than emvm, above it the other way round "
        "(95 % interval 60 to 70)"
    ).replace("size px", "px")
    assert said[1] == "prompt at 128x128, width 32, batch 1 cannot be run: no memory left"
    none = FOUND | {"duels": [], "dropped": {}}
    assert shown(tmp_path, none).sentences == (
        "No block overtakes another in the range that was timed",
    )


def test_what_lies_beside_the_record_stands_in_the_report(record: Path, tmp_path: Path):
    assert one_section.data(SECTION, record) is None
    keep_crossings(written(tmp_path, FOUND), record.parent)
    section = one_section.data(SECTION, record)
    assert section is not None
    page = one_section.html(SECTION, section)
    assert '<section id="crossover" aria-labelledby="crossover-title">' in page
    assert "mwsa and emvm cross at 64" in page
    assert "15 interleaved rounds" in page
    assert "| 64 | 4.00 | 4.00 | 8.00 |" in one_section.markdown(SECTION, section)
    (record.parent / FILE).unlink()


def test_a_file_that_is_of_no_use_is_said_and_the_rest_stays(record: Path, tmp_path: Path):
    (record.parent / FILE).write_text("{}", encoding="utf-8")
    section = one_section.data(SECTION, record)
    (record.parent / FILE).unlink()
    assert isinstance(section, Crossover)
    expected = (
        "crossover.json: not a cross-over (there is no 'contestants'); "
        "expected what ablate crossover --json prints"
    )
    assert section.problem == expected
    assert markdown(section)[2] == expected


def broken(change: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(FOUND)
    found["courses"][0] |= change
    return found


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "'list' object has no attribute 'get'"),
        ({}, "there is no 'contestants'"),
        (
            broken({"values": [1.0, 2.0]}),
            "columns of mwsa have different lengths: x 3, values 2, low 3, high 3",
        ),
        (broken({"values": [0.0, 1.0, 2.0]}), "0 where a finite number above 0 is expected"),
        (
            broken({"low": [1.0, float("nan"), 2.0]}),
            "nan where a finite number above 0 is expected",
        ),
        (broken({"x": [64, 32, 128]}), "size of mwsa does not ascend: (64.0, 32.0, 128.0)"),
        (broken({"x": "abc"}), "could not convert string to float: 'a'"),
        (
            FOUND | {"base": {"size": "large"}},
            "invalid literal for int() with base 10: 'large'",
        ),
        (FOUND | {"dropped": []}, "'list' object has no attribute 'items'"),
        (broken({"name": "a\nb", "x": [3, 2, 1]}), "size of a b does not ascend: (3.0, 2.0, 1.0)"),
        (broken({"x": "x" * 999}), "could not convert string to float: 'x'"),
    ],
)
def test_something_else_is_refused_in_one_line(found: object, why: str, tmp_path: Path):
    path = written(tmp_path, found)
    with pytest.raises(CrossingError) as raised:
        keep_crossings(path, tmp_path)
    expected = f"{path}: not a cross-over ({why}); expected what ablate crossover --json prints"
    assert str(raised.value) == expected
    assert not (tmp_path / FILE).exists()


def test_a_missing_a_huge_and_a_broken_file_are_refused(tmp_path: Path):
    with pytest.raises(CrossingError, match=r"gone\.json: cannot be read: No such file"):
        read_crossings(tmp_path / "gone.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(CrossingError, match=r"broken\.json: not JSON; expected what ablate"):
        read_crossings(broken)
    with broken.open("r+b") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(CrossingError, match="larger than any cross-over; expected the JSON of one"):
        read_crossings(broken)


def test_a_name_is_text_wherever_it_stands(record: Path, tmp_path: Path):
    nasty = '"><script>alert(1)</script>'
    found = json.loads(json.dumps(FOUND).replace('"emvm"', json.dumps(nasty)))
    keep_crossings(written(tmp_path, found), record.parent)
    section = one_section.data(SECTION, record)
    assert section is not None
    page = one_section.html(SECTION, section)
    (record.parent / FILE).unlink()
    assert nasty not in page
    assert "&lt;script&gt;alert(1)" in page
