"""A runner's state and functions at the published sizes, as far as a CPU build of PyTorch can tell.

Tensors on the meta device have shapes and number formats, and no values: what asks for one fails.
On which device each would be is seen by `test_fake_gpu.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.state import RunnerState
from qwen_tts_api.model.codec.decoder import decode_chunk
from qwen_tts_api.model.frame import advance, prefill_slots
from qwen_tts_api.model.sampling import TopKTopP
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import SAMPLES_PER_FRAME

SLOTS, POSITIONS, PROMPT, FRAMES = 4, 1024, 60, 12


def indices(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.int64, device="meta")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nano", "nano-base"])
@pytest.mark.parametrize("size", ["0.6b", "1.7b"])
@torch.inference_mode()
def test_an_utterance_from_its_prompt_to_its_samples(
    nano_cache: Path, size: str, kind: str
) -> None:
    """In 16 bits: the prompts of two slots, a frame of four, and a chunk of two streams."""
    model = empty_model(size, locate(kind, nano_cache))
    state = RunnerState.allocate(model, CacheSize(SLOTS, POSITIONS, 20), flash=False)
    hidden = model.speech.talker.decoder.norm.shape[0]
    assert hidden == {"0.6b": 1024, "1.7b": 2048}[size]
    assert state.speech.talker_cache.key_value.dtype == torch.bfloat16
    embeds = torch.empty(2, PROMPT, hidden, dtype=torch.bfloat16, device="meta")
    sampling = TopKTopP(64, False)
    prefill_slots(model.speech, state.speech, embeds, indices(2), indices(2), sampling)
    advance(model.speech, state.speech, SLOTS, POSITIONS, sampling)
    codes = indices(2, FRAMES, model.codec.num_code_groups)
    samples = decode_chunk(model.codec, state.codec, codes, indices(2))
    assert samples.shape == (2, FRAMES * SAMPLES_PER_FRAME)
    assert samples.dtype == torch.bfloat16
