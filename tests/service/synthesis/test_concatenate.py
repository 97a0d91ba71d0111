"""Segments become one recording: pauses of even length, no clicks, nothing else changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.synthesis.concatenate import (
    MARGIN_WINDOWS,
    MAX_HELD_WINDOWS,
    WINDOW,
    Concatenator,
    at_speed,
)
from qwen_tts_api.service.synthesis.concatenate import silence as silence_of
from qwen_tts_api.service.synthesis.fades import FADE
from tests.rows import for_each

Samples = npt.NDArray[np.int16]

MARGIN = MARGIN_WINDOWS * WINDOW


def tone(seconds: float, level: float = 12_000) -> Samples:
    """Return a tone that begins and ends at its full height, where a cut would click."""
    time = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (level * np.cos(2 * np.pi * 200 * time)).astype(np.int16)


def silence(seconds: float, level: float = 5) -> Samples:
    """Return soft noise."""
    size = round(seconds * SAMPLE_RATE_HZ)
    return np.random.default_rng(0).normal(0, level, size).astype(np.int16)


def utterance(before_s: float, speech_s: float, after_s: float) -> Samples:
    return np.concatenate([silence(before_s), tone(speech_s), silence(after_s)])


def concatenate(
    segments: list[Samples], pause_s: float, block_samples: int = 1920
) -> list[Samples]:
    """Return the samples that each call returns."""
    concatenator = Concatenator(len(segments))
    sent = []
    for number, segment in enumerate(segments):
        for start in range(0, len(segment), block_samples):
            sent.append(concatenator.write(segment[start : start + block_samples]))
        if number < len(segments) - 1:
            sent.append(concatenator.end_segment(pause_s))
    return sent


def gaps(samples: Samples) -> list[int]:
    """Return the lengths of the silences between tones."""
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 100)
    steps = np.diff(loud)
    return [int(step) for step in steps[steps > FADE]]


def test_a_single_segment_is_not_touched() -> None:
    """Bit for bit, silence included, and without a moment's delay."""
    segment = utterance(0.4, 0.5, 0.9)
    sent = concatenate([segment], 0.25)
    assert np.array_equal(np.concatenate(sent), segment)
    assert all(len(samples) for samples in sent)


@for_each("after_s", [0.0, 0.05, 0.25, 0.3])
@for_each("before_s", [0.0, 0.02, 0.5, 2.0])
def test_pauses_are_as_long_as_asked_for(before_s: float, after_s: float) -> None:
    """However long the silence of the utterances themselves is; the margin comes on top."""
    segments = [utterance(0.1, 0.4, after_s), utterance(before_s, 0.4, 0.1)]
    samples = np.concatenate(concatenate(segments, 0.25))
    (gap,) = gaps(samples)
    margin = min(MARGIN, round(before_s * SAMPLE_RATE_HZ))
    assert abs(gap - (0.25 * SAMPLE_RATE_HZ + margin)) <= 2 * WINDOW


def test_a_silence_that_was_sent_counts_as_pause() -> None:
    """It is not made longer still, and a shorter pause cannot take it back."""
    segments = [utterance(0.1, 0.4, 0.6), utterance(0.0, 0.4, 0.1)]
    (gap,) = gaps(np.concatenate(concatenate(segments, 0.6)))
    assert abs(gap - 0.6 * SAMPLE_RATE_HZ) <= 2 * WINDOW
    (gap,) = gaps(np.concatenate(concatenate(segments, 0.1)))
    assert abs(gap - (0.6 * SAMPLE_RATE_HZ - MAX_HELD_WINDOWS * WINDOW)) <= 2 * WINDOW


def test_beginning_inside_and_end_are_not_touched() -> None:
    """Only what is between segments is."""
    middle = np.concatenate([tone(0.3), silence(0.8), tone(0.3)])
    segments = [utterance(0.5, 0.4, 0.2), middle, utterance(0.2, 0.4, 0.9)]
    samples = np.concatenate(concatenate(segments, 0.25))
    assert np.array_equal(samples[: len(segments[0]) - 6000], segments[0][:-6000])
    assert np.array_equal(samples[-20_000:], segments[2][-20_000:])
    inside = middle[FADE : -FADE - WINDOW]
    start = len(segments[0]) - round(0.2 * SAMPLE_RATE_HZ) + round(0.25 * SAMPLE_RATE_HZ) + FADE
    found = [
        offset
        for offset in range(start - 2 * WINDOW, start + 2 * WINDOW)
        if np.array_equal(samples[offset : offset + len(inside)], inside)
    ]
    assert len(found) == 1


@pytest.mark.parametrize("pause_s", [0.0, 0.12])
def test_nothing_clicks(pause_s: float) -> None:
    """No jump from one sample to the next that is larger than those of the speech itself."""
    samples = np.concatenate(concatenate([tone(0.5), tone(0.31)[100:], tone(0.2)], pause_s)).astype(
        int
    )
    largest = np.abs(np.diff(tone(0.5).astype(int))).max()
    assert np.abs(np.diff(samples)).max() <= largest


@for_each("block_samples", [1, 7, 240, 1000, 46_080, 10**6])
def test_how_samples_are_split_over_calls_changes_nothing(block_samples: int) -> None:
    """Streamed or whole, it is the same recording."""
    segments = [utterance(0.3, 0.2, 0.5), utterance(0.1, 0.2, 0.1), utterance(0.4, 0.2, 0.3)]
    expected = np.concatenate(concatenate(segments, 0.25))
    assert np.array_equal(np.concatenate(concatenate(segments, 0.25, block_samples)), expected)


def test_little_is_held_back() -> None:
    """A stream is never behind by more than the silence that may be an end."""
    first = np.concatenate([utterance(0.5, 0.4, 0.25), utterance(0.0, 0.4, 0.9)])
    sent = 0
    concatenator = Concatenator(2)
    for start in range(0, len(first), 1920):
        written = min(start + 1920, len(first))
        sent += len(concatenator.write(first[start : start + 1920]))
        assert written - sent <= (MAX_HELD_WINDOWS + 1) * WINDOW
    concatenator = Concatenator(2)
    assert len(concatenator.write(silence(0.08))) == 1920  # nor before the very first speech


def test_segments_without_speech_are_pauses() -> None:
    """Nothing is there to be heard, and nothing fails."""
    segments = [silence(0.4), silence(0.2), tone(0.3), np.zeros(0, np.int16), silence(0.1)]
    samples = np.concatenate(concatenate(segments, 0.25))
    assert samples.dtype == np.int16
    assert gaps(samples) == []
    assert len(samples) < 1.6 * SAMPLE_RATE_HZ


def states_pause(segments: list[Samples], pause_s: float, block_samples: int = 1920) -> Samples:
    """Return segments with a stated pause before, between and behind them."""
    concatenator = Concatenator(len(segments), trim_beginning=True, trim_end=True)
    sent = [*silence_of(pause_s)]
    for segment in segments:
        concatenator.holds_silence = True
        for start in range(0, len(segment), block_samples):
            sent.append(concatenator.write(segment[start : start + block_samples]))
        sent += [concatenator.release(), *silence_of(pause_s)]
    return np.concatenate(sent)


def runs_of_zeros(samples: Samples) -> list[int]:
    """Return the lengths of the runs of digital silence of at least 10 ms."""
    others = np.flatnonzero(np.concatenate([[1], samples, [1]]))
    return [int(length) for length in np.diff(others) - 1 if length >= WINDOW]


@for_each("after_s", [0.0, 0.02, 0.25, 1.7])
@for_each("before_s", [0.0, 0.02, 0.5])
def test_a_stated_pause_is_exact(before_s: float, after_s: float) -> None:
    """To the sample, before, between and behind, whatever silence the utterances have."""
    segments = [utterance(before_s, 0.4, after_s)] * 2
    samples = states_pause(segments, 1.5)
    assert runs_of_zeros(samples) == [36_000] * 3
    speech = len(samples) - 3 * 36_000
    assert speech <= 2 * (0.4 * SAMPLE_RATE_HZ + 2 * MARGIN + 2 * WINDOW)  # no other silence
    for block_samples in (7, 777, 10**6):
        assert np.array_equal(states_pause(segments, 1.5, block_samples), samples)
    longer = states_pause(segments, 1.75)
    assert len(longer) - len(samples) == 3 * 6000


def test_beside_a_stated_pause_speech_is_whole() -> None:
    """A silence inside of it stays, too, and nothing clicks."""
    segment = np.concatenate([tone(0.3), silence(0.9), tone(0.3)])
    samples = states_pause([segment], 0.5)
    start = 12_000 - 1 + FADE  # the first sample of a fade is 0, and belongs to the pause
    assert np.array_equal(samples[start:][: len(segment) - 2 * FADE], segment[FADE:-FADE])
    faded = states_pause([tone(0.5), tone(0.31)[100:]], 0.5).astype(int)
    assert np.abs(np.diff(faded)).max() <= np.abs(np.diff(tone(0.5).astype(int))).max()


def test_segments_without_speech_are_no_pause() -> None:
    """Beside stated ones."""
    samples = states_pause([silence(0.4, 0), tone(0.3), np.zeros(0, np.int16)], 0.25)
    assert runs_of_zeros(samples) == [12_000, 12_000]


def test_a_speed_changes_how_long_a_segment_is() -> None:
    """However it comes; and 1 changes nothing at all."""
    segment = tone(1.0)
    blocks = [segment[start : start + 1000] for start in range(0, len(segment), 1000)]
    assert all(a is b for a, b in zip(at_speed(blocks, 1), blocks, strict=True))
    slow = np.concatenate(list(at_speed(blocks, 0.5)))
    assert len(slow) == 2 * len(segment)
    assert np.array_equal(slow, np.concatenate(list(at_speed([segment], 0.5))))
