"""How long prompts take from their embeddings to their first codes, their beginnings known or not.

The time is that of `Runner.prefill` until the host has read the codes 0: of the first audio of a
stream it is the part that prompts are to blame for, besides one frame and one chunk.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

from bench.engine_speed import TEXT
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.model.utterance import Prompt, SamplingParams

INSTRUCTION = "Speak calmly, slowly and in a low voice, like somebody who has all the time there is"
ROUNDS = 5


def run_prefills(runner: Runner, count: int, *, known: bool) -> dict[str, float]:
    """Prefill prompts that begin alike, all at once, a few times.

    Args:
        runner: None of its slots is running.
        count: How many, at most as many as there are slots.
        known: They begin as earlier ones; else in a way that is new each time.
    """
    times_s = []
    positions = computed = 0
    for prompt in beginnings(count, known=known):
        prepared = [
            runner.prepare(replace(prompt, sampling=SamplingParams(seed=seed)))
            for seed in range(count)
        ]
        positions = sum(each.num_positions for each in prepared)
        computed = runner.num_prefill_positions(prepared)
        pages = -(-prepared[0].num_positions // runner.page_positions)
        for slot in range(count):
            runner.grow(slot, pages)
        began = time.perf_counter()
        runner.prefill(range(count), prepared).read()
        times_s.append(time.perf_counter() - began)
        for slot in range(count):
            runner.stop(slot)
    return {
        "prefill_ms": round(1000 * statistics.median(times_s[1:]), 2),
        "positions": positions,
        "computed": computed,
    }


def beginnings(count: int, *, known: bool) -> Iterator[Prompt]:
    """Yield the prompt of each round; a new beginning is so also after rounds of other counts."""
    for number in range(1 + ROUNDS):
        new = f", for the time {number} of prompts that are {count}"
        instruct = INSTRUCTION if known else INSTRUCTION + new
        yield Prompt(TEXT, "english", "ryan", instruct, SamplingParams())
