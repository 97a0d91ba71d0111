"""Every sample's code, against libsndfile's."""

from __future__ import annotations

import numpy as np
import pytest

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.encoders import ENCODERS
from tests.audio.decoding import decode

EVERY_SAMPLE: Samples = np.arange(-32768, 32768).astype(np.int16)


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_every_sample_has_the_code_of_its_step(law: str) -> None:
    """Which are a 16th of the sample wide at large ones, and in mu-law biased by 33 of 13 bits."""
    codes = ENCODERS[law].encode(EVERY_SAMPLE, 8_000)
    magnitude = np.abs(EVERY_SAMPLE.astype(int))
    error = np.abs(decode(law, codes, 8_000).astype(int) - EVERY_SAMPLE)
    held = magnitude <= 32_124  # the loudest that mu-law can tell
    assert (error[held] <= (magnitude[held] + 132) / 32 + 4).all()
    assert len(set(codes)) == 256 if law == "alaw" else 255 <= len(set(codes)) <= 256


@pytest.mark.parametrize(("law", "silence", "loudest"), [("mulaw", 255, 128), ("alaw", 213, 170)])
def test_codes_of_the_recommendation(law: str, silence: int, loudest: int) -> None:
    """Silence and the loudest sample; the negative ones differ in the sign's bit."""
    samples = np.array([0, 32_767, -32_768], np.int16)
    assert list(ENCODERS[law].encode(samples, 8_000)) == [silence, loudest, loudest ^ 128]
