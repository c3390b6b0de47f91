"""A run seen from Python: its results as a table, its front, its report, its trained networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from torch import nn

from ablate.citing import source_of
from ablate.folder import RunError, RunFolder
from ablate.mix import Evaluation, Mix, mix_from_json
from ablate.network import build
from ablate.training.checkpoint import load_weights
from blocks import nearest
from reports.build import write_report
from reports.display import Drawn, run_html
from reports.figures import draw_front, front_figure
from reports.numbers.results import results
from reports.paper.kit import write_paper


class Run:
    """A run on disk, finished or not.

    Args:
        folder: Where it lies, as `ablate run` printed it.

    Raises:
        RunError: There is no run.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = RunFolder(Path(folder))
        self.folder.open().close()

    def results(self) -> pd.DataFrame:
        """One row per mix: axes, PSNR and SSIM with spread, costs, place on the front."""
        with self.folder.open() as record:
            return results(record)

    def front(self) -> pd.DataFrame:
        """The rows of `results` that no other mix dominates."""
        table = self.results()
        return table[table["on_front"].astype(bool)]

    def draw(self, path: Path | str) -> Path:
        """Draw accuracy against speed into a PNG, SVG or PDF file."""
        return draw_front(self.results(), Path(path))

    def figure(self) -> Drawn:
        """Accuracy against speed as a figure that a notebook shows; `.figure` is matplotlib's."""
        return Drawn(front_figure(self.results()))

    def _repr_html_(self) -> str:
        """What a notebook shows: the answer so far, and the front."""
        return run_html(self.folder.record)

    def report(self) -> Path:
        """Write the report again from the record; returns the page."""
        return write_report(self.folder.record, self.folder.path)["report.html"]

    def paper(self, folder: Path | str) -> Path:
        """Write tables, figures, methods and BibTeX for a paper; returns its main.tex."""
        return write_paper(self.folder.record, folder, source_of)["main.tex"]

    def mix(self, name: str) -> tuple[str, Mix]:
        """Key and mix by label, by key or by the beginning of a key.

        Raises:
            RunError: No mix, or more than one, is meant.
        """
        with self.folder.open() as record:
            table = record.mixes()
        found = table[(table["label"] == name) | table["key"].str.startswith(name)]
        if len(found) != 1:
            raise RunError(_not_one(name, list(table["label"]), len(found)))
        row = found.iloc[0]
        return str(row["key"]), mix_from_json(str(row["spec"]))

    def evaluation(self) -> Evaluation:
        """How this run scores restored images."""
        with self.folder.open() as record:
            return Evaluation(**json.loads(record.facts()["evaluation"]))

    def model(self, name: str, seed: int = 0) -> nn.Module:
        """The trained network of a mix, in eval mode on the CPU.

        Raises:
            RunError: No such mix, or it was not trained to the end with this seed.
            CheckpointError: Its weights are missing or damaged.
        """
        key, mix = self.mix(name)
        with self.folder.open() as record:
            trials, facts = record.trials(), record.trial_facts()
        row = trials[(trials["mix"] == key) & (trials["seed"] == seed)]
        if row.empty or row.iloc[0]["status"] != "done":
            raise RunError(_not_trained(name, seed, trials[trials["mix"] == key]))
        trial = str(row.iloc[0]["key"])
        kept = facts[(facts["trial"] == trial) & (facts["name"] == "weights_sha256")]
        model = build(mix.network)
        load_weights(model, self.folder.checkpoint(trial), str(kept.iloc[0]["value"]))
        return model.eval()


def load_model(run: Path | str, mix: str, seed: int = 0) -> nn.Module:
    """The trained network of a mix: `model(image)["image"]`, image (B, 3, H, W) in [0, 1].

    Args:
        run: The run folder.
        mix: The mix's label as the report shows it, or its key.
        seed: Which of its trials.

    Raises:
        RunError: There is no such run, mix or finished trial.
        CheckpointError: Its weights are missing or damaged.
    """
    return Run(run).model(mix, seed)


def _not_one(name: str, labels: Sequence[str], count: int) -> str:
    if count:
        return f"mix '{name}' may mean {count} mixes; give the whole label or more of the key"
    hint = nearest(name, labels)
    return f"no mix of this run is named '{name}'{hint} (mixes: {'; '.join(labels)})"


def _not_trained(name: str, seed: int, trials: pd.DataFrame) -> str:
    done = ", ".join(str(s) for s in trials[trials["status"] == "done"]["seed"])
    return f"mix '{name}' has no finished trial with seed {seed} (finished seeds: {done or 'none'})"
