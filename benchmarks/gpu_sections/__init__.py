"""What is measured on a GPU, a file for each section: add one there and name it here."""

from __future__ import annotations

from benchmarks.gpu_sections import (
    blocks,
    composition,
    correct,
    energy,
    latency,
    scans,
    study,
    systems,
)
from benchmarks.gpu_sections.section import Section

SECTIONS: dict[str, Section] = {
    "correct": correct.SECTION,
    "scan": scans.SECTION,
    "blocks": blocks.SECTION,
    "latency": latency.SECTION,
    "systems": systems.SECTION,
    "energy": energy.SECTION,
    "composition": composition.SECTION,
    "study": study.SECTION,
}
