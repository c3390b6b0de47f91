"""The source files that a mix is built of and that train it, each with its digest.

The source counts without comments and docstrings: to reword one makes no trial another.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ablate.identity.importing import (
    PACKAGES,
    ROOT,
    Places,
    imported,
    is_ours,
    parsed,
)
from ablate.identity.outside import located, modules_of, name_of
from ablate.identity.stripping import running
from ablate.metrics import metrics
from ablate.mix import Choice, Mix
from ablate.tasks.degradations import degradations
from ablate.topologies import topologies
from ablate.training.losses import losses
from blocks import Registry, blocks

# What describes mixes and keeps names: its values stand in the key themselves.
DESCRIBING: Final = (
    "ablate/mix.py",
    "ablate/profile.py",
    "ablate/canonical.py",
    "blocks/_registry.py",
    "blocks/_register.py",
)
TRAINING: Final = "ablate/trials/trial.py"  # what trains and scores, with all that it imports


Named = tuple[str, str]  # a kind of thing, and the name that it is registered under
_KINDS: Final[Mapping[str, Registry[Any]]] = {
    "block": blocks,
    "topology": topologies,
    "loss": losses,
    "degradation": degradations,
    "metric": metrics,
}


class Sources:
    """The source files that things are made of; each file is read once, when it is asked for."""

    def __init__(self) -> None:
        self._digests: dict[Path, str] = {}
        self._imports: dict[Path, tuple[Path, ...]] = {}
        self._outside: dict[Path, Places] = {}  # of a plug-in's file: the modules of its own
        self._of: dict[Path, frozenset[Path]] = {}
        self._made_of: dict[frozenset[Named], dict[str, str]] = {}
        self._training = ""

    def of(self, mix: Mix) -> dict[str, str]:
        """The files of a mix and what they import of ours, each with its digest.

        These are the files of its blocks, topology, losses and degradation, and of metrics that a
        plug-in brings. What a plug-in imports of its own package counts too. Names begin with the
        top-level module.
        """
        names = frozenset(
            (*_names(mix), *_brought_metrics())
        )  # thousands of mixes are made of a few things
        if names not in self._made_of:
            starts = [self._written(_KINDS[kind], name) for kind, name in sorted(names)]
            files = (file for found in starts for start in found for file in self._reached(start))
            self._made_of[names] = self._named(files)
        return self._made_of[names]

    def code_digest(self, mix: Mix) -> str:
        """One digest of all files of a mix."""
        return _hash(repr(sorted(self.of(mix).items())))

    def digest_of(self, name: str) -> str:
        """One digest of a block or a topology and what it imports of ours; empty if unknown."""
        written = [*self._written(blocks, name), *self._written(topologies, name)]
        files = [file for start in written for file in self._reached(start)]
        return _hash(repr(sorted(self._named(files).items()))) if files else ""

    def training(self) -> str:
        """One digest of the code that trains and scores, whatever the mix."""
        if not self._training:
            files = self._named(self._reached(ROOT / TRAINING))
            self._training = _hash(repr(sorted(files.items())))
        return self._training

    def changed(self, before: Mapping[str, str], plugins: Iterable[str]) -> list[str]:
        """Files, of those that were used before, that are others now or are there no more."""
        found, files = [], tuple(plugins)
        for name, was in before.items():
            ours = name.partition("/")[0] in PACKAGES
            file = ROOT / name if ours else located(name, files)
            if file is None or not file.is_file() or self._digest(file) != was:
                found.append(name)
        return found

    def _written(self, registry: Registry[Any], name: str) -> list[Path]:
        """The file of a registered thing, and which modules from outside it belongs to."""
        found = list(_written(registry, name))
        for file, module in found:
            if not is_ours(file):
                self._outside.setdefault(file, modules_of(file, module))
        return [file for file, _ in found]

    def _named(self, files: Iterable[Path]) -> dict[str, str]:
        named = {self._name(file): self._digest(file) for file in sorted(set(files))}
        return {name: found for name, found in named.items() if name not in DESCRIBING}

    def _name(self, file: Path) -> str:
        if is_ours(file):
            return file.relative_to(ROOT).as_posix()
        return name_of(file, self._outside.get(file, ()))

    def _reached(self, start: Path) -> frozenset[Path]:
        """A file and everything of ours and of its plug-in that it imports, however far away."""
        if start not in self._of:
            found, ahead = {start}, [start]
            while ahead:
                new = set(self._imported(ahead.pop())) - found
                found |= new
                ahead += new
            self._of[start] = frozenset(found)
        return self._of[start]

    def _imported(self, file: Path) -> tuple[Path, ...]:
        self._look_at(file)
        if file not in self._imports:  # from outside: it counts which modules it belongs to
            tree = _tree(file, file.read_text(encoding="utf-8", errors="replace"))
            own = self._outside.get(file, ())
            found = tuple(dict.fromkeys(imported(tree, file, own))) if tree else ()
            for one in found:
                if not is_ours(one):
                    self._outside.setdefault(one, own)
            self._imports[file] = found
        return self._imports[file]

    def _digest(self, file: Path) -> str:
        self._look_at(file)
        return self._digests[file]

    def _look_at(self, file: Path) -> None:
        if file in self._digests:
            return
        text = file.read_text(encoding="utf-8", errors="replace")
        tree = _tree(file, text)
        if is_ours(file):
            self._imports[file] = tuple(dict.fromkeys(imported(tree, file))) if tree else ()
        self._digests[file] = _hash(running(text, tree) if tree else text)


def code_digest(mix: Mix) -> str:
    """A hash of the source of a mix: all that it names, and what that imports of ours."""
    return Sources().code_digest(mix)


def _names(mix: Mix) -> Iterator[Named]:
    """Everything that a mix names: its blocks, topology, losses and degradation."""
    for stage in mix.network.stages:
        yield from (("block", choice.name) for choice in stage.blocks)
    yield ("topology", mix.network.topology.name)
    yield from (("loss", name) for name, _ in mix.training.loss)
    yield from (("degradation", choice.name) for choice in _inside(mix.task.degradation))


def _brought_metrics() -> Iterator[Named]:
    """Metrics of plug-ins: every trial is scored by all there are; ours count as what trains."""
    for name in metrics:
        if not metrics[name].make.__module__.startswith("ablate."):
            yield ("metric", name)


def _tree(file: Path, text: str) -> ast.Module | None:
    return parsed(text) if file.suffix == ".py" else None


def _written(registry: Registry[Any], name: str) -> Iterator[tuple[Path, str]]:
    """The file and the module of a registered thing; none for what was typed into a notebook."""
    if name in registry:
        made = inspect.unwrap(registry[name].make)
        try:
            file = inspect.getsourcefile(made)
        except (TypeError, OSError):
            return
        versioned = made.__module__.partition(".")[0] == "torch"
        if file and not versioned and Path(file).is_file():
            yield Path(file).resolve(), made.__module__


def _inside(value: object) -> Iterator[Choice]:
    """A choice and those among its knobs."""
    if isinstance(value, Choice):
        yield value
        for _, inner in value.knobs:
            yield from _inside(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _inside(inner)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
