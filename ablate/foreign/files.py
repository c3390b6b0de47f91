"""Imports a Python file from anywhere, as Python would, and says on one line why it cannot."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import zlib
from pathlib import Path
from types import ModuleType

OURS = ("ablate", "blocks", "reports")


class ForeignError(ValueError):
    """A file, or what it makes, is no network that can be profiled; the message says why."""


def load_file(file: Path) -> ModuleType:
    """The file as a module, imported as Python would: what lies beside it is found.

    Its folder comes last in the search, so that nothing in it takes the place of ours.

    Args:
        file: An absolute path that ends in .py.

    Raises:
        ForeignError: It raises, or ends the program, while it is imported.
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
    except SystemExit as error:
        raise ForeignError(
            f"{file.name}: ends the program while it is imported; put what runs it as a script "
            'under if __name__ == "__main__"'
        ) from error
    except Exception as error:
        raise ForeignError(f"{file.name}: {raised(error, top)}") from error


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


def raised(error: Exception, folder: Path) -> str:
    """What was raised, on one line, and whose name was taken where that is why."""
    said = f"{type(error).__name__}: {one_line(error)}"
    top = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if top in OURS and ((folder / top).exists() or (folder / f"{top}.py").exists()):
        return f"{said} ('{top}' is a package of this program's own; yours needs another name)"
    return said


def one_line(error: Exception) -> str:
    """What an error says, on one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
