"""`ablate verify`: a report that was changed is told from one that was not, and where."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ablate.cli import main
from reports.build import report_texts, write_report
from reports.page.maker import maker
from reports.page.pieces import pieces
from reports.record import Record
from reports.record.hashing import record_hash
from reports.verifying import of_report
from reports.verifying.checking import verify
from reports.verifying.copies import VerifyError
from reports.verifying.differing import Difference
from tests.simulated_run import simulate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    simulate(folder / "record.sqlite", {"stage1": 2, "stage2": 2}, pictures=False)
    write_report(folder / "record.sqlite", folder)
    return folder


@pytest.fixture(autouse=True)
def made_once(monkeypatch: pytest.MonkeyPatch, kept: dict[str, dict[str, str]]) -> None:
    """What comes of one record is made once for all tests, as it is the same every time."""

    def texts(record: Path) -> dict[str, str]:
        name = record_hash(record)
        if name not in kept:
            kept[name] = report_texts(record)
        return kept[name]

    monkeypatch.setattr(of_report, "report_texts", texts)


@pytest.fixture(scope="module")
def kept() -> dict[str, dict[str, str]]:
    return {}


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A run with its report, to spoil."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) >= 1, f"{before} is not in {file.name}"
    file.write_text(text.replace(before, after, 1))


def best(run: Path, column: str = "psnr") -> tuple[str, float]:
    from reports.numbers.results import read

    ranked = read(run / "record.sqlite").ranked.sort_values(column, ascending=False)
    return str(ranked["label"].iloc[0]), float(ranked[column].iloc[0])


def test_a_report_as_it_was_written_is_what_its_record_says(run: Path):
    found = verify(run)
    assert found.difference is None
    assert found.remarks == ()
    assert found.files == ("report.html", "report.md", "results.csv", "swaps.csv", "results.tex")
    assert found.numbers > 300
    assert found.record == run / "record.sqlite"


def test_a_changed_number_in_the_page_is_named_with_its_row_and_column(run: Path):
    page = (run / "report.html").read_text()
    table = page.index('id="mixes"')
    cell = re.compile(r'(<a class="to-trials"[^>]*>)(\d\d\.\d\d)').search(page, table)
    assert cell is not None
    end = cell.start(2)
    (run / "report.html").write_text(page[:end] + "99.99" + page[end + 5 :])
    difference = verify(run).difference
    assert difference is not None
    assert difference.file == "report.html"
    assert (difference.says, difference.record) == ("99.99", cell[2])
    assert "section 'All mixes'" in difference.place
    assert best(run)[0].split(" | ")[0] in difference.place
    assert "column 'PSNR" in difference.place


def test_what_a_script_is_given_counts_too(run: Path):
    page = (run / "report.html").read_text()
    start = page.index('id="data"')
    number = re.compile(r"\d\d\.\d\d").search(page, start)
    assert number is not None
    (run / "report.html").write_text(page[: number.start()] + "77.77" + page[number.end() :])
    difference = verify(run / "report.html").difference
    assert difference is not None
    assert difference.place.startswith("data for scripts, ")
    assert "77.77" in str(difference.says)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("results.csv", "line 2, row '{1}', column 'psnr_dB'"),
        ("swaps.csv", "line 2, row '{0}', column 'change_psnr_dB'"),
        ("report.md", "row "),
        ("results.tex", "row "),
    ],
)
def test_changed_tables_are_named_by_row_and_column(run: Path, name: str, place: str):
    text = (run / name).read_text()
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if n and "rdcnn" in line)
    number = re.search(r"\d+\.\d+", lines[at])
    assert number is not None
    lines[at] = lines[at].replace(number[0], "55.5", 1)
    (run / name).write_text("\n".join(lines) + "\n")
    difference = verify(run).difference
    assert difference is not None
    assert difference.file == name
    assert difference.says is not None and "55.5" in difference.says
    assert difference.record is not None and number[0] in difference.record
    assert f"line {at + 1}" in difference.place
    if name.endswith(".csv"):
        assert difference.place == place.format(*lines[at].split(","))


def test_a_record_that_changed_since_is_told_and_so_is_what_it_changes(run: Path):
    before = record_hash(run / "record.sqlite")
    with Record.open(run / "record.sqlite", writable=True) as record:
        record.set_fact("question", "Another question?")
    found = verify(run)
    now = record_hash(run / "record.sqlite")
    assert found.remarks == (
        f"the record has changed since the report was made (sha256 {before[:12]}... then, "
        f"{now[:12]}... now)",
    )
    assert found.difference is not None
    assert found.difference.record == "Another question?"


def test_a_record_that_changed_without_changing_a_number_is_no_difference(run: Path):
    with Record.open(run / "record.sqlite", writable=True) as record:
        record.set_fact("sources", "{}")
    found = verify(run)
    assert found.difference is None
    assert len(found.remarks) == 1


def test_a_report_of_another_version_is_told(run: Path):
    change(run / "report.html", maker(), "ablate 0.0.1, reports 0123")
    found = verify(run)
    assert found.difference is None
    (remark,) = found.remarks
    assert remark == f"the report was made by ablate 0.0.1, reports 0123; this is {maker()}"


def of_earlier_version(run: Path) -> None:
    """Make of a report one of a version that wrote no file of swaps."""
    items = (run / "report.html").read_text().split("<li>")
    change(run / "report.html", "<li>" + next(item for item in items if "swaps.csv" in item), "")
    change(run / "report.html", maker(), "ablate 0.0.1, reports 0123")
    (run / "swaps.csv").unlink()


def test_files_that_an_earlier_version_did_not_write_are_no_difference(run: Path):
    of_earlier_version(run)
    found = verify(run)
    assert found.difference is None
    assert found.files == ("report.html", "report.md", "results.csv", "results.tex")
    assert len(found.remarks) == 1
    change(run / "results.csv", f"{best(run)[1]:.6f}"[:6], "11.111")
    difference = verify(run).difference
    assert difference is not None
    assert difference.file == "results.csv"
    assert "11.111" in str(difference.says)


def test_the_list_of_files_counts_where_this_version_wrote_it(run: Path):
    change(run / "report.html", "all swaps, in raw units", "some swaps")
    difference = verify(run).difference
    assert difference is not None
    assert (difference.place, difference.says) == ("section 'Files'", "some swaps")


@pytest.mark.parametrize("name", ["swaps.csv", "figures/effects.svg"])
def test_a_file_that_the_page_names_and_that_is_not_there_is_told(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
):
    (run / name).unlink()
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(run)])
    assert ended.value.code == 1
    assert capsys.readouterr().out == f"{name}: the page names it, and it is not there\n"
    assert verify(run / "report.html").difference is None
    change(run / "results.csv", "stage1 rdcnn", "stage1 changed")
    changed = verify(run).difference
    assert changed is not None
    assert changed.file == "results.csv"


def test_a_page_that_says_nothing_of_its_record_is_told(run: Path):
    change(run / "report.html", '<meta name="record"', '<meta name="other"')
    assert "the report does not say which record it was made of" in verify(run).remarks


def test_a_report_elsewhere_is_held_against_the_record_that_is_named(run: Path, tmp_path: Path):
    shutil.move(run / "report.html", tmp_path / "mine.html")
    with pytest.raises(VerifyError, match=r"mine.html: no record lies beside it .*--record FILE"):
        verify(tmp_path / "mine.html")
    assert verify(tmp_path / "mine.html", run).difference is None
    assert verify(tmp_path / "mine.html", run / "record.sqlite").files == ("mine.html",)


def test_a_table_under_another_name_is_known_by_its_first_heading(run: Path, tmp_path: Path):
    for name in ("results.csv", "swaps.csv"):
        other = tmp_path / f"not {'results' if name == 'swaps.csv' else 'swaps'}.csv"
        shutil.copy(run / name, other)
        assert verify(other, run).difference is None
    (tmp_path / "any.csv").write_text("something,else\n")
    difference = verify(tmp_path / "any.csv", run).difference
    assert difference is not None
    assert (difference.says, difference.record) == ("something", "mix")


def test_what_is_no_report_is_refused(run: Path):
    with pytest.raises(VerifyError, match="nowhere: no such report; write it: ablate report RUN"):
        verify(run / "nowhere")
    with pytest.raises(VerifyError, match=r"not a file of a report that can be compared \(.html"):
        verify(run / "record.sqlite")
    for file in ("report.html", "report.md", "results.csv", "swaps.csv", "results.tex"):
        (run / file).unlink()
    with pytest.raises(VerifyError, match="no report is here; write it: ablate report"):
        verify(run)


def test_what_is_missing_at_the_end_is_a_difference(run: Path):
    text = (run / "results.csv").read_text().splitlines()
    (run / "results.csv").write_text("\n".join(text[:-1]) + "\n")
    difference = verify(run / "results.csv").difference
    assert difference is not None
    assert difference.says is None
    assert "the file has nothing there, the record says" in difference.words
    (run / "results.csv").write_text("\n".join([*text, "more,x"]) + "\n")
    difference = verify(run / "results.csv").difference
    assert difference is not None
    assert difference.words.endswith("the file says 'more', the record nothing")


def test_long_texts_are_cut_to_where_they_differ():
    same = "a" * 300
    words = Difference("f", "here", same + "b" * 200, same + "c" * 200).words
    assert len(words) < 400
    assert "...aaa" in words and "ab" in words and "ac" in words


def test_the_command_says_what_it_compared_and_its_exit_code_says_the_rest(
    run: Path, capsys: pytest.CaptureFixture[str]
):
    def call(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["verify", str(run), *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    code, said = call()
    assert code == 0
    expected = (
        r"report.html, report.md, results.csv, swaps.csv, results.tex: \d+ numbers, all as in "
    )
    assert re.match(expected, said)
    change(run / "results.csv", "stage1 rdcnn", "stage1 changed")
    code, said = call("--quiet")
    assert code == 1
    assert said.startswith("results.csv: line ")
    code, said = call("--json")
    assert code == 1
    assert json.loads(said)["difference"]["file"] == "results.csv"
    assert json.loads(said)["same"] is False


def test_pieces_of_a_page_are_placed_by_section_row_and_column():
    text = (
        '<main><section id="one"><h2>Numbers</h2><table><thead><tr><th>Mix</th><th>PSNR</th></tr>'
        '</thead><tbody><tr><th scope="row">a</th><td data-sort="1">1</td></tr></tbody></table>'
        "</section><p>after</p></main>"
    )
    found = {(piece.kind, piece.text): piece.place for piece in pieces("a.html", text)}
    place = "section 'Numbers', row 'a', column 'PSNR'"
    assert found["", "1"] == found["data-sort of td", "1"] == place
    assert found["", "after"] == "page"
