"""A sequence: a job that has a slot; its frames, chunks and end."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from collections.abc import Sequence as Sizes
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.memory.pages import Need
from qwen_tts_api.engine.runner.interface import Prepared
from qwen_tts_api.engine.sequences.loop_guard import MAX_RUN, LoopGuard, fade_out
from qwen_tts_api.errors import TextTooLong
from qwen_tts_api.model.utterance import SAMPLES_PER_FRAME, Prompt
from qwen_tts_api.telemetry.context import bound_context

LOOP = "loop"
"""The finish reason of an utterance that repeated itself."""
RESTARTED = "restarted"
"""The finish reason of a sequence whose job is restarted after a loop."""

FRAMES_PER_TEXT_TOKEN = 12
FRAMES_BESIDE_TEXT = 36
"""The frame budget: 12 frames (0.96 s) for each token, and 36 (2.9 s) for silence. It is needed
because 0.3 to 0.5 % of utterances never sample the end of speech: with upstream's limit they become
eleven minutes of noise. It is generous: a word is a token or two, speech takes 3.5 frames a token,
and the silence around it is below a second."""

MIN_ROOM = 192
"""A text is refused if its prompt leaves fewer positions than this for the speech."""

EXPECTED_FRAMES_PER_TEXT_TOKEN = 4
"""Expected length of the speech, by which pages are reserved. The embedded voice takes 1.03 frames
a letter (459 letters in eight sentences), and the published tokenizer has 0.3 tokens a letter:
3.5 frames a token."""

logger = logging.getLogger(__name__)


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
        sampled: Codes 0 that the host has read, without the end of speech. Each begins a valid
            frame.
        decoded: Frames whose decoding was launched.
        finish_reason: Set as soon as it is known that no further frame is valid.
        num_chunks: Chunks of audio so far; the size of the next one depends on it.
        num_pages: Pages of its slot.
        waits_for_page: Its slot is paused until there is a page for its next frame.
        num_tokens: Tokens of the text that the slot has; grows while the text arrives.
        text_version: The version of the arriving text that these tokens are of.
        waits: Its slot is paused until there is text for its next frame.
        guard: Detects whether it repeats itself.
        delivered: Frames whose audio was written to the job.
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
    guard: LoopGuard = field(default_factory=LoopGuard)
    delivered: int = 0

    def take(self, code: int, eos: int) -> None:
        """Process the next code 0 that the host has read; it may be the end of speech."""
        if code == eos:
            self.finish_reason = "stop"
        elif self.sampled == self.max_frames:
            self.finish_reason = "length"
        elif self.guard.sees_loop(code, self.sampled, self.job.num_text_tokens):
            self.finish_reason = LOOP
            # Cut where the loop began, or behind what was decoded already, which may be sent; one
            # more frame is faded out (`deliver`).
            begin = self.sampled + 1 - self.guard.length
            self.sampled = max(begin, self.decoded) + 1
        else:
            self.sampled += 1

    def deliver(self, samples: npt.NDArray[np.int16]) -> None:
        """Write the audio of the next frames to the job; the last of a loop is faded out."""
        self.delivered += len(samples) // SAMPLES_PER_FRAME
        if self.finish_reason == LOOP and self.delivered == self.valid_frames:
            samples = fade_out(samples)
        if self.finish_reason != RESTARTED:
            self.job.write(samples)

    def log_end(self) -> None:
        """Log how it ended; a loop, which is rare and the model's fault, as a warning."""
        is_loop = self.finish_reason in (LOOP, RESTARTED)
        level = logging.WARNING if is_loop else logging.DEBUG
        if logger.isEnabledFor(level):
            values = (self.slot, self.finish_reason, self.sampled)
            with bound_context(self.job.log_context):
                logger.log(level, "slot %d: %s after %d frames", *values)

    @property
    def valid_frames(self) -> int:
        """How many frames were launched and are known to be speech."""
        return min(self.launched, self.sampled)

    @property
    def final_frames(self) -> int:
        """How many of them may be decoded: of a file, none that may be part of a loop.

        What is longer than a loop is a pause (`LoopGuard.token_per_frame`), and not all is kept.
        """
        is_sent = self.job.prompt.streaming or self.finish_reason
        return min(
            self.launched, self.sampled - (0 if is_sent else min(self.guard.length, MAX_RUN))
        )


def text_budget(num_text_tokens: int) -> int:
    """Return the frame budget of a text."""
    return FRAMES_PER_TEXT_TOKEN * num_text_tokens + FRAMES_BESIDE_TEXT


def frame_budget(prompt: Prompt, prepared: Prepared, max_positions: int) -> int:
    """Return the frame budget of an utterance.

    Raises:
        TextTooLong: Its prompt leaves too few positions for the speech.
    """
    budget = text_budget(prepared.num_text_tokens)
    if prompt.unfinished:
        budget = max_positions  # `TextFeeder` lowers it when the text is complete
    if prompt.max_new_tokens is not None:
        budget = min(budget, prompt.max_new_tokens - 1)
    room = max_positions - prepared.num_positions
    if room < max(min(budget, MIN_ROOM), min(budget, prepared.num_trailing)):
        raise TextTooLong(
            f"The text takes {prepared.num_positions} of the {max_positions} positions that an "
            "utterance may have (QWEN_MAX_POSITIONS), which leaves too few for speech: send it in "
            "parts."
        )
    return min(budget, room)


def page_need(sequence: Sequence, page_positions: int) -> Need:
    """Return the pages that a sequence needs at first, is expected to need, needs at most."""
    prompt, num_tokens = sequence.num_positions, sequence.job.num_text_tokens
    expected = min(sequence.max_frames, EXPECTED_FRAMES_PER_TEXT_TOKEN * num_tokens)
    first, expected, most = (
        -(-(prompt + frames) // page_positions) for frames in (1, expected, sequence.max_frames)
    )
    return Need(min(first, most), expected, most)


def due_chunks(
    sequences: Iterable[Sequence], num_running: int, sizes: Sizes[int]
) -> dict[int, list[Sequence]]:
    """Return the sequences with a chunk to be decoded, by its number of frames.

    A stream's chunks begin small and grow. Starting at one frame gives the earliest first audio,
    and costs little while few sequences run. With many, decoding such small chunks would take
    longer than their audio lasts, so the ramp starts higher.

    Args:
        sequences: The candidates.
        num_running: How many sequences have slots.
        sizes: The possible numbers of frames in a chunk, ascending.
    """
    start = 0 if num_running <= 4 else 1 if num_running <= 16 else 2
    largest_of_stream = len(sizes) - 2
    due: dict[int, list[Sequence]] = {}
    for sequence in sequences:
        waiting = sequence.final_frames - sequence.decoded
        if sequence.finish_reason or sequence.waits:
            size = max((size for size in sizes if size <= waiting), default=0)
        elif sequence.job.prompt.streaming:
            size = sizes[min(start + sequence.num_chunks, largest_of_stream)]
        else:
            size = sizes[-1]
        if 0 < size <= waiting:
            due.setdefault(size, []).append(sequence)
    return due
