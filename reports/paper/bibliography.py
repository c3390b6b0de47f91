"""BibTeX of what a run's networks, losses and degradations come from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reports.graphics.escaping import escape_latex, one_line

TABLE = Path(__file__).with_name("references.toml")
OWN = ("kind", "author", "arxiv", "code", "said_as")  # written in their own way
ARXIV = re.compile(r"arXiv:\s*(\d{4}\.\d{4,5})", re.IGNORECASE)
DOI = re.compile(r"doi:\s*(10\.[\w./()-]*\w)", re.IGNORECASE)
RECORD = "ablate_run"  # key of the run itself


@dataclass(frozen=True)
class Reference:
    """A paper.

    Args:
        key: To cite it by.
        kind: article, inproceedings, misc, techreport.
        authors: Each as Last, First.
        fields: The rest in BibTeX's words, in order: title, year, pages and the like.
        arxiv: Number; "" without one.
        code: Where the authors' code is; "" if that is not known.
        said_as: Words by which a source may mean it.
    """

    key: str
    kind: str
    authors: tuple[str, ...]
    fields: Mapping[str, str]
    arxiv: str = ""
    code: str = ""
    said_as: tuple[str, ...] = ()

    def meant(self, source: str) -> bool:
        """Whether the words of a source mean this paper."""
        numbers, dois = ARXIV.findall(source), [doi.lower() for doi in DOI.findall(source)]
        if self.arxiv and self.arxiv in numbers:
            return True
        if self.fields.get("doi", "").lower() in dois:
            return True
        return any(words in source for words in self.said_as)


@dataclass(frozen=True)
class Bibliography:
    """The sources of a run.

    Args:
        text: The BibTeX file.
        keys: For each thing the keys of its papers.
        without: Things whose source is no paper, with the words of that source.
    """

    text: str
    keys: Mapping[str, tuple[str, ...]]
    without: Mapping[str, str]


def references() -> tuple[Reference, ...]:
    """All papers of the table, in its order."""
    raw = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return tuple(
        Reference(
            key=key,
            kind=entry["kind"],
            authors=tuple(entry["author"]),
            fields={name: str(value) for name, value in entry.items() if name not in OWN},
            arxiv=entry.get("arxiv", ""),
            code=entry.get("code", ""),
            said_as=tuple(entry.get("said_as", ())),
        )
        for key, entry in raw.items()
    )


def bibliography(sources: Mapping[str, str]) -> Bibliography:
    """The papers of these things, each once, in the order in which they are met.

    A paper that is not in the table, of a block of one's own, has an entry made of what its source
    says: the number and the words.

    Args:
        sources: For each thing (block lama) its source in words, as it was registered.
    """
    known = references()
    used: dict[str, Reference] = {}
    keys: dict[str, tuple[str, ...]] = {}
    without: dict[str, str] = {}
    for thing, source in sources.items():
        papers = (*(each for each in known if each.meant(source)), *_unknown(source, known))
        used |= {paper.key: paper for paper in papers}
        keys[thing] = tuple(paper.key for paper in papers)
        if not papers:
            without[thing] = source
    return Bibliography(_file(used.values(), without), keys, without)


def entry(reference: Reference) -> str:
    """A paper in BibTeX; the title keeps its capitals."""
    fields = dict(reference.fields)
    title = fields.pop("title", "")
    lines = {"author": " and ".join(map(_letters, reference.authors))} if reference.authors else {}
    lines |= {"title": f"{{{_letters(title)}}}"} if title else {}
    lines |= {name: value if name == "doi" else _letters(value) for name, value in fields.items()}
    if reference.arxiv:
        lines |= {"eprint": reference.arxiv, "archiveprefix": "arXiv"}
    if reference.code:
        lines["url"] = reference.code
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in lines.items())
    return f"@{reference.kind}{{{reference.key},\n{body}}}\n"


def run_entry(study: str, year: str, digest: str) -> str:
    """The run itself, so that its measurements can be cited.

    Args:
        study: Name of the study.
        year: When it began; "" leaves it out.
        digest: Hash of its record.
    """
    fields = {
        "title": f"{{Record of the ablation study {escape_latex(study)}}}",
        "howpublished": "SQLite record written by ablate",
        "year": year,
        "note": f"SHA-256 \\texttt{{{_grouped(digest)}}}",
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{RECORD},\n{body}}}\n"


def _unknown(source: str, known: Iterable[Reference]) -> tuple[Reference, ...]:
    """Papers that a source names by number and the table does not have."""
    numbers = {each.arxiv for each in known}
    dois = {each.fields.get("doi", "").lower() for each in known}
    words = {"title": one_line(source)}
    made = [
        Reference(f"arxiv{number.replace('.', '_')}", "misc", (), words, number)
        for number in dict.fromkeys(ARXIV.findall(source))
        if number not in numbers
    ]
    made += [
        Reference(f"doi{_slug(doi)}", "misc", (), {**words, "doi": doi})
        for doi in dict.fromkeys(DOI.findall(source))
        if doi.lower() not in dois and _slug(doi)
    ]
    return tuple(made)


def _grouped(digest: str) -> str:
    """In pieces, so that lines can break."""
    return " ".join(digest[at : at + 16] for at in range(0, len(digest), 16))


def _slug(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")


def _letters(text: str) -> str:
    """What BibTeX reads: our own braces and page ranges stay, all else is text."""
    if re.fullmatch(r"\{[\w-]+\}|[\d-]+", text):
        return text
    return escape_latex(text)


def _file(papers: Iterable[Reference], without: Mapping[str, str]) -> str:
    """The file: where each paper is, and what has none, as comments that BibTeX passes over."""
    head = [
        "% Sources of the blocks, topologies, losses, degradations and metrics of this study.\n"
    ]
    for thing, source in without.items():
        words = one_line(source).replace("@", "(at)") or "not said"
        head.append(f"% {one_line(thing).replace('@', '(at)')}: no paper; its source: {words}\n")
    return "".join(head) + "\n" + "\n".join(entry(paper) for paper in papers)
