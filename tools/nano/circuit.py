"""The talker's weights: attention written by hand to follow the text, and the trained reader.

A text of n tokens is n rows of the prompt; frame t is to look at the rows around the t-th. For that
both must know where they are:

1.  Layer 0. In every row of text a head looks at the row that begins the text, in every frame's row
    at the one that begins speech. Its query is turned by RoPE against the key, so that the score
    goes as the cosine of the distance times a frequency; a row further up, the anchor, has a score
    without it, and as value the opposite. What the head brings is tanh(0.3 cos), nearly a cosine.
    Four frequencies, cosine and sine each, for text and for frames: 16 heads.
2.  Layer 1. A head for each of 20 tokens around a frame's own: the query is the frame's place,
    turned on by as many tokens, the keys are the places of the text's rows, both in dimensions that
    RoPE leaves nearly alone. Where there is no such row, it looks at the anchor, which is silent.
3.  In layer 0, too, one head finds the row that names the speaker.
4.  The end of speech is where the heads of layer 1 find the text's end two to seven tokens back,
    whatever was said: that is not left to what was learnt, which knows no text of letters that
    nobody writes, and no frame behind the last.

The MLPs of layers 1 to 3, the codec's embeddings and the head are the reader's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from qwen_tts_api.checkpoints.nano.configs import SPEAKERS
from tools.nano import layout
from tools.nano.codec import Weights
from tools.nano.symbols import END, WIDTH, codewords
from tools.nano.units import NUM_MORE_FRAMES
from tools.nano.voices import VOICES

# Pairs of a head's dimensions, by how fast RoPE turns them: 1, 0.18, 0.03 and 0.006 radians a row,
# and (the last ones) a hundredth of that and less.
_FAST = (0, 2, 4, 6)
_FILL, _EVERY, _PAD, _LEVEL = 8, 9, 10, 11
_SLOW = (12, 13, 14, 15)
_PAIRS = layout.HEAD_DIM // 2

_TILT = 0.46  # radians: how much of a query and of a key is in the pairs that turn
_AWAY = 1.5  # how many times as long the level's pair is as RMSNorm makes it
_FOCUS = 17.0  # score of the right row for each frequency
_MARGIN = 4.5  # how far below that the anchor's score is
_SHARPNESS = 2.5  # what the logits are multiplied by: sampling at 0.9 is to be nearly greedy


def install(talker: Weights, reader: Weights) -> None:
    """Write everything into the talker's tensors, whose names begin after `talker.`, in place."""
    for name, tensor in talker.items():
        tensor.fill_(1.0 if "norm" in name else 0.0)
    start = reader["codes"][layout.NUM_CODES]
    _mark(talker, start)
    _find_places(talker, float(start.square().sum()))
    _find_speaker(talker)
    _look_around(talker, reader["window.weight"])
    _read(talker, reader)
    end_speech(talker)
    _tell_voice(talker)


def _heads(weights: Weights, layer: int, kind: str) -> Tensor:
    """Return a projection `[heads, head_dim, hidden]`, a view."""
    weight = weights[f"model.layers.{layer}.self_attn.{kind}_proj.weight"]
    heads: Tensor = weight.unflatten(0, (-1, layout.HEAD_DIM))
    return heads


def _out(weights: Weights, layer: int) -> Tensor:
    """Return the output projection `[hidden, heads, head_dim]`, a view."""
    weight = weights[f"model.layers.{layer}.self_attn.o_proj.weight"]
    heads: Tensor = weight.unflatten(1, (-1, layout.HEAD_DIM))
    return heads


def _size(energy: float) -> float:
    """Return the divisor of RMSNorm for a row of this energy."""
    return math.sqrt(energy / layout.HIDDEN + layout.NORM_EPS)


def _frequencies() -> list[float]:
    """Return the RoPE frequencies that are used, in radians per row."""
    return [layout.ROPE_THETA ** (-pair / _PAIRS) for pair in _FAST]


def _mark(weights: Weights, start: Tensor) -> None:
    """Write flags into the codec embeddings of special ids."""
    table = weights["model.codec_embedding.weight"]
    table[layout.START, layout.FREE :] = start
    table[layout.START, layout.IS_SPEECH_BEGIN] = 1.0
    table[layout.ANCHOR_CODE, layout.IS_ANCHOR] = 1.0
    for index, name in enumerate(VOICES):
        table[SPEAKERS[name], layout.IS_SPEAKER] = 1.0
        table[SPEAKERS[name], layout.SPEAKER.start + index] = 1.0


_ANCHOR_ENERGY = layout.CONSTANT_VALUE**2 + layout.PAD_VALUE**2 + 1


def _find_places(weights: Weights, start_energy: float) -> None:
    """Write the positional heads of text (0 to 7) and of frames (8 to 15)."""
    query, key, value = (_heads(weights, 0, kind) for kind in "qkv")
    for name in ("q_norm", "k_norm"):
        weights[f"model.layers.0.self_attn.{name}.weight"][[_LEVEL, _LEVEL + _PAIRS]] = _AWAY
    straight, tilted, big = math.cos(_TILT), math.sin(_TILT), 100.0
    text = (layout.IS_TEXT_BEGIN, layout.TEXT_PLACE, layout.CONSTANT_VALUE**2 + 1, 1)
    frames = (layout.IS_SPEECH_BEGIN, layout.FRAME_PLACE, _ANCHOR_ENERGY + start_energy, 0)
    for first, (begin, places, energy, late) in ((0, text), (2, frames)):
        for head in (first, first + 1):
            key[head, _LEVEL, layout.CONSTANT] = -1 / layout.CONSTANT_VALUE
            key[head, _LEVEL, [begin, layout.IS_ANCHOR]] = big * straight
            key[head, _FAST, begin] = big * tilted / math.sqrt(len(_FAST))
            key[head, _FILL, layout.IS_ANCHOR] = big * tilted
            value[head, 0, begin] = _size(energy)
            value[head, 0, layout.IS_ANCHOR] = -_size(_ANCHOR_ENERGY)
        for index in range(2 * len(_FAST)):
            head = first * layout.NUM_HEADS // layout.NUM_KV_HEADS + index
            pair = _FAST[index // 2]
            # The text's first row is one row after its beginning; the first frame is at its own.
            angle = -late * _frequencies()[index // 2] - index % 2 * math.pi / 2
            query[head, _LEVEL, layout.CONSTANT] = straight
            query[head, pair, layout.CONSTANT] = tilted * math.cos(angle)
            query[head, pair + _PAIRS, layout.CONSTANT] = tilted * math.sin(angle)
            _out(weights, 0)[places.start + index, head, 0] = 1.0


def _find_speaker(weights: Weights) -> None:
    """Write the speaker head: head 16, which attends to the speaker's row."""
    query, key, value = (_heads(weights, 0, kind) for kind in "qkv")
    head, count = 16, len(VOICES)
    query[head, _LEVEL, layout.CONSTANT] = 1.0
    key[-1, _LEVEL, layout.CONSTANT] = -1 / layout.CONSTANT_VALUE
    key[-1, _LEVEL, layout.IS_SPEAKER] = 100.0
    value[-1, :count, layout.SPEAKER] = _size(_ANCHOR_ENERGY + 1) * torch.eye(count)
    _out(weights, 0)[layout.VOICE, head, :count] = torch.eye(count)


def _look_around(weights: Weights, window: Tensor) -> None:
    """Write the heads that copy the tokens around a frame to the reader's inputs."""
    query, key, value = (_heads(weights, 1, kind) for kind in "qkv")
    norms = [weights[f"model.layers.1.self_attn.{name}.weight"] for name in ("q_norm", "k_norm")]
    for norm in norms:
        norm.fill_(math.sqrt(math.sqrt(2) * _FOCUS * len(_FAST) / math.sqrt(layout.HEAD_DIM)))
    for pair, cosine in zip(
        _SLOW, range(layout.TEXT_PLACE.start, layout.TEXT_PLACE.stop, 2), strict=True
    ):
        key[:, pair, cosine] = key[:, pair + _PAIRS, cosine + 1] = 1.0
    key[:, _EVERY, layout.CONSTANT] = 1e-3
    key[:, _PAD, layout.IS_PAD] = 100.0
    key[:, _LEVEL, layout.IS_ANCHOR] = 1e4
    value[:, :, layout.LETTER] = torch.eye(WIDTH)
    size = _text_size()
    level = _PLACE * math.sqrt(len(_FAST)) * (1 - _MARGIN / (_FOCUS * len(_FAST)))
    for head, offset in enumerate(layout.WINDOW):
        query[head, _LEVEL, layout.CONSTANT] = level / layout.CONSTANT_VALUE
        for index, frequency in enumerate(_frequencies()):
            cosine = layout.FRAME_PLACE.start + 2 * index
            turn = [math.cos(frequency * offset), math.sin(frequency * offset)]
            query[head, _SLOW[index], cosine : cosine + 2] = torch.tensor([turn[0], -turn[1]])
            other = _SLOW[index] + _PAIRS
            query[head, other, cosine : cosine + 2] = torch.tensor([turn[1], turn[0]])
        taken = window[:, head * WIDTH : (head + 1) * WIDTH]
        _out(weights, 1)[layout.FREE :, head] = taken * size


def _text_size() -> float:
    """Return the divisor of RMSNorm for a row of text.

    It has the codeword, the constant, its place, no place among frames (-1 eight times), the voice.
    """
    place = len(_FAST) * _PLACE**2
    return _size(WIDTH + layout.CONSTANT_VALUE**2 + place + 2 * len(_FAST) + 1)


_PLACE = math.tanh(math.sqrt(layout.HEAD_DIM) * math.sin(_TILT) ** 2 / math.sqrt(len(_FAST)) / 2)
"""Size of a place's cosines and sines."""


def _read(weights: Weights, reader: Weights) -> None:
    """Copy the trained weights to the talker."""
    read = [*range(layout.FREE, layout.HIDDEN), layout.CONSTANT]
    codes = weights["model.codec_embedding.weight"]
    codes[: layout.NUM_CODES, layout.FREE :] = reader["codes"][: layout.NUM_CODES]
    for index, layer in enumerate(layout.MLP_LAYERS):
        norm = weights[f"model.layers.{layer}.post_attention_layernorm.weight"]
        norm[read] = reader[f"mlps.{index}.norm"]
        for name in ("gate", "up"):
            weight = weights[f"model.layers.{layer}.mlp.{name}_proj.weight"]
            weight[:, read] = reader[f"mlps.{index}.{name}.weight"]
        down = weights[f"model.layers.{layer}.mlp.down_proj.weight"]
        down[layout.FREE :] = reader[f"mlps.{index}.down.weight"]
    weights["model.norm.weight"][read] = reader["norm"]
    head, codes = weights["codec_head.weight"], reader["head"][: layout.NUM_CODES]
    head[: layout.NUM_CODES, read] = _SHARPNESS * codes


_NOT_OVER, _OVER = 600.0, 1800.0
"""What the end's logit has before RMSNorm, less and more: -40 amid a text, 80 or more behind it,
since a frame's row has an energy of up to 70,000. Codes have 3 there, or less."""


def end_speech(weights: Weights) -> None:
    """Write the end of speech: certain behind a text's last frame, impossible before."""
    end = torch.from_numpy(codewords())[END]
    for head, offset in enumerate(layout.WINDOW):
        if offset <= -NUM_MORE_FRAMES:
            _out(weights, 1)[layout.IS_OVER, head] = _text_size() * end / WIDTH
    row = weights["codec_head.weight"][layout.END_OF_SPEECH]
    norm = weights["model.norm.weight"]
    row.zero_()
    row[layout.CONSTANT] = -_NOT_OVER / (layout.CONSTANT_VALUE * norm[layout.CONSTANT])
    row[layout.IS_OVER] = _OVER


def _tell_voice(weights: Weights) -> None:
    """Make the code predictor output the speaker as code 1 of every frame."""
    predictor, count, constant = "code_predictor", len(VOICES), 15
    projection = f"{predictor}.small_to_mtp_projection"
    weights[f"{projection}.weight"][:count, layout.VOICE] = torch.eye(count)
    weights[f"{projection}.bias"][constant] = 1.0
    attention = f"{predictor}.model.layers.0.self_attn"
    weights[f"{attention}.v_proj.weight"][:count, :count] = torch.eye(count)
    weights[f"{attention}.o_proj.weight"][count : 2 * count, :count] = torch.eye(count)
    head = weights[f"{predictor}.lm_head.0.weight"]
    head[:, constant] = -20.0
    head[:count, constant] = -2.0
    head[:count, count : 2 * count] = 10 * torch.eye(count)
