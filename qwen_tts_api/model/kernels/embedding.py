"""The embeddings of prompts: text tokens, projected, and what is heard with them."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from qwen_tts_api.model.kernels.products import linear
from qwen_tts_api.model.kernels.tiles import Tiles
from qwen_tts_api.model.prompt import PromptWeights

_BLOCK = 1024
"""Columns that a program makes."""


def embed_prompts(
    weights: PromptWeights,
    tokens: Tensor,
    given: Tensor,
    middle: Tensor,
    x: Tensor,
    num_tokens: int,
    tiles: Tiles,
) -> None:
    """Make the talker's input of prompts, token by token, in three launches.

    Reference: `PromptWeights.embed`, which projects each text token once. A token's result depends
    on no other, to the bit. Rounded after each half of the projection, after SiLU, and after each
    sum.

    Args:
        weights: The embeddings and the projection.
        tokens: `[3, N]` int64: of each its text token, its codec id, and its row of `given`; below
            0 where nothing is added.
        given: `[_, D]`.
        middle: `[N, D_text]`, written.
        x: `[N, D]`, written.
        num_tokens: How many.
        tiles: How launches are divided into programs.
    """
    text, codes, rows = tokens
    matrix, bias = weights.expand
    linear(
        weights.text_embedding,
        matrix.t(),
        bias,
        middle,
        num_tokens,
        tile=tiles.wide,
        indices=text,
        silu=True,
    )
    matrix, bias = weights.contract
    linear(middle, matrix.t(), bias, x, num_tokens, tile=tiles.narrow)
    width = x.shape[1]
    block = min(_BLOCK, triton.next_power_of_2(width))
    _add_heard_kernel[(num_tokens, triton.cdiv(width, block))](
        codes, rows, weights.talker.code_embeddings, given, x, WIDTH=width, BLOCK=block
    )


@triton.jit
def _add_heard_kernel(codes, rows, table, given, x, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """BLOCK columns of one token: add its code's embedding and what is given."""
    dtype = x.dtype.element_ty
    token = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < WIDTH
    code = tl.load(codes + token)
    row = tl.load(rows + token)
    total = tl.load(x + token * WIDTH + cols, mask, 0.0).to(tl.float32)
    heard = tl.load(table + code * WIDTH + cols, mask & (code >= 0), 0.0).to(tl.float32)
    total = (total + heard).to(dtype).to(tl.float32)
    heard = tl.load(given + row * WIDTH + cols, mask & (row >= 0), 0.0).to(tl.float32)
    tl.store(x + token * WIDTH + cols, (total + heard).to(dtype), mask)
