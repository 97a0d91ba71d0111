"""Feeds arriving text to the slots that speak it, between two frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.sequences.sequence import Sequence, text_budget
from qwen_tts_api.errors import TextTooLong, TTSError
from qwen_tts_api.model.utterance import Prompt


def current_prompt(job: Job) -> tuple[Prompt, int]:
    """Return a job's prompt with the text that has arrived, and that text's version."""
    if job.prompt.arriving is None:
        return job.prompt, 0
    text, final, version = job.prompt.arriving.state
    prompt = replace(job.prompt, text=text, text_in_frames=True, unfinished=not final)
    return prompt, version


class TextFeeder:
    """Appends arrived text to slots, and pauses slots that have spoken all of it.

    Args:
        runner: Has the slots.
        explain: Converts an exception of the runner into the error of the job.
    """

    def __init__(self, runner: Runner, explain: Callable[[Exception], TTSError]) -> None:
        self._runner = runner
        self._explain = explain

    def can_begin(self, job: Job) -> bool:
        """Return whether a job has the first token of its text."""
        if job.prompt.arriving is None or job.cancelled:
            return True
        state = job.prompt.arriving.state
        return state.final or self._runner.num_stable_tokens(state.text) > 0

    def update(self, sequence: Sequence) -> None:
        """Append new text to a slot, and pause or resume it."""
        text = sequence.job.prompt.arriving
        if text is None or sequence.finish_reason:
            return
        state = text.state
        if state.version != sequence.text_version:
            try:
                self._extend(sequence, state.text, final=state.final)
            except Exception as error:  # a boundary: other sequences are not affected
                sequence.job.cancel(self._explain(error))
                return
            sequence.text_version = state.version
        # The prefill has the first token, each frame takes one more: frame 0 needs two tokens.
        waits = not state.final and sequence.launched >= sequence.num_tokens - 1
        if waits != sequence.waits:
            change = self._runner.pause if waits else self._runner.resume
            change(sequence.slot)
            sequence.waits = waits

    def is_starved(self, sequence: Sequence) -> bool:
        """Return whether a slot waits for text, with all its audio decoded and no new text."""
        job, text = sequence.job, sequence.job.prompt.arriving
        return (
            text is not None
            and sequence.waits
            and not job.cancelled
            and sequence.decoded == sequence.valid_frames == sequence.launched
            and text.state.version == sequence.text_version
        )

    def _extend(self, sequence: Sequence, text: str, *, final: bool) -> None:
        sequence.num_tokens = self._runner.extend(
            sequence.slot, text, sequence.num_tokens, final=final
        )
        sequence.job.num_text_tokens = sequence.num_tokens
        if sequence.num_positions + sequence.num_tokens > self._runner.max_positions:
            raise TextTooLong(
                f"The text has {sequence.num_tokens} tokens: their frames exceed the "
                f"{self._runner.max_positions} positions that an utterance may have "
                "(QWEN_MAX_POSITIONS). Send it in parts."
            )
        if final:
            sequence.max_frames = min(sequence.max_frames, text_budget(sequence.num_tokens))
