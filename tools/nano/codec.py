"""The codec's decoder, made from the table of sounds: nothing in it is trained.

The published architecture can hold a synthesiser of sums of fixed waveforms, exactly:

1.  A code of group 0 brings its 5 x 48 amplitudes, one of group 1 says whose voice it is. The first
    convolution takes the mean of a frame's beginning and of the end of the one before.
2.  The transformer passes them on. Its norms divide by a row's size, so that a big constant in the
    row makes them almost the identity.
3.  The two upsampling stages hand out the four spectra, one every 20 ms. The second one's MLP has
    units for each voice, which a big negative input keeps silent unless it is that voice's turn;
    they turn nodes into harmonics.
4.  The first transposed convolution holds the waveforms: kernels of 16 steps with 60 samples each.
    The later ones, and the last convolution, bring the samples into line.
5.  The residual units add nothing, and the activations, x + sin(x)^2 / e^15, next to nothing.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tools.nano import voices
from tools.nano.features import (
    NOISE_NODES_HZ,
    NUM_NODES,
    POINTS,
    SPECTRA_PER_FRAME,
    VOICE_NODES_HZ,
)
from tools.nano.settings import Array

Weights = dict[str, Tensor]

NUM_VOICE, NUM_NOISE = len(VOICE_NODES_HZ), len(NOISE_NODES_HZ)
ENTRY = POINTS * NUM_NODES
CODEBOOK_DIM = 2 * ENTRY
LATENT = 256
HIDDEN = 208
DECODER = 256

# Dimensions of the latent after the upsampling.
_EVEN, _ODD = 0, NUM_VOICE  # voice nodes in the hops 0 and 2, and 1 and 3
_NOISE = 2 * NUM_VOICE  # noise nodes, four times
_SPEAKER = SPECTRA_PER_FRAME * NUM_NODES  # as before the upsampling
_LEVELS = (LATENT - 3, LATENT - 2)  # a constant and its opposite
_ZERO = LATENT - 1
_HARMONICS = [*range(2 * NUM_VOICE), *range(_NOISE + SPECTRA_PER_FRAME * NUM_NOISE, _SPEAKER)]
_HARMONICS += range(_SPEAKER + len(voices.VOICES), _LEVELS[0])

_CONSTANT = 300.0
_LEVEL = 60.0
_GAIN = 5_000.0  # what makes GELU the identity for all but the faintest amplitudes
_GATE = 6_500.0  # more than the gain times the greatest amplitude, which is 1


def install(weights: Weights, sounds: Array) -> None:
    """Write the synthesiser into the decoder's tensors, in place.

    Args:
        weights: `decoder.*` of a checkpoint's speech tokenizer; whatever they hold is overwritten.
        sounds: `[codes, 5, nodes]`.
    """
    for name, tensor in weights.items():
        if name.startswith("decoder."):
            tensor.fill_(1.0 if name.endswith("norm.weight") or "cluster_usage" in name else 0.0)
        if name.endswith(".beta"):
            tensor.fill_(15.0)
    loudest = float(sounds.max())
    _codebooks(weights, sounds / loudest)
    _passage(weights)
    _hand_out(weights)
    _speak(weights)
    _waveforms(weights, loudest)


def _codebooks(weights: Weights, sounds: Array) -> None:
    quantizer = "decoder.quantizer.rvq_"
    table = torch.from_numpy(sounds.reshape(len(sounds), ENTRY))
    weights[f"{quantizer}first.vq.layers.0._codebook.embedding_sum"][: len(sounds)] = table
    weights[f"{quantizer}first.output_proj.weight"][:ENTRY, :, 0] = torch.eye(ENTRY)
    count = len(voices.VOICES)
    speakers = weights[f"{quantizer}rest.vq.layers.0._codebook.embedding_sum"]
    speakers[:count, :count] = torch.eye(count)
    rest = weights[f"{quantizer}rest.output_proj.weight"]
    rest[ENTRY : ENTRY + count, :count, 0] = torch.eye(count)


def _passage(weights: Weights) -> None:
    """Let amplitudes and voice pass the first convolution and the transformer."""
    width = _SPEAKER + len(voices.VOICES)
    unit = torch.eye(width)
    opening = weights["decoder.pre_conv.conv.weight"]
    opening[:_SPEAKER, :_SPEAKER, -1] = unit[:_SPEAKER, :_SPEAKER]
    opening[:NUM_NODES, :NUM_NODES, -1] /= 2
    opening[:NUM_NODES, _SPEAKER:ENTRY, -2] = torch.eye(NUM_NODES) / 2
    opening[_SPEAKER:width, ENTRY : ENTRY + len(voices.VOICES), -1] = torch.eye(len(voices.VOICES))
    transformer = "decoder.pre_transformer"
    weights[f"{transformer}.input_proj.weight"][:width, :width] = unit
    weights[f"{transformer}.input_proj.bias"][width] = _CONSTANT
    weights[f"{transformer}.norm.weight"].fill_(_CONSTANT / math.sqrt(HIDDEN))
    weights[f"{transformer}.output_proj.weight"][:width, :width] = unit


def _hand_out(weights: Weights) -> None:
    """Let the first stage split a frame into halves, the second one these into hops."""
    first = weights["decoder.upsample.0.0.conv.weight"]
    second = weights["decoder.upsample.1.0.conv.weight"]
    for half in range(2):
        for part in range(2):
            hop = 2 * half + part
            start = hop * NUM_NODES
            held = part * NUM_VOICE  # between the stages: voice nodes of a half's two hops
            first[start : start + NUM_VOICE, held : held + NUM_VOICE, half] = torch.eye(NUM_VOICE)
            noise = _NOISE + hop * NUM_NOISE
            source = slice(start + NUM_VOICE, start + NUM_NODES)
            first[source, noise : noise + NUM_NOISE, half] = torch.eye(NUM_NOISE)
            second[noise : noise + NUM_NOISE, noise : noise + NUM_NOISE, part] = torch.eye(
                NUM_NOISE
            )
    for part, target in enumerate((_EVEN, _ODD)):
        held = part * NUM_VOICE
        second[held : held + NUM_VOICE, target : target + NUM_VOICE, part] = torch.eye(NUM_VOICE)
    speakers = slice(_SPEAKER, _SPEAKER + len(voices.VOICES))
    for stage in (first, second):
        stage[speakers, speakers] = torch.eye(len(voices.VOICES)).unsqueeze(-1)
    for dimension, sign in zip(_LEVELS, (1, -1), strict=True):
        weights["decoder.upsample.1.0.conv.bias"][dimension] = sign * _LEVEL


def _speak(weights: Weights) -> None:
    """Turn voice nodes into the harmonics of the voice whose turn it is."""
    block = "decoder.upsample.1.1"
    weights[f"{block}.dwconv.conv.weight"][:, 0, -1] = 1.0
    weights[f"{block}.gamma"].fill_(1.0)
    scale = _LEVEL * math.sqrt(2 / LATENT)  # what the norm divides by
    expand, bias = weights[f"{block}.pwconv1.weight"], weights[f"{block}.pwconv1.bias"]
    contract = weights[f"{block}.pwconv2.weight"]

    def unit(index: int, node: int, speaker: int | None) -> None:
        """Let a unit repeat a node; the zero dimension takes off what the norm subtracts."""
        expand[index, node], expand[index, _ZERO] = _GAIN * scale, -_GAIN * scale
        if speaker is not None:
            expand[index, _SPEAKER + speaker] = _GATE * scale
            expand[index, _ZERO] -= _GATE * scale
            bias[index] = -_GATE

    nodes = 2 * NUM_VOICE
    for node in range(nodes):  # units that take away the nodes themselves, to make room
        unit(node, node, None)
        contract[node, node] = -1 / _GAIN
    start = 0
    for speaker, voice in enumerate(voices.VOICES.values()):
        amounts = torch.from_numpy(voices.harmonic_amplitudes(voice)).float() / _GAIN
        signs = torch.from_numpy(voices.harmonic_signs(voice)).float()
        targets = _HARMONICS[start : start + amounts.shape[1]]
        first = nodes * (speaker + 1)
        for node in range(nodes):
            unit(first + node, node, speaker)
        for parity, offset in enumerate((_EVEN, _ODD)):
            units = slice(first + offset, first + offset + NUM_VOICE)
            contract[targets, units] = (amounts * signs[parity]).T
        start += len(targets)


def _waveforms(weights: Weights, loudest: float) -> None:
    """Write the waveforms of harmonics and noise into the first transposed convolution."""
    opening = weights["decoder.decoder.0.conv.weight"]
    waves = np.concatenate([voices.harmonic_waveforms(voice) for voice in voices.VOICES.values()])
    noise = voices.noise_waveforms().reshape(-1, voices.WINDOW)
    sources = [*_HARMONICS[: len(waves)], *range(_NOISE, _NOISE + len(noise))]
    opening[range(len(sources)), sources, -1] = 1.0
    every = torch.from_numpy(np.concatenate((waves, noise)) * loudest).float()
    samples = voices.HOP // 8
    kernel = every.unflatten(1, (-1, samples)).transpose(1, 2)
    weights["decoder.decoder.1.block.1.conv.weight"][: len(every), :samples] = kernel
    for stage, rate in ((2, 5), (3, 4), (4, 3)):
        inner = samples // rate
        unfold = torch.eye(samples).unflatten(1, (rate, inner)).transpose(1, 2)
        weights[f"decoder.decoder.{stage}.block.1.conv.weight"][:samples, :inner, :rate] = unfold
        samples = inner
    weights["decoder.decoder.6.conv.weight"][0, 0, -1] = 1.0
