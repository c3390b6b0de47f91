"""Names that try to be more than names, and a record in which every name is one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reports.record import (
    Measurement,
    Metric,
    MixRow,
    Note,
    Picture,
    Record,
    StageRow,
    TrialRow,
)
from tests.simulated_run import METRICS, curves, picture, png

NASTY = {
    "html": "<b>bold</b><img src=x onerror=alert(1)>",
    "attribute": "\" onmouseover=\"alert(2)\" x='y' style='color:red",
    "script end": "</script><script>alert(3)</script><!-- ]]>",
    "entity": "&lt;b&gt; &amp; &#60; &copy",
    "template": "{{ 7 * 7 }}{% raw %}${7*7}#{7}",
    "svg": "</text></svg><svg onload=alert(4)>",
    "formula": "=cmd|' /C calc'!A0",
    "plus": '+1+HYPERLINK("http://x.invalid")',
    "minus": "-2+3",
    "at": "@SUM(1)",
    "latex": "\\input{/etc/passwd} 5 % # & ~ ^ _ {} \\\\ \\end{tabular}",
    "row": "[3ex] *{9} -- --- ,, ?` !` ''",
    "mathtext": "$\\frac{$ x_{$ $$",
    "markdown": "[a](javascript:alert(5)) ![b](http://x.invalid/y.png) `c` **d** ~~e~~ # <http://x>",
    "list": "1. one",
    "dash": "- two",
    "letters": "网络 ß é Ł 😀 α ± −",
    "turned": "abc\u202egnp.exe\u202c\u2066x\u200b\ufeff",
    "control": "bell\x07 escape\x1b[31m delete\x7f",
    "lines": "one\ntwo\r\nthree\ttab\u2028four",
    "long": "x" * 600 + " end",
}
ALL = " ".join(text for name, text in NASTY.items() if name != "long")
OWN = Metric("own", NASTY["mathtext"], "higher", ALL)  # as a metric of one's own may be


def nasty_record(path: Path, seeds: int = 3) -> Path:
    """A record of a finished run: each text is a level, a label and a block once, all of them
    together are its question, facts, notes, reasons and images."""
    rng = np.random.default_rng(5)
    facts = {ALL[:200]: ALL, "machine.cpu": ALL, "data_digest": NASTY["latex"], "search": ALL}
    record = Record.create(path, ALL, ALL, ALL, facts, ("psnr", "latency"))
    with record:
        record.define([*METRICS, OWN])
        rows = [_mix(at, text) for at, text in enumerate(NASTY.values())]
        record.add_mixes(rows)
        for at, row in enumerate(rows):
            for seed in range(seeds):
                _trial(record, row.key, at, seed, rng)
        costs = []
        for at, row in enumerate(rows):
            seconds = 0.01 + 0.001 * at
            place = {"mode": "64x64", "device": ALL[:80], "backend": NASTY["html"]}
            costs.append(
                Measurement(row.key, "latency", seconds, seconds * 0.99, seconds * 1.01, 9, **place)
            )
            costs.append(Measurement(row.key, "params", 1000.0 * (at + 1)))
        notes = [Note("", "warning", ALL), Note("", NASTY["script end"], ALL)]
        record.add_sitting(costs, [], notes)
    return path


def _mix(at: int, text: str) -> MixRow:
    stages = (StageRow("stage1", text, "cnn", 1), StageRow("stage2", "b", text, 2))
    levels = {NASTY["html"]: text, NASTY["mathtext"]: ("a", "b")[at % 2]}
    return MixRow(f"mix{at:013x}", f"{text} | {at}", "{}", levels, stages)


def _trial(record: Record, mix: str, at: int, seed: int, rng: np.random.Generator) -> None:
    key = f"{mix}-{seed}"
    if at == 1 and seed == 0:
        record.add_trial(TrialRow(key, mix, seed, "failed", ALL, 1.0))
        return
    quality = 28.0 + 0.1 * at + float(rng.normal(0, 0.02))
    values = {"psnr": quality, "ssim": 0.8, "input_psnr": 20.0, "input_ssim": 0.4, "own": quality}
    row = TrialRow(key, mix, seed, "done", "", 2.0, {NASTY["attribute"]: ALL})
    measured = [Measurement(key, name, value) for name, value in values.items()]
    shots = []
    if seed == 0:
        image = picture(32)
        kinds = ("input", "target", "restored")
        shots = [Picture(key, ALL, kind, png(image)) for kind in kinds]
    record.add_trial(row, measured, curves(key, quality, rng), shots)
