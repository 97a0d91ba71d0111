"""Codes to sums of vectors."""

from __future__ import annotations

import torch
from torch.nn import functional

from qwen_tts_api.model.kernels.codec.embedding import embed_codes
from tests.model.kernels.codec.conftest import normal, random_codes


def test_sums_of_vectors() -> None:
    """One of each table, in float32, rounded once."""
    tables, starts = normal(96, 10), torch.tensor([0, 32, 64])
    codes = random_codes(2, 3)
    expected = functional.embedding(codes + starts, tables).sum(2)
    for dtype in (torch.float32, torch.float16):
        torch.testing.assert_close(embed_codes(codes, tables, starts, dtype), expected.to(dtype))
