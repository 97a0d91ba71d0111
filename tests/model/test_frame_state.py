"""What slots begin with: written for all at once, in few launches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.launches import Launches
from bench.published_sizes import empty_model
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.runner.state import RunnerState
from qwen_tts_api.model.frame_state import FrameState, SlotStart
from qwen_tts_api.model.sampling import seed_key
from qwen_tts_api.model.talker_cache import CacheSize
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.model.generation import Checkpoint


def test_slots_begin_with_what_they_are_given(nano: Checkpoint) -> None:
    """Whatever was in them before, and in no other slot."""
    state = FrameState.allocate(nano.speech, CacheSize.whole(3, 8), max_text_embeddings=2)
    pad, idle = nano.prompts.tts_pad, state.integers.clone()
    state.seen.fill_(True)
    own = SamplingParams(7, 0.5, 9, 0.75, 1.5, 0, 3, 0.25)
    state.set_slots([SlotStart(2, own, 3 * pad, 5), SlotStart(0, SamplingParams(), pad[:0])], pad)
    vocabulary = nano.speech.talker.vocabulary
    assert state.text_lengths.tolist() == [0, 0, 1]
    assert state.min_codes.tolist() == [2, 2, 5]
    assert state.keys.tolist() == [seed_key(0), 0, seed_key(7)]
    assert state.penalty.flatten().tolist() == pytest.approx([1.05, 1, 1.5])
    assert state.sampling.temperature.flatten().tolist() == pytest.approx([0.9, 1, 0.5])
    assert state.sampling.last_rank.flatten().tolist() == [49, 0, 8]
    assert state.sampling.tail.flatten().tolist() == [0, 0, 0.25]
    assert state.sampling.uniform_scale.flatten().tolist() == [1, 0, 1]
    assert state.subtalker_sampling.temperature.flatten().tolist() == pytest.approx([0.9, 1, 1])
    assert state.subtalker_sampling.uniform_scale.flatten().tolist() == [1, 0, 0]
    assert state.seen.sum(1).tolist() == [0, vocabulary, 0]
    assert torch.equal(state.text[2, :2], torch.cat((3 * pad, pad)))
    assert torch.equal(state.text[0, :1], pad)
    assert torch.equal(state.integers[:, 1], idle[:, 1])


def test_too_much_trailing_text_is_refused(nano: Checkpoint) -> None:
    """The state was allocated for less."""
    state = FrameState.allocate(nano.speech, CacheSize.whole(1, 8), max_text_embeddings=2)
    row = nano.prompts.tts_pad
    with pytest.raises(ValueError, match="3 text embeddings; there is room for 2"):
        state.set_slots([SlotStart(0, SamplingParams(), row.expand(3, -1))], row)


@torch.inference_mode()
def test_launches_before_a_prefill(nano_cache: Path) -> None:
    """None of a prompt, whose ids the prefill itself looks up; 10 of 64 slots as of one."""
    model = empty_model("nano", locate("nano", nano_cache))
    state = RunnerState.allocate(model, CacheSize.whole(64, 64), flash=False)
    prompt = Prompt("It is late.", "english", "ryan", "Whisper.", SamplingParams())
    with Launches().recording() as launches:
        built, _ = model.build(prompt, None)
        text = model.prompts.embed_text(built.trailing_text)
        assert not launches.all
        starts = [SlotStart(slot, prompt.sampling, text) for slot in range(64)]
        state.speech.set_slots(starts, model.prompts.tts_pad)
        state.codec.reset(state.slot_numbers)
    assert len(launches.all) == 10
