"""Every audio format: a second of it is encoded, and decoded again where that can be done."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from qwen_tts_api.audio import FORMATS, AudioFormat, Samples
from qwen_tts_api.cli.doctor.findings import Finding, error, ok
from qwen_tts_api.cli.doctor.subject import Subject
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ

TONE_HZ = 440

# Formats without a header, which no decoder can tell from noise.
BARE = ("pcm", "mulaw", "alaw")

TOLERANCE_S = 0.2
"""Codecs add the padding of their last frame."""


def check_encoders(subject: Subject) -> Iterator[Finding]:
    """All encoders work, at once and piece by piece."""
    times = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = (8000 * np.sin(2 * np.pi * TONE_HZ * times)).astype(np.int16)
    broken = [finding for audio_format in FORMATS.values() for finding in _try(audio_format, tone)]
    yield from broken or [ok(", ".join(FORMATS))]


def _try(audio_format: AudioFormat, tone: Samples) -> Iterator[Finding]:
    advice = "Install soundfile and its like anew (make setup)."
    try:
        encoder = audio_format.encoder(SAMPLE_RATE_HZ)
        streamed = encoder.encode(tone) + encoder.finish()
        for data in (audio_format.encode(tone, SAMPLE_RATE_HZ), streamed):
            if problem := _problem(audio_format.name, data):
                yield error(f"{audio_format.name} does not work: {problem}.", advice)
                return
    except Exception as failure:  # a border: a library that is missing or broken
        yield error(f"{audio_format.name} does not work: {failure!r}.", advice)


def _problem(name: str, data: bytes) -> str:
    import soundfile

    if name in BARE:
        return "" if data else "nothing came out"
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        rate_hz = file.samplerate
        decoded = file.read(2 * rate_hz)  # not all: what was streamed may not say how much that is
    if abs(len(decoded) / rate_hz - 1) > TOLERANCE_S:
        return f"one second became {len(decoded) / rate_hz:.2f} s"
    return "" if np.abs(decoded).max() > 0.1 else "the tone became silence"
