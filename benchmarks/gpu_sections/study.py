"""A real study on the GPU: RestorMixer's mix of blocks against the same block in every stage."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.gpu_sections.section import Json, Section, Setting

NAME = "restormixer_on_a_gpu"
FOLDER = Path("runs") / NAME
TURN = 240  # seconds of training before it is interrupted; the next item goes on
TURNS = 5


def items(setting: Setting) -> Sequence[str]:
    """The run goes on turn by turn."""
    return [f"turn {number}" for number in range(1, TURNS + 1)] if setting.on_gpu else []


def measure(item: str, setting: Setting) -> Json:
    """Train for some minutes, as a user would; interrupted like one, and gone on with later."""
    command = [
        sys.executable,
        "-m",
        "ablate",
        "run",
        NAME,
        "--device",
        "cuda",
        "--out",
        str(FOLDER),
    ]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = run.communicate(timeout=TURN)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate()
    return {"code": run.returncode, "end": said.splitlines()[-5:]}


def lines(found: Mapping[str, Json]) -> Iterator[str]:
    """How far it is."""
    for item, row in found.items():
        yield f"{item}: exit code {row.get('code')}; {' / '.join(row.get('end', []))[-160:]}"


SECTION = Section(
    words=f"`ablate run {NAME} --device cuda`, in turns of {TURN // 60} minutes",
    goal="a record and a report to look at",
    items=items,
    measure=measure,
    lines=lines,
)
