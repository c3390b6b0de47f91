from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import font_manager

from ablate.citing import source_of
from ablate.results import Run
from reports.graphics.sheet import LONG, Sheet
from reports.ink.curves import curves_figure
from reports.ink.effects import effects_figure
from reports.ink.front import front_figure
from reports.ink.style import COLUMN, PAGE, SCREEN, Style, inked, save_all
from reports.methods.details import details, in_latex, in_markdown, things
from reports.methods.settings import (
    Settings,
    block_names,
    choice_words,
    either,
    names_within,
    settings_of,
)
from reports.numbers.found import Found
from reports.numbers.mixes import mixes
from reports.numbers.results import read
from reports.paper.best import best_of
from reports.paper.kit import paper_texts, write_paper
from reports.paper.results_table import results_sheet
from reports.record import Metric, MixRow, Record
from tests.nasty import ALL, nasty_record
from tests.simulated_run import simulate

TRAINING = {
    "steps": (400,),
    "batch": (8,),
    "crop": (64,),
    "augment": (True,),
    "loss": ([["l1", 1.0], ["fft_l1", 0.1]],),
    "optimizer": ("adamw",),
    "rate": (0.003, 0.006),
    "final_rate": (1e-6,),
    "betas": ([0.9, 0.999],),
    "weight_decay": (1e-4,),
    "schedule": ("cosine",),
    "warmup": (0.1,),
    "clip": (1.0,),
    "ema": (0.999,),
    "precision": ("float32",),
    "auxiliary": (0.01,),
}
NOISE = {"name": "gaussian_noise", "knobs": [["sigma", 25.0], ["sigma_max", 0.0]]}
MIXTURE = {"name": "mixture", "knobs": [["of", [NOISE, {"name": "haze", "knobs": []}]]]}
SETTINGS = Settings(
    data=({"name": "photos", "knobs": []},),
    degradations=(NOISE,),
    topologies=({"name": "unet", "knobs": [["width", 16]]},),
    training=TRAINING,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    return simulate(folder / "record.sqlite", {"stage1": 3, "stage2": 3}, mirrored=True)


@pytest.fixture(scope="module")
def found(run) -> Found:
    return read(run)


@pytest.fixture(scope="module")
def kit(run) -> dict[str, Path]:
    folder = run.parent / "kit"
    assert Run(run.parent).paper(folder) == folder / "main.tex"
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path for path in files}


def test_the_command_writes_the_kit_beside_the_report(run, tmp_path, cli, monkeypatch):
    monkeypatch.setattr(Run, "report", lambda self: tmp_path / "report.html")
    monkeypatch.setattr(Run, "paper", lambda self, folder: folder / "main.tex")
    code, said, _ = cli("report", run.parent, "--paper", tmp_path / "kit", "--json")
    assert code == 0
    wanted = {"report": str(tmp_path / "report.html"), "paper": str(tmp_path / "kit/main.tex")}
    assert json.loads(said) == wanted


def test_the_kit_is_whole(kit):
    for name, path in kit.items():
        assert path.stat().st_size > 100, name
    figures = {name for name in kit if name.startswith("figures/")}
    assert len(figures) == 4 * 2 * 2
    assert not [name for name in kit if ".partial" in name]
    assert {"main.tex", "methods.tex", "methods.md", "references.bib"} <= set(kit)
    for used in re.findall(
        r"\\(?:input|includegraphics\[[^]]*\]){([^}]+)}", kit["main.tex"].read_text()
    ):
        assert used in kit or f"{used}.tex" in kit


def test_the_kit_is_the_same_bytes_twice(run, found, kit, tmp_path):
    for name, text in paper_texts(run, source_of).items():
        assert kit[name].read_text() == text, name
    figure = effects_figure(found, COLUMN)
    paths = [tmp_path / "effects_column.pdf", tmp_path / "effects_column.svg"]
    for path in save_all(figure, paths, COLUMN):
        assert path.read_bytes() == kit[f"figures/{path.name}"].read_bytes()


def test_every_citation_has_its_entry(kit):
    bibliography = kit["references.bib"].read_text()
    cited = re.findall(r"\\(?:cite|nocite){([^}]+)}", kit["methods.tex"].read_text())
    keys = {key for group in cited for key in group.split(",")}
    assert {"gu2025restormixer", "chen2022simple", "ablate_run"} <= keys
    for key in keys:
        assert f"{{{key}," in bibliography


@pytest.mark.parametrize(("name", "inches"), [("column", 3.25), ("page", 6.75)])
def test_figures_are_exactly_as_wide_as_a_column_with_fonts_inside(kit, name, inches):
    for figure in ("front", "effects", "curves", "networks"):
        text = kit[f"figures/{figure}_{name}.pdf"].read_bytes()
        box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ", text)
        assert float(box[1]) == pytest.approx(72 * inches, abs=0.5)
        assert b"/Type3" not in text
        svg = kit[f"figures/{figure}_{name}.svg"].read_text()
        assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(
            72 * inches, abs=0.5
        )
    assert b"/FontFile2" in kit[f"figures/front_{name}.pdf"].read_bytes()  # TrueType, Type 42


def test_the_fonts_of_a_paper_come_with_matplotlib():
    for name in (*COLUMN.fonts, *SCREEN.fonts):
        assert "matplotlib" in font_manager.findfont(name, fallback_to_default=False)


def test_letters_that_no_font_has_are_named():
    assert SCREEN.shown("a\u4f60$x_{$") == "a[U+4F60]$x_{$"
    assert PAGE.shown("±µé") == "±µé"


def test_no_text_of_a_figure_is_mathematics(found):
    with inked(COLUMN):
        figure = front_figure(found, COLUMN, "psnr", "latency", "", "")
        texts = [
            *figure.axes[0].texts,
            figure.axes[0].xaxis.label,
            *figure.axes[0].get_xticklabels(),
        ]
        assert texts
        assert not any(text.get_parse_math() for text in texts)


def test_figures_of_nothing_say_so(tmp_path):
    with Record.create(tmp_path / "r", "s", "", "q?", {}, ("psnr", "latency")) as record:
        record.define([Metric("psnr", "dB", "higher")])
    found = read(tmp_path / "r")
    front = front_figure(found, COLUMN, "psnr", "latency")
    for figure in (front, effects_figure(found, COLUMN), curves_figure(found, COLUMN)):
        assert len(figure.axes[0].texts) == 1


def test_a_run_before_its_first_trial_has_a_paper(tmp_path):
    with Record.create(tmp_path / "r", "s", "", "q?", {}, ("psnr", "latency")) as record:
        record.define([Metric("psnr", "dB", "higher")])
        record.add_mixes([MixRow("m", "a", "{}", {})])
    texts = paper_texts(tmp_path / "r", source_of)
    assert "No mix has been trained to the end yet." in texts["main.tex"]


def altered(found: Found, values: dict[str, list[float]]) -> Found:
    """The same run with other values of psnr, seed by seed."""
    keys = list(found.ranked.index)
    per_seed = found.per_seed["psnr"].copy()
    table = found.table.copy()
    for key, own in zip(keys, values.values(), strict=False):
        per_seed.loc[key] = own
        table.loc[key, "psnr"] = sum(own) / len(own)
    return dataclasses.replace(found, table=table, per_seed={**found.per_seed, "psnr": per_seed})


def test_the_best_stands_alone_where_the_seeds_say_so(found):
    keys = [str(key) for key in found.ranked.index[:3]]
    apart = altered(
        found, {"a": [30.0, 30.1, 30.2], "b": [29.0, 29.11, 29.2], "c": [28.0, 28.1, 28.21]}
    )
    best = best_of(apart, "psnr", keys)
    assert best.mix == keys[0]
    assert best.alone
    close = altered(
        found, {"a": [30.0, 30.1, 30.2], "b": [30.1, 29.9, 30.1], "c": [28.0, 28.1, 28.21]}
    )
    best = best_of(close, "psnr", keys)
    assert best.alike == {keys[1]}
    assert best.judged and not best.alone


def test_too_few_seeds_judge_nothing(tmp_path):
    found = read(simulate(tmp_path / "r", {"stage1": 2, "stage2": 2}, seeds=2, pictures=False))
    best = best_of(found, "psnr", [str(key) for key in found.ranked.index])
    assert best.mix and not best.judged and not best.alone
    text = results_sheet(found, mixes(found)).latex
    assert "neither mark support no claim" in text


def test_counts_are_exact_and_equal_counts_are_alike(found):
    keys = [str(key) for key in found.ranked.index]
    best = best_of(found, "params", keys)
    assert best.judged
    assert found.number(best.mix, "params") == min(found.number(key, "params") for key in keys)
    same = found.table.copy()
    same["params"] = 5.0
    best = best_of(dataclasses.replace(found, table=same), "params", keys[:3])
    assert best.alike == set(keys[1:3])


def test_what_has_no_direction_has_no_best(found):
    assert best_of(found, "input_psnr", list(found.ranked.index)).mix == ""
    assert best_of(found, "unknown", []).mix == ""


def test_the_main_table_shows_the_front_and_the_zeros(found):
    sheet = results_sheet(found, mixes(found))
    text = sheet.latex
    letters = [row[0] for row in sheet.rows if row[0]]
    assert sorted(letters) == sorted(found.letters.values())
    assert "identity everywhere" in text and "degraded input" in text
    assert text.count(r"\midrule") == 2
    assert len({len(row) for row in (sheet.head, *sheet.rows)}) == 1
    assert "stage1 & stage2" in text  # a column for each choice


def test_bold_is_what_the_note_explains(found):
    sheet = results_sheet(found, mixes(found))
    cells = [cell for row in sheet.rows for cell in row]
    assert any(r"\textbf" in cell for cell in cells) == ("Bold:" in sheet.notes)
    assert any("dagger" in cell for cell in cells) == ("dagger" in sheet.notes)


def test_a_long_table_goes_over_pages():
    rows = [["a", "1"]] * (LONG + 1)
    text = Sheet("c", "tab:x", ["l", "r"], ["h", "k"], rows).latex
    assert r"\begin{longtable}{lr}" in text
    assert r"\begin{table}" not in text
    assert text.count("h & k") == 2


def test_the_training_is_told_in_words(found):
    text = " ".join(each.text for each in details(found, SETTINGS))
    for words in (
        "400 steps on batches of 8 random crops of 64×64 pixels, flipped",
        "The loss is l1, plus 0.1 times fft_l1.",
        "The optimiser is AdamW (betas 0.9, 0.999; weight decay 0.0001), gradients clipped",
        "to 0.003 or 0.006, and falls along a cosine to 1e-06",
        "a decay of 0.999",
        "with 3 seeds (0, 1, 2)",
        "gaussian noise (sigma 25, sigma max 0)",
        "joined as in unet (width 16)",
        "Their blocks are rdcnn, lama, emvm.",
        "9 mixes of these choices were tried",
        found.record_hash,
        "RGB, float, border 0",
        "Student's t over 3 seeds",
    ):
        assert words in text, words


def test_what_the_record_does_not_say_is_left_out(found):
    text = " ".join(each.text for each in details(found, Settings()))
    assert "The loss" not in text and "degraded by" not in text and "None" not in text
    assert "optimiser" not in text


def test_rates_that_each_trial_tries_are_told(found):
    tried = {
        **TRAINING,
        "rates": ([0.001, 0.003],),
        "probe": (50,),
        "schedule": ("constant_then_cosine",),
        "constant": (0.3,),
    }
    text = " ".join(
        each.text for each in details(found, dataclasses.replace(SETTINGS, training=tried))
    )
    assert "the best of 0.001, 0.003, each tried for 50 steps" in text
    assert "stays there over 30" in text


def test_citations_stand_behind_what_they_are_of(found):
    keys = {"loss fft_l1": ("cho2021rethinking",), "block lama": ("gu2025acl", "han2024demystify")}
    text = in_latex(details(found, SETTINGS), keys)
    assert r"fft\_l1~\cite{cho2021rethinking}." in text
    assert r"lama~\cite{gu2025acl,han2024demystify}, emvm." in text
    assert {"topology unet", "degradation gaussian_noise", "loss l1"} <= set(
        things(found, SETTINGS)
    )
    assert in_markdown(details(found, SETTINGS))[0].startswith("**Data.** Images come from")


def test_a_mixture_cites_what_it_is_of():
    assert names_within(MIXTURE) == ("mixture", "gaussian_noise", "haze")
    assert choice_words(MIXTURE).startswith("mixture (of [gaussian noise (sigma 25")
    assert either(["a", "b", "c"]) == "a, b or c"
    assert either([str(number) for number in range(20)]) == "20 different values"


def test_blocks_are_known_by_their_names(found):
    assert block_names(found) == ("rdcnn", "lama", "emvm")
    odd = pd.DataFrame(
        [("m", "s", "mwsa window=8 + emvm", "x", 4), ("m", "t", "empty", "none", 0)],
        columns=["mix", "slot", "blocks", "family", "depth"],
    )
    assert block_names(dataclasses.replace(found, stages=odd)) == ("mwsa", "emvm")


def spec(steps: int) -> str:
    parts = {
        "task": {
            "data": {"name": "photos", "knobs": []},
            "degradation": {"name": "haze", "knobs": []},
        },
        "training": {"steps": steps},
        "network": {"topology": {"name": "unet", "knobs": [["width", 8]]}},
    }
    return json.dumps(parts)


def test_settings_are_read_from_the_record(tmp_path):
    with Record.create(tmp_path / "r", "s", "", "q", {}, ("psnr",)) as record:
        record.add_mixes([MixRow(f"m{k}", f"m{k}", spec(k), {}) for k in (1, 2)])
        record.add_mixes([MixRow("n", "n", "not JSON", {})])
    found = settings_of(tmp_path / "r")
    assert found.said("steps") == "1 or 2"
    assert found.value("steps") is None
    assert [each["name"] for each in found.topologies] == ["unet"]
    assert [each["name"] for each in found.degradations] == ["haze"]


def test_a_style_is_a_fact_not_a_state():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Style(width=1.0).width = 2.0  # type: ignore[misc]


UNASKED = os.environ.get("ABLATE_LATEX") != "1"


@pytest.mark.skipif(UNASKED, reason="compiles LaTeX for a while; ABLATE_LATEX=1 asks for it")
@pytest.mark.parametrize("nasty", [False, True], ids=["plain", "nasty"])
def test_the_document_compiles(run, tmp_path, nasty):
    if shutil.which("pdflatex") is None or shutil.which("bibtex") is None:
        pytest.skip("pdflatex and bibtex are not installed (Debian: texlive-latex-recommended)")
    record = nasty_record(tmp_path / "record.sqlite") if nasty else run
    write_paper(record, tmp_path / "kit", (lambda _: ALL) if nasty else source_of)
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "main"]
    for command in (latex, ["bibtex", "main"], latex, latex):
        done = subprocess.run(command, cwd=tmp_path / "kit", capture_output=True, timeout=120)
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, said[-3000:]
    assert "undefined" not in said
    assert (tmp_path / "kit" / "main.pdf").stat().st_size > 20_000
