"""Compare the codes that fused kernels sample from given logits with those of `sampling.sample`.

Nothing is rounded to 16 bits in between: so all but a few codes in a million must be the same.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from qwen_tts_api.engine.runner.frames import top_k_top_p_for
from qwen_tts_api.engine.runner.kernels.comparison.rows import Differs
from qwen_tts_api.engine.runner.kernels.paths import FrameKernels
from qwen_tts_api.model.frame_state import FrameState, SlotStart, SpeechModel
from qwen_tts_api.model.sampling import TopKTopP, sample
from qwen_tts_api.model.utterance import SamplingParams

SETTINGS = (
    SamplingParams(),
    SamplingParams(temperature=0, subtalker_temperature=0),
    SamplingParams(top_k=0, top_p=0.8, subtalker_top_k=0, subtalker_top_p=0.9),
    SamplingParams(top_k=5, repetition_penalty=1.3, subtalker_temperature=1.4),
)
"""Of the slots, in turn."""

MAX_OTHER = 2
"""How many codes, of a few hundred, may differ: where a random number is within the rounding error
of a cumulative probability."""

SPREAD = 3.0
"""Of the scores: trained models' are between 1 and 5."""


def compare_sampled_codes(model: SpeechModel, state: FrameState, fused: FrameKernels) -> None:
    """Compare a sample of every code of a frame in every slot.

    Args:
        model: The weights.
        state: Of the kernels; what its slots began with is replaced.
        fused: What is compared.

    Raises:
        Differs: It samples other codes.
    """
    top_k_top_p = _begin(state)
    num_slots, num_groups = state.codes.shape
    random = torch.Generator(state.codes.device).manual_seed(2)
    num_other = 0
    for group in range(num_groups):
        sampling = state.subtalker_sampling if group else state.sampling
        shape = (num_slots, sampling.vocabulary)
        logits = SPREAD * torch.randn(shape, device=state.codes.device, generator=random)
        logits[::2] = logits[::2].to(torch.bfloat16).float()  # many of them are equal
        ours = fused.sample(logits, group, num_slots)
        num_other += int((ours != _sample(model, state, logits, group, top_k_top_p)).sum())
    if num_other > MAX_OTHER:
        raise Differs(f"{num_other} of {state.codes.numel()} codes of the same logits differ")


def _begin(state: FrameState) -> TopKTopP:
    """Let slots begin with the settings, and have said some codes; return what those need."""
    num_slots = len(state.code_0)
    settings = [replace(SETTINGS[n % len(SETTINGS)], seed=n) for n in range(num_slots)]
    pad = state.past_hidden[:1]
    state.set_slots([SlotStart(n, each, pad[:0]) for n, each in enumerate(settings)], pad)
    state.seen[:, ::7].fill_(True)
    state.frames.copy_(torch.arange(num_slots, device=state.frames.device))
    return top_k_top_p_for(settings)


def _sample(
    model: SpeechModel, state: FrameState, logits: Tensor, group: int, top_k_top_p: TopKTopP
) -> Tensor:
    """Sample as `frame.advance` does."""
    sampling = state.subtalker_sampling if group else state.sampling
    if group == 0:
        logits = model.logits_bias.apply(
            logits, state.seen, state.penalty, state.frames + 1, state.min_codes
        )
    # The last number is that of the next frame's code 0.
    uniform = model.rng.uniforms(state.keys, state.frames)[:, [group - 1]]
    sampling = sampling.at(slice(None), top_k_top_p)
    return sample(logits, sampling, uniform * sampling.uniform_scale, top_k_top_p)
