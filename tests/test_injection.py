from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from reports.answering.answer import answer
from reports.build import write_report
from reports.graphics.escaping import (
    FORMULA,
    NUMBER,
    csv_text,
    escape_latex,
    escape_markdown,
    one_line,
    visible,
)
from reports.ink.effects import effects_figure
from reports.ink.front import front_figure
from reports.ink.networks import networks_figure
from reports.ink.style import COLUMN, PAGE, save
from reports.numbers.results import read
from reports.paper.kit import paper_texts
from reports.record import Record
from reports.sections import drawings
from reports.sections.section import Given
from reports.tables import guarded
from tests.browser import Visit, overflow
from tests.nasty import ALL, NASTY, nasty_record
from tests.test_browser_tables import copied

# Commands of ours; any other would be a name's.
COMMANDS = re.findall(
    r"\w+",
    """
    textbackslash textbraceleft textbraceright textasciitilde textasciicircum textless textgreater
    textbar textendash textemdash textquoteright textquotedblleft textquotedblright char ldots pm
    times cdot circ surd leq geq approx rightarrow Delta alpha beta gamma delta varepsilon lambda
    mu pi rho sigma tau dagger begin end centering small setlength tabcolsep caption label toprule
    midrule bottomrule par smallskip footnotesize scriptsize textbf documentclass usepackage
    emergencystretch title author date maketitle section input includegraphics linewidth textwidth
    nocite bibliographystyle bibliography onecolumn appendix paragraph cite endfirsthead endhead
    endlastfoot texttt url IfFileExists allowbreak
    """,
)


OURS = ("#", "data:image/", "report.", "results.", "swaps.csv", "figures/")


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._last = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._last = tag

    def handle_endtag(self, tag):
        self._last = ""

    def handle_data(self, data):
        if self._last in self.raw:
            self.raw[self._last].append(data)
        else:
            self.words.append(data)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return nasty_record(tmp_path_factory.mktemp("nasty") / "record.sqlite")


@pytest.fixture(scope="module")
def report(run) -> dict[str, Path]:
    return write_report(run, run.parent / "report")


@pytest.fixture(scope="module")
def paper(run) -> dict[str, Path]:
    """The texts of a paper, and each of its figures once."""
    folder = run.parent / "paper"
    (folder / "tables").mkdir(parents=True)
    written = {}
    for name, text in paper_texts(run, lambda thing: f"{ALL} arXiv:9999.00001").items():
        written[name] = folder / name
        written[name].write_text(text, encoding="utf-8")
    found = read(run)
    shown = drawings.collect(Given(run, found, answer(found)))
    for name, figure in (
        ("front", front_figure(found, PAGE, "psnr", "latency")),
        ("effects", effects_figure(found, COLUMN)),
        ("networks", networks_figure(shown.drawn, PAGE)),
    ):
        written[f"{name}.svg"] = save(figure, folder / f"{name}.svg", PAGE)
        save(figure, folder / f"{name}.pdf", PAGE)
    return written


@pytest.fixture(scope="module")
def page(report) -> Page:
    return Page(report["report.html"].read_text())


def test_the_page_has_no_element_or_attribute_of_a_name(page):
    assert len(page.raw["script"]) == 2  # the data, and the page's own
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base", "form", "b onerror")
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("href", "src"):
            place = attributes.get(name) or "#"
            assert place.startswith(OURS), place


def test_the_page_shows_every_name_as_it_is(page):
    text = squeezed(" ".join(page.words))
    for name, nasty in NASTY.items():
        assert squeezed(visible(nasty)) in text, name


def test_the_data_of_scripts_ends_where_it_should(page):
    data = json.loads(page.raw["script"][0])
    labels = {card["label"] for card in data["mixes"].values()}
    assert any(label.startswith("</script>") for label in labels)
    assert not any("\u202e" in label for label in labels)


def test_markdown_shows_every_name_as_text(report):
    markup = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = list(flat(markup.parse(report["report.md"].read_text())))
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_block", "html_inline", "s_open", "code_inline", "fence", "code_block"}
    for token in tokens:
        place = token.attrs.get("href", token.attrs.get("src", "figures/"))
        assert str(place).startswith("figures/"), place
    text = squeezed(" ".join(token.content for token in tokens if token.type == "text"))
    for name, nasty in NASTY.items():
        assert squeezed(one_line(nasty)) in text, name


def flat(tokens) -> Iterator:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_a_name_at_the_start_of_a_line_of_markdown_is_text(text):
    markup = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = list(flat(markup.parse(escape_markdown(text))))
    assert {token.type for token in tokens} <= {
        "paragraph_open", "paragraph_close", "inline", "text", "text_special"
    }  # fmt: skip
    said = "".join(token.content for token in tokens if token.type.startswith("text"))
    assert squeezed(said) == squeezed(one_line(text))


def table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text())))


def test_csv_cells_are_never_formulas_and_numbers_stay_numbers(report):
    rows, swaps = table(report["results.csv"]), table(report["swaps.csv"])
    for row in (*rows, *swaps):
        for name, cell in row.items():
            for text in (name, cell):
                assert not text.startswith(FORMULA) or NUMBER.fullmatch(text), text
    assert {csv_text(text) for text in NASTY.values()} <= {row["to"] for row in swaps} | {
        row["from"] for row in swaps
    }
    labels = {row["label"] for row in rows}
    for at, text in enumerate(NASTY.values()):
        assert csv_text(f"{text} | {at}") in labels
    assert float(rows[0]["psnr_dB"]) > 27


def test_csv_quotes_what_would_calculate_and_nothing_else():
    for text in ("=1", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1"):
        assert csv_text(text).startswith("'")
    for text in ("-2", "+3.5", "-1e-3", "a=b", "", "x-y"):
        assert csv_text(text) == text


def test_a_guarded_table_keeps_its_numbers_and_absences():
    import pandas as pd

    table = pd.DataFrame({"=a": ["@x", None, "-3"], "n": [-1.5, 2.0, float("nan")]})
    safe = guarded(table)
    assert list(safe.columns) == ["'=a", "n"]
    assert safe["'=a"].tolist()[0] == "'@x"
    assert safe["'=a"].tolist()[2] == "-3"
    assert safe["'=a"].isna().tolist() == [False, True, False]
    assert safe["n"].tolist()[:2] == [-1.5, 2.0]


def latex_files(report: dict[str, Path], paper: dict[str, Path]) -> Iterator[Path]:
    yield from (path for name, path in (*report.items(), *paper.items()) if name.endswith(".tex"))


def test_latex_holds_no_command_of_a_name(report, paper):
    for path in latex_files(report, paper):
        depth = 0
        for line in path.read_text().splitlines():
            if line.startswith("%"):
                continue
            found = re.sub(r"\\\\|\\[&%$#_{}]", "", line)
            used = set(re.findall(r"\\([A-Za-z]+)", found))
            assert used <= set(COMMANDS), f"{path.name}: {used - set(COMMANDS)}"
            assert "%" not in found and "#" not in found and "^" not in found.replace("$^{", "")
            assert found.count("$") % 2 == 0
            depth += found.count("{") - found.count("}")
        assert depth == 0, path.name


def test_latex_rows_have_as_many_cells_as_columns(report, paper):
    for path in (report["results.tex"], paper["tables/results.tex"], paper["tables/swaps.tex"]):
        text = path.read_text()
        columns = re.search(r"begin{tabular}{(.+)}$", text, re.MULTILINE)[1]
        wanted = len(re.sub(r"p{[^}]*}", "p", columns))
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert rows
        for row in rows:
            assert len(re.split(r"(?<!\\)&", row)) == wanted
            assert not row.lstrip().startswith(("[", "*"))


def test_no_two_signs_become_one_in_latex():
    assert escape_latex("a--b---c") == "a-{}-b-{}-{}-c"
    assert escape_latex("?`") == r"?{}\char96{}"
    assert escape_latex(",,") == ",{},"
    assert escape_latex("a\nb\x07\u202e网") == "a b{[}U+0007{]}{[}U+202E{]}{[}U+7F51{]}"
    assert escape_latex("5 %") == r"5 \%"


def test_bibtex_entries_are_whole(paper):
    text = paper["references.bib"].read_text()
    for line in text.splitlines():
        assert line.startswith(("@", "  ", "}", "%")) or not line
        assert line.startswith("%") <= ("@" not in line)
    depth = 0
    for letter in "\n".join(line for line in text.splitlines() if not line.startswith("%")):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    assert text.count("\n@") == 2  # the paper that the table does not have, and the run


def test_figures_are_only_paths(report, paper):
    """Fonts without a letter would warn, and mathematics would fail: both are errors here."""
    tags = set()
    for name, path in (*report.items(), *paper.items()):
        if name.endswith(".svg"):
            tags |= {node.tag.rpartition("}")[2] for node in ElementTree.parse(path).iter()}
    assert not tags & {"script", "a", "foreignObject", "text", "iframe"}
    assert "path" in tags


def test_what_cannot_be_seen_is_named():
    assert visible("a\u202eb") == "a[U+202E]b"
    assert visible("a\x1b[0m") == "a[U+001B][0m"
    assert visible("a\r\nb\tc") == "a\nb\tc"
    assert one_line("a\r\n\u2028b") == "a b"
    assert visible("naïve 网 ±") == "naïve 网 ±"


def test_the_record_holds_the_names_as_they_were(run):
    with Record.open(run) as record:
        assert record.facts()["question"] == ALL
        assert record.mixes()["label"].tolist()[2].startswith(NASTY["script end"])


def test_names_stay_text_in_a_browser_and_when_they_are_copied(visit: Visit, report):
    page = visit(report["report.html"], width=360)
    assert overflow(page) == []
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.locator("img[src=x], svg[onload], [onmouseover]").count() == 0
    latex, table = copied(page, "LaTeX"), copied(page, "CSV")
    cells = {row[0] for row in csv.reader(io.StringIO(table))}
    for name in ("html", "latex", "row", "mathtext", "letters", "turned", "formula", "at"):
        shown = f"{NASTY[name]} | {list(NASTY).index(name)}"
        assert escape_latex(shown) in latex, name
        assert any(cell.endswith(visible(shown)) for cell in cells), name
        assert not any(cell.startswith(FORMULA) for cell in cells)
