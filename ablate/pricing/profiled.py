"""What `ablate profile` is asked about: a mix of a study, or a network in a Python file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import nn

from ablate.foreign import networks as foreign_network
from ablate.foreign.networks import Foreign
from ablate.mix import Choice, Mix, Network, Task
from ablate.network import build
from ablate.profile import Precision, Profile, Run
from ablate.study import Study, load_study
from blocks import nearest

Shape = tuple[int, int, int]  # channels, height, width

RUNS, PRECISIONS = get_args(Run), get_args(Precision)
HINTED = 10_000  # mixes among which the nearest label to one that is not there is looked for
CHANNELS = 3  # of an image, where nothing else is said


class PriceError(ValueError):
    """No network, or no image that it takes, is meant; the message says what there is."""


@dataclass(frozen=True, kw_only=True)
class Profiled:
    """One network, and how the one who made it wants it measured.

    Args:
        name: What it is called: the study, and the mix where there are several; or file and name.
        mix: The mix; a network of a file is one whose topology is that file.
        profile: Of the study; the defaults for a file.
    """

    name: str
    mix: Mix
    profile: Profile

    @property
    def foreign(self) -> Foreign | None:
        """The file that the network is in, if it is in one."""
        return foreign_network.named(self.mix.network.topology)

    def build(self, device: str) -> nn.Module:
        """The network, to be counted: without memory for a CPU, unless it comes from a file.

        What a file does to make a network, such as reading weights, need not work without memory.

        Raises:
            ValueError: It cannot be built.
        """
        if self.foreign:
            return foreign_network.make(self.foreign).to(device)
        with torch.device("meta" if device == "cpu" else device):
            return build(self.mix.network)


def find(source: str, label: str | None) -> Profiled:
    """What is meant by a study (and the label of a mix), or by my_module.py:build.

    Raises:
        ValueError: There is nothing of this name.
    """
    if not foreign_network.is_foreign(source):
        study = load_study(source)
        name, mix = choose_mix(study, label)
        return Profiled(name=name, mix=mix, profile=study.profile)
    if label is not None:
        raise PriceError(f"--mix: a mix is of a study; {source} is a Python file")
    made = foreign_network.find(source)
    return Profiled(name=made.label, mix=mix_of(made), profile=Profile())


def mix_of(made: Foreign) -> Mix:
    """A network of a file as a mix, so that all that can be asked of mixes can be asked of it."""
    network = Network(topology=foreign_network.topology(made), stages=())
    return Mix(task=Task(degradation=Choice(name="given")), network=network)


def choose_mix(study: Study, label: str | None) -> tuple[str, Mix]:
    """The name and the mix that is meant: the only one, or the one of this label.

    Raises:
        PriceError: There are several and none is named, or none is named so.
    """
    if label is None and study.size == 1:
        return study.name, study.mix(study.at(0))
    if label is None:
        raise PriceError(
            f"{study.name}: {study.size:,} mixes, and one is profiled at a time; "
            f'say which: --mix "{study.label(study.at(0))}"'
        )
    point = study.point_of(label)
    if point is None:
        raise PriceError(_no_mix(study, label))
    name = study.name if study.size == 1 else f"{study.name}: {label}"
    return name, study.mix(point)


def image_shape(subject: Profiled, asked: Sequence[str] | None) -> Shape:
    """Channels, height and width of the image: as asked, else as the profile has it.

    Args:
        subject: What is profiled; its first size is the default.
        asked: Height and width, or channels, height and width; whole numbers from 1.

    Raises:
        PriceError: Other numbers were asked for, or a network of a study takes other images.
    """
    topology = subject.mix.network.topology
    channels = int(str(topology.settings.get("image_channels", CHANNELS)))
    if asked is None:
        return channels, *subject.profile.size[0]
    given = " ".join(asked)
    if len(asked) not in (2, 3) or not all(text.isdecimal() and int(text) for text in asked):
        raise PriceError(
            "--size: expected height and width, or channels, height and width, as in 256 256 or "
            f"3 256 256; got {given}"
        )
    *first, height, width = map(int, asked)
    if subject.foreign:
        return (first or [channels])[0], height, width
    if first and first[0] != channels:
        raise PriceError(
            f"--size: the network takes images of {channels} channels; got {given} "
            "(channels come first)"
        )
    return channels, height, width


def asked_profile(
    profile: Profile,
    *,
    rounds: str | None = None,
    batch: str | None = None,
    threads: str | None = None,
    modes: Sequence[str] | None = None,
) -> Profile:
    """The profile, with what is asked otherwise.

    Args:
        profile: Of the study.
        rounds: Rounds of timing, in each process.
        batch: Images in a call.
        threads: CPU threads of a timed call.
        modes: Ways to run and precisions, of those in `RUNS` and `PRECISIONS`; each way is
            profiled in each precision.

    Raises:
        PriceError: A number is not a whole number from 1, or there is no such mode.
    """
    numbers = {"rounds": rounds, "batch": batch, "threads": threads}
    settings: dict[str, Any] = {
        name: _whole(name, text) for name, text in numbers.items() if text is not None
    }
    return replace(profile, **settings, **_ways(modes or ()))


def _ways(modes: Sequence[str]) -> dict[str, Any]:
    known = (*RUNS, *PRECISIONS)
    for mode in modes:
        if mode not in known:
            hint = nearest(mode, known)
            listed = ", ".join(known)
            raise PriceError(f"--modes: no mode is named '{mode}'{hint} (modes: {listed})")
    asked = dict.fromkeys(modes)
    kinds = {"run": RUNS, "precision": PRECISIONS}
    ways = {kind: tuple(mode for mode in asked if mode in of) for kind, of in kinds.items()}
    return {kind: named for kind, named in ways.items() if named}


def _whole(name: str, text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise PriceError(f"--{name}: expected a whole number from 1; got '{text}'")
    return int(text)


def _no_mix(study: Study, label: str) -> str:
    labels = [study.label(point) for point in itertools.islice(study.points(), HINTED)]
    few = "; ".join(labels[:5]) + (" ..." if study.size > len(labels[:5]) else "")
    return f"{study.name}: no mix is named '{label}'{nearest(label, labels)} (mixes: {few})"
