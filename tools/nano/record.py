"""Step 1: synthesize with the teacher, and record the spectra of its frames.

    python -m tools.nano.record --minutes 180

Texts are chosen so that rare neighbours among the sounds come up as often as can be. A part of the
speech is a file; a run that was ended goes on after the last part.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections import Counter
from functools import lru_cache

import numpy as np
from tqdm import tqdm

from tools.nano.features import analyse
from tools.nano.settings import Array, folder
from tools.nano.teacher import Teacher
from tools.nano.text import Writer
from tools.nano.timing import spoken, states
from tools.nano.units import edges

TEXTS_PER_PART = 40
_CANDIDATES = 12


def _rarest(writer: Writer, known: Counter[tuple[str, str]]) -> str:
    """Return the candidate with the rarest pairs of sounds."""

    def novelty(text: str) -> float:
        pairs = _pairs(text)
        return sum(1 / (1 + known[pair]) for pair in pairs) / len(pairs)

    return max((writer.text() for _ in range(_CANDIDATES)), key=novelty)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the sounds that each frame of a text joins."""
    return [(left.symbol, right.symbol) for left, right in edges(states(spoken(text)))]


@lru_cache(maxsize=1)
def _teacher() -> Teacher:
    return Teacher()


def _recorded(text: str) -> Array:
    """Return the frames of one text, float16."""
    parts = spoken(text)
    frames = analyse(_teacher().say(parts), len(states(parts)) + 1)
    return frames.astype(np.float16)


def main() -> None:
    """Record speech on all processors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=180.0)
    minutes = parser.parse_args().minutes
    out = folder("recordings")
    known: Counter[tuple[str, str]] = Counter()
    progress = tqdm(total=minutes, unit="min", bar_format="{l_bar}{bar}| {n:.1f}/{total:.0f} min")
    part = 0
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        while progress.n < minutes:
            path = out / f"{part:05}.npz"
            if path.exists():
                texts = [str(text) for text in np.load(path)["texts"]]
            else:
                writer = Writer(1_000_000 + part)
                texts = [_rarest(writer, known) for _ in range(TEXTS_PER_PART)]
                frames = pool.map(_recorded, texts, chunksize=1)
                scratch = path.with_suffix(".part.npz")
                np.savez(scratch, texts=texts, frames=np.concatenate(frames))
                scratch.rename(path)
            for text in texts:
                pairs = _pairs(text)
                known.update(pairs)
                progress.update(min(len(pairs) * 0.08 / 60, minutes - progress.n))
            part += 1


if __name__ == "__main__":
    main()
