"""What a frame sounds like: spectra 20 ms apart, each in two parts, that of the voice and of noise.

WORLD takes the teacher's speech apart. Amplitudes are kept at nodes along the frequency axis, 20 ms
apart in time; its pitch is not kept: every voice of the checkpoint has a pitch of its own.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tools.nano.settings import Array
from tools.nano.teacher import RATE_HZ

SPECTRA_PER_FRAME = 4
POINTS = SPECTRA_PER_FRAME + 1
"""Spectra of a code: at its frame's beginning, within it, and at its end.

One code's end is the next one's beginning. What is heard there is the mean of both, which is what
keeps speech from falling apart into frames.
"""

VOICE_NODES_HZ: Array
NOISE_NODES_HZ: Array


def _mel_nodes(low_hz: float, high_hz: float, count: int) -> Array:
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (low_hz, high_hz))
    nodes: Array = 700 * (10 ** (np.linspace(low, high, count) / 2595) - 1)
    return nodes


VOICE_NODES_HZ = _mel_nodes(70.0, 7000.0, 32)
NOISE_NODES_HZ = _mel_nodes(300.0, 10_000.0, 16)
NUM_NODES = len(VOICE_NODES_HZ) + len(NOISE_NODES_HZ)


def triangles(nodes_hz: Array, at_hz: Array) -> Array:
    """Return what each node counts at each frequency, `[nodes, frequencies]`: 1 at its own."""
    unit = np.eye(len(nodes_hz))
    return np.stack([np.interp(at_hz, nodes_hz, row) for row in unit])


@lru_cache(maxsize=1)
def _averages(num_bins: int) -> tuple[Array, Array]:
    at_hz = np.linspace(0, RATE_HZ / 2, num_bins)
    weights = [triangles(nodes, at_hz) for nodes in (VOICE_NODES_HZ, NOISE_NODES_HZ)]
    voice, noise = (weight / weight.sum(1, keepdims=True) for weight in weights)
    return voice, noise


def analyse(samples: Array, num_frames: int) -> Array:
    """Return the amplitudes of the frames of a teacher's utterance, `[frames, 4, nodes]`.

    Frame t begins in the middle of state t; its spectra are those 20, 40, 60 and 80 ms later.
    """
    import pyworld

    sound = samples.astype(np.float64)
    period_ms = 80.0 / SPECTRA_PER_FRAME
    pitch, times = pyworld.dio(sound, RATE_HZ, f0_floor=60.0, f0_ceil=300.0, frame_period=period_ms)
    pitch = pyworld.stonemask(sound, pitch, times, RATE_HZ)
    power = pyworld.cheaptrick(sound, pitch, times, RATE_HZ)
    noisiness = pyworld.d4c(sound, pitch, times, RATE_HZ, threshold=0.5) ** 2
    voice, noise = _averages(power.shape[1])
    amplitudes = np.sqrt(
        np.concatenate(
            ((power * (1 - noisiness)).clip(0) @ voice.T, (power * noisiness) @ noise.T), 1
        )
    )
    first = SPECTRA_PER_FRAME // 2 + 1
    frames = amplitudes[first : first + num_frames * SPECTRA_PER_FRAME]
    shaped: Array = frames.reshape(num_frames, SPECTRA_PER_FRAME, NUM_NODES).astype(np.float32)
    return shaped
