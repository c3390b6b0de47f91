"""A network of anyone's own: any nn.Module that a Python file holds or makes."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten_with_path

from ablate.mix import Choice
from ablate.profiling._replica import replica
from blocks import nearest

OURS = ("ablate", "blocks", "reports")
TOPOLOGY = "python file"  # under this name a network of a file stands where a topology does
_NAMED = re.compile(r"(?P<file>.+\.py):(?P<name>[^:/\\]*)$")


class ForeignError(ValueError):
    """A file, or what it makes, is no network that can be profiled; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """Where a network comes from.

    Args:
        file: The Python file, as an absolute path.
        name: In it: a function without required arguments or a class that makes an nn.Module, or
            an nn.Module.
    """

    file: str
    name: str

    @property
    def label(self) -> str:
        """As it is typed: my_module.py:build."""
        return f"{Path(self.file).name}:{self.name}"


def is_foreign(source: str) -> bool:
    """Whether a network in a Python file is meant, and not a study."""
    return source.endswith(".py") or _NAMED.match(source) is not None


def find(source: str) -> Foreign:
    """The network that is meant by "my_module.py:build".

    Raises:
        ForeignError: There is no such file, or no name is given.
    """
    match = _NAMED.match(source)
    file = Path(match["file"] if match else source)
    if not file.is_file():
        raise ForeignError(f"{file}: no such Python file")
    if not match or not match["name"]:
        raise ForeignError(
            f"{file}: say which function or class of it makes the network, as in "
            f"{file}:build{_known(_load(file.resolve()))}"
        )
    return Foreign(file=str(file.resolve()), name=match["name"])


def topology(made: Foreign) -> Choice:
    """The network in place of a topology, so that whatever takes a mix can take it."""
    return Choice.of(TOPOLOGY, {"file": made.file, "name": made.name})


def named(topology: Choice) -> Foreign | None:
    """The network that stands in place of a topology; None for a topology of ours."""
    if topology.name != TOPOLOGY:
        return None
    return Foreign(**{name: str(value) for name, value in topology.settings.items()})


def make(source: Foreign) -> nn.Module:
    """The network, made anew in this process.

    Raises:
        ForeignError: The file cannot be imported, has no such name, or what it names does not make
            an nn.Module without being told more.
    """
    module = _load(Path(source.file))
    if not hasattr(module, source.name):
        hint = nearest(source.name, _makers(module))
        raise ForeignError(
            f"{Path(source.file).name}: has no '{source.name}'{hint}{_known(module)}"
        )
    made = _made(source, getattr(module, source.name))
    if not isinstance(made, nn.Module):
        raise ForeignError(f"{source.label}: expected an nn.Module; got {type(made).__name__}")
    return made


def outputs_of(model: nn.Module, shape: tuple[int, ...], label: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors that a network returns, by their place in what it returns.

    Found without computing; a network whose shapes hang on values is run once.

    Args:
        model: The network; it is not changed.
        shape: Of the image: (batch, channels, height, width).
        label: What the network is called in messages.

    Raises:
        ForeignError: It cannot take such an image alone, or returns no tensor.
    """
    try:
        output = _without_computing(model, shape)
    except Exception:
        output = _computed(model, shape, label)
    leaves = tree_flatten_with_path(output)[0]
    found = {_place(path): tuple(x.shape) for path, x in leaves if isinstance(x, Tensor)}
    if not found:
        raise ForeignError(f"{label}: returns no tensor; got {type(output).__name__}")
    return found


def _without_computing(model: nn.Module, shape: tuple[int, ...]) -> object:
    fake, twin = replica(model)
    with torch.no_grad(), fake:
        return twin.eval()(torch.empty(shape))


def _computed(model: nn.Module, shape: tuple[int, ...], label: str) -> object:
    twin = copy.deepcopy(model).eval()
    device = next(twin.parameters(), torch.empty(0)).device
    try:
        with torch.no_grad():
            return twin(torch.rand(shape, device=device))
    except Exception as error:
        raise ForeignError(f"{label}: {_refused(twin, shape, error)}") from error


def first_tensor(output: object) -> Tensor:
    """What a network returns, or the image of what it returns, or the first tensor in it.

    Raises:
        ForeignError: There is none.
    """
    if isinstance(output, dict) and isinstance(output.get("image"), Tensor):
        image: Tensor = output["image"]
        return image
    for leaf in torch.utils._pytree.tree_leaves(output):
        if isinstance(leaf, Tensor):
            return leaf
    raise ForeignError(f"expected a network that returns a tensor; got {type(output).__name__}")


def _load(file: Path) -> ModuleType:
    """The file as a module, imported as Python would: what lies beside it is found.

    Its folder comes last in the search, so that nothing in it takes the place of ours.
    """
    package = _package(file)
    top = file.parents[len(package)]
    if str(top) not in sys.path:
        sys.path.append(str(top))
    try:
        if package:
            return _of_package(".".join((*package, file.stem)), file)
        return _alone(f"ablate_foreign.{file.stem}_{zlib.crc32(bytes(file)):08x}", file)
    except ForeignError:
        raise
    except Exception as error:
        raise ForeignError(f"{file.name}: {_raised(error, top)}") from error


def _package(file: Path) -> tuple[str, ...]:
    """Names of the packages that a file is in, the outermost first."""
    names: list[str] = []
    for folder in file.parents:
        if not (folder / "__init__.py").is_file():
            break
        names.insert(0, folder.name)
    return tuple(names)


def _of_package(name: str, file: Path) -> ModuleType:
    module = importlib.import_module(name)
    found = Path(module.__file__ or "").resolve()
    if found != file:
        raise ForeignError(f"{file}: '{name}' is another file here already: {found}")
    return module


def _alone(name: str, file: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None  # its name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _made(source: Foreign, thing: object) -> object:
    if isinstance(thing, nn.Module) or not callable(thing):
        return thing
    if wanted := list(_wanted(thing)):
        raise ForeignError(
            f"{source.label}: wants {', '.join(wanted)}; give defaults, or name a function without "
            "arguments that calls it"
        )
    try:
        return thing()
    except Exception as error:
        raise ForeignError(f"{source.label}: {_raised(error, Path(source.file).parent)}") from error


def _wanted(thing: object) -> Iterator[str]:
    """Names of the arguments that it cannot do without."""
    assert callable(thing)
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):  # written in C: calling it will tell
        return
    for parameter in parameters:
        starred = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if not starred and parameter.default is parameter.empty:
            yield parameter.name


def _raised(error: Exception, folder: Path) -> str:
    """What was raised, on one line, and whose name was taken where that is why."""
    said = f"{type(error).__name__}: {_one_line(error)}"
    top = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if top in OURS and ((folder / top).exists() or (folder / f"{top}.py").exists()):
        return f"{said} ('{top}' is a package of this program's own; yours needs another name)"
    return said


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _refused(model: nn.Module, shape: tuple[int, ...], error: Exception) -> str:
    wanted = list(_wanted(model.forward))[1:]
    if wanted:
        return (
            f"forward wants {', '.join(wanted)} beside the image; profile a module around it that "
            "takes the image alone"
        )
    image = "x".join(str(side) for side in shape[1:])
    return f"cannot take an image of {image}: {_one_line(error)}"


def _place(path: tuple[object, ...]) -> str:
    """image, scales.0: keys of a tree without their brackets; "" for the output itself."""
    return ".".join(re.sub(r"[\[\]']", "", str(key)).lstrip(".") for key in path)


def _makers(module: ModuleType) -> list[str]:
    """Names in a file that make a network, or may: its modules, its classes, its functions."""
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and _may_make(thing, module)
    ]


def _may_make(thing: object, module: ModuleType) -> bool:
    if isinstance(thing, nn.Module):
        return True
    if getattr(thing, "__module__", "") != module.__name__:
        return False
    return inspect.isfunction(thing) or (inspect.isclass(thing) and issubclass(thing, nn.Module))


def _known(module: ModuleType) -> str:
    names = _makers(module)
    few = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
    return f" (it has: {few})" if names else ""
