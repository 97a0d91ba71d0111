"""The checkpoint's voices, and how amplitudes at nodes become samples.

A voice is a pitch, which never moves, and a stretching of the frequency axis. Every pitch is a
multiple of 25 Hz, so that 20 ms later each harmonic is where it was or upside down: a hop of 20 ms
is a sum of fixed waveforms, however long the speech, and needs no phase that anybody must remember.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.nano.features import NOISE_NODES_HZ, SPECTRA_PER_FRAME, VOICE_NODES_HZ, triangles
from tools.nano.settings import Array
from tools.nano.teacher import RATE_HZ as TEACHER_RATE_HZ

RATE_HZ = 24_000
HOP = 480
WINDOW = 2 * HOP
TOP_HZ = 6_000.0
_LEVEL = 1.25
_NOISE_SEED = 3


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Attributes:
        pitch_hz: A multiple of 25.
        stretch: How much higher the formants are than the teacher's.
    """

    pitch_hz: float
    stretch: float

    @property
    def harmonics_hz(self) -> Array:
        """Return the frequencies of the harmonics."""
        return np.arange(1, int(TOP_HZ / self.pitch_hz) + 1) * self.pitch_hz


VOICES = {
    "ryan": Voice(100.0, 1.0),
    "serena": Voice(150.0, 1.1),
}
"""By published name."""


def harmonic_amplitudes(voice: Voice) -> Array:
    """Return how much of each harmonic a voice node brings: `[nodes, harmonics]`."""
    weights = triangles(VOICE_NODES_HZ * voice.stretch, voice.harmonics_hz)
    scaled: Array = weights * 2 * np.sqrt(voice.pitch_hz / TEACHER_RATE_HZ) * _LEVEL
    return scaled


def harmonic_waveforms(voice: Voice) -> Array:
    """Return the waveform of each harmonic in a window that overlaps half: `[harmonics, 960]`."""
    time = np.arange(WINDOW) / RATE_HZ
    order = np.arange(1, len(voice.harmonics_hz) + 1)
    phase = -np.pi * order * (order - 1) / len(order)  # spreads a period's energy over the period
    waves = np.cos(2 * np.pi * voice.harmonics_hz[:, None] * time + phase[:, None])
    result: Array = waves * np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW) ** 2
    return result


def harmonic_signs(voice: Voice) -> Array:
    """Return each harmonic's sign in each of a frame's four hops: `[4, harmonics]`."""
    half_turns = np.round(2 * voice.harmonics_hz * HOP / RATE_HZ).astype(int)
    signs: Array = (-1.0) ** (np.arange(SPECTRA_PER_FRAME)[:, None] * half_turns)
    return signs


def noise_waveforms() -> Array:
    """Return noise around each noise node, another one for each hop: `[4, nodes, 960]`."""
    random = np.random.default_rng(_NOISE_SEED)
    at_hz = np.fft.rfftfreq(2 * WINDOW, 1 / RATE_HZ)
    shapes = triangles(NOISE_NODES_HZ, at_hz)
    shapes[:, at_hz < NOISE_NODES_HZ[0] / 2] = 0
    shapes[:, at_hz > NOISE_NODES_HZ[-1]] = 0
    white = random.standard_normal((SPECTRA_PER_FRAME, 1, 2 * WINDOW))
    noise = np.fft.irfft(np.fft.rfft(white) * shapes)[..., :WINDOW]
    result: Array = noise * np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW) * _LEVEL
    return result


def synthesise(heard: Array, voice: Voice) -> Array:
    """Return the samples of frames `[frames, 4, nodes]`: what the codec's decoder will make."""
    num_voice = len(VOICE_NODES_HZ)
    voiced = heard[..., :num_voice].clip(0)
    amplitudes = voiced @ harmonic_amplitudes(voice) * harmonic_signs(voice)
    windows = amplitudes @ harmonic_waveforms(voice)
    windows += np.einsum("fkn,kns->fks", heard[..., num_voice:], noise_waveforms())
    hops = windows.reshape(-1, WINDOW)
    samples = np.zeros((len(hops) + 1) * HOP)
    for index, window in enumerate(hops):
        samples[index * HOP : index * HOP + WINDOW] += window
    return samples[: len(hops) * HOP].astype(np.float32)
