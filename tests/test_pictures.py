from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.answering.answer import answer
from reports.numbers.results import read
from reports.record import MixRow, Picture, Record, TrialRow
from reports.sections.pictures import SECTION, Pictures
from reports.sections.section import Given
from tests.simulated_run import METRICS, add_trial, png, simulate


def collected(path: Path) -> Pictures | None:
    found = read(path)
    return SECTION.collect(Given(path, found, answer(found)))


def record_of(path: Path, shots: dict[str, dict[str, np.ndarray]]) -> Path:
    """A record of a trial for each mix, with its pictures of one image."""
    rng = np.random.default_rng(0)
    with Record.create(path, "s", "", "", {}, ("psnr",)) as record:
        record.define(METRICS)
        record.add_mixes([MixRow(mix, f"mix {mix}", "{}") for mix in shots])
        for at, (mix, kinds) in enumerate(shots.items()):
            pictures = [Picture(f"{mix}-0", "photo", k, png(v)) for k, v in kinds.items()]
            add_trial(record, mix, 0, 28.0 + at, rng, pictures)
    return path


def flat(value: float, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), value)


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Pictures:
    made = collected(simulate(tmp_path_factory.mktemp("run") / "r", {"stage1": 3}, latency=False))
    assert made is not None
    return made


def test_input_and_original_stand_at_the_ends_with_the_mixes_between(shown):
    (strip,) = shown.strips
    kinds = [shot.kind for shot in strip.shots]
    assert (kinds[0], kinds[-1]) == ("input", "target")
    assert [shot.mix for shot in strip.shots] == ["", *kinds[1:-1], ""]
    assert all(shot.alt.startswith("hills.webp, crop 1, ") for shot in strip.shots)


def test_all_but_the_original_have_an_error_map_on_one_scale(shown):
    (strip,) = shown.strips
    assert [bool(shot.errors) for shot in strip.shots] == [True] * (len(strip.shots) - 1) + [False]
    assert shown.scale is not None and shown.scale.top > 0


def test_the_slider_begins_between_two_mixes_and_ends_at_the_best(shown):
    (strip,) = shown.strips
    mixes = [shot.mix for shot in strip.shots if shot.mix]
    assert shown.left == mixes[0] != shown.right
    assert shown.right in mixes


def test_with_one_mix_the_slider_is_between_it_and_its_input(tmp_path):
    one = {"input": flat(0.5), "target": flat(0.25), "restored": flat(0.25)}
    made = collected(record_of(tmp_path / "r", {"a": one}))
    assert (made.left, made.right) == ("input", "a")
    assert [shot.caption for shot in made.strips[0].shots] == ["12.01\u00a0dB", "identical", ""]
    assert [shot.title for shot in made.strips[0].shots] == ["Input", "Mix A", "Original"]


def test_a_small_input_is_enlarged_to_the_original(tmp_path):
    one = {"input": flat(0.5, 4), "target": flat(0.5), "restored": flat(0.4)}
    (strip,) = collected(record_of(tmp_path / "r", {"a": one})).strips
    assert strip.shots[0].title == "Input, enlarged"
    assert strip.shots[0].alt == "photo, degraded, enlarged by bicubic interpolation"
    assert strip.shots[0].caption == "identical"


def test_where_mixes_were_given_different_inputs_it_is_said_whose_is_shown(tmp_path):
    shots = {
        mix: {"input": flat(value), "target": flat(0.5), "restored": flat(0.4)}
        for mix, value in (("a", 0.3), ("b", 0.2))
    }
    (strip,) = collected(record_of(tmp_path / "r", shots)).strips
    assert strip.shots[0].title == "Input of Mix A"


def test_without_an_original_there_is_neither_score_nor_error_map(tmp_path):
    made = collected(record_of(tmp_path / "r", {"a": {"input": flat(0.5), "restored": flat(0.4)}}))
    assert made.scale is None
    assert [(shot.caption, shot.errors) for shot in made.strips[0].shots] == [("", ""), ("", "")]


def test_without_pictures_there_is_no_section(tmp_path):
    path = tmp_path / "r"
    with Record.create(path, "s", "", "", {}, ("psnr",)) as record:
        record.add_mixes([MixRow("a", "A", "{}")])
        record.add_trial(TrialRow("a-0", "a", 0, "failed", "it broke"))
    assert collected(path) is None


def test_in_markdown_the_crops_have_their_scores(shown):
    lines = SECTION.markdown(shown)
    head, row = lines[4], lines[6]
    assert head.startswith("| Crop | Input | ") and "Original" not in head
    assert row.startswith("| hills.webp, crop 1 | ") and row.count("dB") == head.count("|") - 2
