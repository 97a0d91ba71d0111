"""Speed: the length that was asked for, the same pitch. Rates: exact in length, clean."""

from __future__ import annotations

import numpy as np
import pytest

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.rates import Resampler, SpeedChanger
from tests.audio.decoding import RATE_HZ, peak_hz, sizes, voice
from tests.rows import for_each

SPEEDS = [0.25, 0.5, 0.8, 0.97, 1.03, 1.25, 1.5, 2.0, 3.0, 4.0]


def change_speed(samples: Samples, speed: float, pieces: list[int]) -> list[Samples]:
    """Change the speed of samples that come in pieces of these sizes; return what comes out."""
    changer = SpeedChanger(speed, RATE_HZ)
    parts = np.split(samples, np.cumsum(pieces)[:-1])
    return [*map(changer.process, parts), changer.finish()]


@for_each("num_samples", [0, 1, 1000, 1920, 48_001])
@for_each("speed", SPEEDS)
def test_length_and_samples_do_not_depend_on_pieces(speed: float, num_samples: int) -> None:
    """The length is the input's divided by the speed, to a sample."""
    samples = voice(num_samples)
    whole = np.concatenate(change_speed(samples, speed, [num_samples]))
    assert len(whole) == round(num_samples / speed)
    for seed in range(3):
        pieces = change_speed(samples, speed, sizes(num_samples, seed) or [0])
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


@for_each(
    ("speed", "pitch_hz"),
    [*zip(SPEEDS, [60, 90, 130, 220, 400] * 2, strict=True), (0.25, 400), (4.0, 60)],
)
def test_the_pitch_stays(speed: float, pitch_hz: float) -> None:
    """From a deep man's voice to a child's, within 0.2 % (a musician hears about 0.3 %)."""
    samples = voice(3 * RATE_HZ, pitch_hz=pitch_hz)
    changed = np.concatenate(change_speed(samples, speed, [len(samples)]))
    assert peak_hz(changed, RATE_HZ, pitch_hz) == pytest.approx(pitch_hz, rel=0.002)


@for_each("speed", SPEEDS)
def test_there_are_no_clicks(speed: float) -> None:
    """No step from a sample to the next is larger than the input's; nor is anything louder."""
    samples = voice(3 * RATE_HZ)
    changed = np.concatenate(change_speed(samples, speed, [len(samples)])).astype(int)
    tail = 40 * RATE_HZ // 1000  # the input's end is a step, too
    assert np.abs(np.diff(changed[:-tail])).max() <= np.abs(np.diff(samples.astype(int))).max()
    assert np.abs(changed).max() <= np.abs(samples.astype(int)).max()


@for_each("speed", SPEEDS)
def test_the_loudness_follows_the_input(speed: float) -> None:
    """A pause is where it was, at the new speed."""
    samples = voice(3 * RATE_HZ)
    samples[RATE_HZ : 2 * RATE_HZ] = 0
    changed = np.concatenate(change_speed(samples, speed, [len(samples)]))
    second = RATE_HZ / speed
    margin = int(0.03 * RATE_HZ / min(speed, 1))
    pause = changed[int(second) + margin : int(2 * second) - margin]
    assert not pause.any()
    for third in (0, 2):
        sound = changed[int(third * second) : int((third + 1) * second)]
        assert np.abs(sound.astype(int)).mean() == pytest.approx(
            np.abs(samples[:RATE_HZ].astype(int)).mean(), rel=0.1
        )


@for_each("speed", SPEEDS)
def test_little_is_held_back(speed: float) -> None:
    """Of the audio that came so far, less than 60 ms are missing."""
    pieces = change_speed(voice(50 * 1920), speed, [1920] * 50)
    for number in range(1, 51):
        due = number * 1920 / speed
        assert due - sum(map(len, pieces[:number])) <= 0.06 * RATE_HZ / min(speed, 1)


RATES_HZ = [8_000, 16_000, 22_050, 44_100, 48_000]


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


@for_each("num_samples", [0, 1, 2, 7, 1919, 1920, 24_001, 100_000])
@for_each("rate_hz", RATES_HZ)
def test_resampled_length_and_samples_do_not_depend_on_pieces(
    rate_hz: int, num_samples: int
) -> None:
    """The length is the input's in seconds, rounded to a sample."""
    samples = voice(num_samples)
    whole = resample(samples, rate_hz, [num_samples])
    assert len(whole) == round(num_samples * rate_hz / RATE_HZ)
    for seed in range(3):
        np.testing.assert_array_equal(
            resample(samples, rate_hz, sizes(num_samples, seed) or [0]), whole
        )


@for_each("rate_hz", RATES_HZ)
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
