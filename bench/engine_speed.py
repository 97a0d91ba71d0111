"""The engine against upstream's `generate`: same process, checkpoint and work, on any device.

Speeds are seconds of audio per second of computing (higher is better), the median of some runs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.utterance import Prompt, SamplingParams

FRAME_S = 0.08
TEXT = "The quick brown fox jumps over the lazy dog, and nobody minds."


def fail(error: Exception) -> TTSError:
    """Re-raise the error: a benchmark does not continue."""
    raise error


def prompts(count: int, *, streaming: bool, frames: int | None = None) -> list[Prompt]:
    """Return requests with different seeds; `frames` gives all the same length."""
    max_new_tokens = None if frames is None else frames + 1
    return [
        Prompt(TEXT, "english", "ryan", "", SamplingParams(seed=seed), max_new_tokens, streaming)
        for seed in range(count)
    ]


def run_engine(scheduler: Scheduler, requests: list[Prompt]) -> dict[str, float]:
    """Run concurrent requests on the engine; return the measurements."""
    jobs = [Job(prompt) for prompt in requests]
    began = time.perf_counter()
    first_audio: dict[int, float] = {}
    for job in jobs:
        scheduler.add(job)
    steps = 0
    while not scheduler.is_idle:
        scheduler.step()
        steps += 1
        for index, job in enumerate(jobs):
            if index not in first_audio and job.wait(0):
                first_audio[index] = time.perf_counter() - began
    seconds = time.perf_counter() - began
    samples = sum(_num_samples(job) for job in jobs)
    audio_s = samples / 24_000
    return {
        "x": audio_s / seconds,
        "ms_per_step": 1000 * seconds / steps,
        "first_audio_ms": 1000 * max(first_audio.values()),
        "frames": audio_s / FRAME_S,
    }


def _num_samples(job: Job) -> int:
    samples = 0
    while (piece := job.take()) is not None:
        samples += len(piece)
    return samples


def run_upstream(wrapper: Any, requests: list[Prompt]) -> dict[str, float]:
    """Run requests on a `Qwen3TTSModel`, several as one batch."""
    torch.manual_seed(0)
    options: dict[str, Any] = {}
    if requests[0].max_new_tokens is not None:
        options["max_new_tokens"] = requests[0].max_new_tokens
    began = time.perf_counter()
    waves, rate_hz = wrapper.generate_custom_voice(
        [prompt.text for prompt in requests],
        speaker=[prompt.speaker for prompt in requests],
        language=[prompt.language for prompt in requests],
        **options,
    )
    seconds = time.perf_counter() - began
    audio_s = sum(len(wave) for wave in waves) / rate_hz
    return {
        "x": audio_s / seconds,
        "ms_per_step": 1000 * seconds / (max(len(wave) for wave in waves) / rate_hz / FRAME_S),
        "first_audio_ms": 1000 * seconds,
        "frames": audio_s / FRAME_S,
    }


def median_of(runs: int, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return the medians over several runs, after one warm-up."""
    measure()
    rows = [measure() for _ in range(runs)]
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}


def profile_engine(scheduler: Scheduler, top: int = 12) -> list[dict[str, Any]]:
    """Profile one stream; return its most expensive operators."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        measured = run_engine(scheduler, prompts(1, streaming=False))
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [
        {
            "operator": event.key,
            "share": round(event.self_cpu_time_total / total, 3),
            "calls_per_frame": round(event.count / measured["frames"], 1),
        }
        for event in events[:top]
    ]
