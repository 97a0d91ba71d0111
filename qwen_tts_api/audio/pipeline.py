"""From the model's samples to a file's bytes, in the same steps for whole files and streams."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qwen_tts_api.audio.encoder import SILENCE, Encoder, Samples
from qwen_tts_api.audio.formats import AudioFormat
from qwen_tts_api.audio.resampler import Resampler
from qwen_tts_api.audio.speed import SpeedChanger


class Step(Protocol):
    """Turns samples into others, as they come."""

    def process(self, samples: Samples) -> Samples:
        """Return what is ready after these samples; may be none."""

    def finish(self) -> Samples:
        """Return the rest."""


@dataclass(frozen=True)
class Output:
    """How audio is wanted.

    Attributes:
        audio_format: Container and codec.
        sample_rate_hz: One of the format's.
        speed: Above 1 is faster; the pitch stays.
    """

    audio_format: AudioFormat
    sample_rate_hz: int
    speed: float = 1.0

    def pipeline(self, from_hz: int, *, stream: bool) -> Pipeline:
        """Return what makes it of samples at a rate of `from_hz`."""
        steps: list[Step] = []
        if self.speed != 1:
            steps.append(SpeedChanger(self.speed, from_hz))
        if self.sample_rate_hz != from_hz:
            steps.append(Resampler(from_hz, self.sample_rate_hz))
        make = self.audio_format.encoder if stream else self.audio_format.file_encoder
        return Pipeline(steps, make(self.sample_rate_hz))


class Pipeline:
    """An encoder with steps before it.

    Attributes:
        num_samples: How many samples were encoded so far.
        work_s: How long all of it took so far.
        span: From when until when it worked, by `time.monotonic`; None before the first samples.
    """

    def __init__(self, steps: list[Step], encoder: Encoder) -> None:
        self._steps = steps
        self._encoder = encoder
        self.num_samples = 0
        self.work_s = 0.0
        self.span: tuple[float, float] | None = None

    def encode(self, samples: Samples) -> bytes:
        """Return the bytes that are ready after these samples; may be none."""
        began_at = time.monotonic()
        for step in self._steps:
            samples = step.process(samples)
        data = self._encode(samples)
        self._note(began_at)
        return data

    def finish(self) -> bytes:
        """Return the rest."""
        began_at = time.monotonic()
        samples = SILENCE
        for step in self._steps:
            samples = np.concatenate([step.process(samples), step.finish()])
        data = self._encode(samples) + self._encoder.finish()
        self._note(began_at)
        return data

    def _note(self, began_at: float) -> None:
        now = time.monotonic()
        self.work_s += now - began_at
        self.span = (self.span[0] if self.span else began_at, now)

    def _encode(self, samples: Samples) -> bytes:
        self.num_samples += len(samples)
        return self._encoder.encode(samples)
