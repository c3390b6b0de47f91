"""What makes a trial the same one: the source that its mix is made of, and nothing else."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

import ablate
from ablate.identity import importing
from ablate.identity.importing import ROOT, imported, parsed
from ablate.identity.keys import trial_key
from ablate.identity.sources import Sources, code_digest
from ablate.identity.sources import running as stripped
from ablate.metrics import metrics
from ablate.mix import Choice, Evaluation, Mix, Network, Stage, Task, Training
from blocks import blocks

PLUGIN = '''
"""A plug-in."""

from torch import nn

from blocks import register
from blocks._layout import round_up


@register(family="none", source="a test")
class Own(nn.Module):
    """Does nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x):
        return x
'''


def running(text: str) -> str:
    tree = parsed(text)
    assert tree is not None
    return stripped(text, tree)


def mix(block: str = "nafblock", degradation: Choice | None = None) -> Mix:
    filled = Stage(slot="stage1", blocks=(Choice(name=block),))
    network = Network(topology=Choice(name="unet"), stages=(filled,))
    noise = degradation or Choice.of("gaussian_noise", {"sigma": 25.0})
    return Mix(task=Task(degradation=noise), network=network, training=Training())


def test_a_mix_is_made_of_its_blocks_topology_loss_and_degradation_and_their_imports():
    names = set(Sources().of(mix()))
    named = {"blocks/nafblock.py", "ablate/topologies/unet.py", "ablate/training/losses.py"}
    behind = {"ablate/topologies/_parts.py", "ablate/tasks/degradations/sensor.py"}
    assert named | behind <= names


def test_other_blocks_are_no_part_of_a_mix():
    names = set(Sources().of(mix()))
    assert not {"blocks/mwsa.py", "blocks/emvm.py", "ablate/topologies/restormer.py"} & names
    assert "blocks/scan/_native.py" not in names


def test_what_only_describes_mixes_is_no_part_of_them():
    assert not {"ablate/mix.py", "blocks/_registry.py"} & set(Sources().of(mix()))


def test_a_package_that_is_one_thing_counts_whole_with_its_kernel():
    names = set(Sources().of(mix("vss")))
    assert {"blocks/scan/_native.py", "blocks/scan/_chunked.py", "blocks/scan/kernel.c"} <= names


def test_degradations_inside_a_degradation_count():
    inner = (Choice(name="gaussian_blur"), Choice(name="gaussian_noise"))
    names = set(Sources().of(mix(degradation=Choice.of("mixture", {"of": inner}))))
    assert "ablate/tasks/degradations/blur.py" in names


def test_the_code_that_trains_reaches_the_loop_and_the_metrics():
    named = Sources()._named(Sources()._reached(ROOT / "ablate/trials/trial.py"))
    assert {"ablate/trials/trial.py", "ablate/training/loop.py", "ablate/metrics.py"} <= set(named)
    assert "blocks/mwsa.py" not in named
    assert Sources().training() == Sources().training()


def test_a_comment_or_a_docstring_changes_nothing_and_code_does():
    text = 'def f(x):\n    """Doc."""\n    return x + 1  # one more\n'
    assert running(text) == "def f(x):\n    return x + 1"
    reworded = '"""New."""\n\n# a remark\ndef f(x):\n\n    """Other\n    words."""\n'
    reworded += "    return x + 1\n"
    assert running(reworded) == running(text)
    assert running(text.replace("+ 1", "+ 2")) != running(text)


def test_text_that_looks_like_a_comment_or_a_docstring_stays():
    text = 'a = "# no comment"\nb = 1; """no docstring"""'
    assert running(text) == text
    inline = 'class A: "doc"'
    assert running(inline) == inline


def test_source_of_another_python_is_not_parsed():
    assert parsed("def f(:  # broken") is None
    assert parsed("a = 1\0") is None


def test_the_key_depends_on_all_that_defines_a_trial():
    first = trial_key(mix(), 0, "data", Evaluation(), "code")
    others = {
        trial_key(mix("plain_block"), 0, "data", Evaluation(), "code"),
        trial_key(mix(), 1, "data", Evaluation(), "code"),
        trial_key(mix(), 0, "others", Evaluation(), "code"),
        trial_key(mix(), 0, "data", replace(Evaluation(), border=1), "code"),
        trial_key(mix(), 0, "data", Evaluation(), "other code"),
        trial_key(mix(), 0, "data", Evaluation()),
    }
    assert len(others - {first}) == 6
    assert first == trial_key(mix(), 0, "data", Evaluation(), "code")


def test_a_changed_plugin_makes_another_mix_and_is_named(tmp_path: Path):
    file = tmp_path / "own.py"
    file.write_text(PLUGIN)
    ablate.load_plugins([str(file)])
    before = Sources().of(mix("own"))
    assert {"own.py", "blocks/_layout.py"} <= set(before)
    digest = code_digest(mix("own"))
    file.write_text(f"# a remark\n{PLUGIN}")
    assert code_digest(mix("own")) == digest
    assert Sources().changed(before, [str(file)]) == []
    file.write_text(PLUGIN.replace("return x", "return x + x"))
    assert code_digest(mix("own")) != digest
    assert Sources().changed(before, [str(file)]) == ["own.py"]
    assert Sources().changed(before, []) == ["own.py"]


METRIC = """
from ablate.metrics import metrics


@metrics.register(unit="dB", better="higher", method="own")
def own_metric(restored, clean):
    return 1.0
"""


def test_a_metric_of_a_plugin_is_part_of_every_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(metrics, "_entries", dict(metrics._entries))  # the others do not have it
    before = code_digest(mix())
    file = tmp_path / "own_metric.py"
    file.write_text(METRIC)
    ablate.load_plugins([str(file)])
    assert "own_metric.py" in Sources().of(mix())
    digest = code_digest(mix())
    assert digest != before
    file.write_text(METRIC.replace("1.0", "2.0"))
    assert code_digest(mix()) != digest


def test_imports_are_followed_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = {
        "ablate/__init__.py": "",
        "ablate/topologies/__init__.py": "from ablate.topologies._kept import named as handed\n",
        "ablate/topologies/_kept.py": "named = 1",
        "ablate/topologies/one.py": "from ._kept import named\nimport blocks._near\n",
        "ablate/topologies/two.py": "def f():\n    from ablate.topologies import handed, one\n",
        "blocks/__init__.py": "own = 2\n",
        "blocks/_near.py": "from blocks import own\nimport torch, blocks.gone\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(importing, "ROOT", tmp_path)

    def of(name: str) -> set[str]:
        tree = parsed((tmp_path / name).read_text())
        assert tree is not None
        found = imported(tree, tmp_path / name)
        return {file.relative_to(tmp_path).as_posix() for file in found}

    assert of("ablate/topologies/one.py") == {"ablate/topologies/_kept.py", "blocks/_near.py"}
    assert of("ablate/topologies/two.py") == {
        "ablate/topologies/_kept.py",
        "ablate/topologies/one.py",
    }
    assert of("blocks/_near.py") == {"blocks/__init__.py"}


def test_what_an_editor_leaves_in_a_package_that_counts_whole_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "blocks" / "scan"
    folder.mkdir(parents=True)
    sources = {"_native.py", "kernel.c", "kernel.cu", "kernel.h"}
    left = (".kernel.c.swp", "kernel.c~", ".#kernel.c", ".kernel.c", "kernel.so", "kernel.c.orig")
    for name in (*sources, *left):
        (folder / name).write_text("")
    monkeypatch.setattr(importing, "ROOT", tmp_path)
    tree = parsed("import blocks.scan._native")
    assert tree is not None
    assert {file.name for file in imported(tree, tmp_path / "blocks" / "a.py")} == sources


def installed(package: Path, block: str, files: dict[str, str]) -> Path:
    """A package with a block, as an installed plug-in has it."""
    for file, content in {"__init__.py": "", **files}.items():
        (package / file).parent.mkdir(parents=True, exist_ok=True)
        (package / file).write_text(content)
    importlib.invalidate_caches()
    importlib.import_module(f"{package.name}.{block}")
    return package


def test_an_installed_plugin_is_found_again_and_its_own_imports_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    files = {
        "kept.py": f"from . import ops\nimport kept_plugin.deep.math\nimport json\n{PLUGIN}",
        "ops.py": "def f():\n    from kept_plugin.deep import named\n",
        "deep/__init__.py": "from ._kept import named\n",
        "deep/_kept.py": "named = 1\n",
        "deep/math.py": "pi = 3\n",
        "other.py": "unused = 1\n",
        "kernel.cu": "// a kernel\n",
    }
    package = installed(tmp_path / "kept_plugin", "kept", files)
    before = Sources().of(mix("kept"))
    outside = {name for name in before if name.partition("/")[0] not in ("ablate", "blocks")}
    reached = ("kept.py", "ops.py", "deep/_kept.py", "deep/math.py", "kernel.cu")
    assert outside == {f"kept_plugin/{name}" for name in reached}
    assert "blocks/_layout.py" in before
    assert Sources().changed(before, ()) == []
    digest = code_digest(mix("kept"))
    (package / "other.py").write_text("unused = 2\n")
    assert code_digest(mix("kept")) == digest
    for name, text in (("deep/_kept.py", "named = 2\n"), ("kernel.cu", "// another\n")):
        (package / name).write_text(text)
        assert Sources().changed(before, ()) == [f"kept_plugin/{name}"]
        assert code_digest(mix("kept")) != digest
        (package / name).write_text(files[name])
    assert code_digest(mix("kept")) == digest


def test_two_plugins_whose_files_are_called_alike_both_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    for name in ("one", "two"):
        files = {f"in_{name}.py": f"from .ops import f\n{PLUGIN}", "ops.py": f"f = '{name}'\n"}
        installed(tmp_path / f"plugin_{name}", f"in_{name}", files)
    stages = (Choice(name="in_one"), Choice(name="in_two"))
    both = mix()
    filled = replace(both.network.stages[0], blocks=stages)
    both = replace(both, network=replace(both.network, stages=(filled,)))
    before = Sources().of(both)
    assert {"plugin_one/ops.py", "plugin_two/ops.py"} <= set(before)
    assert Sources().changed(before, ()) == []


def test_what_a_package_hands_on_from_a_compiled_module_ends_there(tmp_path: Path):
    package = tmp_path / "handing"
    package.mkdir()
    (package / "__init__.py").write_text("from . import _compiled\nfrom .ops import fast as f\n")
    (package / "ops.py").write_text("fast = 1\n")
    text = "from handing import _compiled\nfrom . import f\nimport handing\n"
    (package / "a.py").write_text(text)
    tree = parsed(text)
    assert tree is not None
    found = imported(tree, package / "a.py", (("handing", package),))
    names = [file.name for file in found]
    assert names == ["__init__.py", "ops.py", "__init__.py"]


def test_a_file_beside_a_plugin_that_it_imports_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    helper, file = tmp_path / "beside_ops.py", tmp_path / "with_helper.py"
    helper.write_text("two = 2\n")
    file.write_text(f"import beside_ops\n{PLUGIN}")
    ablate.load_plugins([str(file)])
    before = Sources().of(mix("with_helper"))
    assert {"with_helper.py", "beside_ops.py"} <= set(before)
    assert Sources().changed(before, [str(file)]) == []
    helper.write_text("two = 3\n")
    assert Sources().changed(before, [str(file)]) == ["beside_ops.py"]


def test_a_block_that_torch_brings_is_no_file_of_a_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    blocks.register(name="of_torch", family="none", source="torch")(nn.Identity)
    before = Sources().of(mix("of_torch"))
    assert all(name.startswith(("ablate/", "blocks/")) for name in before)
