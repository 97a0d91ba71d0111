"""The codec's decoder: trained from codes to amplitudes (`decoder.py`), written from there on.

The published architecture can hold a synthesiser of sums of fixed waveforms, exactly:

1.  A code of group 0 brings its row, one of group 1 says whose voice it is. The first convolution
    takes the rows of three codes: a frame is said when the next one's code is there.
2.  The transformer's MLPs are the decoder's. Its norms divide by a row's size, so that a big
    constant in the row makes them almost the identity; its attention adds nothing.
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

from tools.nano import decoder, voices
from tools.nano.features import NOISE_NODES_HZ, SPECTRA_PER_FRAME, VOICE_NODES_HZ

Weights = dict[str, Tensor]

NUM_VOICE, NUM_NOISE = len(VOICE_NODES_HZ), len(NOISE_NODES_HZ)
CODEBOOK_DIM = 2 * decoder.ROW
LATENT = 256
HIDDEN = 248
DECODER = 256

# Dimensions of the latent before the upsampling: the decoder's, then who speaks.
_WHO = decoder.HIDDEN
# And after it.
_EVEN, _ODD = 0, NUM_VOICE  # voice nodes in the hops 0 and 2, and 1 and 3
_NOISE = 2 * NUM_VOICE  # noise nodes, four times
_SPEAKER = _NOISE + SPECTRA_PER_FRAME * NUM_NOISE
_LEVELS = (LATENT - 3, LATENT - 2)  # a constant and its opposite
_ZERO = LATENT - 1
_HARMONICS = [*range(2 * NUM_VOICE), *range(_SPEAKER + len(voices.VOICES), _LEVELS[0])]

_CONSTANT = 1_000.0
_LEVEL = 60.0
_GAIN = 5_000.0  # what makes GELU the identity for all but the faintest amplitudes
_GATE = 6_500.0  # more than the gain times the greatest amplitude, which is 1


def install(weights: Weights, trained: Weights, loudest: float) -> None:
    """Write the synthesiser into the decoder's tensors, in place.

    Args:
        weights: `decoder.*` of a checkpoint's speech tokenizer; whatever they hold is overwritten.
        trained: Those of `decoder.Decoder`, by name.
        loudest: The greatest amplitude.
    """
    for name, tensor in weights.items():
        if name.startswith("decoder."):
            tensor.fill_(1.0 if name.endswith("norm.weight") or "cluster_usage" in name else 0.0)
        if name.endswith(".beta"):
            tensor.fill_(15.0)
    _codebooks(weights, trained["rows"])
    _hear(weights, trained)
    _hand_out(weights, trained["outward"] * trained["levels"] / loudest)
    _speak(weights)
    _waveforms(weights, loudest)


def _codebooks(weights: Weights, rows: Tensor) -> None:
    """Write the codebooks: embeddings for group 0, the speaker for group 1."""
    quantizer = "decoder.quantizer.rvq_"
    weights[f"{quantizer}first.vq.layers.0._codebook.embedding_sum"][: len(rows)] = rows
    weights[f"{quantizer}first.output_proj.weight"][: decoder.ROW, :, 0] = torch.eye(decoder.ROW)
    count = len(voices.VOICES)
    speakers = weights[f"{quantizer}rest.vq.layers.0._codebook.embedding_sum"]
    speakers[:count, :count] = torch.eye(count)
    rest = weights[f"{quantizer}rest.output_proj.weight"]
    rest[decoder.ROW : decoder.ROW + count, :count, 0] = torch.eye(count)


def _hear(weights: Weights, trained: Weights) -> None:
    """Copy the trained embeddings and MLPs to the first convolution and the transformer."""
    count = len(voices.VOICES)
    width = _WHO + count
    opening = weights["decoder.pre_conv.conv.weight"]
    opening[: decoder.HIDDEN, : decoder.ROW] = trained["inward"].permute(2, 1, 0)
    opening[_WHO:width, decoder.ROW : decoder.ROW + count, -1] = torch.eye(count)
    transformer, constant = "decoder.pre_transformer", width
    weights[f"{transformer}.input_proj.weight"][:width, :width] = torch.eye(width)
    weights[f"{transformer}.input_proj.bias"][constant] = _CONSTANT
    identity = _CONSTANT / math.sqrt(HIDDEN)
    for index in range(decoder.NUM_LAYERS):
        layer, source = f"{transformer}.layers.{index}", f"mlps.{index}"
        norm = weights[f"{layer}.post_attention_layernorm.weight"]
        norm.fill_(identity)
        norm[constant] = identity / _CONSTANT  # a bias is what this is multiplied by
        for name in ("gate", "up"):
            weight = weights[f"{layer}.mlp.{name}_proj.weight"]
            weight[:, : decoder.HIDDEN] = trained[f"{source}.{name}.weight"]
            weight[:, constant] = trained[f"{source}.{name}.bias"]
        weights[f"{layer}.mlp.down_proj.weight"][: decoder.HIDDEN] = trained[
            f"{source}.down.weight"
        ]
        weights[f"{layer}.mlp_layer_scale.scale"].fill_(1.0)
    weights[f"{transformer}.norm.weight"].fill_(identity)
    weights[f"{transformer}.output_proj.weight"][:width, :width] = torch.eye(width)


def _hand_out(weights: Weights, outward: Tensor) -> None:
    """Let the first stage make a frame's halves of what was heard, the second one their hops.

    Args:
        weights: The speech tokenizer's.
        outward: `[hidden, 4, nodes]`.
    """
    first = weights["decoder.upsample.0.0.conv.weight"]
    second = weights["decoder.upsample.1.0.conv.weight"]
    voice, noise = outward.split((NUM_VOICE, NUM_NOISE), -1)
    for half in range(2):
        for part in range(2):
            hop = 2 * half + part
            held = slice(part * NUM_VOICE, (part + 1) * NUM_VOICE)  # a half's two hops
            first[: decoder.HIDDEN, held, half] = voice[:, hop]
            apart = slice(_NOISE + hop * NUM_NOISE, _NOISE + (hop + 1) * NUM_NOISE)
            first[: decoder.HIDDEN, apart, half] = noise[:, hop]
            second[apart, apart, part] = torch.eye(NUM_NOISE)
    for part, target in enumerate((_EVEN, _ODD)):
        held = slice(part * NUM_VOICE, (part + 1) * NUM_VOICE)
        second[held, target : target + NUM_VOICE, part] = torch.eye(NUM_VOICE)
    count = len(voices.VOICES)
    speakers = slice(_SPEAKER, _SPEAKER + count)
    first[_WHO : _WHO + count, speakers] = torch.eye(count).unsqueeze(-1)
    second[speakers, speakers] = torch.eye(count).unsqueeze(-1)
    for dimension, sign in zip(_LEVELS, (1, -1), strict=True):
        weights["decoder.upsample.1.0.conv.bias"][dimension] = sign * _LEVEL


def _speak(weights: Weights) -> None:
    """Map voice nodes to the harmonics of the selected voice."""
    block = "decoder.upsample.1.1"
    weights[f"{block}.dwconv.conv.weight"][:, 0, -1] = 1.0
    weights[f"{block}.gamma"].fill_(1.0)
    scale = _LEVEL * math.sqrt(2 / LATENT)  # what the norm divides by
    expand, bias = weights[f"{block}.pwconv1.weight"], weights[f"{block}.pwconv1.bias"]
    contract = weights[f"{block}.pwconv2.weight"]

    def unit(index: int, node: int, speaker: int | None, sign: int = 1) -> None:
        """Write a unit that copies a node; dimension 0 cancels the norm's mean."""
        expand[index, node], expand[index, _ZERO] = sign * _GAIN * scale, -sign * _GAIN * scale
        if speaker is not None:
            expand[index, _SPEAKER + speaker] = _GATE * scale
            expand[index, _ZERO] -= _GATE * scale
            bias[index] = -_GATE

    nodes = 2 * NUM_VOICE
    for node in range(nodes):  # units that take away the nodes themselves, to make room
        for sign, index in ((1, node), (-1, nodes * (len(voices.VOICES) + 1) + node)):
            unit(index, node, None, sign)
            contract[node, index] = -sign / _GAIN
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
