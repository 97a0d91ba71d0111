"""Audio of which it is known when something is heard in it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ

Samples = npt.NDArray[np.int16]


def tone(seconds: float) -> Samples:
    """Return something loud."""
    time = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (12_000 * np.sin(2 * np.pi * 210 * time + 0.5)).astype(np.int16)


def silence(seconds: float) -> Samples:
    """Return soft noise."""
    size = round(seconds * SAMPLE_RATE_HZ)
    return np.random.default_rng(0).normal(0, 5, size).astype(np.int16)


def speech(*seconds: float) -> Samples:
    """Return silence, sound, silence and so on."""
    parts = [(tone if number % 2 else silence)(each) for number, each in enumerate(seconds)]
    return np.concatenate(parts)


def sounds(samples: npt.NDArray[np.float64], rate_hz: int, gap_s: float) -> list[list[float]]:
    """Return begin and end, in seconds, of all that is loud; shorter gaps are none."""
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    breaks = np.flatnonzero(np.diff(loud) > gap_s * rate_hz)
    starts = loud[np.concatenate([[0], breaks + 1])]
    ends = loud[np.concatenate([breaks, [len(loud) - 1]])]
    return [[start / rate_hz, (end + 1) / rate_hz] for start, end in zip(starts, ends, strict=True)]
