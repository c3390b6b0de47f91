from __future__ import annotations

import re

import pytest

import blocks
from ablate.citing import source_of
from ablate.tasks.degradations import degradations
from ablate.topologies import topologies
from ablate.training.losses import losses
from reports.paper.bibliography import ARXIV, DOI, bibliography, entry, references, run_entry

PLAIN = ("block identity", "loss l1", "degradation given")  # come from no paper
REGISTERED = [
    *(f"block {name}" for name in blocks.blocks),
    *(f"topology {name}" for name in topologies),
    *(f"loss {name}" for name in losses),
    *(f"degradation {name}" for name in degradations),
]
NEEDED = {
    "article": ("title", "journal", "year"),
    "inproceedings": ("title", "booktitle", "year"),
    "misc": ("title", "year"),
    "techreport": ("title", "institution", "year"),
}


@pytest.mark.parametrize("thing", [thing for thing in REGISTERED if thing not in PLAIN])
def test_everything_registered_has_a_paper(thing):
    assert bibliography({thing: source_of(thing)}).keys[thing]


def test_every_number_in_a_source_is_in_the_table():
    known = references()
    numbers = {each.arxiv for each in known}
    dois = {each.fields.get("doi", "").lower() for each in known}
    for thing in REGISTERED:
        assert set(ARXIV.findall(source_of(thing))) <= numbers, thing
        assert {doi.lower() for doi in DOI.findall(source_of(thing))} <= dois, thing


def test_every_entry_is_whole_and_meant_by_something():
    sources = [source_of(thing) for thing in (*REGISTERED, "metric ssim")]
    keys = [each.key for each in references()]
    assert len(set(keys)) == len(keys)
    for each in references():
        assert all(each.fields.get(name) for name in NEEDED[each.kind]), each.key
        assert each.arxiv or each.fields.get("doi") or each.said_as, each.key
        assert any(each.meant(source) for source in sources), each.key
        assert re.fullmatch(r"(19|20)\d\d", each.fields["year"])


def test_a_paper_stands_once_however_many_come_from_it():
    found = bibliography(
        {"block rdcnn": source_of("block rdcnn"), "block emvm": source_of("block emvm")}
    )
    assert found.keys["block rdcnn"] == found.keys["block emvm"] == ("gu2025restormixer",)
    assert found.text.count("@misc{gu2025restormixer") == 1
    assert "eprint = {2504.10967}" in found.text


def test_a_source_that_names_two_papers_cites_both():
    keys = bibliography({"block lama": source_of("block lama")}).keys["block lama"]
    assert set(keys) == {"gu2025acl", "han2024demystify"}


def test_a_paper_of_a_block_of_ones_own_is_made_of_its_words():
    words = "Doe 2031, arXiv:3101.00001 and doi:10.1000/abc.def"
    found = bibliography({"block mine": words})
    assert found.keys["block mine"] == ("arxiv3101_00001", "doi10_1000_abc_def")
    assert "eprint = {3101.00001}" in found.text
    assert "doi = {10.1000/abc.def}" in found.text


def test_what_comes_from_no_paper_is_said_in_a_comment():
    found = bibliography({"block identity": source_of("block identity"), "block x": ""})
    assert set(found.without) == {"block identity", "block x"}
    assert "% block identity: no paper; its source: the empty choice" in found.text
    assert "% block x: no paper; its source: not said" in found.text
    assert "\n@" not in found.text


def test_titles_keep_their_capitals_and_names_their_accents():
    charbonnier = next(each for each in references() if each.key == "charbonnier1994two")
    text = entry(charbonnier)
    assert "title = {{Two Deterministic" in text
    assert "Charbonnier, Pierre and Blanc-Féraud, Laure" in text


def test_the_run_itself_can_be_cited():
    text = run_entry("a_b", "2026", "ab" * 32)
    assert r"ablation study a\_b" in text
    assert "year = {2026}" in text
    assert "abab" * 4 + " " in text
    assert "year" not in run_entry("a", "", "0")
