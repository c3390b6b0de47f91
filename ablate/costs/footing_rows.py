"""How a mix stands on equal footing, as rows of the record."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ablate.events import Listener, Warned
from ablate.footing import amount_words
from ablate.mix import Network
from ablate.study import Study
from ablate.widths import widths_of
from reports.record import Measurement, Metric, Record

CHOSEN_RATE = Metric(
    "chosen_rate",
    "",
    "none",
    "the learning rate of the trial: the best of several that were tried briefly, judged on crops "
    "of the training images that no step trained on",
)


def footing_metrics(study: Study) -> tuple[Metric, ...]:
    """What the numbers of `footing_rows` mean; none where mixes are not on equal footing."""
    if study.footing is None:
        return ()
    asked, cost = study.footing, amount_words(study.target, study.footing.equal)
    within = f"within {100 * asked.equal_within:g} % by {asked.equal_by.replace('_', ' ')}"
    return (
        Metric("footing", "share", "none", f"{asked.equal} over {cost} less 1; solved to {within}"),
        Metric("solved_width", "", "none", "channels at full resolution, solved for"),
        Metric("solved_depth", "", "none", "blocks in all places together, solved for"),
    )


def footing_words(study: Study, mismatches: Sequence[float]) -> str:
    """What all mixes have alike and how nearly; empty where nothing was asked."""
    if study.footing is None:
        return ""
    asked, cost = study.footing, amount_words(study.target, study.footing.equal)
    size = "" if asked.equal == "params" else " at {}x{}".format(*study.profile.size[0])
    predicted = " (predicted)" if asked.equal == "latency" else ""
    by = asked.equal_by.replace("_", " ")
    words = f"equal footing: {cost}{size}{predicted} each, within {100 * asked.equal_within:g} %"
    worst = max(mismatches, key=abs, default=0.0)
    left_out = f"; {left_out_words(study)}" if study.left_out else ""
    return f"{words}, by {by}; the largest mismatch is {100 * worst:+.1f} %{left_out}"


def footing_facts(study: Study) -> dict[str, str]:
    """What all mixes have alike, for the report; nothing where nothing was asked."""
    if study.footing is None:
        return {}
    footing = study.footing
    size = f"{study.profile.size[0][0]}x{study.profile.size[0][1]}"
    asked = {
        "equal": footing.equal,
        "to": amount_words(study.target, footing.equal),
        "size": "" if footing.equal == "params" else size,
        "by": footing.equal_by,
        "within": footing.equal_within,
    }
    return {"footing": json.dumps(asked)}


def footing_rows(
    study: Study, key: str, network: Network, counted: list[Measurement]
) -> list[Measurement]:
    """How far the cost of a mix is from what all are to have, and what was solved for.

    Args:
        study: With a footing; without one there are no rows.
        key: Of the mix.
        network: Of the mix.
        counted: Its costs; where what is to be equal is missing there, so is the mismatch.
    """
    if study.footing is None:
        return []
    quantity = study.footing.equal
    sizes = [f"{height}x{width}" for height, width in study.profile.size[:1]]
    costs = [row.value for row in counted if row.metric == quantity and row.mode in ("", *sizes)]
    if quantity == "latency":
        costs = [study.predicted(network)]
    rows = [Measurement(key, "footing", cost / study.target - 1) for cost in costs[:1]]
    if "width" in study.footing.equal_by:
        rows.append(Measurement(key, "solved_width", widths_of(network.topology, 1)[0]))
    if "depth" in study.footing.equal_by:
        depth = sum(len(stage.blocks) for stage in network.stages)
        rows.append(Measurement(key, "solved_depth", depth))
    return rows


def note_left_out(study: Study, record: Record, listener: Listener) -> None:
    """Say, and write down, which mixes were passed over because they cannot cost what all do."""
    reasons = study.left_out
    if reasons:
        text = f"{left_out_words(study)}; the first: {reasons[0]}"
        listener(Warned(text))
        record.note("", "warning", text)


def left_out_words(study: Study) -> str:
    """How many of the mixes that were looked at were passed over; empty where none was."""
    count = len(study.left_out)
    if not count:
        return ""
    mixes = "1 mix was" if count == 1 else f"{count} mixes were"
    return f"{mixes} left out: no width or depth gives the cost that all have"
