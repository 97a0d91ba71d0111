"""Which pages slots have: each of its own, or whichever are free."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.memory.planning import plan_memory
from qwen_tts_api.engine.runner.model_runner import ModelRunner
from qwen_tts_api.engine.runner.page_table import PageTable
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.layers import Rope
from qwen_tts_api.model.talker_cache import CacheSize, TalkerCache
from qwen_tts_api.model.utterance import SamplingParams
from tests.conftest import assert_same
from tests.engine.runner.test_model_runner import GREEDY, explain, load, prompt, say


def cache_of(size: CacheSize) -> TalkerCache:
    key_value = torch.zeros(1, 1 + size.num_pages, size.page_positions, 2, 1)
    table = torch.zeros(size.max_slots, size.pages_per_slot, dtype=torch.int32)
    return TalkerCache(key_value, table, Rope(table, table), size, None)


def test_where_there_are_enough_a_slot_s_pages_lie_together() -> None:
    cache = cache_of(CacheSize.whole(2, 24, page_positions=8))
    pages = PageTable(cache)
    pages.grow(1, 1)
    pages.grow(0, 2)
    pages.grow(1, 3)
    pages.grow(1, 2)  # it has them
    assert cache.page_table.tolist() == [[1, 2, 0], [4, 5, 6]]
    pages.release(1)
    pages.release(1)
    assert cache.page_table.tolist() == [[1, 2, 0], [0, 0, 0]]


def test_where_there_are_few_a_slot_takes_the_lowest() -> None:
    cache = cache_of(CacheSize(2, 24, num_pages=4, page_positions=8))
    pages = PageTable(cache)
    pages.grow(0, 1)
    pages.grow(1, 1)
    pages.grow(0, 3)
    assert cache.page_table.tolist() == [[1, 3, 4], [2, 0, 0]]
    cache.key_value.fill_(1)
    pages.release(0)
    pages.grow(1, 3)
    assert cache.page_table.tolist() == [[0, 0, 0], [2, 1, 3]]
    assert cache.key_value.flatten(2)[0, :, 0].tolist() == [1, 0, 1, 0, 0]


def test_pages_that_could_not_be_zeroed_are_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot that does not run writes on where its table says."""
    cache = cache_of(CacheSize(2, 24, num_pages=4, page_positions=8))
    pages = PageTable(cache)
    pages.grow(0, 3)
    cache.key_value.fill_(1)
    with monkeypatch.context() as patched:
        patched.setattr(PageTable, "_index", lambda table, numbers: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            pages.release(0)
    pages.grow(1, 1)
    assert cache.page_table.tolist() == [[1, 2, 3], [4, 0, 0]]
    pages.release(0)
    assert cache.key_value[0, 1:4].count_nonzero() == 0
    pages.grow(1, 2)
    assert cache.page_table.tolist() == [[0, 0, 0], [4, 1, 0]]


@pytest.mark.slow
def test_few_pages_give_the_same_audio(nano_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of utterances that pause for them amid their audio, one after another in the same pages."""
    model = load(locate("nano", nano_cache))
    requests = [
        prompt("A word, and another, and more.", GREEDY),
        prompt("Word after word after word, and no end of them.", SamplingParams(seed=1)),
        prompt("A word.", SamplingParams(seed=2)),
    ]
    # Each may become long, so that no page is granted that another's end could need.
    requests = [replace(each, max_new_tokens=150) for each in requests]
    plan = plan_memory(model, 3, 256)
    whole = Scheduler(ModelRunner(model, plan, enforce_eager=True), explain)
    expected = [say(whole, each)[0] for each in requests]
    plan = replace(plan, size=CacheSize(3, 256, num_pages=16, page_positions=16))
    runner = ModelRunner(model, plan, enforce_eager=True)
    paused: list[int] = []
    monkeypatch.setattr("qwen_tts_api.engine.sequences.sequence.EXPECTED_FRAMES_PER_TEXT_TOKEN", 0)
    pause = runner.pause

    def note_and_pause(slot: int) -> None:
        paused.append(slot)
        pause(slot)

    monkeypatch.setattr(runner, "pause", note_and_pause)
    scheduler = Scheduler(runner, explain)
    for _ in range(2):
        for samples, others in zip(say(scheduler, *requests), expected, strict=True):
            assert_same(samples, others)
    assert paused
    assert scheduler.pages.num_used == 0
