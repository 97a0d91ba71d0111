"""Generate one frame (16 codes) for every running slot; what a CUDA graph captures.

Everything that a frame reads and writes is in tensors that are allocated once
(`frame_state.FrameState`). `prefill_slots` runs prompts and samples their first code 0. Each
`advance` then generates codes 1 to 15 of the current frame for the first B slots, and samples code
0 of the next frame. Nothing in between is decided on the host or synchronises with it.

Of `max_new_tokens` codes 0 upstream does not expand the last into a frame, so `max_new_tokens - 1`
frames are generated to stop where it does. A code 0 that is the end of speech begins no frame.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qwen_tts_api.model import talker
from qwen_tts_api.model.code_predictor import predict_frame
from qwen_tts_api.model.frame_state import FrameState, SpeechModel
from qwen_tts_api.model.sampling import TopKTopP, sample


def prefill_slots(
    model: SpeechModel,
    state: FrameState,
    embeds: Tensor,
    lengths: Tensor,
    slots: Tensor,
    top_k_top_p: TopKTopP,
) -> None:
    """Run the prompts of some slots, sample their first code 0, and mark them as running.

    Args:
        model: The weights.
        state: `set_slots` was called for these slots. The state of other slots is not changed.
        embeds: `[n, T, D]`, padded on the right with any finite numbers; T is at most the number of
            positions in the cache.
        lengths: `[n]` int64, 1 to T.
        slots: `[n]` int64, distinct.
        top_k_top_p: Covers the parameters of these slots.
    """
    hidden, logits = talker.prefill(model.talker, state.talker_cache, embeds, lengths, slots)
    sampling = state.sampling.at(slots, top_k_top_p)
    none = torch.zeros_like(slots)
    seen = state.seen.index_select(0, slots)
    penalty, min_codes = (each.index_select(0, slots) for each in (state.penalty, state.min_codes))
    scores = model.logits_bias.apply(logits, seen, penalty, none, min_codes)
    uniforms = model.first_rng.uniforms(state.keys.index_select(0, slots), none)
    code_0 = sample(scores, sampling, uniforms * sampling.uniform_scale, top_k_top_p)
    state.seen.index_copy_(0, slots, seen.scatter(1, code_0.unsqueeze(1), True))
    state.code_0.index_copy_(0, slots, code_0)
    state.past_hidden.index_copy_(0, slots, hidden)
    state.positions.index_copy_(0, slots, lengths.clamp(max=state.last_position))
    state.frames.index_copy_(0, slots, none)
    state.running.index_fill_(0, slots, 1)


def advance(
    model: SpeechModel, state: FrameState, num_slots: int, kv_len: int, top_k_top_p: TopKTopP
) -> None:
    """Generate the frame that `code_0` begins, for the first slots, and sample the next `code_0`.

    Afterwards `state.codes` has the new frame, and `state.code_0` the code 0 of the next one. A
    slot that is not running is computed like the others, and keeps all that it goes on with: it
    may run again from there. Only its cache is written, at the position of its next input.

    Args:
        model: The weights.
        state: Slots 0 to `num_slots` - 1 are computed; running ones are advanced.
        num_slots: B, a constant of a captured graph.
        kv_len: How many positions attention reads: more than the position of every running slot, at
            most those of the cache; a constant of the graph.
        top_k_top_p: Covers the parameters of every running slot; a constant of the graph.

    Source: upstream's `Qwen3TTSTalkerForConditionalGeneration.forward` after the prefill.
    """
    frames, positions = state.frames[:num_slots], state.positions[:num_slots]
    running = state.running[:num_slots]
    code_0, sampling = state.code_0[:num_slots], state.sampling.at(slice(num_slots), top_k_top_p)
    subtalker = state.subtalker_sampling.at(slice(num_slots), top_k_top_p)
    uniforms = model.rng.uniforms(state.keys[:num_slots], frames)
    codes = predict_frame(
        model.code_predictor,
        state.code_predictor_cache,
        state.past_hidden[:num_slots],
        code_0,
        subtalker,
        uniforms[:, :-1] * subtalker.uniform_scale,
        top_k_top_p,
    )
    x = model.talker.embed_frame(codes) + _text_embedding(state, frames)
    hidden, logits = talker.step(model.talker, state.talker_cache, x, positions, kv_len)
    seen, penalty = state.seen[:num_slots], state.penalty[:num_slots]
    min_codes = state.min_codes[:num_slots]
    scores = model.logits_bias.apply(logits, seen, penalty, frames + 1, min_codes)
    next_code_0 = sample(scores, sampling, uniforms[:, -1:] * sampling.uniform_scale, top_k_top_p)
    moves = running.bool()
    _replace(code_0, next_code_0, moves)
    seen.scatter_(1, code_0.unsqueeze(1), 1)  # of a slot that keeps its code 0, it is there already
    _replace(state.codes[:num_slots], codes, moves.unsqueeze(1))
    _replace(state.past_hidden[:num_slots], hidden, moves.unsqueeze(1))
    positions.add_(running).clamp_(max=state.last_position)
    frames.add_(running)


def _replace(kept: Tensor, new: Tensor, moves: Tensor) -> None:
    torch.where(moves, new, kept, out=kept)


def _text_embedding(state: FrameState, frames: Tensor) -> Tensor:
    """Return the text embedding of each slot's frame, `[B, D]`; after the text it is tts_pad's."""
    num_slots = frames.shape[0]
    index = torch.minimum(frames, state.text_lengths[:num_slots]) + state.text_starts[:num_slots]
    return state.text.flatten(0, 1).index_select(0, index)
