"""Prompts: row for row what upstream's `generate` gives to the talker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qwen_tts_api.model.prompt import (
    INSTRUCTION_TEMPLATE,
    REFERENCE_TEMPLATE,
    SPEECH_TEMPLATE,
    SPEECH_TEMPLATE_TOKENS,
    ClonedVoice,
    build_prompt,
)
from tests.model.conftest import odd_case
from tests.model.generation import Case, Checkpoint, upstream_prompt
from tests.rows import for_each

Say = Callable[[str, str], Tensor]
MODES = [False, True]


def assert_same_prompt(checkpoint: Checkpoint, case: Case, non_streaming_mode: bool) -> None:
    """Compare all rows; upstream's trailing text may go on with the tts_pad row."""
    expected, tts_pad = upstream_prompt(checkpoint, case, non_streaming_mode)
    ours = checkpoint.prompt(case, non_streaming_mode)
    torch.testing.assert_close(checkpoint.prompts.tts_pad[0], tts_pad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.embeds, expected.embeds, atol=1e-5, rtol=1e-5)
    trailing = ours.trailing_text
    if not len(trailing):
        trailing = tts_pad.unsqueeze(0)
    torch.testing.assert_close(trailing, expected.trailing_text, atol=1e-5, rtol=1e-5)


@for_each(
    ("language", "voice", "instruct", "non_streaming_mode"),
    [
        ("auto", "ryan", "", False),
        ("auto", "eric", "Whisper.", True),
        ("auto", "dylan", "", True),
        ("chinese", "ryan", "Whisper.", False),
        ("chinese", "eric", "", False),
        ("chinese", "dylan", "Whisper.", True),
        ("english", "ryan", "", True),
        ("english", "eric", "Whisper.", False),
        ("english", "dylan", "", False),
    ],
)
def test_custom_voice(
    nano: Checkpoint, say: Say, language: str, voice: str, instruct: str, non_streaming_mode: bool
) -> None:
    """Dialects take the place of Chinese and auto, not of English."""
    instruct_ids = say(INSTRUCTION_TEMPLATE, instruct) if instruct else None
    text_ids = say(SPEECH_TEMPLATE, "It is late, good night.")
    case = Case(text_ids, language, voice, instruct_ids)
    assert_same_prompt(nano, case, non_streaming_mode)


@for_each("non_streaming_mode", MODES)
@for_each("instruct", ["", "A child, out of breath."])
@for_each("text", ["Good morning", "a"])
def test_voice_design(
    nano_design: Checkpoint, say: Say, text: str, instruct: str, non_streaming_mode: bool
) -> None:
    """No speaker's row; a text of one token has nothing to trail but its end."""
    instruct_ids = say(INSTRUCTION_TEMPLATE, instruct) if instruct else None
    case = Case(say(SPEECH_TEMPLATE, text), "english", None, instruct_ids)
    assert_same_prompt(nano_design, case, non_streaming_mode)


@for_each("non_streaming_mode", MODES)
@for_each("num_frames", [0, 1, 10, 40])
def test_cloned_voices(
    nano_base: Checkpoint, say: Say, num_frames: int, non_streaming_mode: bool
) -> None:
    """With more text than frames, and less; with the embedding alone where there are none."""
    generator = torch.Generator().manual_seed(2)
    voice = ClonedVoice(torch.randn(128, generator=generator))
    if num_frames:
        codes = torch.randint(0, 2048, (num_frames, 16), generator=generator)
        reference = say(REFERENCE_TEMPLATE, "That was me").tolist()
        voice = ClonedVoice(voice.speaker, reference, codes)
    for language in ("auto", "chinese"):
        case = Case(say(SPEECH_TEMPLATE, "This is me."), language, voice)
        assert_same_prompt(nano_base, case, non_streaming_mode)


@pytest.mark.parametrize("non_streaming_mode", MODES)
def test_what_prompts_share(nano_base: Checkpoint, say: Say, non_streaming_mode: bool) -> None:
    """Everything up to the text's first token, no further."""
    generator = torch.Generator().manual_seed(2)
    speaker, codes = torch.randn(128, generator=generator), torch.zeros(10, 16, dtype=torch.int64)
    whole = ClonedVoice(speaker, say(REFERENCE_TEMPLATE, "That was me").tolist(), codes)
    brief = ClonedVoice(speaker, whole.reference_ids, codes[:2])
    instruct_ids = say(INSTRUCTION_TEMPLATE, "Whisper.").tolist()
    for voice in (ClonedVoice(speaker), whole, brief):
        one, other = (
            build_prompt(
                nano_base.prompts,
                say(SPEECH_TEMPLATE, text).tolist(),
                language="english",
                voice=voice,
                instruct_ids=instruct_ids,
                non_streaming_mode=non_streaming_mode,
            )
            for text in ("It is late, good night.", "No")
        )
        length = one.num_shared
        assert length == other.num_shared < min(one.num_positions, other.num_positions)
        assert one.text[:length] == other.text[:length]
        assert one.codes[:length] == other.codes[:length]
        if voice is not brief or non_streaming_mode:
            assert one.text[length] != other.text[length]


def test_as_much_text_as_frames(nano_base: Checkpoint, say: Say) -> None:
    """Neither is filled up, and nothing trails."""
    text, reference = say(SPEECH_TEMPLATE, "me"), say(REFERENCE_TEMPLATE, "I am")
    num_text = (len(text) - 8) + (len(reference) - 5) + 1
    codes = torch.ones(num_text - 1, 16, dtype=torch.int64)
    voice = ClonedVoice(torch.ones(128), reference.tolist(), codes)
    case = Case(text, "auto", voice)
    assert_same_prompt(nano_base, case, False)
    assert len(nano_base.prompt(case, False).trailing_text) == 0


@pytest.mark.parametrize("non_streaming_mode", MODES)
def test_another_shape_of_model(odd: Checkpoint, non_streaming_mode: bool) -> None:
    """Other ids and other widths."""
    for voice in ("ryan", "dylan"):
        assert_same_prompt(odd, odd_case(6, voice=voice), non_streaming_mode)


def test_the_templates_are_upstreams(nano_wrapper: object, say: Say) -> None:
    """Letter by letter."""
    for template, build in [
        (SPEECH_TEMPLATE, "_build_assistant_text"),
        (REFERENCE_TEMPLATE, "_build_ref_text"),
        (INSTRUCTION_TEMPLATE, "_build_instruct_text"),
    ]:
        assert template.format("Hm?") == getattr(nano_wrapper, build)("Hm?")
    assert len(say(SPEECH_TEMPLATE, "")) == SPEECH_TEMPLATE_TOKENS


def test_what_does_not_exist_is_refused(odd: Checkpoint) -> None:
    """With its name and what there is."""
    with pytest.raises(ValueError, match=r"'klingon'; there are chinese, english"):
        odd.prompt(odd_case(4, language="klingon"), True)
    with pytest.raises(ValueError, match=r"'nobody'; there are dylan, ryan"):
        odd.prompt(odd_case(4, voice="nobody"), True)
    clone = ClonedVoice(torch.ones(48), reference_ids=range(9))
    with pytest.raises(ValueError, match="needs its codes"):
        odd.prompt(odd_case(4, voice=clone), True)
