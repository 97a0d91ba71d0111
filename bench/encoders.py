"""Benchmark the audio encoders: formats, sample rates and speeds, and alternatives to them.

The signal resembles a voice with pauses, in pieces of a frame (80 ms) as the engine makes them.
Times are the thread's own CPU time, so that other work on the machine counts little.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from qwen_tts_api.audio import FORMATS
from qwen_tts_api.audio.containers import Memory, SoundFileEncoder
from qwen_tts_api.audio.encoder import Encoder, Samples
from qwen_tts_api.audio.encoders import ENCODERS, Output
from qwen_tts_api.audio.mp3 import Mp3Encoder

RATE_HZ = 24_000
FRAME = 1920
RECORDINGS = Path(__file__).parents[1] / "tools/nano/examples"


def measure(seconds: int = 30) -> dict[str, Any]:
    """Return seconds of audio per second of CPU time, and the latency of streams."""
    samples = voice(seconds)
    pcm = FORMATS["pcm"]
    steps = {f"to {hz} Hz": Output(pcm, hz) for hz in (8_000, 16_000, 48_000)}
    steps |= {f"speed {speed:g}": Output(pcm, RATE_HZ, speed) for speed in (0.5, 1.5, 3.0)}
    return {
        "libsndfile": soundfile.__libsndfile_version__,
        "seconds": seconds,
        "formats": {name: _measure_format(name, samples) for name in FORMATS},
        "steps": {name: _speed_of(_maker(output), samples) for name, output in steps.items()},
        "not chosen": {
            "opus at 32 kbit/s": _speed_of(lambda: _libsndfile("OGG", "OPUS", 0.896), samples),
            "mp3 of libsndfile": _speed_of(
                lambda: _libsndfile("MP3", "MPEG_LAYER_III", 0.3), samples
            ),
            "flac, level 5": _speed_of(lambda: _libsndfile("FLAC", "PCM_16", 0.625), samples),
        },
        "mp3 by LAME's quality": {quality: _mp3_quality(quality) for quality in (2, 3, 5, 7)},
        "python beside the encoder": {
            name: _python_beside(name, samples) for name in ("mp3", "opus", "ogg", "flac")
        },
    }


def _measure_format(name: str, samples: Samples) -> dict[str, Any]:
    entry = FORMATS[name]
    output = Output(entry, min(RATE_HZ, entry.sample_rates_hz[-1]))
    file, stream = _maker(output, stream=False), _maker(output)
    return {
        "x": _speed_of(file, samples),
        "stream x": _speed_of(stream, samples),
        **_stream(stream(), samples),
    }


def _maker(output: Output, *, stream: bool = True) -> Callable[[], Encoder]:
    return lambda: output.pipeline(RATE_HZ, stream=stream)


def voice(seconds: int) -> Samples:
    """Return a synthetic voice: harmonics of a gliding pitch, in syllables, with noise."""
    time_s = np.arange(seconds * RATE_HZ) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time_s)) / RATE_HZ
    loudness = np.maximum(0.4 + np.sin(2 * np.pi * 3 * time_s), 0)
    voiced = sum(np.sin(number * phase) / number for number in range(1, 40)) * loudness
    noisy = voiced + 0.02 * np.random.default_rng(0).standard_normal(len(time_s))
    samples: Samples = (20_000 * noisy / np.abs(noisy).max()).astype(np.int16)
    return samples


def _libsndfile(container: str, subtype: str, level: float) -> Encoder:
    return SoundFileEncoder(
        RATE_HZ, Memory(), None, format=container, subtype=subtype, compression_level=level
    )


def _encode(encoder: Encoder, samples: Samples) -> list[bytes]:
    starts = range(0, len(samples), FRAME)
    chunks = [encoder.encode(samples[start : start + FRAME]) for start in starts]
    return [*chunks, encoder.finish()]


def _speed_of(make: Callable[[], Encoder], samples: Samples) -> float:
    """Return the best of three runs, in seconds of audio per second of the thread's CPU time."""
    best_s = float("inf")
    for _ in range(3):
        began = time.thread_time()
        _encode(make(), samples)
        best_s = min(best_s, time.thread_time() - began)
    return round(len(samples) / RATE_HZ / best_s)


def _stream(encoder: Encoder, samples: Samples) -> dict[str, Any]:
    """Return when the first bytes come, the longest gap between bytes, and the bit rate."""
    chunks = _encode(encoder, samples)
    sent = [frame for frame, chunk in enumerate(chunks[:-1], 1) if chunk]
    sent = sent or [len(chunks) - 1]  # AIFF: all of it at the end
    return {
        "first bytes after ms": 80 * sent[0],
        "longest gap ms": 80 * int(np.diff(sent).max(initial=0)),
        "kbit/s": round(sum(map(len, chunks)) * 8 / 1000 / (len(samples) / RATE_HZ)),
    }


def _python_beside(name: str, samples: Samples) -> float:
    """Return how long Python ran for each second of an encoder's work in another thread.

    Both in CPU time: about 1 where the encoder lets Python run, as the engine's thread must, and
    about 0 where it keeps the GIL.
    """
    entry = FORMATS[name]
    encoder = ENCODERS[name].stream(min(RATE_HZ, entry.sample_rates_hz[-1]), None)
    encoding_s = []

    def encode() -> None:
        began = time.thread_time()
        encoder.encode(samples)
        encoding_s.append(time.thread_time() - began)

    thread = threading.Thread(target=encode)
    thread.start()
    began = time.thread_time()
    while thread.is_alive():
        sum(range(100))
    running_s = time.thread_time() - began
    thread.join()
    return round(running_s / encoding_s[0], 2)


def _mp3_quality(quality: int) -> dict[str, float]:
    """Return how fast LAME is at one of its qualities (0 best, 9 worst), and how audible its error.

    Of the example recordings of the embedded voice, at the bitrate of the API.
    """
    samples = np.concatenate(
        [soundfile.read(path, dtype="int16")[0] for path in sorted(RECORDINGS.glob("*.wav"))]
    )
    make = partial(Mp3Encoder, RATE_HZ, None, quality)
    file = b"".join(_encode(make(), samples))
    decoded, _ = soundfile.read(io.BytesIO(file), dtype="int16")
    delay = FORMATS["mp3"].delay_samples
    ratios_db = _noise_to_mask(samples, decoded[delay : delay + len(samples)])
    return {
        "x": _speed_of(make, samples),
        "noise to mask dB": round(float(ratios_db.mean()), 1),
        "above the mask %": round(100 * float((ratios_db > 0).mean()), 1),
    }


def _noise_to_mask(original: Samples, decoded: Samples, window: int = 512) -> Any:
    """Return the error's level over what the original hides, in dB: `[windows, Bark bands]`.

    A simple model of masking: within a Bark (Zwicker and Terhardt 1980) up to 12 dB below the
    original, 12 dB less a Bark above it and 27 dB less a Bark below it. Silent windows are left
    out.
    """
    bark_of = np.fft.rfftfreq(window, 1 / RATE_HZ)
    bark_of = 13 * np.arctan(0.00076 * bark_of) + 3.5 * np.arctan((bark_of / 7500) ** 2)
    in_band = bark_of.astype(int)[:, None] == np.arange(int(bark_of[-1]) + 1)

    def powers(signal: Any) -> Any:
        pieces = np.lib.stride_tricks.sliding_window_view(signal / 32_768, window)[:: window // 2]
        return np.abs(np.fft.rfft(pieces * np.hanning(window))) ** 2 @ in_band

    loud, noise = powers(original), powers(original.astype(int) - decoded)
    above = np.arange(in_band.shape[1]) - np.arange(in_band.shape[1])[:, None]
    mask = loud @ 10 ** (np.where(above >= 0, -12 * above, 27 * above) / 10 - 1.2)
    heard = loud.sum(1) > loud.sum(1).max() * 1e-5
    return 10 * np.log10(noise[heard] / (mask[heard] + 1e-6) + 1e-4)
