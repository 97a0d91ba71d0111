"""What is played where a text has nothing to say: no model is asked."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from qwen_tts_api.engine.job import Job
from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt
from qwen_tts_api.service.utterances import Progress, Samples

NOTHING_TO_SAY = "nothing_to_say"
"""How such a request ends, as its `X-Finish-Reason` says."""

SILENCE_S = 0.2
"""Long enough that every format has a frame of it, and that no client takes it for a failure."""


class Silence:
    """Stands for the `Utterances` of a text without any.

    Attributes:
        prompts: What would have been asked of the model.
        jobs: None.
    """

    finish_reason = NOTHING_TO_SAY
    progress = Progress(segment=0, num_segments=0)
    queue_s = model_s = 0.0
    num_text_tokens = num_frames = 0

    def __init__(self, prompt: Prompt) -> None:
        self.prompts = [prompt]
        self.jobs: list[Job] = []

    @property
    def seed(self) -> int:
        """Return the seed that the request has."""
        return self.prompts[0].sampling.seed

    def pieces(self) -> Generator[Samples, None, None]:
        """Yield the silence."""
        yield np.zeros(round(SILENCE_S * SAMPLE_RATE_HZ), np.int16)

    def close(self) -> None:
        """Nothing goes on."""

    def cancel(self, reason: TTSError) -> None:
        """Nothing goes on."""
