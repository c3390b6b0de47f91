"""The engine that is asked for on the command line."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from ablate.engines import EngineError, asked
from ablate.engines.asked import engine_of
from ablate.engines.local import LocalEngine


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What engines are made, in the place of real ones."""
    calls: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(asked, "engine", lambda name, **more: calls.append((name, more)))
    return calls


def given(**more: object) -> Namespace:
    return Namespace(**{"engine": "ray", "address": None, "gpus": None, "devices": "", **more})


def test_trials_run_on_this_machine_unless_ray_is_asked_for():
    runs = engine_of(given(engine="local"), "cpu", (), print)
    assert isinstance(runs, LocalEngine)
    runs.close()


@pytest.mark.parametrize(
    ("options", "device", "expected"),
    [
        ({}, "cpu", {"address": "", "gpus": 0.0}),
        ({}, "cuda", {"address": "", "gpus": 1.0}),
        ({"address": "auto", "gpus": "0.25"}, "cuda", {"address": "auto", "gpus": 0.25}),
        ({"gpus": "2"}, "cuda", {"address": "", "gpus": 2.0}),
    ],
)
def test_a_trial_on_ray_has_a_gpu_or_what_it_is_given(
    made: list[tuple[str, dict[str, Any]]],
    options: dict[str, str],
    device: str,
    expected: dict[str, object],
):
    engine_of(given(**options), device, (), print)
    assert made == [("ray", {**expected, "tell": print})]


@pytest.mark.parametrize(
    ("options", "device", "said"),
    [
        (
            {"engine": "local", "address": "auto"},
            "cpu",
            "--address auto: is for a Ray cluster only; add --engine ray",
        ),
        (
            {"engine": "local", "gpus": "1"},
            "cuda",
            "--gpus 1: is for a Ray cluster only; add --engine ray",
        ),
        (
            {"devices": "0,1"},
            "cuda",
            "--devices 0,1: a Ray cluster places trials by itself; say how many GPUs each has: "
            "--gpus N",
        ),
        ({"gpus": "1"}, "cpu", "--gpus 1: this run is on the cpu; add --device cuda"),
        *(
            (
                {"gpus": text},
                "cuda",
                f"--gpus: expected GPUs of a trial, a part of one or a whole number; got '{text}'",
            )
            for text in ("0", "-1", "1.5", "many", "nan", "inf")
        ),
    ],
)
def test_options_that_do_not_go_together_are_said(options: dict[str, str], device: str, said: str):
    with pytest.raises(EngineError) as error:
        engine_of(given(**options), device, (), print)
    assert str(error.value) == said
