"""What the teacher's frames sound like on average, by their surroundings.

A frame's sound depends on the two states that it joins, on the sound after them, and on the one
before, in this order. Of many surroundings there are few recordings or none: their mean is drawn
towards that of the wider ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tools.nano.features import NUM_NODES, SPECTRA_PER_FRAME, reduce
from tools.nano.settings import Array, folder
from tools.nano.timing import SILENT, State, spoken, states
from tools.nano.units import Edge

_POINTS = SPECTRA_PER_FRAME + 1
"""Spectra of a frame: at its beginning, within it, and at its end, which is the next one's
beginning."""

_EXPONENT = 0.5
"""Amplitudes are averaged as their square roots: between loudness and power."""

_DRAWN = 3.0
"""How many frames the mean of the wider surroundings counts for."""

_Key = tuple[Edge, str | None, str | None]
"""An edge, the sound after it and the one before it; None for any."""


class Surroundings(NamedTuple):
    """A frame and what is around it.

    Attributes:
        edge: The states that it joins.
        before: The state before them; None before the first frame.
        after: The state after them.
    """

    edge: Edge
    before: State | None
    after: State


def surroundings(text_states: list[State]) -> list[Surroundings]:
    """Return those of each frame of a text, with silence around it."""
    line = [SILENT, *text_states, SILENT, SILENT]
    return [
        Surroundings((line[i], line[i + 1]), line[i - 1] if i else None, line[i + 2])
        for i in range(len(text_states) + 1)
    ]


class Means:
    """Means of all that was recorded.

    Args:
        frames: Frames `[5, nodes]` and their surroundings.
    """

    def __init__(self, frames: Iterator[tuple[Surroundings, Array]]) -> None:
        self._sums: dict[_Key, Array] = {}
        self._counts: Counter[_Key] = Counter()
        for around, frame in frames:
            rooted = frame.astype(np.float64) ** _EXPONENT
            for key in _keys(around):
                self._sums[key] = self._sums.get(key, 0.0) + rooted
                self._counts[key] += 1
        self._edges = [edge for edge, after, _ in self._sums if after is None]

    def heard(self, around: Surroundings) -> Array:
        """Return what is heard 0, 20, 40 and 60 ms into a frame: amplitudes `[4, nodes]`.

        Where it begins, that is the mean with the end of the frame before.
        """
        mean = self._mean(_keys(around))
        heard = mean[:-1] ** (1 / _EXPONENT)
        if around.before is not None:
            before = Surroundings((around.before, around.edge[0]), None, around.edge[1])
            end = self._mean(_keys(before)[:2])[-1] ** (1 / _EXPONENT)
            heard[0] = (heard[0] + end) / 2
        return heard

    def of_edge(self, edge: Edge) -> Array:
        """Return the mean of all frames that join two states: `[5, nodes]`."""
        mean: Array = self._edge(edge) ** (1 / _EXPONENT)
        return mean

    def _mean(self, keys: list[_Key]) -> Array:
        mean = self._edge(keys[0][0])
        for key in keys[1:]:
            if key in self._sums:
                mean = (self._sums[key] + _DRAWN * mean) / (self._counts[key] + _DRAWN)
        return mean

    def _edge(self, edge: Edge) -> Array:
        """Return an edge's mean; where the teacher never said it, halves of what is like it."""
        if any_of_it := self._counts[_any(edge)]:
            mean: Array = self._sums[_any(edge)] / any_of_it
            return mean
        mean = np.zeros((_POINTS, NUM_NODES))
        middle = _POINTS // 2
        for index, spectra in ((0, slice(None, middle + 1)), (1, slice(middle, None))):
            alike = self._alike(edge, index)
            total = sum(self._counts[other] for other in alike)
            mean[spectra] = sum(self._sums[other][spectra] for other in alike) / total
        return mean

    def _alike(self, edge: Edge, index: int) -> list[_Key]:
        """Return the edges with the same sounds, else with the same state or sound at one side."""
        both = [edge[0].symbol, edge[1].symbol]
        alike = (
            [one for one in self._edges if [one[0].symbol, one[1].symbol] == both]
            or [one for one in self._edges if one[index] == edge[index]]
            or [one for one in self._edges if one[index].symbol == edge[index].symbol]
        )
        return [_any(one) for one in alike]


def _keys(around: Surroundings) -> list[_Key]:
    """Return what a frame's recordings are filed under, from the widest to the narrowest."""
    edge, after = around.edge, around.after.symbol
    before = around.before.symbol if around.before else ""
    return [_any(edge), (edge, after, None), (edge, after, before)]


def _any(edge: Edge) -> _Key:
    return edge, None, None


def recordings() -> Iterator[tuple[list[Surroundings], Array]]:
    """Yield, for every recorded text, what is around its frames, and these: `[n, 5, nodes]`."""
    for path in sorted(folder("recordings").glob("?????.npz")):
        yield from _texts(path)


def _texts(path: Path) -> Iterator[tuple[list[Surroundings], Array]]:
    recording = np.load(path)
    frames, start = reduce(recording["frames"].astype(np.float32)), 0
    for text in recording["texts"]:
        said = surroundings(states(spoken(str(text))))
        heard = frames[start : start + len(said)]
        begins = np.concatenate((heard[:1, :1], heard[:-1, -1:]))
        yield said, np.concatenate((begins, heard), 1)
        start += len(said)
