"""Speed, then rate, then format: the same for whole files and streams."""

from __future__ import annotations

import numpy as np
import pytest

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.audio.rates import Resampler, SpeedChanger
from tests.audio.decoding import RATE_HZ, in_pieces, sizes, voice
from tests.rows import for_each


def test_the_models_own_rate_and_speed_change_nothing() -> None:
    """Bit by bit."""
    samples = voice(50_000)
    pipeline = Output(FORMATS["pcm"], RATE_HZ, 1).pipeline(RATE_HZ, stream=True)
    assert b"".join(in_pieces(pipeline, samples, sizes(50_000, 0))) == samples.tobytes()


@pytest.mark.parametrize("stream", [False, True])
def test_speed_comes_before_the_rate(stream: bool) -> None:
    """Each step gets what is left in the one before."""
    samples = voice(50_000)
    pipeline = Output(FORMATS["pcm"], 8_000, 1.3).pipeline(RATE_HZ, stream=stream)
    data = b"".join(in_pieces(pipeline, samples, sizes(50_000, 0)))
    changer, resampler = SpeedChanger(1.3, RATE_HZ), Resampler(RATE_HZ, 8_000)
    faster = np.concatenate([changer.process(samples), changer.finish()])
    expected = np.concatenate([resampler.process(faster), resampler.finish()])
    assert data == expected.tobytes()
    assert pipeline.num_samples == len(expected) == round(round(50_000 / 1.3) / 3)
    assert pipeline.work_s > 0


@for_each("name", FORMATS)
def test_every_format_takes_both(name: str) -> None:
    """The whole file is the same however the samples come."""
    output = Output(FORMATS[name], 8_000, 0.7)
    samples = voice(10_000)
    one, other = output.pipeline(RATE_HZ, stream=False), output.pipeline(RATE_HZ, stream=False)
    whole = b"".join(in_pieces(one, samples, [10_000]))
    if name not in ("ogg", "opus"):  # their pages end where pieces do
        assert whole == b"".join(in_pieces(other, samples, sizes(10_000, 3)))
    assert one.num_samples == round(10_000 / 0.7 / 3)
