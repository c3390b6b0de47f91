"""What every measurement of a run needs that comes after its latencies: on request, once each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ablate.costs.sitting import sitting_name
from ablate.events import Listener
from ablate.mix import Mix
from ablate.profile import Profile
from reports.record import Record


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A run whose costs are measured.

    Args:
        record: Where they are written; what is there already is left.
        mixes: All of the run, by key.
        profile: What is asked for, and how.
        device: cpu or cuda.
        plugins: Files that workers load first.
        listener: Told of progress, and why something could not be measured.
    """

    record: Record
    mixes: Mapping[str, Mix]
    profile: Profile
    device: str
    plugins: tuple[str, ...]
    listener: Listener

    @cached_property
    def networks(self) -> list[Mix]:
        """One mix for each different network."""
        return list({mix.network.key: mix for mix in self.mixes.values()}.values())

    @cached_property
    def sitting(self) -> str:
        """The same for the same networks measured in the same way."""
        return sitting_name(self.networks, self.profile, self.device)

    def done(self, metric: str) -> set[str]:
        """Modes in which a metric was measured in this sitting."""
        known = self.record.measurements()
        known = known[(known["metric"] == metric) & (known["sitting"] == self.sitting)]
        return set(known["mode"])
