"""Faster and slower: the length that was asked for, the same pitch, no clicks."""

from __future__ import annotations

import numpy as np
import pytest

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.speed import SpeedChanger
from tests.audio.decoding import RATE_HZ, peak_hz, sizes, voice

SPEEDS = [0.25, 0.5, 0.8, 0.97, 1.03, 1.25, 1.5, 2.0, 3.0, 4.0]


def change_speed(samples: Samples, speed: float, pieces: list[int]) -> list[Samples]:
    """Change the speed of samples that come in pieces of these sizes; return what comes out."""
    changer = SpeedChanger(speed, RATE_HZ)
    parts = np.split(samples, np.cumsum(pieces)[:-1])
    return [*map(changer.process, parts), changer.finish()]


@pytest.mark.parametrize("num_samples", [0, 1, 1000, 1920, 48_001])
@pytest.mark.parametrize("speed", SPEEDS)
def test_length_and_samples_do_not_depend_on_pieces(speed: float, num_samples: int) -> None:
    """The length is the input's divided by the speed, to a sample."""
    samples = voice(num_samples)
    whole = np.concatenate(change_speed(samples, speed, [num_samples]))
    assert len(whole) == round(num_samples / speed)
    for seed in range(3):
        pieces = change_speed(samples, speed, sizes(num_samples, seed) or [0])
        np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("pitch_hz", [60, 90, 130, 220, 400])
@pytest.mark.parametrize("speed", SPEEDS)
def test_the_pitch_stays(speed: float, pitch_hz: float) -> None:
    """From a deep man's voice to a child's, within 0.2 % (a musician hears about 0.3 %)."""
    samples = voice(3 * RATE_HZ, pitch_hz=pitch_hz)
    changed = np.concatenate(change_speed(samples, speed, [len(samples)]))
    assert peak_hz(changed, RATE_HZ, pitch_hz) == pytest.approx(pitch_hz, rel=0.002)


@pytest.mark.parametrize("speed", SPEEDS)
def test_there_are_no_clicks(speed: float) -> None:
    """No step from a sample to the next is larger than the input's; nor is anything louder."""
    samples = voice(3 * RATE_HZ)
    changed = np.concatenate(change_speed(samples, speed, [len(samples)])).astype(int)
    tail = 40 * RATE_HZ // 1000  # the input's end is a step, too
    assert np.abs(np.diff(changed[:-tail])).max() <= np.abs(np.diff(samples.astype(int))).max()
    assert np.abs(changed).max() <= np.abs(samples.astype(int)).max()


@pytest.mark.parametrize("speed", SPEEDS)
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


@pytest.mark.parametrize("speed", SPEEDS)
def test_little_is_held_back(speed: float) -> None:
    """Of the audio that came so far, less than 60 ms are missing."""
    pieces = change_speed(voice(50 * 1920), speed, [1920] * 50)
    for number in range(1, 51):
        due = number * 1920 / speed
        assert due - sum(map(len, pieces[:number])) <= 0.06 * RATE_HZ / min(speed, 1)
