"""Whether an utterance is the same to the bit alone and among others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.engine_speed import prompts
from qwen_tts_api.engine.job import Job, Samples
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.utterance import SAMPLES_PER_FRAME, Prompt


def run_company(scheduler: Scheduler, count: int, frames: int) -> dict[str, int]:
    """Speak with `count` streams together, then with the first, a middle and the last one alone.

    Random weights make another utterance of a single bit that differs.
    """
    requests = prompts(count, streaming=True, frames=frames)
    together = _speak(scheduler, requests)
    alone = {
        index: _speak(scheduler, [requests[index]])[0]
        for index in sorted({0, count // 2, count - 1})
    }
    same = [_same_samples(samples, together[index]) for index, samples in alone.items()]
    of_each = [len(samples) for samples in alone.values()]
    return {
        "compared": len(alone),
        "same": sum(number == length for number, length in zip(same, of_each, strict=True)),
        "same_frames": min(same) // SAMPLES_PER_FRAME,
        "frames": min(of_each) // SAMPLES_PER_FRAME,
    }


def _speak(scheduler: Scheduler, requests: Sequence[Prompt]) -> list[Samples]:
    jobs = [Job(prompt) for prompt in requests]
    pieces: list[list[Samples]] = [[] for _ in jobs]
    for job in jobs:
        scheduler.add(job)
    while not scheduler.is_idle:
        scheduler.step()
        for job, heard in zip(jobs, pieces, strict=True):
            while (piece := job.take()) is not None:
                heard.append(piece)
    return [np.concatenate(heard) for heard in pieces]


def _same_samples(one: Samples, other: Samples) -> int:
    """Return how many samples are the same before the first that is not."""
    length = min(len(one), len(other))
    differing = np.flatnonzero(one[:length] != other[:length])
    return int(differing[0]) if len(differing) else length
