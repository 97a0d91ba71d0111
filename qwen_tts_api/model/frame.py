"""One frame of every running row: what a CUDA graph captures, and what a CPU runs eagerly.

All that a frame needs and changes lies in tensors that are allocated once (`rows.FrameState`).
`prefill_rows` puts utterances into rows and draws their first code 0; each `advance` then makes the
sixteen codes of a frame for the first B rows and draws code 0 of the frame after. Nothing in
between is decided on the host, and nothing synchronises with it.

Of `max_new_tokens` codes 0 upstream never expands the last into a frame: to stop where it does,
make one frame less. A code 0 that is the end of speech begins no frame either.
"""

from __future__ import annotations

import torch
from torch import Tensor

from qwen_tts_api.model import talker
from qwen_tts_api.model.code_predictor import predict_frame
from qwen_tts_api.model.rows import FrameState, SpeechModel
from qwen_tts_api.model.sampling import Truncation, draw


def prefill_rows(
    model: SpeechModel,
    state: FrameState,
    embeds: Tensor,
    lengths: Tensor,
    rows: Tensor,
    truncation: Truncation,
) -> None:
    """Run the prompts of some rows, draw their first code 0, and let them run.

    Args:
        model: The weights.
        state: `set_row` was called for these rows. No other row's state is touched.
        embeds: `[n, T, D]`, padded on the right with anything finite; T at most the cache's
            positions.
        lengths: `[n]` int64, 1 to T.
        rows: `[n]` int64, distinct.
        truncation: Covers these rows' parameters.
    """
    hidden, logits = talker.prefill(model.talker, state.talker_cache, embeds, lengths, rows)
    sampling = state.sampling.at(rows, truncation)
    none = torch.zeros_like(rows)
    seen = state.seen.index_select(0, rows)
    scores = model.restrictions.apply(logits, seen, state.penalty.index_select(0, rows), none)
    uniforms = model.first_counter.uniforms(state.keys.index_select(0, rows), none)
    code_0 = draw(scores, sampling, uniforms * sampling.draws, truncation)
    state.seen.index_copy_(0, rows, seen.scatter(1, code_0.unsqueeze(1), True))
    state.code_0.index_copy_(0, rows, code_0)
    state.past_hidden.index_copy_(0, rows, hidden)
    state.positions.index_copy_(0, rows, lengths.clamp(max=state.last_position))
    state.frames.index_copy_(0, rows, none)
    state.running.index_fill_(0, rows, 1)


def advance(
    model: SpeechModel, state: FrameState, num_rows: int, kv_len: int, truncation: Truncation
) -> None:
    """Make the frame that `code_0` begins, for the first rows, and draw the next `code_0`.

    Afterwards `state.codes` is the frame that was made, and `state.code_0` what comes after it.

    Args:
        model: The weights.
        state: Rows 0 to `num_rows` - 1 are computed; only those that run move on.
        num_rows: B, a constant of a captured graph.
        kv_len: Above the position of every running row, at most the cache's; a constant, too.
        truncation: Covers the parameters of every running row; a constant, too.

    Source: upstream's `Qwen3TTSTalkerForConditionalGeneration.forward` after the prefill.
    """
    frames, positions = state.frames[:num_rows], state.positions[:num_rows]
    code_0, sampling = state.code_0[:num_rows], state.sampling.at(slice(num_rows), truncation)
    subtalker = state.subtalker_sampling.at(slice(num_rows), truncation)
    uniforms = model.counter.uniforms(state.keys[:num_rows], frames)
    codes = predict_frame(
        model.code_predictor,
        state.code_predictor_cache,
        state.past_hidden[:num_rows],
        code_0,
        subtalker,
        uniforms[:, :-1] * subtalker.draws,
        truncation,
    )
    x = model.talker.embed_frame(codes) + _text_row(state, frames)
    hidden, logits = talker.step(model.talker, state.talker_cache, x, positions, kv_len)
    seen, penalty = state.seen[:num_rows], state.penalty[:num_rows]
    scores = model.restrictions.apply(logits, seen, penalty, frames + 1)
    code_0.copy_(draw(scores, sampling, uniforms[:, -1:] * sampling.draws, truncation))
    seen.scatter_(1, code_0.unsqueeze(1), 1)
    state.codes[:num_rows].copy_(codes)
    state.past_hidden[:num_rows].copy_(hidden)
    positions.add_(state.running[:num_rows]).clamp_(max=state.last_position)
    frames.add_(state.running[:num_rows])


def _text_row(state: FrameState, frames: Tensor) -> Tensor:
    """Return the text row of each row's frame, `[B, D]`: the tts_pad row when the text is over."""
    num_rows = frames.shape[0]
    index = torch.minimum(frames, state.text_lengths[:num_rows]) + state.text_starts[:num_rows]
    return state.text.flatten(0, 1).index_select(0, index)
