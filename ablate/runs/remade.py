"""Finds finished trials that would be made of other source, or by other source, now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from ablate.identity.importing import PACKAGES
from ablate.identity.sources import Sources
from ablate.mix import mix_from_json
from ablate.runs.context import SOURCES, TRAINING_CODE
from ablate.runs.differing import ABSENT, Change
from reports.record import Reading, Record

CODE = "code"  # the fact of a trial with one digest of all files of its mix
UNMIXED = (  # why a run cannot go on, and what to do
    "its numbers would not mix with new ones: put that back, or start beside it, where finished "
    "trials that fit are taken over: ablate run ... --new-run"
)
_FINISHED = ("done", "diverged")


def remade(record: Reading, sources: Sources) -> list[Change]:
    """What is different in the source of finished trials: files that came, or that left.

    Args:
        record: Of the run; files that it knows are what they were.
        sources: As they are now.
    """
    known = json.loads(record.facts().get(SOURCES, "{}"))
    trials, facts = record.trials(), record.trial_facts()
    ended = trials[trials["status"].isin(_FINISHED)][["key", "mix"]]
    codes = facts[facts["name"] == CODE].merge(ended, left_on="trial", right_on="key")
    specs = dict(record.mixes()[["key", "spec"]].to_numpy().tolist())
    found = dict[str, Change]()
    for mix_key, code in codes[["mix", "value"]].drop_duplicates().to_numpy().tolist():
        mix = mix_from_json(specs[mix_key])
        if sources.code_digest(mix) != code:
            for change in _changes(known, sources.of(mix)):
                found.setdefault(change.name, change)
    return list(found.values())


def has_results(record: Reading) -> bool:
    """Whether a run has anything that other source would have made otherwise."""
    return bool(record.trials()["status"].isin(_FINISHED).any()) or not record.partials().empty


def training_codes(record: Reading) -> set[str]:
    """Digests of the code that trained what is in a record; none where nobody kept it."""
    kept = record.facts().get(TRAINING_CODE)
    facts = record.trial_facts()
    trained = facts[facts["name"] == TRAINING_CODE]["value"]
    return {kept} if kept else {str(code) for code in trained}


def keep_training_code(record: Record, code: str, told: Callable[[str], None]) -> None:
    """Have the code that trains among the facts of a run that goes on.

    Args:
        record: Of the run, which began before it was kept there, or has no results yet.
        code: Digest of the code that trains from here on.
        told: Called with a line where finished trials were trained by other code.
    """
    codes = training_codes(record) or {"unknown"}
    before = sorted(codes - {code})
    if before and has_results(record):
        text = (
            f"trials of this run were trained by other code ({', '.join(before)}) "
            f"than it goes on with ({code})"
        )
        record.note("", "warning", text)
        told(text)
    record.set_fact(TRAINING_CODE, code)


def _changes(known: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """Files that a mix is made of now and was not; where there is none, some are left out."""
    came = [name for name, digest in now.items() if known.get(name) != digest]
    outside = [name for name in came if name.partition("/")[0] not in PACKAGES]
    if not came:
        return [Change("files that trials are made of", "some more", "some fewer")]
    return [  # what came from outside brought what it imports of ours
        Change(f"source of {name}", known.get(name, ABSENT), now[name]) for name in outside or came
    ]
