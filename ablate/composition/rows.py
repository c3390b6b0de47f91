"""Predicted latencies as rows of a record, beside what is measured later."""

from __future__ import annotations

from ablate.composition.limits import Limits
from ablate.mix import Mix
from reports.record import Measurement, Metric

PREDICTED = "predicted_latency"


def predicted_metrics(limits: Limits) -> list[Metric]:
    """What a prediction means; nothing where latency is not bound."""
    if not limits.models:
        return []
    protocol = (
        "sum of stages timed by themselves and of what is around them, corrected by a fit to a few "
        "whole mixes; the interval is the worst relative error on mixes that it had not seen, or "
        "the mean on mixes left out of the fit where that is larger"
    )
    return [Metric(PREDICTED, "s", "none", protocol)]


def predicted_rows(mix: Mix, limits: Limits, device: str) -> list[Measurement]:
    """What the latency models say of a mix, at every size that is bound."""
    rows = []
    for model in limits.models.values():
        if model.outside(mix):
            continue
        seconds = model.predict(mix)
        low, high = (seconds * (1 + sign * model.error) for sign in (-1, 1))
        known = model.check.n if model.check else 0
        scan = model.fingerprint.get("scan", "")
        rows.append(
            Measurement(mix.key, PREDICTED, seconds, low, high, known, model.mode, scan, device)
        )
    return rows
