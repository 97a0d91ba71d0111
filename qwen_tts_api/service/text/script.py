"""From a prompt with a text of any length to the utterances that the model speaks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.config import Config
from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.service.text.segments import split
from qwen_tts_api.service.text.sentences import Boundary

POSITIONS_PER_LETTER = 2
"""A letter of a text takes 0.3 positions for its tokens and 0.8 for its frames, at 15 letters and
12.5 frames a second; the rest is for slow speech and for languages with more tokens."""

PAUSES_S = {
    Boundary.PARAGRAPH: 0.6,
    Boundary.SENTENCE: 0.25,
    Boundary.LINE: 0.25,
    Boundary.CLAUSE: 0.12,
    Boundary.WORD: 0.0,
    Boundary.CHARACTER: 0.0,
}


@dataclass(frozen=True)
class Utterance:
    """What is spoken at a time.

    Attributes:
        prompt: For the model.
        pause_s: How long to wait before the next one.
    """

    prompt: Prompt
    pause_s: float


def max_letters(config: Config, card: ModelCard) -> int:
    """Return how long a model's utterances may be, in letters as `segments.measure` counts.

    A designed voice is invented for each utterance, so that there the text is only divided where
    the model could not hold it.
    """
    limit = config.max_positions // POSITIONS_PER_LETTER
    return limit if card.kind == "voice_design" else min(limit, config.max_segment_chars)


def divide(prompt: Prompt, max_letters: int) -> list[Utterance]:
    """Return the utterances of a prompt; a text that fits is one, and its prompt unchanged."""
    segments = split(prompt.text, max_letters)
    seeds = _seeds(prompt.sampling.seed)
    return [
        Utterance(
            replace(prompt, text=segment.text, sampling=replace(prompt.sampling, seed=seed)),
            PAUSES_S[segment.boundary],
        )
        for segment, seed in zip(segments, seeds, strict=False)
    ]


def _seeds(first: int) -> Iterator[int]:
    """Yield a seed for each utterance: the given one, and others that only depend on it."""
    yield first
    number = 1
    while True:
        digest = hashlib.sha256(f"{first} {number}".encode()).digest()
        yield int.from_bytes(digest[:8], "big") >> 1
        number += 1
