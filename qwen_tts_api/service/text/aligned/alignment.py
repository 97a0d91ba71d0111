"""An alignment of two texts: which part of one stands for which part of the other.

Every step from what a client writes to what is spoken makes one, and they are composed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qwen_tts_api.service.text.verbalize.edits import Edit


class Block(NamedTuple):
    """A part of two texts.

    Attributes:
        source, target: How many characters it has in each; one may have none.
        is_kept: Whether it is the same in both, character by character.
    """

    source: int
    target: int
    is_kept: bool


class Placed(NamedTuple):
    """A block, and where it lies.

    Attributes:
        source, source_end: The span of the source.
        target, target_end: The span of the target.
        is_kept: As of a `Block`.
    """

    source: int
    source_end: int
    target: int
    target_end: int
    is_kept: bool


@dataclass(frozen=True)
class Alignment:
    """Blocks that have all of two texts, both in their order.

    Attributes:
        blocks: None of them is empty, and kept ones do not touch.
    """

    blocks: tuple[Block, ...] = ()

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> Alignment:
        """Return an alignment of blocks, as few as can be."""
        joined: list[Block] = []
        for block in blocks:
            if block.is_kept and joined and joined[-1].is_kept:
                length = joined[-1].source + block.source
                joined[-1] = Block(length, length, is_kept=True)
            elif block.source or block.target:
                joined.append(block)
        return cls(tuple(joined))

    @classmethod
    def same(cls, length: int) -> Alignment:
        """Return that of a text with itself."""
        return cls.of([Block(length, length, is_kept=True)])

    @classmethod
    def removed(cls, length: int) -> Alignment:
        """Return that of a text of which nothing is left."""
        return cls.of([Block(length, 0, is_kept=False)])

    @classmethod
    def edited(cls, length: int, edits: Sequence[Edit]) -> Alignment:
        """Return that of a text with what edits make of it, which are in order."""
        blocks, position = list[Block](), 0
        for edit in edits:
            kept = edit.start - position
            blocks.append(Block(kept, kept, is_kept=True))
            blocks.append(Block(edit.end - edit.start, len(edit.text), is_kept=False))
            position = edit.end
        return cls.of([*blocks, Block(length - position, length - position, is_kept=True)])

    @classmethod
    def joined(cls, parts: Iterable[Alignment]) -> Alignment:
        """Return that of texts behind each other."""
        return cls.of(itertools.chain.from_iterable(part.blocks for part in parts))

    @property
    def source_length(self) -> int:
        """How many characters the source has."""
        return sum(block.source for block in self.blocks)

    @property
    def target_length(self) -> int:
        """How many characters the target has."""
        return sum(block.target for block in self.blocks)

    @property
    def is_same(self) -> bool:
        """Whether both texts are the same."""
        return all(block.is_kept for block in self.blocks)

    def placed(self) -> Iterator[Placed]:
        """Yield the blocks, and where they lie."""
        source = target = 0
        for block in self.blocks:
            yield Placed(
                source, source + block.source, target, target + block.target, block.is_kept
            )
            source, target = source + block.source, target + block.target

    @property
    def reversed(self) -> Alignment:
        """Return that of the target with the source."""
        return Alignment(
            tuple(Block(each.target, each.source, each.is_kept) for each in self.blocks)
        )

    def then(self, other: Alignment) -> Alignment:
        """Return that of the source with the target of another, whose source is this target."""
        if other.is_same:
            return self
        return other if self.is_same else Alignment.of(_composed(self, other))

    def trimmed(self, start: int, end: int) -> Alignment:
        """Return that with a part of the target; what is cut off there is of nothing."""
        length = self.target_length
        edits = [Edit(0, start, "", ""), Edit(end, length, "", "")]
        return self.then(Alignment.edited(length, edits))

    def cut(self, ends: Sequence[int]) -> list[Alignment]:
        """Return the parts that end at places of the target; the last ends with it.

        A block that is not kept is divided in both texts alike; one without a target goes with what
        is before it.
        """
        parts, blocks, position = list[Alignment](), list[Block](), 0
        limits = list(ends[:-1])
        for block in self.blocks:
            while limits and limits[0] < position + block.target:
                before = limits.pop(0) - position
                source = before if block.is_kept else block.source * before // block.target
                parts.append(Alignment.of([*blocks, Block(source, before, block.is_kept)]))
                block = Block(block.source - source, block.target - before, block.is_kept)
                blocks, position = [], position + before
            blocks.append(block)
            position += block.target
        parts.append(Alignment.of(blocks))
        return parts + [Alignment()] * len(limits)

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """Return what of the source a part of the target stands for, which is not empty.

        Of a block that is not kept it is as great a share as the part has of it there, so that
        parts that follow each other do not overlap.
        """
        begins, ends = list[int](), list[int]()
        for block in self.placed():
            if block.target >= end:
                break
            if block.target_end <= max(start, block.target):  # before it, or of nothing
                continue
            source, target = block.source_end - block.source, block.target_end - block.target
            first, last = max(start, block.target), min(end, block.target_end)
            begins.append(block.source + (first - block.target) * source // target)
            ends.append(block.source + (last - block.target) * source // target)
        return begins[0], ends[-1]


def _composed(first: Alignment, second: Alignment) -> Iterator[Block]:
    """Yield the blocks of two alignments: what neither keeps, and touches, is one."""
    ahead, behind = list(reversed(first.blocks)), list(reversed(second.blocks))
    while ahead or behind:
        if ahead and not ahead[-1].target:
            yield ahead.pop()
        elif behind and not behind[-1].source:
            yield behind.pop()
        elif ahead[-1].is_kept and behind[-1].is_kept:
            length = min(ahead[-1].target, behind[-1].source)
            _take(ahead, length)
            _take(behind, length)
            yield Block(length, length, is_kept=True)
        else:
            yield _merged(ahead, behind)


def _merged(ahead: list[Block], behind: list[Block]) -> Block:
    """Take blocks, one of which is not kept, up to the next place where both can be divided."""
    source = target = reach_ahead = reach_behind = 0
    if not ahead[-1].is_kept:
        source, reach_ahead, _ = ahead.pop()
    else:
        reach_behind, target, _ = behind.pop()
    while reach_ahead != reach_behind:
        short = abs(reach_ahead - reach_behind)
        if reach_ahead < reach_behind:
            taken = _take(ahead, min(short, ahead[-1].source))
            source, reach_ahead = source + taken.source, reach_ahead + taken.target
        else:
            taken = _take(behind, min(short, behind[-1].source))
            target, reach_behind = target + taken.target, reach_behind + taken.source
    return Block(source, target, is_kept=False)


def _take(blocks: list[Block], length: int) -> Block:
    """Take so much of a kept block, or all of another one."""
    block = blocks.pop()
    if not block.is_kept or block.source == length:
        return block
    rest = block.source - length
    blocks.append(Block(rest, rest, is_kept=True))
    return Block(length, length, is_kept=True)
