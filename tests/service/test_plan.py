"""From a prompt to segments: one voice, seeds that depend on the first, pauses by kind."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from qwen_tts_api.config import Config
from qwen_tts_api.model.utterance import (
    MAX_LETTERS_IN_FRAMES,
    MAX_TRAILING_TOKENS,
    Prompt,
    SamplingParams,
)
from qwen_tts_api.service.plan import max_letters, split_prompt
from tests.fakes import BASE, CUSTOM_VOICE, VOICE_DESIGN

PROMPT = Prompt("x", "german", "ryan", "calm", SamplingParams(seed=7, top_k=3), 99, streaming=True)
TEXT = "Here is a sentence of some length. " * 20 + "\n\n" + "And here is one more of them. " * 20


def test_a_short_text_is_its_prompt() -> None:
    """The very same, so that it sounds as it always did."""
    (segment,) = split_prompt(PROMPT, 400)
    assert segment.prompt == PROMPT


def test_all_but_text_and_seed_is_the_same() -> None:
    """Also each prompt's budget; the first seed is the request's."""
    segments = split_prompt(replace(PROMPT, text=TEXT), 400)
    seeds = [each.prompt.sampling.seed for each in segments]
    assert seeds[0] == 7
    assert len(set(seeds)) == len(seeds) > 2
    assert all(0 <= seed < 2**63 for seed in seeds)
    for each in segments:
        prompt = replace(each.prompt, text="x", sampling=replace(each.prompt.sampling, seed=7))
        assert prompt == PROMPT
    assert " ".join(each.prompt.text for each in segments).split() == TEXT.split()


def test_the_same_request_and_seed_give_the_same_segments() -> None:
    """And another seed gives others, from beginning to end."""
    prompt = replace(PROMPT, text=TEXT)
    assert split_prompt(prompt, 400) == split_prompt(prompt, 400)
    other = split_prompt(replace(prompt, sampling=SamplingParams(seed=8)), 400)
    seeds = {each.prompt.sampling.seed for each in split_prompt(prompt, 400)}
    assert not seeds & {each.prompt.sampling.seed for each in other}


def test_pauses_depend_on_the_kind_of_cut() -> None:
    """Longest between paragraphs, none inside a word."""
    pauses = [each.pause_s for each in split_prompt(replace(PROMPT, text=TEXT), 400)]
    assert 0.6 in pauses[:-1]
    assert 0.25 in pauses
    (*inside, _) = split_prompt(replace(PROMPT, text="x" * 900), 400)
    assert {each.pause_s for each in inside} == {0.0}


def test_a_designed_voice_is_not_invented_again_unless_it_must() -> None:
    """Each segment of such a model has a voice of its own."""
    config = Config()
    for text_in_frames in (False, True):
        longest = partial(max_letters, text_in_frames=text_in_frames)
        assert longest(config, CUSTOM_VOICE) == longest(config, BASE) == 400
        assert longest(config, VOICE_DESIGN) == (MAX_TRAILING_TOKENS if text_in_frames else 4096)
        assert longest(Config(max_positions=512), CUSTOM_VOICE) == 256
        assert longest(Config(max_positions=512), VOICE_DESIGN) == 256
    wide = Config(max_segment_chars=5000)
    assert max_letters(wide, BASE, text_in_frames=False) == 4096
    assert max_letters(wide, BASE, text_in_frames=True) == MAX_LETTERS_IN_FRAMES
