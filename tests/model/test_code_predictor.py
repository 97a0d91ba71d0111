"""One frame of the code predictor: upstream's codes, whatever the rows had before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from qwen_tts_api.model.code_predictor import (
    CodePredictorCache,
    CodePredictorWeights,
    predict_frame,
)
from qwen_tts_api.model.sampling import TopKTopP, sample
from tests.model.generation import TOP_64, Checkpoint, sampling_of


@pytest.fixture(params=["nano", "odd"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    """Return a checkpoint whose predictor is narrower than the talker, and one where it is not."""
    checkpoint: Checkpoint = request.getfixturevalue(request.param)
    return checkpoint


def inputs(checkpoint: Checkpoint, num_slots: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return a hidden state as long as a norm leaves it, and a code 0, for each row."""
    generator = torch.Generator().manual_seed(seed)
    width = checkpoint.speech.talker.decoder.norm.shape[0]
    hidden = torch.randn(num_slots, width, generator=generator)
    return hidden, torch.randint(0, 256, (num_slots,), generator=generator)


def ours(
    checkpoint: Checkpoint,
    cache: CodePredictorCache,
    hidden: Tensor,
    code_0: Tensor,
    top_k_top_p: TopKTopP = TOP_64,
) -> Tensor:
    """Predict greedily."""
    weights = checkpoint.speech.code_predictor
    rows = sampling_of([(0.0, 0, 1.0)] * len(code_0), weights.vocabulary)
    uniforms = torch.zeros(len(code_0), weights.num_code_groups - 1)
    with torch.inference_mode():
        sampling = rows.at(slice(None), top_k_top_p)
        return predict_frame(weights, cache, hidden, code_0, sampling, uniforms, top_k_top_p)


def upstreams(checkpoint: Checkpoint, hidden: Tensor, code_0: Tensor) -> Tensor:
    """Predict greedily with upstream's `generate`."""
    talker = checkpoint.upstream.talker
    embeds = torch.stack((hidden, talker.model.codec_embedding(code_0)), 1)
    num_codes = talker.config.num_code_groups - 1
    result: Any = talker.code_predictor.generate(
        inputs_embeds=embeds, max_new_tokens=num_codes, do_sample=False
    )
    return torch.cat((code_0.unsqueeze(1), result), 1)


def test_upstreams_codes_frame_after_frame(checkpoint: Checkpoint) -> None:
    """Each frame begins anew; rows of other sizes of batch have been there before."""
    cache = CodePredictorCache.allocate(checkpoint.speech.code_predictor, 6)
    for seed, num_slots in enumerate((5, 1, 3)):
        hidden, code_0 = inputs(checkpoint, num_slots, seed)
        expected = upstreams(checkpoint, hidden, code_0)
        assert torch.equal(ours(checkpoint, cache, hidden, code_0), expected)


def test_each_code_has_a_draw_of_its_own(checkpoint: Checkpoint) -> None:
    """Sampled codes are what upstream's logits for them and their own uniform number give."""
    weights, talker = checkpoint.speech.code_predictor, checkpoint.upstream.talker
    hidden, code_0 = inputs(checkpoint, 5, seed=4)
    rows = sampling_of([(1.5, 60 - row, 1.0) for row in range(5)], weights.vocabulary)
    sampling = rows.at(slice(None), TOP_64)
    uniforms = torch.rand(
        5, weights.num_code_groups - 1, generator=torch.Generator().manual_seed(8)
    )
    cache = CodePredictorCache.allocate(weights, 5)
    with torch.inference_mode():
        codes = predict_frame(weights, cache, hidden, code_0, sampling, uniforms, TOP_64)
        logits, _ = talker.forward_sub_talker_finetune(codes, hidden)
    for group in range(1, weights.num_code_groups):
        sampled = sample(logits[:, group - 1], sampling, uniforms[:, group - 1 : group], TOP_64)
        assert torch.equal(codes[:, group], sampled)


def test_greedy_needs_one_rank_only(checkpoint: Checkpoint) -> None:
    """A batch of greedy rows need not sort anything."""
    cache = CodePredictorCache.allocate(checkpoint.speech.code_predictor, 4)
    hidden, code_0 = inputs(checkpoint, 4, seed=9)
    codes = ours(checkpoint, cache, hidden, code_0, TopKTopP(1, False))
    assert torch.equal(codes, ours(checkpoint, cache, hidden, code_0))


def test_slots_do_not_see_each_other(checkpoint: Checkpoint) -> None:
    """Not even a row of infinities."""
    cache = CodePredictorCache.allocate(checkpoint.speech.code_predictor, 3)
    hidden, code_0 = inputs(checkpoint, 3, seed=7)
    expected = ours(checkpoint, cache, hidden, code_0)
    hidden[1] = torch.inf
    codes = ours(checkpoint, cache, hidden, code_0)
    assert torch.equal(codes[[0, 2]], expected[[0, 2]])
    assert ((codes[1] >= 0) & (codes[1] < checkpoint.speech.code_predictor.vocabulary)).all()


def test_only_projected_inputs_are_copies(nano: Checkpoint, odd: Checkpoint) -> None:
    """Where both models are of one width, the tables are the embeddings themselves."""
    for checkpoint, shared in ((nano, False), (odd, True)):
        weights: CodePredictorWeights = checkpoint.speech.code_predictor
        assert (weights.projection is None) == shared
        embeddings = checkpoint.speech.talker.code_embeddings.untyped_storage()
        for table in weights.inputs:
            assert (table.untyped_storage().data_ptr() == embeddings.data_ptr()) == shared
