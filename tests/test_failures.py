"""What is done about a trial that failed, by the kind of failure."""

from __future__ import annotations

import pytest

from ablate.engines.job import Failed, Job, Kind
from ablate.runs.failures import Again, Failures, again


def failure(name: str, kind: Kind = "error", reason: str = "it broke") -> Failed:
    return Failed(Job(name=name, function="a:b", payload=None), reason, "", kind)


def test_out_of_memory_is_tried_again_with_half_the_images_twice_at_most():
    first = again(["out of memory"], batch=6)
    assert first == Again(3, "with 3 of its 6 images at a time")
    second = again(["out of memory"] * 2, batch=6, micro=3)
    assert second == Again(2, "with 2 of its 6 images at a time")
    assert again(["out of memory"] * 3, batch=6, micro=2) is None


def test_a_single_image_cannot_be_halved():
    assert again(["out of memory"], batch=1) is None


@pytest.mark.parametrize("kind", ["lost", "crash"])
def test_what_vanished_is_tried_once_more_as_it_was(kind: Kind):
    assert again([kind], batch=6, micro=3) == Again(3)
    assert again(["crash", kind], batch=6) is None


@pytest.mark.parametrize("kind", ["build", "data", "environment", "diverged", "timeout", "error"])
def test_what_would_only_fail_again_is_left_at_that(kind: Kind):
    assert again([kind], batch=6) is None


def test_three_different_trials_that_fail_alike_stop_the_study():
    failures = Failures()
    for name in ("a", "a", "b"):  # one trial twice is one trial
        reason = f"no room for {ord(name)} at 0x7f{name}"
        assert failures.stop(failure(name, reason=reason)) is None
    stopped = failures.stop(failure("c", reason="no room for 99 at 0x7fe"))
    assert str(stopped) == (
        "3 different trials failed alike: error: no room for 99 at 0x7fe; the study stops, its "
        "finished trials are kept; when that is mended, the same command goes on"
    )


def test_failures_of_other_kinds_or_in_other_words_are_not_alike():
    failures = Failures()
    seen = [failure("a"), failure("b", "timeout"), failure("c", reason="another"), failure("d")]
    assert [failures.stop(one) for one in seen] == [None] * 4


def test_a_machine_that_lacks_something_stops_the_study_at_once():
    stopped = Failures().stop(failure("a", "environment", "No space left on device"))
    assert str(stopped).startswith(
        "a trial cannot run on this machine: environment: No space left on device; the study stops"
    )


def test_attempts_are_counted_by_trial():
    failures = Failures()
    failures.again(failure("a", "crash"), batch=4)
    assert failures.again(failure("a", "lost"), batch=4) is None
    assert (failures.attempts("a"), failures.attempts("b")) == (2, 0)
