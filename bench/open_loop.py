"""Requests that arrive whether or not the engine keeps up, as clients' requests do."""

from __future__ import annotations

import statistics
import time
from collections import deque
from dataclasses import dataclass, field
from dataclasses import replace as with_changes

from bench.engine_speed import FRAME_S, prompts
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.utterance import Sampling


@dataclass
class Listener:
    """A client that plays its stream as it arrives.

    Attributes:
        job: The request.
        arrived_at: When it was sent.
        first_at: When its first audio came.
        played_until: Until when what has come keeps it busy.
        underruns: How often it had nothing left to play.
    """

    job: Job
    arrived_at: float
    first_at: float | None = None
    played_until: float = 0.0
    underruns: int = 0
    pieces: int = field(default=0)

    def listen(self, now: float) -> None:
        """Take what has come."""
        while (piece := self.job.take()) is not None:
            if self.first_at is None:
                self.first_at = self.played_until = now
            elif now > self.played_until:
                self.underruns += 1
                self.played_until = now
            self.played_until += len(piece) / 24_000
            self.pieces += 1


def run_open_loop(
    scheduler: Scheduler, per_second: float, seconds: float, frames: int
) -> dict[str, float]:
    """Send `per_second` requests of `frames` frames for some seconds, and serve them to the end."""
    count = int(per_second * seconds)
    [prompt] = prompts(1, streaming=True, frames=frames)
    listeners: list[Listener] = []
    waiting: deque[Listener] = deque()
    began = time.perf_counter()
    while len(listeners) < count or waiting or not scheduler.is_idle:
        now = time.perf_counter() - began
        while len(listeners) < count and len(listeners) / per_second <= now:
            job = Job(with_changes(prompt, sampling=Sampling(seed=len(listeners))))
            listeners.append(Listener(job, len(listeners) / per_second))
            waiting.append(listeners[-1])
        while waiting and scheduler.num_free:
            scheduler.add(waiting.popleft().job)
        if not scheduler.is_idle:
            scheduler.step()
        now = time.perf_counter() - began
        for listener in listeners:
            listener.listen(now)
    took = time.perf_counter() - began
    first = sorted(1000 * ((each.first_at or took) - each.arrived_at) for each in listeners)
    return {
        "requests": count,
        "first_audio_p50_ms": round(statistics.median(first), 1),
        "first_audio_p95_ms": round(first[int(0.95 * (count - 1))], 1),
        "underruns": sum(each.underruns for each in listeners),
        "x": round(count * frames * FRAME_S / took, 1),
    }
