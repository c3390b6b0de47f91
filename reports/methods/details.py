"""The implementation details of a paper, in words made from the record: all it takes to repeat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reports.graphics.escaping import escape_latex, escape_markdown
from reports.methods.measuring import measuring, statistics, where
from reports.methods.settings import (
    Settings,
    block_names,
    choice_words,
    either,
    names_within,
    words,
)
from reports.methods.training import training
from reports.methods.wording import Cited, Sentence
from reports.numbers.found import Found
from reports.numbers.units import count, plain

__all__ = ["Paragraph", "details", "in_latex", "in_markdown", "in_text", "things"]

LEVELS = 8  # of an axis that are listed
HASH = re.compile("[0-9a-f]{32,}")


@dataclass(frozen=True)
class Paragraph:
    """A few sentences under a heading."""

    title: str
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """Its sentences."""
        return " ".join(in_text(sentence) for sentence in self.sentences)


def details(found: Found, settings: Settings) -> tuple[Paragraph, ...]:
    """What was trained on what, how, and how it was measured; what is not known is left out."""
    parts = (
        ("Data", data(found, settings)),
        ("Networks", networks(found, settings)),
        ("Training", training(found, settings)),
        ("Measurements", measuring(found)),
        ("Statistics", statistics(found)),
        ("Where", where(found)),
    )
    return tuple(Paragraph(title, tuple(made)) for title, made in parts if made)


def data(found: Found, settings: Settings) -> list[Sentence]:
    """Images and degradation."""
    made: list[Sentence] = []
    if settings.data:
        made.append((f"Images come from {either(map(_source, settings.data))}.",))
    given = [each for each in settings.degradations if each.get("name") == "given"]
    if given:
        made.append(("Pairs of degraded and clean images are taken as they are.",))
    others = [each for each in settings.degradations if each not in given]
    if others:
        one = "They are degraded" if len(others) == 1 else "The study varies how they are degraded:"
        made.append((f"{one} by ", *_cited(others), "."))
    if digest := found.facts.get("data_digest", ""):
        made.append((f"The prepared images have the SHA-256 {digest}.",))
    return made


def networks(found: Found, settings: Settings) -> list[Sentence]:
    """How stages are joined, what fills them, and which combinations were tried."""
    made: list[Sentence] = []
    if settings.topologies:
        listed = [
            Cited(choice_words(each), f"topology {each.get('name', '')}")
            for each in settings.topologies[:LEVELS]
        ]
        made.append(("Stages are joined as in ", *_joined(listed), "."))
    blocks = [Cited(name, f"block {name}") for name in block_names(found)]
    if blocks:
        made.append(("Their blocks are ", *_joined(blocks), "."))
    asked = [_axis(found, str(axis)) for axis in found.levels]
    if asked:
        verb = "is" if len(asked) == 1 else "are"
        made.append((f"{count(len(asked), 'choice')} {verb} varied: {'; '.join(asked)}.",))
    made.append((_tried(found),))
    return made


def things(found: Found, settings: Settings) -> tuple[str, ...]:
    """Everything that has a source: block lama, topology unet, loss l1, degradation haze."""
    said = (part for each in details(found, settings) for one in each.sentences for part in one)
    return tuple(dict.fromkeys(part.thing for part in said if isinstance(part, Cited)))


def in_text(sentence: Sentence) -> str:
    """A sentence as plain text."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


def in_markdown(paragraphs: Iterable[Paragraph]) -> list[str]:
    """A line for each paragraph."""
    return [f"**{each.title}.** {escape_markdown(each.text)}" for each in paragraphs]


def in_latex(paragraphs: Iterable[Paragraph], keys: Mapping[str, tuple[str, ...]]) -> str:
    r"""Paragraphs with their citations.

    Args:
        paragraphs: What is said.
        keys: For each thing the keys that `\cite` takes.
    """
    return "\n".join(
        f"\\paragraph{{{each.title}.}}\n{_sentences(each, keys)}\n" for each in paragraphs
    )


def _sentences(paragraph: Paragraph, keys: Mapping[str, tuple[str, ...]]) -> str:
    return "\n".join("".join(_part(part, keys) for part in one) for one in paragraph.sentences)


def _part(part: str | Cited, keys: Mapping[str, tuple[str, ...]]) -> str:
    if isinstance(part, str):
        return HASH.sub(_breakable, escape_latex(part))
    papers = keys.get(part.thing, ())
    return escape_latex(part.text) + (f"~\\cite{{{','.join(papers)}}}" if papers else "")


def _breakable(found: re.Match[str]) -> str:
    """A hash that lines can break, or it would stand over the margin."""
    text = found[0]
    return r"\allowbreak{}".join(text[at : at + 8] for at in range(0, len(text), 8))


def _source(choice: Mapping[str, object]) -> str:
    if choice.get("name") == "photos":
        return "the photographs that ablate ships"
    return choice_words(choice)


def _cited(degradations: Iterable[Mapping[str, object]]) -> Sentence:
    listed = []
    for each in degradations:
        inner = names_within(each)
        first = Cited(choice_words(each), f"degradation {inner[0]}")
        listed += [first, *(Cited("", f"degradation {name}") for name in inner[1:])]
    return _joined(listed)


def _joined(parts: Iterable[Cited]) -> Sentence:
    """With commas between; a part without words only adds its source."""
    made: list[str | Cited] = []
    for part in parts:
        if made and part.text:
            made.append(", ")
        made.append(part)
    return tuple(made)


def _axis(found: Found, axis: str) -> str:
    levels = [words(level) for level in found.levels[axis].dropna().unique()]
    listed = ", ".join(levels) if len(levels) <= LEVELS else count(len(levels), "level")
    return f"{plain(axis)} ({listed})"


def _tried(found: Found) -> str:
    mixes = int((~found.table["baseline"]).sum())
    among = " of these choices" if len(found.levels.columns) else ""
    text = f"{count(mixes, 'mix')}{among} {'was' if mixes == 1 else 'were'} tried"
    search = found.facts.get("search", "")
    text += f" (search: {plain(search)})" if search else ""
    stopped = int((found.table["status"] == "stopped").sum())
    early = f"; {stopped} of them were stopped early and count in no comparison" if stopped else ""
    beside = int(found.table["baseline"].sum())
    zero = "; networks without any block stand beside them" if beside else ""
    return f"{text}{early}{zero}."
