"""Step 1: let the teacher speak, and keep what its frames sound like.

    python -m tools.nano.record --minutes 30

Texts are chosen so that rare neighbours among the sounds come up as often as can be. A part of the
speech is a file; a run that was ended goes on after the last part.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
from tqdm import tqdm

from tools.nano.features import analyse
from tools.nano.settings import folder
from tools.nano.teacher import Teacher
from tools.nano.text import Writer
from tools.nano.timing import spoken, states
from tools.nano.units import edges

TEXTS_PER_PART = 40
_CANDIDATES = 12


def _rarest(writer: Writer, known: Counter[tuple[str, str]]) -> str:
    """Return the candidate whose pairs of sounds have been heard the least."""

    def novelty(text: str) -> float:
        pairs = [(left.symbol, right.symbol) for left, right in edges(states(spoken(text)))]
        return sum(1 / (1 + known[pair]) for pair in pairs) / len(pairs)

    return max((writer.text() for _ in range(_CANDIDATES)), key=novelty)


def main() -> None:
    """Record as many minutes as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    minutes = parser.parse_args().minutes
    teacher, out = Teacher(), folder("recordings")
    known: Counter[tuple[str, str]] = Counter()
    progress = tqdm(total=minutes, unit="min", bar_format="{l_bar}{bar}| {n:.1f}/{total:.0f} min")
    part = 0
    while progress.n < minutes:
        path = out / f"{part:05}.npz"
        if path.exists():
            texts = [str(text) for text in np.load(path)["texts"]]
        else:
            writer = Writer(1_000_000 + part)
            texts, frames = [], []
            for _ in range(TEXTS_PER_PART):
                texts.append(_rarest(writer, known))
                parts = spoken(texts[-1])
                frames.append(analyse(teacher.say(parts), len(states(parts)) + 1))
            scratch = path.with_suffix(".part.npz")
            np.savez(scratch, texts=texts, frames=np.concatenate(frames).astype(np.float16))
            scratch.rename(path)
        for text in texts:
            pairs = edges(states(spoken(text)))
            known.update((left.symbol, right.symbol) for left, right in pairs)
            progress.update(min(len(pairs) * 0.08 / 60, minutes - progress.n))
        part += 1


if __name__ == "__main__":
    main()
