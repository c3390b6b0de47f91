"""What went wrong or is missing in a run, said before its numbers, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from reports.checks.apart import apart
from reports.checks.design import baseline_not_beaten, confounded, few_seeds, single, unlike_seeds
from reports.checks.footing import at_the_edge, edge_words, footing, rates
from reports.checks.machine import (
    BEGAN,
    changed_on_the_way,
    disturbances,
    doubtful_latency,
    mixed_kernels,
    several_sittings,
    ties,
)
from reports.fidelity.holding import unfair_judge
from reports.numbers.finding import Finding
from reports.numbers.found import Found
from reports.numbers.quality import several_tasks as different_inputs
from reports.numbers.units import count, spoken, title

__all__ = ["CHECKS", "Finding", "health"]

LISTED = 40  # trials that are listed with their reasons


def health(found: Found) -> tuple[Finding, ...]:
    """Every check that has something to say, the worst first; one good line if none has."""
    findings = [finding for check in CHECKS for finding in check(found)]
    if not findings:
        done = count(len(found.trials), "trial")
        findings = [Finding("good", f"Nothing amiss: {done} done; none diverged, none failed.")]
    return tuple(sorted(findings, key=lambda finding: ("bad", "note", "good").index(finding.level)))


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
    seeds = found.trials.groupby("mix", observed=True)["seed"].nunique()
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
    for status, rule in (
        ("diverged", "{} kept off the front"),
        ("failed", "{} judged by the seeds that are left"),
    ):
        rows = found.trials[found.trials["status"] == status]
        if len(rows):
            shown = rows[["mix", "seed", "reason"]].to_numpy()[:LISTED].tolist()
            details = [
                f"{found.label(str(mix))}, seed {seed}: {reason or 'no reason recorded'}"
                for mix, seed, reason in shown
            ]
            details += [f"and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
            whose = "its mix is" if rows["mix"].nunique() == 1 else "their mixes are"
            text = f"{len(rows)} of {count(len(found.trials), 'trial')} {status}; "
            text += f"{rule.format(whose)}."
            findings.append(Finding("bad", text, tuple(details)))
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
        texts = [str(t) for t in found.notes.loc[found.notes["topic"] == topic, "text"].unique()]
        texts = [text for text in texts if not text.startswith(BEGAN)]  # said by another check
        if texts:
            shown = ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if texts[3:] else "")
            findings.append(Finding("note", f"{said}: {shown}.", tuple(texts[3:])))
    return findings


def standing(found: Found) -> list[Finding]:
    """Whether mixes cost the same, and chose their learning rates from a list too short."""
    said = footing(found)
    said = f"{said} {rates(found)}".strip() if said else ""
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
    baseline_not_beaten,
    confounded,
    mixed_kernels,
    few_seeds,
    single,
    unlike_seeds,
    unfair_judge,
    changed_on_the_way,
    several_sittings,
    doubtful_latency,
    disturbances,
    ties,
    several_tasks,
    standing,
    notes,
)
