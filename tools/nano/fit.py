"""Step 2: what each code sounds like: the mean of the frames that the teacher made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tools.nano.features import NUM_NODES, POINTS, VOICE_NODES_HZ
from tools.nano.settings import NANO_DIR, Array, folder
from tools.nano.timing import spoken, states
from tools.nano.units import Edge, Units, edges

NUM_VOICE_NODES = len(VOICE_NODES_HZ)

_EXPONENT = 0.5
"""Amplitudes are averaged as their square roots: between loudness and power."""

_CONTRAST, _AROUND = 1.2, 9
"""Averaging flattens formants: differences from the mean of nine nodes are made so much greater."""


def main() -> None:
    """Write `sounds.npy`, `[codes, 5, nodes]` float32."""
    units = Units.load()
    sums: dict[Edge, Array] = {}
    counts: dict[Edge, int] = {}
    for path in sorted(folder("recordings").glob("?????.npz")):
        for edge, frame in _heard(path):
            sums[edge] = sums.get(edge, 0.0) + frame**_EXPONENT
            counts[edge] = counts.get(edge, 0) + 1
    table = np.stack([_sound(edge, sums, counts) for edge in units.known])
    np.save(NANO_DIR / "sounds.npy", _sharpened(table).astype(np.float32))
    seen = [counts.get(edge, 0) for edge in units.known]
    print(f"{sum(seen)} frames; {sum(count > 0 for count in seen)} of {len(seen)} codes were heard")


def _heard(path: Path) -> Iterator[tuple[Edge, Array]]:
    """Yield the frames of a recording with the edges that they are: `[5, nodes]` each."""
    recording = np.load(path)
    frames, start = recording["frames"].astype(np.float32), 0
    for text in recording["texts"]:
        said = edges(states(spoken(str(text))))
        heard = frames[start : start + len(said)]
        begins = np.concatenate((heard[:1, :1], heard[:-1, -1:]))
        yield from zip(said, np.concatenate((begins, heard), 1), strict=True)
        start += len(said)


def _sharpened(table: Array) -> Array:
    """Return the sounds with higher peaks and deeper valleys in the voice's part."""
    result = table.copy()
    levels = np.log(table[..., :NUM_VOICE_NODES] + 1e-4)
    edge = _AROUND // 2
    padded = np.pad(levels, ((0, 0), (0, 0), (edge, edge)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, _AROUND, -1).mean(-1)
    result[..., :NUM_VOICE_NODES] = np.exp(around + _CONTRAST * (levels - around))
    return result


def _sound(edge: Edge, sums: dict[Edge, Array], counts: dict[Edge, int]) -> Array:
    """Return a code's mean; where the teacher never said it, halves of what is like it."""
    if edge in sums:
        mean = sums[edge] / counts[edge]
    else:
        mean = np.zeros((POINTS, NUM_NODES), dtype=np.float32)
        middle = POINTS // 2
        for index, spectra in ((0, slice(None, middle + 1)), (1, slice(middle, None))):
            alike = _alike(edge, index, sums)
            total = sum(counts[other] for other in alike)
            mean[spectra] = sum(sums[other][spectra] for other in alike) / total
    result: Array = mean ** (1 / _EXPONENT)
    return result


def _alike(edge: Edge, index: int, sums: dict[Edge, Array]) -> list[Edge]:
    """Return the edges with the same sounds, else with the same state or sound at one side."""
    both = [edge[0].symbol, edge[1].symbol]
    return (
        [other for other in sums if [other[0].symbol, other[1].symbol] == both]
        or [other for other in sums if other[index] == edge[index]]
        or [other for other in sums if other[index].symbol == edge[index].symbol]
    )


if __name__ == "__main__":
    main()
