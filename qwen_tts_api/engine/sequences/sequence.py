"""A job while it is computed: its slot, its pages, its frames and its end."""

from __future__ import annotations

from collections.abc import Sequence as Sizes
from dataclasses import dataclass
from typing import Any

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.memory.pages import Need
from qwen_tts_api.engine.runner.interface import Prepared
from qwen_tts_api.errors import TextTooLong
from qwen_tts_api.model.utterance import Prompt

FRAMES_PER_TEXT_TOKEN = 12
MIN_FRAME_BUDGET = 192
"""A text may take 12 frames (0.96 s) a token, at least 192 (15 s): 0.3 to 0.5 % of utterances never
reach the end of speech by themselves, and upstream's limit is eleven minutes of noise."""

EXPECTED_FRAMES_PER_TEXT_TOKEN = 4
"""What a text is expected to take. The embedded voice takes 1.03 frames a letter (459 letters in
eight sentences), and the published tokenizer has 0.3 tokens a letter: 3.5 frames a token."""


@dataclass(eq=False)
class Sequence:
    """A job that has a slot.

    Attributes:
        slot: The slot's index.
        job: The job.
        prepared: Its prompt, until it is prefilled.
        num_positions: How many positions the prompt takes.
        max_frames: The frame budget.
        launched: Frames whose generation was launched.
        sampled: Codes 0 that the host has read and that are not the end of speech. Each begins a
            valid frame.
        decoded: Frames whose decoding was launched.
        finish_reason: Set as soon as it is known that no further frame is valid.
        num_chunks: Chunks of audio so far, which the size of the next depends on.
        num_pages: Pages that its slot has.
        waits_for_page: Its slot is paused, because there is no page for its next frame.
        num_tokens: Tokens of the text that the slot has, where it arrives in the course of it.
        text_version: Which state of that text they are of.
        waits: Its slot is paused, because its next frame has no text yet.
    """

    slot: int
    job: Job
    prepared: Any
    num_positions: int
    max_frames: int
    launched: int = 0
    sampled: int = 0
    decoded: int = 0
    finish_reason: str = ""
    num_chunks: int = 0
    num_pages: int = 0
    waits_for_page: bool = False
    num_tokens: int = 0
    text_version: int = 0
    waits: bool = False

    @property
    def valid_frames(self) -> int:
        """How many frames were launched and are known to be speech."""
        return min(self.launched, self.sampled)


def frame_budget(prompt: Prompt, prepared: Prepared, max_positions: int) -> int:
    """Return how many frames an utterance may have.

    Raises:
        TextTooLong: Its prompt leaves too few of the positions for them.
    """
    budget = max(MIN_FRAME_BUDGET, FRAMES_PER_TEXT_TOKEN * prepared.num_text_tokens)
    if prompt.unfinished:
        budget = max_positions  # until the text is over: pages are promised for that many
    if prompt.max_new_tokens is not None:
        budget = min(budget, prompt.max_new_tokens - 1)
    room = max_positions - prepared.num_positions
    if room < max(min(budget, MIN_FRAME_BUDGET), min(budget, prepared.num_trailing)):
        raise TextTooLong(
            f"The text takes {prepared.num_positions} of the {max_positions} positions that an "
            "utterance may have (QWEN_MAX_POSITIONS), which leaves too few for speech: send it in "
            "parts."
        )
    return min(budget, room)


def page_need(sequence: Sequence, page_positions: int) -> Need:
    """Return how many pages a sequence takes for its prompt and first frame, as a rule, at most."""
    prompt, num_tokens = sequence.num_positions, sequence.job.num_text_tokens
    expected = min(sequence.max_frames, EXPECTED_FRAMES_PER_TEXT_TOKEN * num_tokens)
    first, expected, most = (
        -(-(prompt + frames) // page_positions) for frames in (1, expected, sequence.max_frames)
    )
    return Need(min(first, most), expected, most)


def due_chunks(running: list[Sequence], sizes: Sizes[int]) -> dict[int, list[Sequence]]:
    """Return which sequences have a chunk to be decoded, by how many frames it has.

    Args:
        running: The sequences in slots.
        sizes: How many frames a chunk may have, ascending.
    """
    due: dict[int, list[Sequence]] = {}
    for sequence in running:
        waiting = sequence.valid_frames - sequence.decoded
        size = _chunk_size(sequence, len(running), sizes)
        if sequence.finish_reason or sequence.waits:
            fitting = [size for size in sizes if size <= waiting]
            size = fitting[-1] if fitting else 0
        if size and waiting >= size:
            due.setdefault(size, []).append(sequence)
    return due


def _chunk_size(sequence: Sequence, num_running: int, sizes: Sizes[int]) -> int:
    """Return how many frames the next chunk has: few at first, and more under load.

    A ramp that starts at one frame gives the earliest first audio, and costs little while few
    sequences run. With more of them, chunks so small would take longer than they last.
    """
    if not sequence.job.prompt.streaming:
        return sizes[-1]
    start = 0 if num_running <= 4 else 1 if num_running <= 16 else 2
    return sizes[min(start + sequence.num_chunks, len(sizes) - 2)]
