"""The search of a run: what is proposed next is trained, and what became of it is seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Protocol

from ablate.events import Warned
from ablate.faults import fault
from ablate.metrics import metrics
from ablate.mix import Mix
from ablate.runs.context import Context, Trial
from ablate.runs.reuse import FROM
from ablate.runs.seeing import LATENCY, Costs, Sight
from ablate.runs.timing import time_batch
from ablate.searches import Point, Proposal, Seen
from ablate.searches.confirm import confirmations
from ablate.searches.proposing import cut_short, search_on
from ablate.searches.schedule import SearchPlan, furthest
from ablate.searches.stopping import Spent, time_is_up
from ablate.study import Study

SPENT = "search_seconds"  # the fact that holds the wall-clock time of all continuations
FAILED = "failed_seconds"  # and the one with the time of failed attempts at trials

Propose = Callable[[], list[Proposal]]


class Run(Protocol):
    """What a search needs of a run in progress."""

    context: Context
    mixes: dict[str, Mix]
    labels: dict[str, str]

    @property
    def failed_seconds(self) -> float:
        """What attempts at trials took that failed."""

    def enter(self, points: Sequence[Point]) -> None:
        """Put mixes into the record, with what can be counted of them."""

    def train(self, trials: Sequence[Trial], workers: int) -> None:
        """Train what the record does not have yet."""

    def time(self) -> None:
        """Measure all that is measured when nothing trains."""


def trials_of(context: Context, proposals: Sequence[Proposal]) -> list[Trial]:
    """Every mix with its seeds: seed by seed, so that all mixes have one before any has two."""
    seeds = [proposal.seeds or context.study.seeds for proposal in proposals]
    return [
        context.trial(proposal.point, seed, proposal.until)
        for seed in range(max(seeds, default=0))
        for proposal, most in zip(proposals, seeds, strict=True)
        if seed < most
    ]


def plan_of(study: Study) -> SearchPlan:
    """What decides the proposals of a study."""
    return SearchPlan(
        search=study.search,
        goals=study.goals,
        seeds=study.seeds,
        by_seed=frozenset(metrics),
        schedule=study.schedule,
        stop=study.stop,
    )


class Searching:
    """A search in progress.

    Whenever a run goes on, the whole search is gone through again: proposals follow from what the
    record has, and what it has is not trained again.

    Args:
        host: Trains, times and records.
    """

    def __init__(self, host: Run) -> None:
        self.host, self.context = host, host.context
        self.study, self.record = host.context.study, host.context.record
        self.plan = plan_of(self.study)
        limits = host.context.limits
        self.predicted = bool(limits and self.study.profile.size[0] in limits.models)
        self.costs = Costs(self.study, predicted=self.predicted)
        self.seen: list[Seen] = []
        self.ended = ""  # which budget of time ended it
        facts = self.record.facts()
        self.before = float(facts.get(SPENT, 0.0))  # seconds
        self.failed_before = float(facts.get(FAILED, 0.0))
        self.started = time.monotonic()

    def run(self, workers: int) -> None:
        """Train batch after batch until the search is over; then confirm its front."""
        self._note_rules()
        self._through(self._search_on, workers, Sight(self.study, self.record, self.costs))
        self._say_why()
        self._leave_out_what_rests()
        if self.plan.schedule.confirm > self.plan.seeds:
            self.host.time()  # before, so that the front is that of the report
            sight = Sight(self.study, self.record, Costs(self.study))
            self.seen = sight.again(self.seen)
            self._through(lambda: confirmations(self.seen, self.plan), workers, sight)

    def _through(self, propose: Propose, workers: int, sight: Sight) -> None:
        while batch := propose():
            fault("run.proposed")
            self.host.enter([proposal.point for proposal in batch])
            fault("run.counted")
            self._time(batch)
            trials = trials_of(self.context, batch)
            try:
                self.host.train(trials, workers)
            finally:
                self._note_time()
            self.seen += sight.of(batch, trials)

    def _search_on(self) -> list[Proposal]:
        """The next batch; what was begun before time was up is brought to its end."""
        batch = search_on(self.context.space, self.seen, self.plan)
        self.ended = time_is_up(self.plan.stop, self._spent()) if batch else ""
        return batch if not self.ended or self._has_begun(batch) else []

    def _has_begun(self, batch: Sequence[Proposal]) -> bool:
        """Whether the record has a result of any of these."""
        known = {*self.record.trials()["key"], *self.record.partials()["key"]}
        return any({t.key, t.row} & known for t in trials_of(self.context, batch))

    def _time(self, batch: Sequence[Proposal]) -> None:
        """Have the latency of new mixes before they are trained, where decisions weigh it."""
        known = {row.key for row in self.seen}
        new = [self.study.mix(proposal.point) for proposal in batch]
        new = [mix for mix in new if mix.key not in known]
        if new and self._weighs_latency:
            sitting = time_batch(self.context, {mix.key: mix for mix in new}, self.host.labels)
            self.costs.sittings |= dict.fromkeys([mix.key for mix in new], sitting)

    @property
    def _weighs_latency(self) -> bool:
        """Whether a decision before the end asks for a latency that nobody predicts.

        Strategies never do: what they propose must not depend on how fast the machine was.
        """
        decides = bool(self.plan.schedule.rungs or self.plan.stop.flat)
        return decides and not self.predicted and LATENCY in (g.name for g in self.plan.goals)

    def _spent(self) -> Spent:
        stop = self.plan.stop
        device = self._device_seconds() if stop.device_hours else 0.0
        return Spent(hours=self._seconds() / 3600, device_hours=device / 3600)

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    def _device_seconds(self) -> float:
        """Of training here, also of attempts that failed, over all trials.

        What rested at a rung is part of what went on from it; what another run trained is for free.
        A state that a failed attempt left and a later one went on from counts with both.
        """
        facts = self.record.trial_facts()
        reused = set(facts[facts["name"] == FROM]["trial"])
        trials = self.record.trials()
        tables = [(trials[trials["status"] != "failed"], "key"), (self.record.partials(), "trial")]
        longest = dict[str, float]()
        for table, key in tables:
            for trial, seconds in zip(table[key], table["seconds"], strict=True):
                longest[trial] = max(longest.get(trial, 0.0), seconds)
        return self._failed_seconds() + sum(
            seconds for trial, seconds in longest.items() if trial not in reused
        )

    def _failed_seconds(self) -> float:
        return self.failed_before + self.host.failed_seconds

    def _note_rules(self) -> None:
        """Keep the rules among the facts of the run: they may change while it goes on."""
        for name, rules in (("schedule", self.plan.schedule), ("stop", self.plan.stop)):
            told = {key: value for key, value in asdict(rules).items() if value}
            if told and rules != type(rules)():
                self.record.set_fact(name, json.dumps(told))

    def _note_time(self) -> None:
        if self.plan.stop.hours:
            self.record.set_fact(SPENT, f"{self._seconds():.1f}")
        if self.host.failed_seconds:
            self.record.set_fact(FAILED, f"{self._failed_seconds():.1f}")

    def _say_why(self) -> None:
        """Which rule ended the search, for the listener and for the report."""
        if reason := self.ended or cut_short(self.context.space, self.seen, self.plan):
            self.record.note("", "search", f"the search ended before its strategy did: {reason}")
            self.context.listener(Warned(f"the search ends here: {reason}"))

    def _leave_out_what_rests(self) -> None:
        """What was left at a rung is not timed with the others in the end."""
        for row in furthest(self.seen):
            if row.status == "partial":
                self.host.mixes.pop(row.key, None)
