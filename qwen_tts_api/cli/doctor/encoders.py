"""Check of the audio formats: encode one second, and decode it if it has a header."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from qwen_tts_api.audio import FORMATS, AudioFormat
from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.encoders import ENCODERS
from qwen_tts_api.cli.doctor.findings import Finding, error, ok
from qwen_tts_api.cli.doctor.subject import Subject
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ

TONE_HZ = 440

TOLERANCE_S = 0.2
"""Codecs pad their last frame."""


def check_encoders(subject: Subject) -> Iterator[Finding]:
    """Check that every encoder works, for a whole file and as a stream."""
    times = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = (8000 * np.sin(2 * np.pi * TONE_HZ * times)).astype(np.int16)
    broken = [finding for audio_format in FORMATS.values() for finding in _try(audio_format, tone)]
    yield from broken or [ok(", ".join(FORMATS))]


def _try(audio_format: AudioFormat, tone: Samples) -> Iterator[Finding]:
    advice = "Install soundfile and its like anew (make setup)."
    try:
        makers = ENCODERS[audio_format.name]
        encoder = makers.stream(SAMPLE_RATE_HZ, None)
        streamed = encoder.encode(tone) + encoder.finish()
        whole = makers.encode(tone, SAMPLE_RATE_HZ)
        for data, tells_length in ((whole, True), (streamed, False)):
            if problem := _problem(audio_format, data, tells_length):
                yield error(f"{audio_format.name} does not work: {problem}.", advice)
                return
    except Exception as failure:  # a broken library may raise anything
        yield error(f"{audio_format.name} does not work: {failure!r}.", advice)


def _problem(audio_format: AudioFormat, data: bytes, tells_length: bool) -> str:
    import soundfile

    if not audio_format.has_header:  # no decoder can tell it from noise
        return "" if data else "nothing came out"
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        duration_s = file.frames / file.samplerate
        if tells_length and abs(duration_s - 1) > TOLERANCE_S:
            return f"one second became {duration_s:.2f} s"
        # Half of it: libsndfile fails at the end of a FLAC stream without a length.
        decoded = file.read(file.samplerate // 2)
    return "" if np.abs(decoded).max(initial=0) > 0.1 else "the tone became silence"
