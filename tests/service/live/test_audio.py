"""The audio of a live text: pauses between its segments."""

from __future__ import annotations

import numpy as np
import pytest

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.service.live.audio import LiveAudio
from tests.service.times.audio import speech
from tests.suites.routes.test_script import silences


def test_a_pause_that_is_expected_takes_the_place_of_the_model_s_own_silence() -> None:
    """However long that is, and whenever it comes."""
    audio = LiveAudio(Output(FORMATS["pcm"], 24_000), stream=True, per_segment=False)
    data = audio.begin(0)
    audio.expect_pause()
    for samples in np.split(speech(0.1, 0.5, 2.4), 10):
        data += audio.write(samples)
    data += b"".join(audio.pause(1.0))
    data += audio.begin(1) + audio.write(speech(0.5, 0.5, 0.0)) + audio.finish()
    samples = np.frombuffer(data, "<i2")
    assert silences(samples, 4_000) == [24_000]
    assert len(samples) / 24_000 == pytest.approx(0.1 + 0.5 + 1.0 + 0.5, abs=0.1)
