"""How many utterances fit on which GPU at once, by the memory planner: `python -m bench.sizing`.

Nothing is measured and no GPU is needed: the models have shapes and no numbers. What computing
takes besides is left out, since only a GPU can tell (`qwen_tts_api.engine.memory.profiling`): the
counts are upper bounds.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.memory.planning import (
    GIB,
    GPU_SHARE_LEFT,
    MAX_VOICES,
    Costs,
    costs_of,
    page_positions,
    prefix_bytes_of,
    size_that_fits,
)
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.talker_cache import CacheSize

CARDS_GIB = (8, 12, 16, 24, 48, 80)
LENGTHS = {512: "half a minute", 1024: "a minute", 8192: "eleven minutes"}
"""Of audio, by the positions that they take with their text."""

MAX_POSITIONS = 8192
"""The default of QWEN_MAX_POSITIONS."""

MAX_SLOTS = 1024
"""The largest QWEN_MAX_STREAMS."""


@cache
def models() -> dict[str, LoadedModel]:
    """Return the published sizes: those with speakers or designed voices, and those that clone."""
    with tempfile.TemporaryDirectory() as cache:
        kinds = {"": "nano", " Base": "nano-base"}
        return {
            f"{size.upper()}{suffix}": empty_model(size, locate(kind, Path(cache)))
            for size in ("0.6b", "1.7b")
            for suffix, kind in kinds.items()
        }


def free_bytes(model: LoadedModel, card_gib: int) -> int:
    """Return what is left for slots and pages beside the weights, what is kept, and the reserve."""
    voices = MAX_VOICES * _costs(model, 0).slot_bytes if model.card.kind == "base" else 0
    left_alone = int(card_gib * GIB * GPU_SHARE_LEFT)
    free = card_gib * GIB - left_alone - model.num_bytes - voices
    position_bytes = _costs(model, 1).page_bytes // page_positions(model)
    return free - prefix_bytes_of(position_bytes, free)


def streams_that_fit(model: LoadedModel, card_gib: int, positions: int) -> int:
    """Return how many utterances of so many positions can be computed at once, by the plan."""
    free, costs = free_bytes(model, card_gib), _costs(model, MAX_POSITIONS)

    def fit(streams: int) -> bool:
        size = size_that_fits(free, costs, CacheSize.whole(streams, MAX_POSITIONS))
        return size.max_slots == streams and size.num_pages >= streams * _pages(positions)

    return bisect_left(range(1, MAX_SLOTS + 1), True, key=lambda streams: not fit(streams))


def slots_table() -> Iterator[str]:
    """Yield the lines of a table in Markdown: what an utterance takes."""
    lengths = (f"{LENGTHS[positions]} of audio" for positions in LENGTHS)
    yield _line("model", "weights", "a slot", "a page", *lengths)
    yield _line(*["---"] * (4 + len(LENGTHS)))
    for name, model in models().items():
        costs = _costs(model, MAX_POSITIONS)
        sizes = (
            costs.slot_bytes,
            costs.page_bytes,
            *(costs.slot_bytes + _pages(positions) * costs.page_bytes for positions in LENGTHS),
        )
        mib = (f"{size / 2**20:.0f} MiB" for size in sizes)
        yield _line(name, f"{model.num_bytes / GIB:.1f} GiB", *mib)


def cards_table() -> Iterator[str]:
    """Yield the lines of a table in Markdown: how many utterances each card computes at once."""
    columns = [(name, positions) for name in models() for positions in (512, 8192)]
    yield _line("card", *(f"{name}, {LENGTHS[positions]}" for name, positions in columns))
    yield _line(*["---"] * (1 + len(columns)))
    for card in CARDS_GIB:
        counts = (streams_that_fit(models()[name], card, length) for name, length in columns)
        yield _line(f"{card} GB", *(str(count) if count else "none" for count in counts))


def _costs(model: LoadedModel, max_positions: int) -> Costs:
    return costs_of(model, CacheSize.whole(1, max_positions, page_positions(model)))


def _pages(positions: int) -> int:
    return CacheSize.whole(1, positions).num_pages


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |" if cells[0] != "---" else "|---" * len(cells) + "|"


if __name__ == "__main__":
    print(*slots_table(), "", *cards_table(), sep="\n")
