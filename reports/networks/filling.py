"""What the stages of a network hold, block by block, as far as a record tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.numbers.units import TIE

PLUS = " + "  # joins the blocks of a cycle, and their families

Row = tuple[str, str, str, int]  # slot, blocks in words, families, depth


@dataclass(frozen=True)
class Filled:
    """What a stage holds.

    Args:
        slot: The stage, as the study calls it.
        blocks: Its blocks in words; " + " joins those of a cycle.
        families: The family of each of its blocks, one for each position.
    """

    slot: str
    blocks: str
    families: tuple[str, ...]

    @property
    def words(self) -> str:
        """The blocks with how often they come: a cycle of two in four positions comes twice."""
        return words(self.blocks, len(self.families))


def words(blocks: str, depth: int) -> str:
    """Blocks with how often they come: "emvm ×4", and "emvm + mwsa ×2" for four positions.

    Args:
        blocks: In words; " + " joins those of a cycle.
        depth: Positions.
    """
    times, rest = divmod(depth, blocks.count(PLUS) + 1)
    if rest and times:
        return f"{blocks},{TIE}{depth}{TIE}blocks"
    return f"{blocks}{TIE}×{times}" if times > 1 else blocks


def filled_stages(
    rows: Iterable[Row], named: Mapping[str, Sequence[str]], families: Mapping[str, str]
) -> tuple[Filled, ...]:
    """What a mix's stages hold.

    Args:
        rows: The stages, as recorded.
        named: Slot -> names of its blocks, one for each position; where a slot is missing, the
            families of its row take turns.
        families: Name of a block -> its family.
    """
    return tuple(
        Filled(slot, blocks, _families(named.get(slot, ()), family, depth, families))
        for slot, blocks, family, depth in rows
    )


def families_of_blocks(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name of a block -> its family, where stages tell: all of one family, or one for each name.

    Args:
        rows: Blocks in words and families of each stage.
    """
    known: dict[str, str] = {}
    for blocks, family in sorted(set(rows), key=lambda row: row[0].count(PLUS), reverse=True):
        names = list(dict.fromkeys(part.split(" ")[0] for part in blocks.split(PLUS)))
        members = family.split(PLUS)
        if len(members) == 1:
            known |= dict.fromkeys(names, family)
        elif len(members) == len(names):
            known |= dict(zip(names, members, strict=True))
    return known


def _families(
    names: Sequence[str], family: str, depth: int, known: Mapping[str, str]
) -> tuple[str, ...]:
    if len(names) == depth:
        return tuple(known.get(name, family) for name in names)
    members = family.split(PLUS)
    return tuple(members[at % len(members)] for at in range(depth))
