"""Notices an utterance that repeats itself, which never ends by itself, from codes 0 as they come.

X-Square found in 500 sessions of a bad checkpoint that every runaway is one code 0 again and again,
while the 15 other codes go on changing, and that speech had four equal ones at most: of their
numbers are the limits (Qwen3TTS-Streaming, docs/dev/investigation/streaming_hallucination.md).
The sentences that `nano-en` and `nano` were counted in (14) have two at most; a row of signs that
`nano-en` does not read is longer, a frame each: for it is `ModelCard.token_per_frame`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qwen_tts_api.model.utterance import SAMPLES_PER_FRAME

MAX_RUN = 20
"""Equal codes 0 in a row (1.6 s) that are a loop wherever they are."""

MAX_RUN_BEHIND_TEXT = 10
"""As many (0.8 s) are one where the text must be over: the end of speech did not come."""

FRAMES_BEHIND_TEXT = 2.0
"""How many frames there are for each token when it must be. Published models take 3.5."""


@dataclass
class LoopGuard:
    """The latest run of equal codes 0 of one utterance.

    Attributes:
        token_per_frame: As `ModelCard.token_per_frame`: a run inside the text may be a pause of any
            length then, and is no loop.
        length: The length of the run.
    """

    token_per_frame: bool = False
    length: int = 0
    _code: int = -1

    def sees_loop(self, code: int, num_codes: int, num_tokens: int) -> bool:
        """Process the next code 0; return whether it continues a loop.

        Args:
            code: Not the end of speech.
            num_codes: How many there were before.
            num_tokens: Of the text.
        """
        self.length = self.length + 1 if code == self._code else 1
        self._code = code
        is_behind_text = num_codes >= FRAMES_BEHIND_TEXT * num_tokens
        if self.length >= MAX_RUN:
            return is_behind_text or not self.token_per_frame
        return self.length >= MAX_RUN_BEHIND_TEXT and is_behind_text


def fade_out(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return samples whose last frame is faded out linearly, to 0 at its last sample."""
    ramp = np.ones(len(samples))
    length = min(SAMPLES_PER_FRAME, len(samples))
    ramp[len(ramp) - length :] = np.arange(length - 1, -1, -1) / length
    faded: npt.NDArray[np.int16] = np.rint(samples * ramp).astype(np.int16)
    return faded
