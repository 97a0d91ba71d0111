"""Open-loop load: requests arrive at a fixed rate, whether or not the engine keeps up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes

from bench.engine_speed import prompts
from bench.playback import Playback, summary
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.model.utterance import SAMPLES_PER_FRAME, SamplingParams


@dataclass
class Listener:
    """A client of the engine."""

    job: Job
    playback: Playback

    def listen(self, now: float) -> bool:
        """Read the available audio; return whether there is more to come."""
        ended = self.job.ended
        while (piece := self.job.take()) is not None:
            self.playback.hear(len(piece), now)
        return not ended


def run_open_loop(
    scheduler: Scheduler, per_second: float, seconds: float, frames: int
) -> dict[str, float]:
    """Send `per_second` requests of `frames` frames for some seconds, and wait for all of them."""
    count = max(1, int(per_second * seconds))
    return _row([_serve(scheduler, [index / per_second for index in range(count)], frames)])


def run_closed_loop(
    scheduler: Scheduler, streams: int, rounds: int, frames: int
) -> dict[str, float]:
    """Run concurrent requests in rounds (closed loop)."""
    return _row([_serve(scheduler, [0.0] * streams, frames) for _ in range(rounds)])


@dataclass(frozen=True)
class Served:
    """The results: playback of each client, and the duration of each engine step."""

    playbacks: list[Playback]
    seconds: float
    steps_s: list[float]


def _serve(scheduler: Scheduler, arrivals: Sequence[float], frames: int) -> Served:
    """Send requests of `frames` frames at given seconds, and wait for all of them."""
    [prompt] = prompts(1, streaming=True, frames=frames)
    waiting: deque[Job] = deque()
    playbacks: list[Playback] = []
    listeners: list[Listener] = []
    steps_s: list[float] = []
    began = time.perf_counter()
    while len(playbacks) < len(arrivals) or waiting or not scheduler.is_idle:
        now = time.perf_counter() - began
        while len(playbacks) < len(arrivals) and arrivals[len(playbacks)] <= now:
            job = Job(with_changes(prompt, sampling=SamplingParams(seed=len(playbacks))))
            playbacks.append(Playback(arrivals[len(playbacks)]))
            listeners.append(Listener(job, playbacks[-1]))
            waiting.append(job)
        while waiting and scheduler.num_free:
            scheduler.add(waiting.popleft())
        if not scheduler.is_idle:
            scheduler.step()
            steps_s.append(time.perf_counter() - began - now)
        now = time.perf_counter() - began
        listeners = [each for each in listeners if each.listen(now)]
    return Served(playbacks, time.perf_counter() - began, steps_s)


def _row(rounds: Sequence[Served]) -> dict[str, float]:
    playbacks = [playback for served in rounds for playback in served.playbacks]
    steps_s = [step_s for served in rounds for step_s in served.steps_s]
    return {
        **summary(playbacks, sum(served.seconds for served in rounds)),
        "ms_per_step": round(1000 * sum(steps_s) / len(steps_s), 2),
        "steps": len(steps_s),
        "frames": sum(each.samples for each in playbacks) // SAMPLES_PER_FRAME,
    }
