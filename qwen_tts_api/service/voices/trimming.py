"""Cut long silence at a recording's ends, which a cloned voice would speak as it is.

Speech is told from what is around it by the level between 300 and 6,000 Hz, where hum, its
overtones and a constant offset have nothing, in windows of 20 ms. It is louder than the recording's
own noise, and than a share of its own loudest: a quiet recording is trimmed as a loud one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.voices.recording import Waveform

HOP = SAMPLE_RATE_HZ // 100
"""Samples between two windows: 10 ms."""

LONG_S = 0.5
"""Silence before speech is cut where it is longer: a soft first syllable is shorter."""

LEAD_S = 0.2
"""How much of it is left."""

TAIL_S = 0.5
"""Silence behind speech, as much as others append (faster-qwen3-tts), so that the recording's last
sound does not leak into the speech that continues it."""

_WINDOW = 2 * HOP
_LOW_HZ, _HIGH_HZ = 300.0, 6000.0

# In dB: speech is this much above the noise, and at most so much below the loudest 100 ms. Where
# noise leaves less between the two, what is near the loudest alone is speech.
_ABOVE_NOISE, _BELOW_LOUDEST, _NEAR_LOUDEST = 10.0, 45.0, 15.0

_NUM_LOUDEST = 10  # windows: a click is shorter
_RUN = 5  # windows, of which most are speech's


def trim_silence(samples: Waveform, *, is_continued: bool) -> Waveform:
    """Return a recording with no more than LEAD_S before its speech, and TAIL_S behind it.

    Args:
        samples: `[n]` float32 at SAMPLE_RATE_HZ. One without anything like speech is returned as it
            is.
        is_continued: Whether its speech is continued: what is missing of TAIL_S is then appended.
    """
    is_speech = _find_speech(_levels(samples))
    if not is_speech.any():
        return samples
    windows = np.flatnonzero(is_speech)
    begin = int(windows[0]) * HOP
    is_long = begin > round(LONG_S * SAMPLE_RATE_HZ)
    begin = begin - round(LEAD_S * SAMPLE_RATE_HZ) if is_long else 0
    end = int(windows[-1]) * HOP + _WINDOW + round(TAIL_S * SAMPLE_RATE_HZ)
    missing = max(0, end - len(samples)) if is_continued else 0
    return np.concatenate([samples[begin:end], np.zeros(missing, np.float32)])


def _levels(samples: Waveform) -> npt.NDArray[np.float64]:
    """Return the level of each window in dB of full scale, within the band of speech."""
    if len(samples) < _WINDOW:
        return np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::HOP]
    spectrum = np.fft.rfft(windows * np.hanning(_WINDOW))
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ)
    band = (frequencies >= _LOW_HZ) & (frequencies <= _HIGH_HZ)
    energy = np.square(np.abs(spectrum[:, band])).sum(axis=1) / _WINDOW**2
    levels: npt.NDArray[np.float64] = 10 * np.log10(energy + 1e-12)
    return levels


def _find_speech(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    if len(levels) < _RUN:
        return np.zeros(len(levels), bool)
    loudest = np.sort(levels)[-_NUM_LOUDEST:].min()
    noise = np.percentile(levels, 10)
    threshold = min(max(noise + _ABOVE_NOISE, loudest - _BELOW_LOUDEST), loudest - _NEAR_LOUDEST)
    loud = (levels > threshold).astype(int)
    # Most of the windows around it, or it is a click.
    around = np.convolve(loud, np.ones(_RUN, int), "same")
    found: npt.NDArray[np.bool_] = (around > _RUN // 2) & (loud > 0)
    return found
