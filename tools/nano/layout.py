"""Sizes of the language model, and what the first dimensions of its rows are for.

How the model follows the text is built in (`circuit.py`), not learnt. What it needs lives in the
first `FREE` dimensions, which training leaves alone; the others are trained.
"""

from __future__ import annotations

HIDDEN = 288
LETTER = slice(0, 32)  # which character a row of text is
TEXT_PLACE = slice(32, 40)  # its place in the text, as four pairs of cosine and sine
FRAME_PLACE = slice(40, 48)  # a frame's place in the speech, likewise
CONSTANT, IS_TEXT_BEGIN, IS_SPEECH_BEGIN, IS_ANCHOR, IS_PAD, IS_SPEAKER = range(48, 54)
SPEAKER = slice(54, 56)  # who speaks, in the row that announces it
IS_OVER = 56  # whether a frame is behind the last that says something
VOICE = slice(58, 60)  # who speaks, in every row
FREE = 64
NUM_FREE = HIDDEN - FREE

CONSTANT_VALUE, PAD_VALUE = 3.0, 1.7
RESERVED_ENERGY = 4.5
"""Squares of the other reserved dimensions of a frame's row, together, within a few per cent."""

NUM_LAYERS = 4
MLP_LAYERS = (1, 2, 3)
INTERMEDIATE = 960
NUM_HEADS, NUM_KV_HEADS, HEAD_DIM = 20, 5, 32
NORM_EPS = 1e-6
ROPE_THETA = 1e6

WINDOW = range(-7, 13)
"""Characters that a frame sees, counted from its own: one for each head."""

NUM_CODES = 2048
START, END_OF_SPEECH = 2149, 2150  # codec_bos_id, codec_eos_token_id
ANCHOR_CODE = 2156  # codec_think_bos_id, which every prompt has, before the text
VOCABULARY = 3072
"""Of code 0; the specials are in the last 1,024."""
