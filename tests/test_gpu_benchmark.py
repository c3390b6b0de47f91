from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

from ablate.study import load_study
from benchmarks import gpu
from benchmarks.gpu_sections import SECTIONS, systems
from benchmarks.gpu_sections.section import Json, Section, Setting

ON_CPU = Setting(device=torch.device("cpu"), small=True)


def section(measured: list[str], *, fails: str = "") -> Section:
    """Three items that are numbers, and take as long as nothing."""

    def measure(item: str, _: Setting) -> Json:
        measured.append(item)
        if item == fails:
            raise RuntimeError("the device is gone\nand more")
        return {"value": int(item)}

    def lines(found: Mapping[str, Json]) -> Iterator[str]:
        yield f"sum {sum(row.get('value', 0) for row in found.values())}"

    return Section(
        words="numbers", goal="all", items=lambda _: ["1", "2", "3"], measure=measure, lines=lines
    )


def test_what_is_measured_is_kept_and_not_measured_again(tmp_path: Path) -> None:
    measured: list[str] = []
    for _ in range(2):
        results = gpu.Results(tmp_path / "gpu.json", ON_CPU)
        list(gpu.work(section(measured), "numbers", ON_CPU, results, time.monotonic() + 60))
    assert measured == ["1", "2", "3"]
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert kept["sections"]["numbers"]["3"] == {"value": 3}
    assert kept["machine"]["torch"] == torch.__version__


def test_results_of_another_machine_are_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    results = gpu.Results(file, ON_CPU)
    results.keep("numbers", "1", {"value": 1}, 0.1)
    whole = json.loads(file.read_text())
    whole["machine"]["key"] = "another GPU"
    file.write_text(json.dumps(whole))
    assert gpu.Results(file, ON_CPU).of("numbers") == {}


def test_nothing_is_begun_when_the_time_is_up(tmp_path: Path) -> None:
    measured: list[str] = []
    results = gpu.Results(tmp_path / "gpu.json", ON_CPU)
    said = list(gpu.work(section(measured), "numbers", ON_CPU, results, time.monotonic() - 1))
    assert (measured, said) == ([], ["numbers: out of time before 1"])


def test_an_item_that_fails_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = gpu.Results(tmp_path / "gpu.json", ON_CPU)
    failing = section([], fails="2")
    monkeypatch.setitem(SECTIONS, "numbers", failing)
    list(gpu.work(failing, "numbers", ON_CPU, results, time.monotonic() + 60))
    text = "\n".join(gpu.table(results, ["numbers"]))
    assert "sum 4" in text
    assert "not measured: 2: RuntimeError: the device is gone" in text


def test_the_correctness_section_finds_blocks_and_scans_right_on_a_processor() -> None:
    correct = SECTIONS["correct"]
    found = {item: correct.measure(item, ON_CPU) for item in ("block rdcnn", "scan torch")}
    assert found["block rdcnn"]["float32"] < 1e-4
    assert "2 checked, 0 out of their limits" in "\n".join(correct.lines(found))
    found["scan torch"] = {"float32": 0.5}
    assert "scan torch, float32: off by 5.0e-01" in "\n".join(correct.lines(found))


def test_every_section_names_what_it_would_measure_on_a_gpu() -> None:
    setting = Setting(device=torch.device("cuda"))
    for name, part in SECTIONS.items():
        items = list(part.items(setting))
        assert items, name
        assert len(items) == len(set(items)), name


def test_super_resolution_is_timed_at_the_size_that_it_enlarges() -> None:
    assert systems.large(systems.mix_of("mambair-light-x2")) == (360, 640)
    assert systems.large(systems.mix_of("restormer")) == (720, 1280)


def test_the_study_for_a_gpu_holds_the_published_network_and_homogeneous_ones() -> None:
    study = load_study("restormixer_on_a_gpu")
    assert study.seeds == 3
    published = load_study("restormixer")
    network = study.mix(study.at(0)).network
    assert network.topology.settings["width"] == 32
    theirs = published.mix(published.at(0)).network
    assert [len(s.blocks) for s in network.stages] == [len(s.blocks) for s in theirs.stages]


def test_without_a_gpu_one_line_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    command = [sys.executable, "-m", "benchmarks.gpu", "--sections", "correct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "no CUDA device: nothing measured (--device cpu --small tries it out)"
    ]
