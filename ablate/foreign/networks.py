"""A network of anyone's own: any nn.Module that a Python file holds or makes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from torch import nn

from ablate.foreign.files import ForeignError, load_file, raised
from ablate.mix import Choice
from blocks import nearest

TOPOLOGY = "python file"  # under this name a network of a file stands where a topology does
_NAMED = re.compile(r"(?P<file>.+\.py):(?P<name>[^:/\\]*)$")


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
            f"{file}:build{_known(load_file(file.resolve()))}"
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
    module = load_file(Path(source.file))
    if not hasattr(module, source.name):
        hint = nearest(source.name, _makers(module))
        raise ForeignError(
            f"{Path(source.file).name}: has no '{source.name}'{hint}{_known(module)}"
        )
    made = _made(source, getattr(module, source.name))
    if not isinstance(made, nn.Module):
        raise ForeignError(f"{source.label}: expected an nn.Module; got {type(made).__name__}")
    return made


def required(thing: object) -> Iterator[str]:
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


def _made(source: Foreign, thing: object) -> object:
    if isinstance(thing, nn.Module) or not callable(thing):
        return thing
    if wanted := list(required(thing)):
        raise ForeignError(
            f"{source.label}: wants {', '.join(wanted)}; give defaults, or name a function without "
            "arguments that calls it"
        )
    try:
        return thing()
    except SystemExit as error:
        raise ForeignError(f"{source.label}: ends the program instead of making one") from error
    except Exception as error:
        raise ForeignError(f"{source.label}: {raised(error, Path(source.file).parent)}") from error


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
