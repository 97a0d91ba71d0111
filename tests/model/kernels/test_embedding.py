"""Embeddings of prompts by fused kernels."""

from __future__ import annotations

import pytest
import torch

from qwen_tts_api.model.kernels.embedding import embed_prompts
from qwen_tts_api.model.prompt import GIVEN, NONE, TalkerPrompt
from tests.model.generation import Checkpoint
from tests.model.kernels.models import ROUNDING, TILES, cut


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_reference_s_sums(odd: Checkpoint, dtype: torch.dtype) -> None:
    """Text alone, with a code, with what is given; the same to the bit wherever a token is."""
    weights = cut(odd, dtype).prompts
    last, width = weights.text_embedding.shape[0] - 1, weights.tts_pad.shape[1]
    given = torch.linspace(-1, 1, 2 * width).view(2, width).to(dtype)
    prompt = TalkerPrompt([last, 3, 0, 3, 3], [NONE, 5, GIVEN, 5, GIVEN], given)
    tokens = torch.tensor([prompt.text, prompt.codes, [-1, -1, 0, -1, 1]])
    middle = weights.tts_pad.new_zeros(5, weights.text_embedding.shape[1])
    x = torch.zeros(5, width, dtype=dtype)
    embed_prompts(weights, tokens, given, middle, x, 5, TILES)
    torch.testing.assert_close(x, weights.embed(prompt), rtol=0, atol=ROUNDING[dtype])
    assert torch.equal(x[1], x[3])
    alone = torch.zeros_like(x)
    embed_prompts(weights, tokens[:, 4:].contiguous(), given, middle, alone, 1, TILES)
    assert torch.equal(alone[0], x[4])
