"""What code 0 means: which two states a frame joins, from the middle of one to that of the next.

There are about 3,100 such edges in English as `timing.py` times it; the 2,040 commonest, 99.5 % of
all frames, have a code each, and the others borrow that of the most similar one.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

from tools.nano.settings import NANO_DIR
from tools.nano.text import Writer
from tools.nano.timing import SILENT, State, segments, states

NUM_CODES = 2040
NUM_MORE_FRAMES = 2
"""How many more frames than tokens there are."""
_TEXTS = 12_000
_SEED = 5

Edge = tuple[State, State]


def edges(text_states: list[State]) -> list[Edge]:
    """Return the pair of states that each frame of a text joins."""
    return list(pairwise([SILENT, *text_states, SILENT]))


class Units:
    """Edges by code, and the code of every edge."""

    def __init__(self, known: list[Edge]) -> None:
        self.known = known
        self._codes = {edge: code for code, edge in enumerate(known)}

    @classmethod
    def load(cls) -> Units:
        """Read the inventory, or count it from texts the first time."""
        path = NANO_DIR / "units.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(_commonest(), ensure_ascii=False), encoding="utf-8")
        rows = json.loads(path.read_text(encoding="utf-8"))
        return cls([(State(*left), State(*right)) for left, right in rows])

    def sides(self) -> tuple[list[int], list[int]]:
        """Return the number of each code's first state, and of its second one."""
        every = sorted({state for edge in self.known for state in edge})
        numbers = {state: index for index, state in enumerate(every)}
        return [numbers[one] for one, _ in self.known], [numbers[other] for _, other in self.known]

    def encode(self, text: str) -> list[int]:
        """Return code 0 of each frame of a text: two more than it has tokens."""
        return self.codes(edges(states(segments(text))))

    def codes(self, spoken: list[Edge]) -> list[int]:
        """Return the codes of a text's edges, and one for silence.

        The decoder says a frame when it has the next one's code.
        """
        return [self.code(edge) for edge in (*spoken, (SILENT, SILENT))]

    def code(self, edge: Edge) -> int:
        """Return the code of an edge, or that of the most similar one."""
        if edge not in self._codes:
            self._codes[edge] = max(
                range(len(self.known)),
                key=lambda code: (_similarity(self.known[code], edge), -code),
            )
        return self._codes[edge]


def _similarity(one: Edge, other: Edge) -> int:
    """Weigh what two edges share; the sounds more than their parts, the later one more."""
    return (
        4 * (one[0].symbol == other[0].symbol)
        + 5 * (one[1].symbol == other[1].symbol)
        + (one[0].part == other[0].part)
        + (one[1].part == other[1].part)
    )


def _commonest() -> list[Edge]:
    writer, counts = Writer(_SEED), Counter[Edge]()
    for _ in range(_TEXTS):
        counts.update(edges(states(segments(writer.text()))))
    return [edge for edge, _ in counts.most_common(NUM_CODES)]
