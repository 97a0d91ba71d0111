"""Another rate: exact in length, clean, and the same however the samples come."""

from __future__ import annotations

import numpy as np
import pytest

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.resampler import Resampler
from tests.audio.decoding import RATE_HZ, peak_hz, sizes, voice

RATES_HZ = [8_000, 16_000, 48_000]


def resample(samples: Samples, rate_hz: int, pieces: list[int]) -> Samples:
    """Resample in pieces of these sizes."""
    resampler = Resampler(RATE_HZ, rate_hz)
    parts = np.split(samples, np.cumsum(pieces)[:-1])
    return np.concatenate([*map(resampler.process, parts), resampler.finish()])


def sine(frequency_hz: float, num_samples: int) -> Samples:
    """Return a pure tone."""
    time_s = np.arange(num_samples) / RATE_HZ
    samples: Samples = (16_000 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.int16)
    return samples


@pytest.mark.parametrize("num_samples", [0, 1, 2, 7, 1919, 1920, 24_001, 100_000])
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_length_and_samples_do_not_depend_on_pieces(rate_hz: int, num_samples: int) -> None:
    """The length is the input's in seconds, rounded to a sample."""
    samples = voice(num_samples)
    whole = resample(samples, rate_hz, [num_samples])
    assert len(whole) == round(num_samples * rate_hz / RATE_HZ)
    for seed in range(3):
        np.testing.assert_array_equal(
            resample(samples, rate_hz, sizes(num_samples, seed) or [0]), whole
        )


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_tone_keeps_its_pitch_and_loudness(rate_hz: int) -> None:
    tone = sine(1000, 48_000)
    resampled = resample(tone, rate_hz, [48_000])
    assert peak_hz(resampled, rate_hz, 1000) == pytest.approx(1000, abs=0.2)
    middle = resampled[len(resampled) // 4 : -len(resampled) // 4]
    assert np.abs(middle).max() == pytest.approx(16_000, rel=0.01)


def test_what_the_lower_rate_cannot_hold_vanishes() -> None:
    """10 kHz would come back as 2 kHz at 8 kHz and as 6 kHz at 16 kHz, were it not taken out."""
    tone = sine(10_000, 48_000)
    for rate_hz in (8_000, 16_000):
        resampled = resample(tone, rate_hz, [48_000])
        middle = resampled[len(resampled) // 4 : -len(resampled) // 4]
        assert np.abs(middle).max() <= 2


def test_the_loudest_samples_are_not_turned_over() -> None:
    """Between samples at full scale a signal may go beyond what 16 bits hold."""
    square = np.where(np.arange(24_000) // 12 % 2, 32_767, -32_768).astype(np.int16)
    resampled = resample(square, 48_000, [24_000])
    assert (np.sign(resampled[12:-24:24]) == np.sign(square[6:-12:12])).all()


def test_silence_stays_silent() -> None:
    """There is no dither."""
    assert not resample(np.zeros(24_000, np.int16), 8_000, [24_000]).any()
