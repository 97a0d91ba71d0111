"""How launches are divided into programs. No result depends on who else is in the batch."""

from __future__ import annotations

from dataclasses import dataclass

import triton


@dataclass(frozen=True)
class Tile:
    """How a product is divided into programs; powers of two, at least 16.

    Attributes:
        rows: Of the output, in a program. 16 is the least that tensor cores multiply: one row costs
            as much as sixteen.
        columns: Of the output, in a program.
        inner: How many elements of a row, or of a part of it, are multiplied at a time.
        parts: How many parts of a row are multiplied at the same time, each by a warp: so no warp
            waits for a long row of sums. 1, or `num_warps`.
        num_warps: Of a program.
        num_stages: How many loads are in flight.
        more: For many rows. It must sum in the same order: so it has the same `parts`, and after a
            norm the same `inner`.
        more_above: How many rows are not many; None: as many as this one has.
    """

    rows: int
    columns: int
    inner: int
    parts: int = 1
    num_warps: int = 4
    num_stages: int = 4
    more: Tile | None = None
    more_above: int | None = None

    def for_rows(self, num_rows: int) -> Tile:
        """Return this one or that for many rows."""
        return self.more if self.more and num_rows > (self.more_above or self.rows) else self

    def grid(self, num_rows: int, num_columns: int) -> tuple[int, int]:
        """Return the programs that make an output of this size.

        Those of the same columns run at the same time: so weights come from memory once.
        """
        return triton.cdiv(num_rows, self.rows), triton.cdiv(num_columns, self.columns)

    def options(self) -> dict[str, int]:
        """Return the constants and options of a launch."""
        return {
            "ROWS": self.rows,
            "COLUMNS": self.columns,
            "INNER": self.inner,
            "num_warps": self.num_warps,
            "num_stages": self.num_stages,
            "enable_fp_fusion": False,
        }


@dataclass(frozen=True)
class AttentionTile:
    """How attention is divided into programs.

    Attributes:
        split: Positions of a split: 256 are 20 s of audio.
        programs: How many programs share the splits of a token's key head.
        block: Positions that a program reads at a time; a power of two, at least 16.
    """

    split: int
    programs: int
    block: int


@dataclass(frozen=True)
class Tiles:
    """How the launches of a decoder are divided into programs.

    Attributes:
        wide: Products from the model's width: 1.7B's have 128 to 192 programs; an H200 has 132
            multiprocessors.
        narrow: Products to the model's width: fewer columns, and longer sums. The code predictor's
            have 64 programs, each of which needs many loads in flight.
        attention: As it says.
    """

    wide: Tile
    narrow: Tile
    attention: AttentionTile


FRAME_TILES = Tiles(
    wide=Tile(
        rows=16, columns=32, inner=32, parts=4, more=Tile(rows=32, columns=32, inner=32, parts=4)
    ),
    narrow=Tile(
        rows=16,
        columns=16,
        inner=64,
        parts=4,
        num_stages=6,
        more=Tile(rows=32, columns=32, inner=32, parts=4),
    ),
    attention=AttentionTile(split=256, programs=8, block=32),
)
"""For a token a slot."""

PREFILL_TILES = Tiles(
    wide=Tile(rows=64, columns=64, inner=64),
    narrow=Tile(rows=64, columns=32, inner=64),
    attention=AttentionTile(split=256, programs=1, block=32),
)
"""For many tokens of a slot: a tile of weights is read by 64 rows at once."""


@dataclass(frozen=True)
class CodecTiles:
    """How the launches of the codec are divided into programs, whatever the batch and the chunk.

    Attributes:
        convolution: Convolutions, and products that are like one.
        norm_product: Products after RMSNorm.
    """

    convolution: Tile
    norm_product: Tile


CODEC_TILES = CodecTiles(
    convolution=Tile(
        rows=64,
        columns=32,
        inner=64,
        more=Tile(rows=64, columns=64, inner=64),
        more_above=64 * 264,
    ),
    norm_product=Tile(rows=16, columns=32, inner=32, parts=4),
)
"""As published, two frames have 24 to 180 programs in each convolution of the decoder's blocks. The
larger tiles, which read two thirds as much from the L2 cache, are at least two for each of an
H200's multiprocessors."""
