"""What a run looks after before it goes on: rows that were damaged, and what a kill left behind."""

from __future__ import annotations

from collections.abc import Callable

from ablate.folder import RunFolder
from ablate.runs.sealing import broken_seals
from reports.record import Record


def mend(record: Record, place: RunFolder, told: Callable[[str], None]) -> None:
    """Take out what cannot be trusted, so that it is made again, and say so.

    A trial whose row is not what was written is trained again. Weights without a row are said:
    their trial ended as the run was killed, or the record lost its last rows.

    Args:
        record: Open for writing.
        place: Held by this process.
        told: Called with a line about what was found.
    """
    damaged = broken_seals(record)
    for key in damaged:
        text = (
            f"{place.record}: trial {key} is not what was written (its checksum does not hold); "
            "it is trained again"
        )
        record.forget(key)
        record.note("", "warning", text)
        told(text)
    trials = record.trials()
    settled = set(trials[trials["status"] != "failed"]["key"])
    left = {file.stem for file in place.path.glob("checkpoints/*.pt")} - settled - set(damaged)
    if left:
        trials_left = "1 trial" if len(left) == 1 else f"{len(left)} trials"
        told(
            f"{trials_left} left weights but no row in the record: the run was ended at that "
            "moment, or record.sqlite was copied without record.sqlite-wal; trained again"
        )
    for key in settled:
        place.state(key).unlink(missing_ok=True)
