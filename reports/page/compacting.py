"""Styles and scripts as a page carries them: without indentation, comments and idle spaces."""

from __future__ import annotations

import re
from functools import cache

# A text in quotes, which stays as it is, or spaces beside a mark that parts words by itself.
STYLE = re.compile(r'("[^"]*")|\s*([{};,>])\s*|(:)\s+|\s+')
SCRIPT = re.compile(r'("(?:[^"\\]|\\.)*"|`[^`]*`)| *([=,;{}()?:<>&|!*]+) *')
SLASHES = re.compile(r"/[^ ]|//")  # all but a division
AFTER = re.compile(r"([;{,)]) // [^\"'`/]*$")  # a remark behind what a line does
GOES_ON = re.compile(r"([{;,(])\n")
REMARK = re.compile(r"/\*.*?\*/", re.DOTALL)


@cache
def compacted(kind: str, text: str) -> str:
    """The same to a browser, in fewer letters.

    Args:
        kind: "css" or "js".
        text: Scripts hold no text in backticks that goes over several lines.
    """
    if kind == "css":
        return STYLE.sub(_style, REMARK.sub("", text)).replace(";}", "}").strip()
    lines = (line.strip() for line in text.splitlines())
    kept = (_line(line) for line in lines if line and not line.startswith(("//", "/**")))
    return GOES_ON.sub(r"\1", "\n".join(kept))


def _style(found: re.Match[str]) -> str:
    return found[1] or found[2] or found[3] or " "


def _line(line: str) -> str:
    """A line of a script; one that may hold an expression in slashes or nested texts is kept."""
    line = AFTER.sub(r"\1", line)
    if SLASHES.search(line) or "'" in line or line.count("`") > 2:
        return f"{line} "  # so that nothing is put behind a remark
    return SCRIPT.sub(lambda found: found[1] or found[2], line)
