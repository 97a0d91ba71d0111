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


def _mel_nodes(low_hz: float, high_hz: float, count: int) -> Array:
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (low_hz, high_hz))
    nodes: Array = 700 * (10 ** (np.linspace(low, high, count) / 2595) - 1)
    return nodes


VOICE_NODES_HZ = _mel_nodes(70.0, 7000.0, 64)
NOISE_NODES_HZ = _mel_nodes(300.0, 10_000.0, 24)
NUM_NODES = len(VOICE_NODES_HZ) + len(NOISE_NODES_HZ)

_RECORDED_VOICE_HZ = _mel_nodes(70.0, 7000.0, 128)
_RECORDED_NOISE_HZ = _mel_nodes(300.0, 10_000.0, 48)
"""Recordings are finer than codes, so that another number of nodes needs no new recordings."""

_PITCH_MS = 5.0
"""Apart: with 20 ms, DIO takes half of all vowels for noise, since it wants a smooth pitch."""


def triangles(nodes_hz: Array, at_hz: Array) -> Array:
    """Return what each node counts at each frequency, `[nodes, frequencies]`: 1 at its own."""
    unit = np.eye(len(nodes_hz))
    return np.stack([np.interp(at_hz, nodes_hz, row) for row in unit])


@lru_cache(maxsize=1)
def _averages(num_bins: int) -> tuple[Array, Array]:
    at_hz = np.linspace(0, RATE_HZ / 2, num_bins)
    weights = [triangles(nodes, at_hz) for nodes in (_RECORDED_VOICE_HZ, _RECORDED_NOISE_HZ)]
    voice, noise = (weight / weight.sum(1, keepdims=True) for weight in weights)
    return voice, noise


@lru_cache(maxsize=1)
def _reductions() -> tuple[Array, Array]:
    pairs = ((VOICE_NODES_HZ, _RECORDED_VOICE_HZ), (NOISE_NODES_HZ, _RECORDED_NOISE_HZ))
    weights = [triangles(nodes, at_hz) * np.gradient(at_hz) for nodes, at_hz in pairs]
    voice, noise = (weight / weight.sum(1, keepdims=True) for weight in weights)
    return voice, noise


def analyse(samples: Array, num_frames: int) -> Array:
    """Return what is recorded of the frames of a teacher's utterance, `[frames, 4, 176]`.

    Frame t begins in the middle of state t; its spectra are those 20, 40, 60 and 80 ms later.
    """
    import pyworld

    sound = samples.astype(np.float64)
    pitch, times = pyworld.dio(
        sound,
        RATE_HZ,
        f0_floor=60.0,
        f0_ceil=300.0,
        channels_in_octave=4,
        frame_period=_PITCH_MS,
        allowed_range=0.2,
    )
    pitch = pyworld.stonemask(sound, pitch, times, RATE_HZ)
    every = round(80.0 / SPECTRA_PER_FRAME / _PITCH_MS)
    pitch, times = pitch[::every].copy(), times[::every].copy()
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
    shaped: Array = frames.reshape(num_frames, SPECTRA_PER_FRAME, -1).astype(np.float32)
    return shaped


def reduce(recorded: Array) -> Array:
    """Return the amplitudes at a code's nodes, `[..., nodes]`, of recorded ones, `[..., 176]`."""
    voice, noise = _reductions()
    power = np.square(recorded)
    parts = (power[..., : voice.shape[1]] @ voice.T, power[..., voice.shape[1] :] @ noise.T)
    reduced: Array = np.sqrt(np.concatenate(parts, -1))
    return reduced
