"""Where speech begins and ends, and its silences."""

from __future__ import annotations

import pytest

from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.synthesis.concatenate import WINDOW
from qwen_tts_api.service.times.activity import ActivityMeter
from tests.service.times.audio import silence, speech


@pytest.mark.parametrize("block", [61, 239, 1920, 10**9])
def test_speech_and_its_silences_however_it_comes(block: int) -> None:
    meter = ActivityMeter()
    samples = speech(0.3, 0.5, 0.2, 0.4, 0.05, 0.3, 0.4)
    for start in range(0, len(samples), block):
        meter.write(samples[start : start + block])
    activity = meter.end_segment()
    assert activity.begin == pytest.approx(0.3 * SAMPLE_RATE_HZ, abs=WINDOW)
    (pause,) = activity.pauses  # 50 ms are a plosive's
    assert pause == pytest.approx((0.8 * SAMPLE_RATE_HZ, 1.0 * SAMPLE_RATE_HZ), abs=WINDOW)
    assert activity.end == pytest.approx(1.75 * SAMPLE_RATE_HZ, abs=WINDOW)


def test_a_segment_without_speech_is_all_of_it() -> None:
    meter = ActivityMeter()
    meter.write(silence(0.5))
    assert meter.end_segment().end == 0.5 * SAMPLE_RATE_HZ
    assert meter.end_segment().end == 0
