"""How much of a text a listener has heard."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from qwen_tts_api.audio.formats import DEFAULT_FORMAT
from qwen_tts_api.cli.live.playback import Playback
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.live.audio import LiveAudio
from qwen_tts_api.service.live.segment import LiveSegment
from qwen_tts_api.service.request import SpeechRequest, choose_output
from qwen_tts_api.service.text.sentences import Boundary


def playback(monkeypatch: pytest.MonkeyPatch, *, in_real_time: bool) -> tuple[Any, ...]:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    output = choose_output(SpeechRequest(audio_format=DEFAULT_FORMAT))
    audio = LiveAudio(output, stream=True, per_segment=False)
    return Playback(audio, in_real_time=in_real_time), audio, clock


def test_how_far_a_player_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes its time, and has a gap where nothing comes."""
    heard, audio, clock = playback(monkeypatch, in_real_time=True)
    assert (heard.heard_ms, heard.heard_chars) == (0, 0)
    heard.begin(LiveSegment("x" * 30, 0, 30, Boundary.SENTENCE))
    audio.write(np.ones(SAMPLE_RATE_HZ, np.int16))  # a second, of two that are to be expected
    heard.advance()
    clock[0] += 0.5
    assert (heard.heard_ms, heard.heard_chars) == (500, 7)
    clock[0] += 9
    assert (heard.heard_ms, heard.heard_chars) == (1000, 15)
    audio.write(np.ones(SAMPLE_RATE_HZ, np.int16))
    heard.advance()
    heard.end()
    clock[0] += 0.5
    assert (heard.heard_ms, heard.heard_chars) == (1500, 22)
    heard.begin(LiveSegment("y" * 10, 30, 40, Boundary.SENTENCE))
    clock[0] += 0.5
    assert heard.heard_chars == 30


def test_how_far_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has all at once."""
    heard, audio, _ = playback(monkeypatch, in_real_time=False)
    heard.begin(LiveSegment("x" * 30, 5, 35, Boundary.SENTENCE))
    audio.write(np.ones(SAMPLE_RATE_HZ, np.int16))
    heard.advance()
    heard.end()
    assert (heard.heard_ms, heard.heard_chars) == (1000, 35)
