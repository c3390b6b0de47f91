"""Where in a study something is wrong: file, line, and the name that a reader gives the place."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.study.lines import Path

_SLOTS = ("stage", "decoder", "group", "middle", "refinement", "fusion")
TABLES = ("task", "network", "training", "evaluation", "search", "profile", "report")


class StudyError(ValueError):
    """A study that cannot be used; `problems` has one line for every mistake in it."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Problems:
    """Collects every mistake of one study, so that they are all told at once."""

    def __init__(self, source: str, lines: Mapping[Path, int] | None = None) -> None:
        self._source = source
        self._lines = lines or {}
        self._found: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Path, text: str) -> None:
        """Note a mistake: the rule, the value and the mend, for what stands at `path`."""
        line = self._line(path)
        where = f"{self._source}:{line}" if line else self._source
        message = ": ".join(part for part in (where, place(path), text) if part)
        if (line, message) not in self._found:
            self._found.append((line, message))

    def raise_if_any(self) -> None:
        """Raise StudyError with all that was noted, in the order of the lines."""
        if self._found:
            ordered = sorted(self._found, key=lambda found: found[0])
            raise StudyError(tuple(message for _, message in ordered))

    def _line(self, path: Path) -> int:
        """The line of the path, or of the nearest thing around it; 0 when there is none."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 0


def place(path: Path) -> str:
    """What a reader calls a path: "stage 2", "middle", "task.data", "training"."""
    match path:
        case ("network", "stage" | "decoder" | "group" as side, int(position), *_):
            return f"{side} {position + 1}"
        case ("network", str(slot), *_) if slot in _SLOTS:
            return slot
        case ("task", "data", *_):
            return "task.data"
        case (str(table), *_) if table in TABLES:
            return table
    return ""
