"""Whether what was timed compares: one sitting, one kernel, one machine, no disturbance."""

from __future__ import annotations

from reports.numbers.finding import Finding
from reports.numbers.found import Found
from reports.numbers.rankings import ranks
from reports.numbers.units import count

BEGAN = "the run began with "  # how a note on a change of machine or version begins
KERNELS = ("scan backend", "scan_backend")  # facts of trials
PLACES = ("device", "gpu", "cpu")  # the same


def several_sittings(found: Found) -> list[Finding]:
    """Latencies that were not measured side by side."""
    rows = found.costs[found.costs["metric"] == "latency"]
    rows = rows[rows["subject"].isin(found.ranked.index)]  # stopped ones were timed before
    last = rows.drop_duplicates(["subject", "mode"], keep="last")
    sittings = last.groupby("mode", observed=True)["sitting"].nunique()
    if (sittings > 1).any():
        text = f"Latency comes from {sittings.max()} sittings; compare across them with care."
        return [Finding("note", text)]
    return []


def mixed_kernels(found: Found) -> list[Finding]:
    """Mixes that were timed or trained with different kernels of the scan, or devices."""
    findings = []
    rows = found.costs[found.costs["metric"].isin(["latency", "energy"])]
    rows = rows[rows["subject"].isin(found.ranked.index)]
    last = rows.drop_duplicates(["subject", "metric", "mode"], keep="last")
    for column, what in (("backend", "kernels of the scan"), ("device", "devices")):
        timed = last[last[column] != ""]
        names = [
            sorted(set(of_one[column]))
            for _, of_one in timed.groupby(["metric", "mode"], sort=False, observed=True)
        ]
        worst = max(names, key=len, default=[])
        if len(worst) > 1:
            text = f"Mixes were timed with different {what} ({', '.join(worst)})"
            findings.append(Finding("bad", f"{text}: their costs do not compare."))
    return findings + _mixed_trials(found)


def _mixed_trials(found: Found) -> list[Finding]:
    """Trials that ran with another kernel or on another device than the rest."""
    findings = []
    facts = found.trial_facts
    facts = facts[facts["name"].isin(KERNELS + PLACES)]
    facts = facts[facts["trial"].isin(found.trials["key"][found.trials["status"] == "done"])]
    for names, what in ((KERNELS, "kernels of the scan"), (PLACES, "devices")):
        rows = facts[facts["name"].isin(names)]
        for name in dict.fromkeys(rows["name"]):
            counts = rows[rows["name"] == name]["value"].value_counts()
            if len(counts) > 1:
                parts = [f"{value}: {count(int(n), 'trial')}" for value, n in counts.items()]
                text = f"Trials were trained with different {what} ({', '.join(parts)})"
                findings.append(Finding("note", f"{text}: numbers may differ by that."))
    return findings


def changed_on_the_way(found: Found) -> list[Finding]:
    """A run that went on with another machine or other versions than it began with."""
    notes = found.notes[found.notes["topic"] == "warning"]
    texts = [str(text) for text in notes["text"].unique() if str(text).startswith(BEGAN)]
    if not texts:
        return []
    said = "; ".join(each.removeprefix("the run ") for each in texts)
    return [Finding("note", f"The run is not of one piece: it {said}.")]


def ties(found: Found) -> list[Finding]:
    """Mixes that latency can't put in order."""
    return [Finding("note", shown.sentence) for shown in ranks(found)[:1] if shown.ties]


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
