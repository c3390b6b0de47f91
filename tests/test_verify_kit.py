"""`ablate verify` on a paper kit: its tables, its texts and its figures."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pytest

from ablate.citing import source_of
from reports.page.maker import maker
from reports.paper import figures
from reports.paper.kit import Kit, write_paper
from reports.paper.kit import kit_of as read_kit
from reports.record import Record
from reports.record.hashing import record_hash
from reports.verifying import of_kit
from reports.verifying.checking import Checked, verify
from reports.verifying.copies import VerifyError
from reports.verifying.of_kit import TEXTS
from tests.simulated_run import simulate

FIGURES = tuple(
    f"figures/{name}_page.{end}" for name in ("front", "effects") for end in ("pdf", "svg")
)


@pytest.fixture(scope="module", autouse=True)
def fewer_figures() -> Iterator[None]:
    """Two of four, as each takes its time."""
    every = figures._figures
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "WIDTHS", {"page": figures.WIDTHS["page"]})
        patch.setattr(
            figures, "_figures", lambda given: {k: every(given)[k] for k in ("front", "effects")}
        )
        yield


@pytest.fixture(scope="module")
def known() -> dict[str, Kit]:
    return {}


@pytest.fixture(autouse=True)
def made_once(monkeypatch: pytest.MonkeyPatch, known: dict[str, Kit]) -> None:
    """What comes of one record is made once for all tests, as it is the same every time."""

    def kit_of(record: Path, source_of: Callable[[str], str]) -> Kit:
        name = record_hash(record)
        if name not in known:
            known[name] = read_kit(record, source_of)
        return known[name]

    monkeypatch.setattr(of_kit, "kit_of", kit_of)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    simulate(folder / "record.sqlite", {"stage1": 2, "stage2": 2}, pictures=False)
    write_paper(folder / "record.sqlite", folder / "paper", source_of)
    return folder


@pytest.fixture
def kit(made: Path, tmp_path: Path) -> Path:
    """The kit of a run, to spoil."""
    return Path(shutil.copytree(made, tmp_path / "run")) / "paper"


@pytest.fixture
def drawn(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn again once for all tests, as they are the same every time."""
    drawn = {name: made / "paper" / name for name in FIGURES}
    monkeypatch.setattr(of_kit, "draw_figures", lambda given, folder: drawn)


def check(path: Path, record: Path | None = None) -> Checked:
    return verify(path, record, source_of)


def change(file: Path, pattern: str, after: str) -> str:
    """Put something else in the stead of the first match, which is given back."""
    text = file.read_text()
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not in {file.name}"
    file.write_text(text[: found.start()] + after + text[found.end() :])
    return found[0]


def test_a_kit_as_it_was_written_is_what_its_record_says(kit: Path):
    found = check(kit)
    assert (found.difference, found.remarks) == (None, ())
    assert found.files == (*TEXTS, *FIGURES)
    assert found.numbers > 100
    assert found.record.resolve() == (kit.parent / "record.sqlite").resolve()


@pytest.mark.parametrize("name", TEXTS[:3])
def test_a_number_changed_by_hand_is_named_with_its_file_row_and_column(kit: Path, name: str):
    number = change(kit / name, r"(?<=[ +])\d+\.\d\d(?=\D)", "98.76")
    for path, place in ((kit / name, ""), (kit, ""), (kit.parent, "paper/")):
        found = check(path) if path == kit / name else verify_texts(path)
        assert found.difference is not None
        assert found.difference.file == place + name
        assert "98.76" in str(found.difference.says)
        assert number in str(found.difference.record)
        assert re.search(r"line \d+, row '.+', column '.+'", found.difference.place)


def verify_texts(path: Path) -> Checked:
    """The same without figures."""
    for figure in path.rglob("figures/*"):
        figure.unlink()
    return check(path)


def test_a_changed_word_of_the_methods_or_the_sources_is_named(kit: Path):
    for name, before in (("methods.md", "seeds"), ("references.bib", "author"), ("main.tex", "in")):
        change(kit / name, before, "dice")
        difference = check(kit / name).difference
        assert difference is not None
        assert difference.file == name
        assert "dice" in str(difference.says) and before in str(difference.record)


@pytest.mark.usefixtures("drawn")
def test_a_figure_that_was_moved_by_hand_is_named(kit: Path):
    number = change(kit / "figures/front_page.svg", r'(?<= x=")\d+\.\d+(?=")', "1.5")
    difference = check(kit).difference
    assert difference is not None
    assert (difference.file, difference.place) == ("figures/front_page.svg", "page (x of use)")
    assert (difference.says, difference.record) == ("1.5", number)


@pytest.mark.usefixtures("drawn")
def test_of_a_figure_that_is_no_text_the_first_byte_that_differs_is_named(kit: Path):
    file = kit / "figures/front_page.pdf"
    content = file.read_bytes()
    file.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    difference = check(file).difference
    assert difference is not None
    assert difference.place == "byte 1001"
    assert difference.record == content[1000:1008].hex(" ")
    file.write_bytes(content + b"x")
    assert "the file says '78', the record nothing" in getattr(check(file).difference, "words", "")


@pytest.mark.usefixtures("drawn")
def test_figures_of_another_matplotlib_are_passed_by_and_it_says_so(kit: Path):
    here = matplotlib.__version__
    for name in ("front_page.svg", "front_page.pdf"):
        file = kit / "figures" / name
        file.write_bytes(file.read_bytes().replace(f"v{here}".encode(), b"v1.2.3"))
    (kit / "figures/effects_page.svg").write_text("<svg>redrawn</svg>")
    found = check(kit)
    assert found.difference is None
    assert len(found.files) == len(TEXTS) + len(FIGURES) - 3
    assert found.remarks == (
        f"2 figures drawn by matplotlib 1.2.3, so not compared with what matplotlib {here} draws "
        "here",
        "1 figure drawn by something else than matplotlib, so not compared with what matplotlib "
        f"{here} draws here",
    )


def test_a_figure_that_the_record_does_not_have_is_named(
    kit: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(of_kit, "draw_figures", lambda given, folder: {})
    difference = check(kit / "figures/front_page.svg").difference
    assert difference is not None
    assert difference.words == (
        "figures/front_page.svg: the whole file: the file says 'a figure', the record nothing"
    )


def test_what_a_kit_was_made_of_is_a_remark_and_no_difference(kit: Path):
    before = record_hash(kit.parent / "record.sqlite")
    with Record.open(kit.parent / "record.sqlite", writable=True) as record:
        record.set_fact("sources", "{}")
    now = record_hash(kit.parent / "record.sqlite")
    change(kit / "README.md", re.escape(maker()), "ablate 0.0.1, reports 0123")
    changed = (
        f"the record has changed since the paper kit was made (sha256 {before[:12]}... then, "
        f"{now[:12]}... now)"
    )
    by = f"the paper kit was made by ablate 0.0.1, reports 0123; this is {maker()}"
    for name in ("methods.md", "methods.tex", "references.bib"):
        found = check(kit / name)
        assert (found.difference, found.remarks) == (None, (changed, by))
    (kit / "README.md").unlink()
    assert check(kit / "methods.tex").remarks == (changed,)
    (kit / "references.bib").unlink()
    assert check(kit / "main.tex").remarks == (
        "the paper kit does not say which record it was made of",
    )


def test_a_kit_elsewhere_needs_its_record_named(kit: Path, tmp_path: Path):
    record = kit.parent / "record.sqlite"
    moved = Path(shutil.move(kit, tmp_path / "elsewhere" / "kit"))
    table = moved / "tables" / "results.tex"
    with pytest.raises(VerifyError, match=r"kit: no record lies beside it .*--record FILE"):
        check(moved)
    assert check(table, record).difference is None
    assert check(table, record.parent).files == ("tables/results.tex",)


@pytest.mark.usefixtures("drawn")
def test_the_command_takes_a_kit(kit: Path, cli):
    code, said, _ = cli("verify", kit)
    assert code == 0
    texts = ", ".join(TEXTS)
    assert re.match(rf"{re.escape(texts)} and 4 figures: \d+ numbers, all as in ", said)
    number = change(kit / "tables/results.tex", r"(?<=[ +])\d+\.\d\d(?=\D)", "98.76")
    code, said, _ = cli("verify", kit.parent, "--quiet")
    assert code == 1
    assert said.startswith("paper/tables/results.tex: line ")
    assert "98.76" in said and number in said
    (kit / "figures/front_page.svg").write_text("<svg/>")
    code, said, _ = cli("verify", kit / "figures/front_page.svg")
    assert code == 0
    assert said.startswith("nothing could be compared\n1 figure drawn by something else")
