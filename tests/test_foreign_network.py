"""Any nn.Module that a Python file holds or makes can be profiled, and what cannot is one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from ablate.foreign.files import ForeignError
from ablate.foreign.networks import Foreign, find, is_foreign, make
from ablate.pricing.outputs import first_tensor, outputs_of

MODULE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.body = nn.Conv2d(3, width, 3, padding=1)
    def forward(self, x):
        return self.body(x)

class Two(Net):
    def forward(self, image, step):
        return image

class Silent(Net):
    def forward(self, image):
        return None

class Many(Net):
    def forward(self, image):
        return {"restored": self.body(image), "side": [image.mean((2, 3))]}

class ByValue(Net):
    def forward(self, image):
        return self.body(image) if image.sum().item() > 0 else image

def build():
    return Net(8)

def wide(width, *more, **others):
    return Net(width)

def wrong():
    return 3

def boom():
    raise RuntimeError("no weights" + chr(10) + "in reach")

def leaves():
    raise SystemExit(0)

ready = Net(2)
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "my_module.py"
    path.write_text(MODULE)
    return path


def made(file: Path, name: str) -> nn.Module:
    return make(find(f"{file}:{name}"))


def failure(file: Path, name: str) -> str:
    with pytest.raises(ForeignError) as raised:
        made(file, name)
    return str(raised.value)


def test_a_study_is_not_taken_for_a_file_of_python():
    assert is_foreign("my_module.py:build") and is_foreign("a/b.py:Net") and is_foreign("a.py")
    assert not is_foreign("quickstart") and not is_foreign("studies/one.toml")


def test_a_function_a_class_and_a_module_make_networks(file: Path):
    widths = {name: made(file, name).body.out_channels for name in ("build", "Net", "ready")}
    assert widths == {"build": 8, "Net": 4, "ready": 2}
    assert find(f"{file}:build") == Foreign(file=str(file), name="build")
    assert find(f"{file}:build").label == "my_module.py:build"


def test_what_is_missing_is_said_with_what_there_is(file: Path, tmp_path: Path):
    known = "(it has: Net, Two, Silent, Many, ByValue, build, wide, wrong ...)"
    assert (
        failure(tmp_path / "nothing.py", "build") == f"{tmp_path}/nothing.py: no such Python file"
    )
    hint = "; did you mean 'build'? "
    assert failure(file, "buidl") == f"my_module.py: has no 'buidl'{hint}{known}"
    with pytest.raises(ForeignError) as raised:
        find(str(file))
    assert str(raised.value) == (
        f"{file}: say which function or class of it makes the network, as in {file}:build {known}"
    )


def test_what_makes_no_network_says_why(file: Path):
    assert failure(file, "wide") == (
        "my_module.py:wide: wants width; give defaults, or name a function without arguments that "
        "calls it"
    )
    assert failure(file, "wrong") == "my_module.py:wrong: expected an nn.Module; got int"
    assert failure(file, "boom") == "my_module.py:boom: RuntimeError: no weights in reach"
    assert failure(file, "leaves") == "my_module.py:leaves: ends the program instead of making one"


def test_a_file_that_cannot_be_imported_says_why(file: Path):
    file.write_text("import nothing_of_this_name")
    wanted = "my_module.py: ModuleNotFoundError: No module named 'nothing_of_this_name'"
    assert failure(file, "build") == wanted
    file.write_text("import sys; sys.exit(0)")
    assert failure(file, "build") == (
        "my_module.py: ends the program while it is imported; put what runs it as a script under "
        'if __name__ == "__main__"'
    )
    file.write_text("def build(:")
    assert failure(file, "build").startswith("my_module.py: SyntaxError: ")


def test_a_name_of_ours_beside_the_file_is_explained(file: Path):
    (file.parent / "blocks.py").write_text("class Mine: pass")
    file.write_text("from blocks import Mine")
    said = failure(file, "build")
    assert said.endswith("('blocks' is a package of this program's own; yours needs another name)")


def test_a_file_of_a_package_may_import_what_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    package = tmp_path / "strangers_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("from torch import nn\nlayer = nn.Conv2d(1, 1, 1)\n")
    (package / "net.py").write_text("from .parts import layer\n")
    assert isinstance(made(package / "net.py", "layer"), nn.Conv2d)
    other = tmp_path / "elsewhere" / "strangers_package"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    (other / "net.py").write_text("layer = 1\n")
    assert "is another file here already" in failure(other / "net.py", "layer")


def test_a_neighbour_of_the_file_is_found(file: Path):
    (file.parent / "neighbour_of_the_file.py").write_text("from torch import nn\n")
    file.write_text("from neighbour_of_the_file import nn\nnet = nn.Identity()\n")
    assert isinstance(made(file, "net"), nn.Identity)


def test_outputs_are_named_by_their_place(file: Path):
    shape = (1, 3, 8, 10)
    assert outputs_of(made(file, "build"), shape, "x") == {"": (1, 8, 8, 10)}
    found = outputs_of(made(file, "Many"), shape, "x")
    assert found == {"restored": (1, 4, 8, 10), "side.0": (1, 3)}
    assert outputs_of(made(file, "ByValue"), shape, "x") == {"": (1, 4, 8, 10)}


def test_looking_at_outputs_changes_nothing(file: Path):
    model = made(file, "ByValue").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    outputs_of(model, (1, 3, 8, 8), "x")
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def refusal(model: nn.Module, shape: tuple[int, ...]) -> str:
    with pytest.raises(ForeignError) as raised:
        outputs_of(model, shape, "mine")
    return str(raised.value)


def test_a_network_that_cannot_take_the_image_says_why(file: Path):
    assert refusal(made(file, "Two"), (1, 3, 8, 8)) == (
        "mine: forward wants step beside the image; profile a module around it that takes the "
        "image alone"
    )
    assert refusal(made(file, "Silent"), (1, 3, 8, 8)) == "mine: returns no tensor; got NoneType"
    said = refusal(made(file, "build"), (1, 1, 8, 8))
    assert said.startswith("mine: cannot take an image of 1x8x8: ")
    assert "expected input" in said and "\n" not in said


def test_the_image_comes_first_among_outputs():
    image, other = torch.zeros(1), torch.ones(2)
    assert first_tensor(image) is image
    assert first_tensor({"aside": other, "image": image}) is image
    assert first_tensor([None, (other, image)]) is other
    with pytest.raises(ForeignError, match="expected a network that returns a tensor; got dict"):
        first_tensor({})
