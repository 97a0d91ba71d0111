"""A text in any cut, with any waits, gives the codes of the text that is there at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.loaded import UNKNOWN, LoadedModel
from qwen_tts_api.model.utterance import ArrivingText, Prompt, SamplingParams
from qwen_tts_api.model.weights.placement import place
from tests.conftest import assert_same, read
from tests.engine.runner.test_model_runner import explain

TEXT = "It's 1,250 to 你好，世界！"
SETTINGS = [SamplingParams(temperature=0, subtalker_temperature=0), SamplingParams(seed=7)]


@pytest.fixture(scope="module")
def model(nano_cache: Path) -> LoadedModel:
    folder = locate("nano", nano_cache)
    return LoadedModel.load(Checkpoint.read(folder), place("cpu", "float32", "sdpa"))


@pytest.fixture(scope="module")
def scheduler(model: LoadedModel) -> Scheduler:
    runner = ModelRunner(model, plan_memory(model, 2, 512), enforce_eager=True)
    return Scheduler(runner, explain)


def prompt_of(text: str, sampling: SamplingParams, source: ArrivingText | None = None) -> Prompt:
    return Prompt(text, "english", "ryan", "", sampling, text_in_frames=True, arriving=source)


def cuts(text: str, seed: int) -> Iterator[str]:
    numbers, position = random.Random(seed), 0
    while position < len(text):
        size = 1 if seed == 0 else numbers.choice([1, 2, 3, 7, 15])
        yield text[position : position + size]
        position += size


@pytest.mark.parametrize(("sampling", "seed"), [(SETTINGS[0], 0), (SETTINGS[1], 1)])
def test_the_audio_is_that_of_the_whole_text(
    scheduler: Scheduler, sampling: SamplingParams, seed: int
) -> None:
    """Alone and in company: a character at a time, which makes it wait at every frame, or more."""
    whole = Job(prompt_of(TEXT, sampling))
    scheduler.add(whole)
    while not scheduler.is_idle:
        scheduler.step()
    expected = read(whole)
    source = ArrivingText()
    job = Job(prompt_of("", sampling, source))
    scheduler.add(job)
    if seed:
        scheduler.add(Job(prompt_of("Somebody else.", sampling)))
    for piece in cuts(TEXT, seed):
        source.append(piece)
        scheduler.step()
    source.finish()
    while not scheduler.is_idle:
        scheduler.step()
    assert_same(read(job), expected)
    assert job.num_text_tokens == whole.num_text_tokens


def test_tokens_of_a_prefix_are_a_prefix_of_the_tokens(model: LoadedModel) -> None:
    """And a number is not begun before its end."""
    tokenizer = model.tokenizer
    ids = tokenizer.text_ids(TEXT)
    assert len(ids) > 9
    for end in range(len(TEXT) + 1):
        prefix = tokenizer.stable_prefix(TEXT[:end])
        assert TEXT.startswith(prefix)
        known = tokenizer.text_ids(prefix)
        assert ids[: len(known)] == known, TEXT[:end]
    assert [tokenizer.stable_prefix(text) for text in ("", "It", "It is", "Is 1,2", "Is 12 ")] == [
        "",
        "",
        "It",
        "Is",
        "Is 12",
    ]


def test_no_end_before_the_last_word(model: LoadedModel) -> None:
    """Although the model would end: here, at the first chance that it has."""
    prompt = prompt_of("One two three four five six.", SETTINGS[0], ArrivingText())
    built, num_tokens = model.build(prompt, None)
    assert built.min_codes == num_tokens
    assert len(built.trailing_text) == num_tokens
    unfinished = Prompt(**{**vars(prompt), "unfinished": True})
    built, fewer = model.build(unfinished, None)
    assert (built.min_codes, len(built.trailing_text)) == (UNKNOWN, fewer - 1)
    assert fewer < num_tokens
