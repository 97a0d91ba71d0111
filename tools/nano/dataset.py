"""Step 3: write the training data, texts and their codes, to compact files.

    python -m tools.nano.dataset --parts 20

A part that is there is not made again.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tools.nano.settings import NANO_DIR, Array
from tools.nano.symbols import symbol, tokens
from tools.nano.text import Writer
from tools.nano.units import Units

SEED, CHECK_SEED = 100, 99
TEXTS_PER_PART, _CHECK_TEXTS = 10_000, 400


@dataclass(frozen=True)
class Dataset:
    """Concatenated texts and their codes.

    Attributes:
        symbols: uint8, a text's tokens.
        codes: uint16, a text's frames: two more than it has tokens (`units.NUM_MORE_FRAMES`).
        lengths: int32, tokens of each text.
    """

    symbols: Array
    codes: Array
    lengths: Array

    @classmethod
    def load(cls, path: Path) -> Dataset:
        """Read what `main` wrote."""
        content = np.load(path)
        return cls(content["symbols"], content["codes"], content["lengths"])

    @classmethod
    def make(cls, seed: int, num_texts: int) -> Dataset:
        """Write texts and encode them."""
        writer, units = Writer(seed), Units.load()
        symbols, codes, lengths = [], [], []
        for _ in tqdm(range(num_texts), unit="texts", mininterval=2):
            text = writer.text()
            symbols.append(np.array([symbol(token) for token in tokens(text)], np.uint8))
            codes.append(np.array(units.encode(text), np.uint16))
            lengths.append(len(symbols[-1]))
        return cls(np.concatenate(symbols), np.concatenate(codes), np.array(lengths, np.int32))

    def save(self, path: Path) -> None:
        """Write a compressed file atomically."""
        scratch = path.with_suffix(".part.npz")
        np.savez_compressed(scratch, **vars(self))
        scratch.rename(path)

    @classmethod
    def join(cls, parts: list[Dataset]) -> Dataset:
        """Return the texts of several data sets as one."""
        return cls(
            np.concatenate([part.symbols for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )


def training_parts() -> list[Path]:
    """Return the files that `main` has written so far."""
    return sorted(NANO_DIR.glob("texts-???.npz"))


def main() -> None:
    """Write `check.npz` and the parts `texts-*.npz` that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=20)
    num_parts = parser.parse_args().parts
    NANO_DIR.mkdir(parents=True, exist_ok=True)
    wanted = {NANO_DIR / "check.npz": (CHECK_SEED, _CHECK_TEXTS)}
    for part in range(num_parts):
        wanted[NANO_DIR / f"texts-{part:03}.npz"] = (SEED + part, TEXTS_PER_PART)
    for path, (seed, num_texts) in wanted.items():
        if not path.exists():
            Dataset.make(seed, num_texts).save(path)


if __name__ == "__main__":
    main()
