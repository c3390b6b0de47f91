"""docs/systems.md says what was counted of every published network, next to what was printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ablate.profiling.conventions import CONVENTIONS
from benchmarks.systems import PAGE, RESULT, count_system, published, systems
from benchmarks.systems_page import page

COUNTED: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))["systems"]
FIGURES: list[dict[str, Any]] = published()["figure"]
CLOSE = 0.005  # of measured multiply-adds


def test_every_published_network_was_counted():
    assert list(COUNTED) == systems()


def test_the_page_is_what_the_counts_say():
    assert PAGE.read_text(encoding="utf-8") == page(COUNTED, published())


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f"{f['system']}-{f['counter']}")
def test_a_figure_says_what_it_is_and_where_it_comes_from(figure: dict[str, Any]):
    allowed = {"system", "kind", "counter", "params", "gmacs", "size", "source", "note"}
    assert set(figure) <= allowed
    assert figure["system"] in COUNTED and {"params", "gmacs"} & set(figure)
    assert figure["kind"] in ("published", "quoted", "measured")
    assert figure["kind"] == "measured" or figure["source"]
    assert figure["kind"] != "measured" or figure["counter"] in CONVENTIONS


MEASURED = [figure for figure in FIGURES if figure["kind"] == "measured"]


@pytest.mark.parametrize("figure", MEASURED, ids=lambda f: f"{f['system']}-{f['counter']}")
def test_released_code_and_ours_cost_the_same(figure: dict[str, Any]):
    """Parameters to the last where they are known to the last; the rest within half a percent."""
    system = COUNTED[figure["system"]]
    size = "x".join(map(str, figure.get("size", system["size"])))
    ours = system["counts"][size][figure["counter"]]
    if "params" in figure:
        exact = isinstance(figure["params"], int)
        assert ours["params"] == pytest.approx(figure["params"], rel=0 if exact else 1e-3)
    gmacs = figure.get("gmacs")
    if isinstance(gmacs, list):
        assert [macs / 1e9 for macs in ours["range"]] == pytest.approx(gmacs, rel=CLOSE)
    elif gmacs:
        assert ours["macs"] / 1e9 == pytest.approx(gmacs, rel=CLOSE)


def test_counting_again_gives_the_same():
    name = "m3snet-32"
    figures = [figure for figure in FIGURES if figure["system"] == name]
    assert json.loads(json.dumps(count_system(name, figures))) == COUNTED[name]


def test_latencies_name_their_device():
    for latency in published()["latency"]:
        assert latency["system"] in COUNTED
        assert latency["milliseconds"] > 0 and latency["device"] and latency["source"]


def test_what_is_not_known_is_a_dash():
    truth = {"size": [1, 8, 8], "padded": [16, 16], "params": 5, "macs": 2e9, "range": [1e9, 3e9]}
    system = {"size": [8, 8], "counts": {"8x8": {"truth": truth}}}
    text = page({"secret": system}, {"figure": [], "latency": []})
    row = "| `secret` | grey 8x8, padded to 16x16 | - | - | - | 5, 2.000 (1.000 to 3.000) G |"
    assert row in text.splitlines()
