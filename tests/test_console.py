"""What people and programs are told while a run goes on."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ablate.console.bars import Bars
from ablate.console.lines import JsonLines, PlainLines, ended_line
from ablate.console.tally import Tally
from ablate.console.words import duration, shortened
from ablate.events import (
    Began,
    Ended,
    Event,
    PhaseBegan,
    PhaseStep,
    TrialEnded,
    TrialStep,
    Warned,
)

BEGAN = Began(
    study="tiny",
    folder=Path("runs/tiny"),
    mixes=2,
    trials=2,
    finished=1,
    workers=2,
    device="cpu",
    seconds=65.0,
)
STEP = TrialStep(trial="k1", label="a | b", seed=0, step=5, steps=10, loss=0.25)
DONE = TrialEnded(
    trial="k1",
    label="a | [b]",
    seed=0,
    status="done",
    reason="",
    psnr=28.5,
    gain=8.1,
    seconds=12.4,
)
LOST = TrialEnded(
    trial="k2",
    label="c",
    seed=0,
    status="diverged",
    reason="the loss was nan at step 3",
    psnr=None,
    gain=None,
    seconds=1.0,
)
END = Ended(folder=Path("runs/tiny"), report=Path("runs/tiny/report.html"), answer="It does.")
EVENTS: tuple[Event, ...] = (
    PhaseBegan("costs", 2),
    PhaseStep("costs", 2, 2),
    BEGAN,
    STEP,
    DONE,
    LOST,
    Warned("the machine was busy"),
    END,
)


def told(listener_type: type[PlainLines] | type[JsonLines]) -> list[str]:
    text = io.StringIO()
    listener = listener_type(Console(file=text, width=40))
    for event in EVENTS:
        listener(event)
    return text.getvalue().splitlines()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_are_for_people(seconds: float, text: str):
    assert duration(seconds) == text


def test_plain_lines_tell_plan_trials_warnings_and_answer_without_wrapping():
    lines = told(PlainLines)
    assert lines[1] == (
        "tiny: 2 mixes, 2 trials to do, 1 done before, 2 at a time on cpu; "
        "about 1 min 05 s of training"
    )
    assert lines[2].startswith("[1/2] a | [b], seed 0: 28.50 dB (+8.10 dB over the input), 12 s; ")
    assert lines[3] == "[2/2] c, seed 0: diverged: the loss was nan at step 3"
    assert lines[4] == "warning: the machine was busy"
    assert lines[-3:] == ["It does.", "", "report: runs/tiny/report.html"]


def test_json_lines_are_objects_one_per_event_but_for_steps():
    events = [json.loads(line) for line in told(JsonLines)]
    names = [event["event"] for event in events]
    assert names == ["PhaseBegan", "Began", "TrialEnded", "TrialEnded", "Warned", "Ended"]
    assert events[2]["psnr"] == 28.5
    assert events[3]["psnr"] is None
    assert events[-1]["report"] == "runs/tiny/report.html"


def test_the_best_is_the_highest_and_a_lost_trial_is_none():
    tally = Tally()
    for event in (BEGAN, STEP, DONE, LOST):
        tally.note(event)
    assert tally.best_words == "best so far 28.50 dB: a | [b]"
    assert (tally.ended, tally.steps) == (2, {})


def test_nothing_is_promised_before_anything_is_done():
    tally = Tally()
    tally.note(BEGAN)
    assert tally.remaining == "?"


def test_bars_show_running_trials_and_leave_the_lines_of_ended_ones():
    text = io.StringIO()
    with Bars(Console(file=text, width=100, force_terminal=True, color_system=None)) as bars:
        for event in EVENTS[:4]:
            bars(event)
        assert {"costs", "trials", "k1"} <= set(bars.tasks)
        for event in EVENTS[4:]:
            bars(event)
        assert "k1" not in bars.tasks
    assert "a | [b], seed 0: 28.50 dB" in text.getvalue()
    assert "best so far 28.50 dB" in text.getvalue()


def test_long_labels_leave_room_for_the_numbers_in_a_narrow_terminal():
    text = io.StringIO()
    label = " | ".join(["emvm+mwsa window=4+lama+rdcnn"] * 4)
    with Bars(Console(file=text, width=80, force_terminal=True, color_system=None)) as bars:
        bars(BEGAN)
        bars(replace(STEP, label=label, step=396, steps=400))
        bars.live.refresh()
    drawn = [line for line in text.getvalue().splitlines() if "emvm" in line]
    assert "396/400 loss 0.2500" in drawn[-1]
    assert "seed 0" in drawn[-1]
    assert all(len(line) <= 80 for line in drawn)


def test_a_label_in_brackets_is_no_markup():
    text = io.StringIO()
    with Bars(Console(file=text, width=100, force_terminal=True, color_system=None)) as bars:
        for event in (BEGAN, replace(STEP, label="a | [bold]"), replace(DONE, label="a | [bold]")):
            bars(event)
            bars.live.refresh()
    assert "a | [bold], seed 0 " in text.getvalue()
    assert "best so far 28.50 dB: a | [bold]" in text.getvalue()


def test_a_label_is_cut_in_its_middle():
    assert shortened("short", 10) == "short"
    assert shortened("0123456789abcdef", 10) == "0123...def"


def test_a_trial_that_rests_at_a_rung_is_said_to_and_is_not_the_best_so_far():
    rests, tally = replace(DONE, status="partial"), Tally()
    line = ended_line(rests, 1, 2)
    assert line.endswith("28.50 dB (+8.10 dB over the input), 12 s, rests at a rung")
    tally.note(rests)
    assert tally.best_words == ""
    tally.note(DONE)
    assert tally.best_words == "best so far 28.50 dB: a | [b]"
