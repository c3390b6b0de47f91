from __future__ import annotations

import pytest
import torch
from torch import Tensor

from blocks import _directional_scan
from blocks._paths import RASTER, Path, Walk, tables
from blocks.scan import follows_paths, selective_scan_paths
from tests.test_scan import Arguments, as_dtype, assert_same, by_hand, value_and_gradients

PATHS: tuple[Path, ...] = ("rows", "columns", "rows_back", "columns_back")
HEIGHT, WIDTH = 3, 5


def arguments(channels: int = 4, states: int = 3, skip: bool = True) -> Arguments:
    torch.manual_seed(0)
    length, rows = HEIGHT * WIDTH, len(PATHS) * channels
    given = [
        torch.randn(2, channels, length),
        torch.randn(2, len(PATHS), channels, length),
        -torch.rand(rows, states) - 0.1,
        *torch.randn(2, 2, len(PATHS), states, length),
        torch.randn(rows) if skip else None,
        torch.randn(rows) if skip else None,
    ]
    return [None if t is None else t.requires_grad_() for t in given]


def visited(walk: Walk = RASTER) -> Tensor:
    return tables(walk, PATHS, torch.zeros(HEIGHT, WIDTH))[0].squeeze(1)


def one_after_another(given: Arguments, order: Tensor) -> Tensor:
    """Each path on its own, pixel by pixel in its order, by the equations."""
    u, delta, A, B, C, D, bias = given
    channels, found = u.shape[1], []
    for k, pixels in enumerate(order):
        own = slice(k * channels, (k + 1) * channels)
        path = [u[..., pixels], delta[:, k][..., pixels], A[own]]
        path += [x[:, k : k + 1][..., pixels] for x in (B, C)]
        path += [None if x is None else x[own] for x in (D, bias)]
        found.append(torch.zeros_like(u).index_copy(-1, pixels, by_hand(path)))
    return torch.stack(found, 1)


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("walk", [RASTER, Walk("nested", 2)])
def test_paths_are_scans_whose_results_lie_where_their_pixels_do(
    backend: str, skip: bool, walk: Walk
) -> None:
    given, order = arguments(skip=skip), visited(walk)
    true = value_and_gradients(
        lambda g: one_after_another(g, order), as_dtype(given, torch.float64)
    )
    run = lambda g: selective_scan_paths(*g, visited=order, backend=backend)  # noqa: E731
    assert_same(value_and_gradients(run, given), true, 1e-5)


def test_half_precision_comes_back_as_it_came() -> None:
    given = [t.detach().bfloat16() for t in arguments()]
    assert selective_scan_paths(*given, visited=visited()).dtype == torch.bfloat16


def test_no_copies_are_saved_where_nothing_runs_without_them() -> None:
    assert not follows_paths(torch.device("cpu"))


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (
            0,
            torch.ones(4, 15),
            r"delta \(B, K, D, L\), A \(K D, N\), visited \(K, L\); got u \(4, ",
        ),
        (1, torch.ones(2, 3, 4, 15), r"needs delta of shape \(2, 4, 4, 15\); got \(2, 3, 4, 15\)"),
        (2, torch.ones(4, 3), r"needs A of shape \(16, 3\); got \(4, 3\)"),
        (3, torch.ones(2, 4, 2, 15), r"needs B of shape \(2, 4, 3, 15\); got \(2, 4, 2, 15\)"),
        (5, torch.ones(4), r"needs D of shape \(16,\); got \(4,\)"),
        (7, torch.zeros(4, 14, dtype=torch.long), r"visited \(4, 15\) of int; got \(4, 14\)"),
        (7, torch.zeros(4, 15), r"visited \(4, 15\) of int; got \(4, 15\) of torch.float32"),
        (7, torch.zeros(4, 15, device="meta").int(), "u is on cpu, visited on meta"),
    ],
)
def test_arguments_that_do_not_fit_are_named(place: int, wrong: Tensor, message: str) -> None:
    given = [*arguments(), visited()]
    given[place] = wrong
    with pytest.raises(ValueError, match=message) as caught:
        selective_scan_paths(*given[:-1], visited=given[-1], backend="reference")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("walk", [RASTER, Walk("nested", 2)])
def test_a_block_gives_the_same_where_paths_are_followed_in_place(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    scan = _directional_scan.DirectionalScan(8, PATHS, states=3, walk=walk)
    x = torch.randn(2, 5, 7, 8)
    run = lambda g: scan(g[0])  # noqa: E731
    by_copies = value_and_gradients(run, [x.requires_grad_(), *scan.parameters()])
    monkeypatch.setattr(_directional_scan, "follows_paths", lambda device: True)
    in_place = value_and_gradients(run, [x, *scan.parameters()])
    assert_same(in_place, by_copies, 1e-5)
