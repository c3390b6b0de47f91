"""What went wrong or is missing in a run, said before its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reports.analysis.statistics import FEWEST_SEEDS
from reports.apart import apart
from reports.footing import at_the_edge, edge_words, footing, rates
from reports.found import Found
from reports.quality import several_tasks as different_inputs
from reports.rankings import ranks
from reports.units import count, spoken, title


@dataclass(frozen=True)
class Finding:
    """One line of the health check.

    Args:
        level: good, note (know this when reading) or bad (numbers are missing).
        text: One sentence.
        details: More lines, such as the reason of each failure.
    """

    level: Literal["good", "note", "bad"]
    text: str
    details: tuple[str, ...] = ()


def health(found: Found) -> tuple[Finding, ...]:
    """Every check that has something to say, the worst first; one good line if none has."""
    findings = [finding for check in CHECKS for finding in check(found)]
    if not any(finding.level == "bad" for finding in findings):
        trials = count(len(found.trials), "trial")
        findings.insert(0, Finding("good", f"{trials} done; none diverged, none failed."))
    return tuple(sorted(findings, key=lambda finding: ("bad", "good", "note").index(finding.level)))


def unfinished(found: Found) -> list[Finding]:
    """Mixes that wait, and seeds that are still to come."""
    if found.trials.empty:
        return [Finding("bad", "No trial is in the record yet.")]
    waiting = int((found.table["status"] == "waiting").sum())
    findings = []
    if waiting:
        findings.append(
            Finding("bad", f"{count(waiting, 'mix')} of {len(found.table)} not trained yet.")
        )
    seeds = found.trials.groupby("mix")["seed"].nunique()
    asked = min(int(found.facts.get("seeds", seeds.max())), seeds.max())  # fronts may have more
    fewer = int((seeds < asked).sum())
    if fewer:
        findings.append(
            Finding("bad", f"{count(fewer, 'mix')} with fewer seeds than the others so far.")
        )
    return findings


def stopped(found: Found) -> list[Finding]:
    """Mixes that were left at a rung, because others beat them there."""
    table = found.table[found.table["status"] == "stopped"]
    if table.empty:
        return []
    steps = table["stopped_at"].value_counts().sort_index()
    where = ", ".join(f"{number} at step {step:.0f}" for step, number in steps.items())
    text = (
        f"{len(table)} of {count(len(found.table), 'mix')} stopped at a rung ({where}): they count "
        "nowhere but in the section on rungs."
    )
    return [Finding("note", text)]


def broken_trials(found: Found) -> list[Finding]:
    """Trials that diverged or failed, with their reasons."""
    findings = []
    labels = found.table["label"]
    for status, rule in (
        ("diverged", "its mix is kept off the front"),
        ("failed", "its mix counts with the seeds that are left"),
    ):
        rows = found.trials[found.trials["status"] == status]
        if len(rows):
            details = tuple(
                f"{labels[mix]}, seed {seed}: {reason or 'no reason recorded'}"
                for mix, seed, reason in rows[["mix", "seed", "reason"]].to_numpy().tolist()
            )
            text = f"{len(rows)} of {count(len(found.trials), 'trial')} {status}; {rule}."
            findings.append(Finding("bad", text, details))
    return findings


def other_trainings(found: Found) -> list[Finding]:
    """Trials that had to be trained in another way than the rest."""
    said, trials = apart(found)
    return [Finding("bad", said, trials)] if said else []


def missing_costs(found: Found) -> list[Finding]:
    """Objectives that were not measured, of all mixes or of some."""
    findings = []
    counts = found.table["status"].isin(["done", "partial"])
    for objective in found.objectives:
        if objective in found.per_seed or not counts.any():
            continue
        name = title(objective)
        if objective not in found.table or found.ranked[objective].isna().all():
            findings.append(Finding("bad", f"{name} has not been measured yet: no front."))
            continue
        missing = int(found.table.loc[counts, objective].isna().sum())
        if missing:
            findings.append(
                Finding("bad", f"{count(missing, 'mix')} without {spoken(name)}; not on the front.")
            )
    return findings


def few_seeds(found: Found) -> list[Finding]:
    """Too few seeds to claim a difference."""
    most = max((values.shape[1] for values in found.per_seed.values()), default=0)
    if 0 < most < FEWEST_SEEDS:
        claim = "no spread can be shown" if most == 1 else "no difference between mixes is claimed"
        return [Finding("note", f"{count(most, 'seed')} to a mix: {claim}.")]
    return []


def several_sittings(found: Found) -> list[Finding]:
    """Latencies that were not measured side by side."""
    rows = found.measurements[found.measurements["metric"] == "latency"]
    rows = rows[rows["subject"].isin(found.ranked.index)]  # stopped ones were timed before
    last = rows.drop_duplicates(["subject", "mode"], keep="last")
    sittings = last.groupby("mode")["sitting"].nunique()
    if (sittings > 1).any():
        text = f"Latency comes from {sittings.max()} sittings; compare across them with care."
        return [Finding("note", text)]
    return []


def ties(found: Found) -> list[Finding]:
    """Mixes that latency can't put in order."""
    findings = []
    for shown in ranks(found)[:1]:
        if shown.ties:
            findings.append(Finding("note", shown.sentence))
    return findings


def disturbances(found: Found) -> list[Finding]:
    """What disturbed the machine while networks were timed."""
    texts = list(found.notes.loc[found.notes["topic"] == "conditions", "text"].unique())
    if not texts:
        return []
    text = f"The machine was disturbed while it timed: {texts[0]}."
    return [Finding("note", text, tuple(texts[1:]))]


def doubtful_latency(found: Found) -> list[Finding]:
    """Latencies measured under a remark, such as that the machine was busy."""
    rows = found.notes[found.notes["topic"] == "latency"]
    rows = rows[rows["subject"].isin(found.table.index)]
    rows = rows[~rows["text"].str.contains("was not measured", regex=False)]
    if rows.empty:
        return []
    mixes, texts = rows["subject"].nunique(), list(rows["text"].unique())
    text = f"Take the latency of {count(mixes, 'mix')} with care: {texts[0]}."
    return [Finding("note", text, tuple(texts[1:]))]


def several_tasks(found: Found) -> list[Finding]:
    """Mixes that restored different inputs, whose PSNR can't be compared."""
    if different_inputs(found.per_seed):
        text = "Mixes were scored on different degraded inputs: compare the gain, not the PSNR."
        return [Finding("note", text)]
    return []


def notes(found: Found) -> list[Finding]:
    """Operators without a count, and warnings of the run."""
    findings = []
    for topic, said in (
        ("uncounted", "Operators without a multiply-add count"),
        ("warning", "Warnings"),
    ):
        texts = list(found.notes.loc[found.notes["topic"] == topic, "text"].unique())
        if texts:
            shown = ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if texts[3:] else "")
            findings.append(Finding("note", f"{said}: {shown}.", tuple(texts[3:])))
    return findings


def standing(found: Found) -> list[Finding]:
    """Whether mixes cost the same, and how their learning rates were chosen."""
    said = " ".join(text for text in (footing(found), rates(found)) if text)
    findings = [Finding("note", said)] if said else []
    if edges := at_the_edge(found):
        findings.append(Finding("note", edge_words(edges), edges))
    return findings


CHECKS: tuple[Callable[[Found], list[Finding]], ...] = (
    unfinished,
    stopped,
    broken_trials,
    other_trainings,
    missing_costs,
    few_seeds,
    several_sittings,
    doubtful_latency,
    disturbances,
    ties,
    several_tasks,
    standing,
    notes,
)
