"""Silence at a recording's ends, whatever it sounds like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from qwen_tts_api.service.voices.recording import read_recording
from qwen_tts_api.service.voices.trimming import HOP, LEAD_S, TAIL_S, trim_silence
from tests.recordings import encode
from tests.rows import for_each

Samples = npt.NDArray[np.float32]
RATE_HZ = 24_000
TAIL = round(TAIL_S * RATE_HZ)
NUMBERS = np.random.default_rng(3)


def speech(seconds: float, rate_hz: int = RATE_HZ) -> Samples:
    """Return harmonics of 150 Hz in syllables of 0.2 s, with 40 ms between them."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    voice = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20)) / 4
    syllables = np.clip(3 * np.sin(np.pi * ((time % 0.24) / 0.2)), 0, 1) * (time % 0.24 < 0.2)
    return (voice * syllables).astype(np.float32)


def silent(seconds: float, rate_hz: int = RATE_HZ) -> Samples:
    return np.zeros(round(seconds * rate_hz), np.float32)


def hum(size: int) -> Samples:
    time = np.arange(size) / RATE_HZ
    tones = sum(0.05 * np.sin(2 * np.pi * f * time) for f in (50, 100, 150, 250))
    return np.asarray(tones, np.float32)


SURROUNDINGS: dict[str, Callable[[int], Samples]] = {
    "digital silence": lambda size: np.zeros(size, np.float32),
    "noise": lambda size: NUMBERS.normal(0, 0.005, size).astype(np.float32),
    "loud noise": lambda size: NUMBERS.normal(0, 0.02, size).astype(np.float32),
    "hum": hum,
    "an offset": lambda size: np.full(size, 0.2, np.float32),
}


@for_each("loudness", [1.0, 0.05])
@for_each("around", SURROUNDINGS)
@for_each(("before_s", "behind_s"), [(10, 10), (1, 3), (0.3, 20), (27, 0.6)])
def test_long_silence_is_cut(
    loudness: float, around: str, before_s: float, behind_s: float
) -> None:
    """To the samples themselves, from 0.2 s before speech to half a second behind it."""
    said = speech(2.36)  # to the end of a syllable
    clean = np.concatenate([silent(before_s), said, silent(behind_s)])
    whole = loudness * (clean + SURROUNDINGS[around](len(clean)))
    trimmed = trim_silence(whole.astype(np.float32), is_continued=True)
    lead = LEAD_S if before_s > 0.5 else before_s
    expected = round((lead + 2.36) * RATE_HZ) + TAIL
    assert abs(len(trimmed) - expected) <= 5 * HOP
    begin = 0 if before_s <= 0.5 else round(before_s * RATE_HZ) - round(LEAD_S * RATE_HZ)
    begins = range(max(0, begin - 4 * HOP), begin + 4 * HOP)
    kept = whole.astype(np.float32)
    assert any(np.array_equal(trimmed, kept[at : at + len(trimmed)]) for at in begins)


def test_half_a_second_is_made_where_there_is_none() -> None:
    """Of digital silence, exactly, where the speech is continued; all else is unchanged."""
    said = speech(2.0)[: round(1.9 * RATE_HZ)]
    trimmed = trim_silence(said, is_continued=True)
    assert np.array_equal(trimmed[: len(said)], said)
    assert not trimmed[len(said) :].any()
    assert abs(len(trimmed) - len(said) - TAIL) <= 4 * HOP
    assert np.array_equal(trim_silence(said, is_continued=False), said)


def test_speech_is_not_cut() -> None:
    """Soft syllables at the ends, pauses inside, and a click in the silence, which is none."""
    soft = 0.03 * speech(0.4)
    said = np.concatenate([soft, speech(1.4), silent(1.5), speech(1.4), soft])
    trimmed = trim_silence(np.concatenate([said, silent(0.1)]), is_continued=True)
    assert np.array_equal(trimmed[: len(said)], said)
    behind = silent(5)
    behind[60_000:60_020] = 0.9
    trimmed = trim_silence(np.concatenate([said, behind]), is_continued=True)
    assert len(trimmed) <= len(said) + TAIL + 4 * HOP


@pytest.mark.parametrize("samples", [silent(2), hum(48_000), silent(0.01), silent(0)])
def test_what_has_no_speech_stays_as_it_is(samples: Samples) -> None:
    assert len(trim_silence(samples, is_continued=False)) == len(samples)


@for_each("rate_hz", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_every_rate_is_trimmed_alike(rate_hz: int) -> None:
    whole = np.concatenate([silent(3, rate_hz), speech(2.36, rate_hz), silent(9, rate_hz)])
    samples = read_recording(encode(whole, rate_hz, "WAV", "PCM_16"), 1 << 24)
    trimmed = trim_silence(samples, is_continued=True)
    assert abs(len(trimmed) / RATE_HZ - (LEAD_S + 2.36 + TAIL_S)) < 0.06
