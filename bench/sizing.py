"""How many slots (utterances) fit on which GPU, by the memory planner: `python -m bench.sizing`.

Nothing is measured and no GPU is needed: the models have shapes and no numbers. What computing
takes besides is left out, since only a GPU can tell (`qwen_tts_api.engine.memory.profiling`): the
counts are upper bounds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.memory.planning import GIB, GPU_SHARE_LEFT, MAX_VOICES, slot_bytes
from qwen_tts_api.model.loaded import LoadedModel

CARDS_GIB = (8, 12, 16, 24, 48, 80)
POSITIONS = (512, 1024, 8192)
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


def slots_that_fit(model: LoadedModel, card_gib: int, max_positions: int) -> int:
    """Return how many slots fit beside the weights and the reserve."""
    voices = MAX_VOICES * slot_bytes(model, 0) if model.card.kind == "base" else 0
    left_alone = int(card_gib * GIB * GPU_SHARE_LEFT)
    free = card_gib * GIB - left_alone - model.num_bytes - voices
    return max(0, min(MAX_SLOTS, free // slot_bytes(model, max_positions)))


def slots_table() -> Iterator[str]:
    """Yield the lines of a table in Markdown: what a slot takes."""
    yield _line("model", "weights", *(f"a slot of {positions}" for positions in POSITIONS))
    yield _line(*["---"] * (2 + len(POSITIONS)))
    for name, model in models().items():
        sizes = (f"{slot_bytes(model, positions) / 2**20:.0f} MiB" for positions in POSITIONS)
        yield _line(name, f"{model.num_bytes / GIB:.1f} GiB", *sizes)


def cards_table() -> Iterator[str]:
    """Yield the lines of a table in Markdown: how many slots fit on each card."""
    columns = [(name, positions) for name in models() for positions in POSITIONS[1:]]
    yield _line("card", *(f"{name}, {positions}" for name, positions in columns))
    yield _line(*["---"] * (1 + len(columns)))
    for card in CARDS_GIB:
        counts = (slots_that_fit(models()[name], card, positions) for name, positions in columns)
        yield _line(f"{card} GB", *(str(count) if count else "none" for count in counts))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |" if cells[0] != "---" else "|---" * len(cells) + "|"


if __name__ == "__main__":
    print(*slots_table(), "", *cards_table(), sep="\n")
