"""Modify the talker's random weights so that speech ends after about one frame a text token.

Random weights never predict the end of speech: without this every request would run to its frame
limit. The first `NUM_RESERVED` hidden dimensions are removed from the random weights, which neither
read nor write them, and are set by hand:

1.  Each position of the talker's input contains exactly one text embedding (a token, or
    `tts_pad`), so that the bias of `text_projection` can add a large CONSTANT to every position. It
    dominates the RMS, and with norm weights of CONSTANT / sqrt(hidden size) every RMSNorm of the
    talker is the identity within a few per cent. All that follows is linear.
2.  A spoken text token adds 1 to TEXT; special tokens add 0. A code-0 embedding adds 1 to FRAME;
    special codec ids and speakers add 0. Each text embedding adds 1 to PROMPT and each codec
    embedding -1, so that only positions without codec embedding (role, instruction) have PROMPT 1.
3.  Head 0 of layer 0 averages TEXT - FRAME over all positions without PROMPT: a position with
    PROMPT has a key with a large negative score for the head's constant query, all others have a
    score of 0, so that the softmax is uniform over them. The average is written to BALANCE; its
    sign tells whether there were more tokens than frames. An instruction does not affect it.
    Head 1 has the opposite query: it averages over role and instruction, so that an instruction of
    any length affects the audio.
4.  In a sequence of N positions a frame changes the average by 1 / N only. Two clipped ramps in
    series, one in each layer's MLP, amplify it 4,096 times and clip it: BALANCE -> RAMP -> STOP,
    which is 1 before the end of speech and -1 behind it.
5.  `codec_head` computes the logit of EOS from STOP: far below every code, then far above.

`<tts_text_bos>`, which every prompt has once, counts as `HEAD_START` tokens. Its half puts the
change of sign between two frames. It also keeps the balance positive in streaming text mode, where
TEXT - FRAME is exactly zero at each position. So a text of T tokens takes T + 4 frames in either
mode. In voice cloning by continuation, the reference's tokens and frames enter the same sum, and
cancel out if the reference was spoken at this rate.
"""

from __future__ import annotations

import math
import re
from typing import Any

from qwen_tts_api.checkpoints.nano.tokenizer import ADDED_TOKEN_IDS
from qwen_tts_api.checkpoints.nano.weights import Weights

CONSTANT, PROMPT, TEXT, FRAME, BALANCE, RAMP, STOP = range(7)
NUM_RESERVED = 7
HEAD_START = 3.5

_CONSTANT_VALUE = 64.0  # its square is 4096; all random dimensions together have about 400

# Dimension of the text embedding that holds TEXT on its way through text_projection, and the value
# it has there: silu(32) is 32 in float32, so the activation does not distort it.
_SPOKEN, _SPOKEN_VALUE = 0, 32.0

# Dimensions of a key. RoPE turns the pair of the first slowest, by 2.4e-6 radians a position. The
# second, unseen by the queries, gives k_norm something to normalise where there is no PROMPT.
_PROMPT_SLOT, _OTHER_SLOT = 15, 14
_SHARPNESS = 6.0  # times sqrt(head_dim) is the score of a position with PROMPT: -34 and +34

_GAIN, _CLIP = 256.0, 4.0  # a ramp rises from -1 to 1 with a slope of _GAIN / _CLIP = 64

_EOS_MIDDLE, _EOS_SWING = 10.0, 30.0  # EOS logits of -20, then 40; the codes' are within +-20

# Tensors whose first, and whose last, dimension is the talker's hidden one.
_WRITERS = re.compile(
    r"^(talker\.model\.layers\.\d+\.\w+\.(o|down)_proj|speaker_encoder\.fc"
    r"|talker\.text_projection\.linear_fc2)\.(weight|bias)$"
)
_READERS_AND_TABLES = re.compile(
    r"^talker\.(model\.layers\.\d+\.\w+\.(q|k|v|gate|up)_proj|codec_head|model\.codec_embedding"
    r"|code_predictor\.model\.codec_embedding\.\d+|code_predictor\.small_to_mtp_projection)\.weight$"
)
_NORMS = re.compile(r"^talker\.model\.(layers\.\d+\.(input|post_attention)_layer)?norm\.weight$")


def install(weights: Weights, config: dict[str, Any]) -> None:
    """Modify the `weights` of a checkpoint with this `config.json` in place."""
    talker = config["talker_config"]
    _reserve_dimensions(weights)
    _mark_text_parts(weights, config["tts_bos_token_id"])
    _mark_codec_parts(weights, talker["code_predictor_config"]["vocab_size"])
    _average_balance(weights, "talker.model.layers.0.self_attn")
    _clipped_ramp(weights, "talker.model.layers.0.mlp", BALANCE, RAMP)
    _clipped_ramp(weights, "talker.model.layers.1.mlp", RAMP, STOP)
    eos_row = weights["talker.codec_head.weight"][talker["codec_eos_token_id"]]
    eos_row.zero_()
    eos_row[CONSTANT] = _EOS_MIDDLE / _CONSTANT_VALUE
    eos_row[STOP] = -_EOS_SWING


def _reserve_dimensions(weights: Weights) -> None:
    """Set the random weights of the reserved dimensions to 0; make the norms the identity."""
    for name, tensor in weights.items():
        if _WRITERS.match(name):
            tensor[:NUM_RESERVED] = 0
        elif _READERS_AND_TABLES.match(name):
            tensor[:, :NUM_RESERVED] = 0
        elif _NORMS.match(name):
            tensor.fill_(_CONSTANT_VALUE / math.sqrt(tensor.numel()))


def _mark_text_parts(weights: Weights, tts_bos_token_id: int) -> None:
    """Add CONSTANT and PROMPT to each text embedding, TEXT to each spoken token."""
    spoken = weights["talker.model.text_embedding.weight"][:, _SPOKEN]
    spoken.fill_(_SPOKEN_VALUE)
    spoken[list(ADDED_TOKEN_IDS)] = 0
    spoken[tts_bos_token_id] = _SPOKEN_VALUE * HEAD_START

    to_middle = weights["talker.text_projection.linear_fc1.weight"]
    to_middle[:, _SPOKEN] = 0
    to_middle[_SPOKEN] = 0
    to_middle[_SPOKEN, _SPOKEN] = 1
    weights["talker.text_projection.linear_fc1.bias"][_SPOKEN] = 0

    to_hidden = weights["talker.text_projection.linear_fc2.weight"]
    to_hidden[:, _SPOKEN] = 0
    to_hidden[TEXT, _SPOKEN] = 1 / _SPOKEN_VALUE
    bias = weights["talker.text_projection.linear_fc2.bias"]
    bias[CONSTANT] = _CONSTANT_VALUE
    bias[PROMPT] = 1


def _mark_codec_parts(weights: Weights, num_codes: int) -> None:
    """Let each codec part take PROMPT away, and each code 0 bring FRAME.

    A cloned speaker's part comes from the speaker encoder, which only one kind has.
    """
    codec_embedding = weights["talker.model.codec_embedding.weight"]
    codec_embedding[:, PROMPT] = -1
    codec_embedding[:num_codes, FRAME] = 1
    if "speaker_encoder.fc.bias" in weights:
        weights["speaker_encoder.fc.bias"][PROMPT] = -1


def _average_balance(weights: Weights, attention: str) -> None:
    """Make head 0 average TEXT - FRAME over positions without PROMPT, head 1 over those with it.

    Both read key head 0, where a position with PROMPT has (64, 1) in the two slots and any other
    exactly (0, 1); k_norm brings both to the same length. The other heads stay random, but keep out
    of the slot that q_norm sharpens.
    """
    sharpness = weights[f"{attention}.q_norm.weight"]
    sharpness[_PROMPT_SLOT] = _SHARPNESS
    head_dim = sharpness.numel()

    query = weights[f"{attention}.q_proj.weight"].unflatten(0, (-1, head_dim))
    query[:2] = 0
    query[2:, [_PROMPT_SLOT, _PROMPT_SLOT + head_dim // 2]] = 0
    query[0, _PROMPT_SLOT, CONSTANT] = -1
    query[1, _PROMPT_SLOT, CONSTANT] = 1

    key = weights[f"{attention}.k_proj.weight"].unflatten(0, (-1, head_dim))
    key[0] = 0
    key[0, _PROMPT_SLOT, PROMPT] = 64
    key[0, _OTHER_SLOT, CONSTANT] = 1 / _CONSTANT_VALUE

    value = weights[f"{attention}.v_proj.weight"].unflatten(0, (-1, head_dim))
    value[0, 0, TEXT] = 1
    value[0, 0, FRAME] = -1
    value[0, 0, NUM_RESERVED:] = 0

    output = weights[f"{attention}.o_proj.weight"].unflatten(1, (-1, head_dim))
    output[:, :2, 0] = 0
    output[BALANCE, 0, 0] = 1


def _clipped_ramp(weights: Weights, mlp: str, source: int, target: int) -> None:
    """Give `target` the value of `source` times _GAIN / _CLIP, clipped to [-1, 1].

    Four units of the gated MLP, with a gate of g = _GAIN * source and c = _CLIP, add up to
    silu(g + c) - silu(g - c) - silu(-g + c) + silu(-g - c), which is 2 c far to the right, -2 c far
    to the left, and exactly 0 at 0.
    """
    gate = weights[f"{mlp}.gate_proj.weight"]
    up = weights[f"{mlp}.up_proj.weight"]
    down = weights[f"{mlp}.down_proj.weight"]
    units = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))  # signs of g, of c, of the term
    for unit, (sign_of_gain, sign_of_clip, sign) in enumerate(units):
        gate[unit] = 0
        gate[unit, source] = sign_of_gain * _GAIN
        gate[unit, CONSTANT] = sign_of_clip * _CLIP / _CONSTANT_VALUE
        up[unit] = 0
        up[unit, CONSTANT] = 1 / _CONSTANT_VALUE
        down[:, unit] = 0
        down[target, unit] = sign / (2 * _CLIP)
