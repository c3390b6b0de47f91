"""What scripts are given in few letters says the same as before."""

from __future__ import annotations

import pytest

from reports.page.packing import (
    keep_order,
    packed,
    packed_cards,
    packed_codes,
    packed_networks,
    packed_plot,
)


def unpacked(given: dict) -> list:
    """As base.js does it."""
    wide = given["wide"]
    words = [given["of"][at : at + wide] for at in range(0, len(given["of"]), wide)]
    numbers = [
        None if word[0] == "-" else (int(word, 36) + given["least"]) / given["by"] for word in words
    ]
    if not given["each"]:
        return numbers
    return [numbers[at : at + given["each"]] for at in range(0, len(numbers), given["each"])]


@pytest.mark.parametrize(
    "values",
    [
        [28.6382, None, 28.5, 30],
        [-0.25, 0.0, 1234.5678],
        [7],
        [[28.1, 28.25], [None, 29.0]],
    ],
)
def test_numbers_come_out_as_they_went_in(values):
    assert unpacked(packed(values)) == values


@pytest.mark.parametrize("values", [[], [None], [1e-12], [0.1234567890123], [2e20]])
def test_numbers_that_are_no_short_ones_stay_as_they_are(values):
    assert packed(values) == values


def test_levels_are_a_letter_each_where_letters_suffice():
    assert packed_codes({"name": "a", "codes": [0, 9, 10, 35]}) == {"name": "a", "codes": "09az"}
    for codes in ([0, 36], [-1, 0]):
        assert packed_codes({"codes": codes}) == {"codes": codes}


def test_only_labels_that_the_choices_do_not_make_are_given():
    facets = [{"name": "stage1", "options": ["lama", "emvm"], "codes": [1, 0]}]
    cards = {"m0": {"label": "stage1 emvm", "letter": "A"}, "m1": {"label": "identity"}}
    assert packed_cards(cards, facets) == {"m0": {"letter": "A"}, "m1": {"label": "identity"}}
    assert packed_cards(cards, None) == cards


def test_keys_that_are_whole_numbers_would_lose_their_order():
    assert keep_order(["m1", "0a"])
    assert not keep_order(["m1", "12"])


def test_keys_are_given_once():
    assert "mixes" not in packed_plot({"mixes": ("m0", "m1")}, ("m0", "m1"))
    assert packed_plot({"mixes": ("m0", "m1")}, ("m1",))["mixes"] == ("m0", "m1")
    drawings = {"mixes": {"m2": [0, [1], [50]], "m0": [1, [0], [40]]}}
    listed = packed_networks(drawings, ("m0", "m1", "m2"))
    assert listed["mixes"] == [[1, [0], [40]], 0, [0, [1], [50]]]
    assert packed_networks(drawings, ("m0",)) == drawings
