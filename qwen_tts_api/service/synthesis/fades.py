"""Fade samples in and out, so that a cut is no click."""

from __future__ import annotations

import numpy as np

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ

FADE = SAMPLE_RATE_HZ // 200
"""Samples of a fade: 5 ms."""


def fade_in(samples: Samples) -> Samples:
    """Fade samples in, linearly over `FADE` samples."""
    ramp = np.ones(len(samples))
    length = min(FADE, len(samples))
    ramp[:length] = np.arange(length) / FADE
    faded: Samples = np.rint(samples * ramp).astype(np.int16)
    return faded


def fade_out(samples: Samples) -> Samples:
    """Fade samples out, linearly over `FADE` samples."""
    return fade_in(samples[::-1])[::-1]
