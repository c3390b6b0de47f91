"""Screening and optimal designs: balance, resolution, aliasing and efficiency by arithmetic."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ablate.mix import Choice
from ablate.searches import Constrained, check_search, design_words, propose
from ablate.searches.aliasing import alias_words, aliases, indistinct
from ablate.searches.bare import Bare
from ablate.searches.factorial import design
from ablate.searches.hadamard import ORDERS, hadamard
from ablate.searches.optimal import efficiency, exchange, model_matrix


@pytest.mark.parametrize("order", [1, 2, *ORDERS])
def test_columns_of_a_hadamard_matrix_are_orthogonal(order: int) -> None:
    matrix = hadamard(order).astype(int)
    assert np.array_equal(matrix.T @ matrix, order * np.eye(order))
    assert (matrix[0] == 1).all() and (matrix[:, 0] == 1).all()


@pytest.mark.parametrize("order", [0, 3, 6, 52])
def test_other_orders_are_refused(order: int) -> None:
    with pytest.raises(ValueError, match=f"no Hadamard matrix of order {order} is known here"):
        hadamard(order)


@pytest.mark.parametrize("factors", [3, 4, 5, 7, 8, 11, 15, 19, 23, 35, 39, 47])
@pytest.mark.parametrize("resolution", [3, 4])
def test_every_factor_is_balanced_against_every_other(factors: int, resolution: int) -> None:
    rows = design(factors, 0, resolution).astype(int)  # type: ignore[arg-type]
    runs = len(rows)
    assert (rows[0] == -1).all()
    assert (rows.sum(axis=0) == 0).all()
    assert np.array_equal(rows.T @ rows, runs * np.eye(factors))
    smallest = {3: 4 * ((factors + 4) // 4), 4: 8 * ((factors + 3) // 4)}[resolution]
    assert runs == min(smallest, 2**factors)


@pytest.mark.parametrize("factors", [4, 5, 8, 9, 12, 20, 30])
def test_resolution_four_keeps_main_effects_free_of_two_way_effects(factors: int) -> None:
    assert not any(aliases(design(factors, 0, 4).astype(float)).values())


def test_few_factors_are_tried_in_all_combinations() -> None:
    rows = {tuple(row) for row in design(3, 8).tolist()}
    assert rows == set(itertools.product((-1, 1), repeat=3))
    assert len(design(2)) == 4 and len(design(1)) == 2 and len(design(0)) == 1


def test_one_factor_more_than_basic_ones_is_the_product_of_all() -> None:
    rows = design(5, 16).astype(float)  # 2^(5-1), resolution V
    assert not any(aliases(rows).values()) and not indistinct(rows)


def test_aliases_of_half_a_two_cubed_are_the_products_of_the_others() -> None:
    found = aliases(design(3).astype(float))
    assert found == {
        0: {(1, 2): pytest.approx(-1)},
        1: {(0, 2): pytest.approx(-1)},
        2: {(0, 1): pytest.approx(-1)},
    }


def test_an_estimate_is_off_by_exactly_what_the_aliases_say() -> None:
    rows = design(11).astype(float)  # Plackett and Burman, 12 runs
    main, two_way = 2.0, 0.75  # effects of factor 4 and of 1 * 7
    answers = main * rows[:, 4] + two_way * rows[:, 1] * rows[:, 7]
    estimates = rows.T @ answers / 12
    found = aliases(rows)
    for factor in range(11):
        expected = main * (factor == 4) + two_way * found[factor].get((1, 7), 0.0)
        assert estimates[factor] == pytest.approx(expected)
    assert {abs(round(part, 9)) for part in found[4].values()} == {round(1 / 3, 9)}
    assert len(found[4]) == 45  # every pair of the ten others


def test_two_way_effects_of_a_half_fraction_come_in_pairs() -> None:
    groups = indistinct(design(4, 8).astype(float))
    assert sorted(groups) == [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]


def test_a_factorial_begins_with_the_first_mix_and_says_what_it_mixes_up() -> None:
    bare, search = Bare((2,) * 3), Choice.of("factorial")
    points = propose(bare, [], search)
    assert points[0] == (0, 0, 0) and len(points) == 4
    assert design_words(bare, points, search) == (
        "factorial: each of 3 axes at its two alternatives, balanced",
        "main effects are mixed with two-way effects (high is the second alternative):",
        "  stage1: - stage2*stage3",
        "  stage2: - stage1*stage3",
        "  stage3: - stage1*stage2",
    )


def test_aliasing_in_words() -> None:
    def said(levels: int, **settings: int) -> tuple[str, ...]:
        bare, search = Bare((2,) * levels), Choice.of("factorial", settings)
        return design_words(bare, propose(bare, [], search), search)[1:]

    assert said(11)[1] == "  stage1: 1/3 of each of 45 two-way effects"
    assert said(4, n=8) == (
        "main effects are free of two-way effects; these two-way effects cannot be told apart:",
        "  stage1*stage2 = stage3*stage4",
        "  stage1*stage3 = stage2*stage4",
        "  stage1*stage4 = stage2*stage3",
    )
    assert said(5, n=16) == (
        "main effects are free of two-way effects, and two-way effects of each other",
    )
    assert said(15)[1].endswith(", 1 more")  # seven pairs, six are named
    assert said(15)[-1] == "  and 3 more"
    assert said(1) == ()


def test_what_constraints_take_from_a_design_is_said() -> None:
    whole, search = Bare((2,) * 3), Choice.of("factorial")
    lost = propose(whole, [], search)[1]
    bare = Constrained(whole, lambda point: point != lost)
    words = design_words(bare, propose(bare, [], search), search)
    assert words[0].endswith("balanced, but 1 of 4 points are left out or are the same mix")
    assert words[1] == ("only 2 of 3 main effects can be told apart: too many points are left out")
    assert alias_words(["a"], np.array([[-1.0], [1.0]])) == []


def test_a_factorial_has_room_for_so_many_axes_and_runs() -> None:
    for settings, levels, text in (
        ({"n": 6}, 3, "n must be one of 4, 8, 12, .* 48, or 0 for the fewest; got 6"),
        ({"n": 4}, 4, "n must be one of 8, 12, .*; got 4"),
        ({}, 48, "factorial has room for 47 axes; got 48; use d_optimal"),
        ({"resolution": 4}, 49, "factorial has room for 48 axes; got 49; use d_optimal"),
        ({"resolution": 4, "n": 12}, 4, "n must be one of 8, 16, 24, .*; got 12"),
    ):
        with pytest.raises(ValueError, match=text):
            check_search(Bare((2,) * levels), Choice.of("factorial", settings))


def test_contrasts_make_a_balanced_design_orthogonal() -> None:
    bare = Bare((2, 3, 4))
    for two_way, columns in ((False, 1 + 1 + 2 + 3), (True, 1 + 6 + 2 + 3 + 6)):
        matrix = model_matrix(bare, list(bare.points()), two_way)
        assert matrix.shape == (24, columns)
        assert np.allclose(matrix.T @ matrix, 24 * np.eye(columns))
        assert efficiency(matrix) == pytest.approx(1)
    assert efficiency(matrix[:3]) == pytest.approx(0, abs=1e-6)


def test_an_optimal_half_of_a_factorial_is_a_balanced_one() -> None:
    bare, search = Bare((2,) * 4), Choice.of("d_optimal", {"n": 8})
    points = propose(bare, [], search)
    assert len(set(points)) == 8
    assert efficiency(model_matrix(bare, points, False)) == pytest.approx(1)
    assert design_words(bare, points, search) == (
        "d_optimal: 8 mixes for 5 numbers (main effects and the mean), "
        "D-efficiency 100 % of a balanced design's",
    )


def test_no_set_of_its_size_is_better_than_the_optimal_one() -> None:
    bare, n = Bare((3, 2, 2)), 6
    everything = model_matrix(bare, list(bare.points()), False)
    best = max(
        float(np.linalg.det(everything[list(rows)].T @ everything[list(rows)]))
        for rows in itertools.combinations(range(12), n)
    )
    found = model_matrix(bare, propose(bare, [], Choice.of("d_optimal", {"n": n})), False)
    assert float(np.linalg.det(found.T @ found)) == pytest.approx(best)


def test_exchanging_never_makes_a_design_worse_nor_takes_a_row_twice() -> None:
    matrix = np.random.default_rng(0).normal(size=(60, 5))
    start = list(range(8))
    found = exchange(matrix, start)
    before, after = (np.linalg.det(matrix[rows].T @ matrix[rows]) for rows in (start, found))
    assert after > before and len(set(found)) == 8


def test_a_design_that_cannot_tell_effects_apart_says_so() -> None:
    bare = Constrained(Bare((2, 2, 3)), lambda point: point[0] == point[1])
    search = Choice.of("d_optimal", {"n": 5})
    points = propose(bare, [], search)
    assert design_words(bare, points, search) == (
        f"d_optimal: {len(points)} mixes tell 4 of 5 main effects apart",
    )


def test_an_optimal_design_of_a_constrained_space_keeps_to_it() -> None:
    bare = Constrained(Bare((4, 4, 4)), lambda point: sum(point) <= 5)
    points = propose(bare, [], Choice.of("d_optimal", {"n": 14}))
    assert len(points) == 14 and all(sum(point) <= 5 for point in points)
    assert np.linalg.matrix_rank(model_matrix(bare, points, False)) == 10


def test_designs_without_axes_have_nothing_to_say() -> None:
    for name in ("factorial", "d_optimal", "grid"):
        assert design_words(Bare(()), [()], Choice.of(name)) == ()
