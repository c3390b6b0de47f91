"""`ablate profile`: what one network costs, of a study or of anyone's own."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from rich.console import Console

from ablate.console.numbers import whole
from ablate.console.speaking import listening, say
from ablate.console.tables import fitted
from ablate.console.words import duration
from ablate.costs import placing
from ablate.events import phases, warnings
from ablate.plugins import load_plugins
from ablate.pricing import parts as price_parts
from ablate.pricing import profiled, timing_words
from ablate.pricing import words as price_words
from ablate.pricing.plain import as_json, timings_as_json, training_as_json
from ablate.pricing.price import Price, TrainingPrice, price, price_training
from ablate.pricing.profiled import PriceError, Profiled, Shape
from ablate.pricing.timing import How, Timing, forecast_timing, time_alone
from ablate.pricing.words import Row
from ablate.profile import Profile
from ablate.profiling.crosscheck import MIX, CrossCheck, crosscheck
from ablate.profiling.modes import modes_of
from ablate.profiling.nvml import Absent
from ablate.turns import gpu_of, turn
from ablate.workplace import choose_device

SMALL = 64  # side of the image of a second count, in pixels


def profile(options: argparse.Namespace, console: Console) -> None:
    """Count one network, forecast its memory and time it."""
    plugins, depth = load_plugins(options.plugin), whole("depth", options.depth)
    subject = profiled.find(options.network, options.mix)
    shape = profiled.image_shape(subject, options.size)
    subject = replace(subject, profile=_profile(subject.profile, options))
    device = choose_device(subject.profile, options.device)
    asked = _Asked(subject, shape, device, plugins, options, console)
    found = price(subject, shape, convention=options.convention, device=device)
    answer = as_json(found)
    _show(found, asked, depth)
    if options.training:
        step = price_training(subject, shape, device=device)
        answer["training_step"] = training_as_json(step)
        _show_training(step, asked)
    if options.check:
        answer["check"] = asdict(_check(asked))
    if not options.no_latency:
        timings, failures = _time(asked)
        answer |= timings_as_json(timings)
        answer["reasons"] |= failures
    if options.roofline:
        answer["roofline"] = placing.as_json(_place(asked))
    if options.json:
        say(console, json.dumps(answer, indent=2))


@dataclass(frozen=True)
class _Asked:
    """What is profiled, on what, and to whom it is told."""

    subject: Profiled
    shape: Shape
    device: str
    plugins: tuple[str, ...]
    options: argparse.Namespace
    console: Console

    @property
    def how(self) -> How:
        """On what it is measured."""
        return {"profile": self.subject.profile, "device": self.device}

    def tell(self, *lines: str) -> None:
        """Say it, unless a program listens."""
        if not self.options.json:
            for line in lines:
                say(self.console, line)

    def draw(self, shown: tuple[Row, Sequence[Row]]) -> None:
        """A table, unless a program listens."""
        headings, rows = shown
        if self.options.json:
            return
        spare = ("FLOP/B", "of all")
        table, _ = fitted(headings, rows, self.console.width, texts=headings[:1], spare=spare)
        self.console.print(table)


def _profile(profile: Profile, options: argparse.Namespace) -> Profile:
    numbers = {name: getattr(options, name) for name in ("rounds", "batch", "threads")}
    return profiled.asked_profile(profile, **numbers, modes=options.modes)


def _show(found: Price, asked: _Asked, depth: int) -> None:
    asked.tell(*price_words.heading(found))
    asked.draw(price_words.table(found))
    headings, rows = price_parts.parts(found, asked.options.by, depth)
    if len(rows) > 1:
        asked.draw((headings, rows))
    asked.tell(*price_words.remarks(found))


def _show_training(found: TrainingPrice, asked: _Asked) -> None:
    heading, table, remarks = price_words.training(found)
    asked.tell("", heading)
    if table[1]:
        asked.draw(table)
    asked.tell(*remarks)


def _check(asked: _Asked) -> CrossCheck:
    """Have fvcore count it too: it computes the network, so on a small image by default."""
    channels, *sides = asked.shape
    if not asked.options.size:
        sides = [min(side, SMALL) for side in sides]
    image, mix = (1, channels, *sides), asked.subject.mix
    found = crosscheck(MIX, mix.to_json(), image, plugins=asked.plugins)
    asked.tell(*timing_words.check_lines(found))
    return found


def _time(asked: _Asked) -> tuple[tuple[Timing, ...], dict[str, str]]:
    """Time the network in every mode that was asked for; what it will take is said first.

    Returns:
        The timings, and why others are missing.

    Raises:
        PriceError: None could be made.
    """
    mix, how = asked.subject.mix, asked.how
    if not asked.options.json:
        seconds = duration(forecast_timing(mix, asked.shape, **how))
        mend = "--rounds N takes less, --no-latency nothing"
        asked.tell(f"timing it takes about {seconds} (forecast); {mend}")
    timings, failures = list[Timing](), dict[str, PriceError]()
    for mode in modes_of(how["profile"]):
        try:
            with _alone(asked) as told:
                timing = time_alone(
                    mix, asked.shape, **how, plugins=asked.plugins, mode=mode, report=told
                )
        except PriceError as error:
            failures[f"latency {mode.words}".strip()] = error
        else:
            timings.append(timing)
            asked.tell(*timing_words.timing_lines(timing))
    if not timings:
        raise next(iter(failures.values()))
    reasons = {name: str(error) for name, error in failures.items()}
    asked.tell(*reasons.values())
    return tuple(timings), reasons


@contextlib.contextmanager
def _alone(asked: _Asked) -> Iterator[Callable[[str, int, int], None]]:
    """The GPU for this network alone, and who is told how far its timing is."""
    device = asked.how["device"]
    with (
        listening(asked.options, asked.console) as listener,
        turn(gpu_of(device), warnings(listener)),
    ):
        yield phases(listener)


def _place(asked: _Asked) -> placing.Roofline:
    """Put the network's stages under the roofs of the machine; what it takes is said first."""
    mix = asked.subject.mix
    profile = placing.once(asked.how["profile"])
    seconds = placing.CEILING_SECONDS + forecast_timing(
        mix, asked.shape, profile=profile, device=asked.how["device"]
    )
    about = f"placing its stages takes about {duration(seconds)} (forecast)"
    asked.tell(f"{about}; --rounds N takes less")
    with _alone(asked) as told:
        found = placing.place_stages(
            [mix],
            asked.shape,
            profile=profile,
            device=asked.how["device"],
            plugins=asked.plugins,
            report=lambda done, total: told("roofline", done, total),
        )[mix.key]
    if isinstance(found, Absent):
        raise placing.PlacingError(f"the stages cannot be placed: {found.reason}")
    asked.draw(placing.table(found))
    asked.tell(*placing.remarks(found))
    return found
