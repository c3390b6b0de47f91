"""Paths through an image: by hand, against plain loops, and there and back again."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from blocks import _paths
from blocks._paths import RASTER, Walk, roll, tables, unroll

FOUR = ("rows", "rows_back", "columns", "columns_back")
SIZES = [
    (1, 1),
    (1, 7),
    (7, 1),
    (4, 8),
    (5, 8),
    (6, 9),
    (8, 4),
    (9, 13),
    (13, 6),
    (16, 16),
    (17, 5),
]
SHAPES = list(itertools.product(SIZES, [1, 2, 3, 4, 5, 8, 32], [False, True]))


def ranks(walk: Walk, height: int, width: int) -> list[list[int]]:
    """The time at which each pixel is visited."""
    order = walk.pixels(height, width, torch.device("cpu"))
    return order.argsort().reshape(height, width).tolist()


def parts(size: int, part: int, shifted: bool) -> list[range]:
    """A side, cut into parts, the first half as long where shifted."""
    cuts, end = [0], max(part // 2, 1) if shifted else part
    while end < size:
        cuts.append(end)
        end += part
    return [range(a, b) for a, b in itertools.pairwise([*cuts, size])]


def nested(height: int, width: int, stripe: int, shifted: bool) -> list[int]:
    """Stripe by stripe, down and up, in each row to the right and to the left in turn."""
    visited = []
    for number, columns in enumerate(parts(width, stripe, shifted)):
        rows = range(height) if number % 2 == 0 else reversed(range(height))
        for line, row in enumerate(rows):
            along = columns if line % 2 == 0 else reversed(columns)
            visited += [row * width + column for column in along]
    return visited


def windows(height: int, width: int, window: int, shifted: bool) -> list[int]:
    return [
        row * width + column
        for rows in parts(height, window, shifted)
        for columns in parts(width, window, shifted)
        for row in rows
        for column in columns
    ]


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("rows", [0, 1, 2, 3, 4, 5]),
        ("columns", [0, 3, 1, 4, 2, 5]),
        ("rows_back", [5, 4, 3, 2, 1, 0]),
        ("columns_back", [5, 2, 4, 1, 3, 0]),
    ],
)
def test_the_raster_walk_from_each_side(path, order):
    grid = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert unroll(grid, RASTER, (path,)).flatten().tolist() == order


def test_nested_stripes_as_published_by_example():
    assert ranks(Walk("nested", 4), 4, 8) == [
        [0, 1, 2, 3, 31, 30, 29, 28],
        [7, 6, 5, 4, 24, 25, 26, 27],
        [8, 9, 10, 11, 23, 22, 21, 20],
        [15, 14, 13, 12, 16, 17, 18, 19],
    ]


def test_shifted_nested_stripes_as_published_by_example():
    assert ranks(Walk("nested", 4, shifted=True), 4, 8) == [
        [0, 1, 23, 22, 21, 20, 24, 25],
        [3, 2, 16, 17, 18, 19, 27, 26],
        [4, 5, 15, 14, 13, 12, 28, 29],
        [7, 6, 8, 9, 10, 11, 31, 30],
    ]


def test_a_snake_turns_at_the_end_of_each_row():
    assert ranks(Walk("snake"), 3, 4) == [[0, 1, 2, 3], [7, 6, 5, 4], [8, 9, 10, 11]]
    assert ranks(Walk("snake"), 3, 4) == ranks(Walk("nested", 4), 3, 4)


def test_windows_are_visited_in_raster_order_and_cut_at_the_edges():
    assert ranks(Walk("window", 2), 3, 5) == [
        [0, 1, 4, 5, 8],
        [2, 3, 6, 7, 9],
        [10, 11, 12, 13, 14],
    ]


@pytest.mark.parametrize(("order", "loops"), [("nested", nested), ("window", windows)])
def test_arithmetic_on_times_is_what_plain_loops_visit(order, loops):
    for size, stripe, shifted in SHAPES:
        pixels = Walk(order, stripe, shifted).pixels(*size, torch.device("cpu"))
        assert pixels.tolist() == loops(*size, stripe, shifted), (size, stripe, shifted)


@pytest.mark.parametrize("order", ["raster", "snake", "nested", "window"])
def test_four_paths_visit_all_pixels_from_four_sides_and_find_back(order):
    for size, stripe, shifted in SHAPES:
        check_four_paths(Walk(order, stripe, shifted), size)


def check_four_paths(walk: Walk, size: tuple[int, int]) -> None:
    grid = torch.empty(*size)
    height, width = size
    visited, visits = (table.squeeze(1) for table in tables(walk, FOUR, grid))
    assert torch.equal(visited.sort().values, torch.arange(height * width).expand(4, -1))
    assert torch.equal(visits.gather(1, visited), torch.arange(height * width).expand(4, -1))
    forth, back, across, across_back = visited
    assert torch.equal(back, height * width - 1 - forth)  # the image turned by 180 degrees
    assert torch.equal(across_back, height * width - 1 - across)
    transposed = tables(walk, ("rows",), torch.empty(width, height))[0].flatten()
    assert torch.equal(across % width * height + across // width, transposed)


def test_nested_stripes_never_jump_where_the_height_is_odd():
    for (height, width), stripe, shifted in SHAPES:
        visited = Walk("nested", stripe, shifted).pixels(height | 1, width, torch.device("cpu"))
        rows, columns = visited // width, visited % width
        assert (rows.diff().abs() + columns.diff().abs() == 1).all(), (height, width, stripe)


def test_nested_stripes_jump_at_each_stripe_where_the_height_is_even():
    visited = Walk("nested", 4).pixels(4, 8, torch.device("cpu"))
    steps = (visited // 8).diff().abs() + (visited % 8).diff().abs()
    assert (steps == 1).sum() == 30
    assert steps.max() == 4


@pytest.mark.parametrize("walk", [RASTER, Walk("nested", 3, shifted=True)])
@pytest.mark.parametrize("paths", [FOUR, ("rows",), ("columns", "rows")])
def test_sequences_find_back_and_so_do_their_gradients(walk, paths):
    grid = torch.randn(2, 3, 5, 4, dtype=torch.double, requires_grad=True)
    sequences = unroll(grid, walk, paths)
    assert sequences.shape == (2, len(paths), 3, 20)
    back = roll(sequences, walk, paths, grid)
    assert torch.equal(back, grid[:, None].expand_as(back))
    weights = torch.randn(20, dtype=torch.double)
    assert torch.autograd.gradcheck(lambda g: unroll(g, walk, paths) * weights, grid)
    assert torch.autograd.gradcheck(lambda s: roll(s, walk, paths, grid), sequences)
    assert torch.autograd.gradgradcheck(lambda g: unroll(g, walk, paths) * weights, grid)


def test_tables_are_kept_but_not_those_that_are_only_described():
    _paths._kept_tables.cache_clear()
    walk, grid = Walk("nested", 4), torch.empty(6, 8)
    with FakeTensorMode():
        fake = tables(walk, FOUR, torch.empty(6, 8))[0]
    meta = tables(walk, FOUR, torch.empty(6, 8, device="meta"))[0]
    assert fake.shape == meta.shape == (4, 1, 48)
    assert _paths._kept_tables.cache_info().currsize == 0
    first, again = tables(walk, FOUR, grid), tables(walk, FOUR, grid + 1)
    assert first[0] is again[0]
    assert tables(walk, FOUR, torch.empty(8, 6))[0] is not first[0]
    assert tables(Walk("nested", 4, shifted=True), FOUR, grid)[0] is not first[0]
    assert _paths._kept_tables.cache_info().currsize == 3


def test_tables_first_made_for_inference_serve_training_too():
    _paths._kept_tables.cache_clear()
    with torch.inference_mode():
        unroll(torch.randn(1, 2, 5, 6), Walk("snake"), FOUR)
    x = torch.randn(1, 2, 5, 6, requires_grad=True)
    unroll(x, Walk("snake"), FOUR).sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 4))


def test_a_permutation_can_be_mapped_over_a_further_axis():
    x = torch.randn(3, 2, 1, 4, 5)
    mapped = torch.vmap(lambda grid: unroll(grid, Walk("snake"), FOUR))(x)
    assert torch.equal(mapped, torch.stack([unroll(g, Walk("snake"), FOUR) for g in x]))
