"""A job: one utterance, written by an engine's thread and read by a request's; a series of jobs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.utterance import SAMPLES_PER_FRAME, Prompt, derived_seed
from qwen_tts_api.telemetry.context import current_context

Samples = npt.NDArray[np.int16]


@dataclass
class JobTimes:
    """The times of a job's stages, by `time.monotonic`; None: not reached yet.

    Attributes:
        created_at: It was queued.
        started_at: The engine began with it.
        first_code_at: Its prompt was computed, and the first code sampled.
        first_audio_at: The first audio was written.
        ended_at: It finished or failed.
    """

    created_at: float
    started_at: float | None = None
    first_code_at: float | None = None
    first_audio_at: float | None = None
    ended_at: float | None = None


class Restarted(Exception):
    """The job was restarted: audio that was taken before must be discarded."""


class Job:
    """A prompt, and the audio that is made of it, chunk by chunk.

    One request's thread creates and reads it; the engine's thread starts, writes and ends it. Of
    several ends (finish, fail, cancel) the first one counts.

    Attributes:
        prompt: What to synthesise.
        follows: Whether it is a later job of a series, whose first one was admitted.
        cancelled: Nobody reads it any more; the engine drops it within a frame.
        num_attempts: How often it was started: 2 after `restart`.
        num_text_tokens: Length of the text in tokens; 0 before the start.
        log_context: The log context of the thread that created it.
        times: The times of its stages.
    """

    def __init__(self, prompt: Prompt, *, follows: bool = False) -> None:
        self.prompt = prompt
        self.follows = follows
        self.cancelled = False
        self.num_attempts = 1
        self.num_text_tokens = 0
        self.log_context = current_context()
        self.times = JobTimes(time.monotonic())
        self._num_samples = 0
        self._chunks: deque[Samples] = deque()
        self._finish_reason = ""
        self._is_taken = False  # whether any samples were taken
        self._is_void = False  # whether `take` is to raise Restarted
        self._error: TTSError | None = None
        self._lock = threading.Lock()  # guards all of this
        # A lock as a binary semaphore: threading.Condition would allocate a lock for every wait.
        self._is_awaited = False
        self._wake_up = threading.Lock()
        self._wake_up.acquire()  # `_wake_reader` releases it, the reader takes it again

    def wait(self, timeout_s: float) -> bool:
        """Wait for samples or the end, at most `timeout_s` seconds; return whether it came."""
        with self._lock:
            if self._chunks or self.times.ended_at is not None:
                return True
            self._is_awaited = True
        if self._wake_up.acquire(timeout=min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)):
            return True
        with self._lock:
            was_told = not self._is_awaited
            self._is_awaited = False
            return was_told and self._wake_up.acquire()

    def take(self) -> Samples | None:
        """Return the next samples, int16 `[n]`; None if there are none yet, or all were taken.

        Raises:
            Restarted: Once after a restart, if samples were taken before (not with `streaming`).
            TTSError: The job failed with it.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._is_void:
                self._is_void = False
                raise Restarted
            self._is_taken |= bool(self._chunks)
            return self._chunks.popleft() if self._chunks else None

    @property
    def ended(self) -> bool:
        """Whether all samples have been written and taken."""
        with self._lock:
            return self.times.ended_at is not None and not self._chunks

    @property
    def finish_reason(self) -> str:
        """`stop`; `length`, where the frame budget ended it; `loop`, where it repeated itself.

        Empty before the end.
        """
        return self._finish_reason

    @property
    def failure(self) -> str:
        """Code of the error that it ended with; empty where it did not."""
        return self._error.code if self._error is not None else ""

    @property
    def num_frames(self) -> int:
        """How many frames of audio have been written."""
        return self._num_samples // SAMPLES_PER_FRAME

    @property
    def span(self) -> tuple[float, float] | None:
        """From when until when the model worked on it (until now, if not ended); None: not yet."""
        if self.times.started_at is None:
            return None
        return self.times.started_at, self.times.ended_at or time.monotonic()

    @property
    def queue_s(self) -> float:
        """Seconds between creation and start (until now, if not started)."""
        return (self.times.started_at or time.monotonic()) - self.times.created_at

    @property
    def model_s(self) -> float:
        """Seconds between start and end (until now, if not ended); 0 if it never started."""
        if self.times.started_at is None:
            return 0.0
        return (self.times.ended_at or time.monotonic()) - self.times.started_at

    def start(self) -> None:
        """Record that the engine begins with it (engine thread)."""
        self.times.started_at = time.monotonic()

    def note_first_code(self) -> None:
        """Record that the prompt is computed, and the first code sampled (engine thread)."""
        self.times.first_code_at = time.monotonic()

    def restart(self) -> bool:
        """Restart with another seed, if none of its audio was sent yet (engine thread).

        Returns False if it was restarted before, has ended, or is greedy (the result would be the
        same), or if samples of a stream were taken. Samples taken for a whole file are discarded.
        """
        sampling = self.prompt.sampling
        is_greedy = not (sampling.temperature or sampling.subtalker_temperature)
        with self._lock:
            is_sent = self.prompt.streaming and self._is_taken
            if self.num_attempts > 1 or is_greedy or is_sent or self.times.ended_at is not None:
                return False
            self.num_attempts += 1
            seed = derived_seed(sampling.seed, "attempt", 2)
            self.prompt = replace(self.prompt, sampling=replace(sampling, seed=seed))
            self._is_void, self._is_taken = self._is_taken, False
            self._chunks.clear()
            self._num_samples = 0
            self.times.first_audio_at = None
            return True

    def write(self, samples: Samples) -> None:
        """Hand over a copy of the next samples (engine thread); after the end they are dropped.

        A copy, because they are a part of their batch's buffer, which a slow reader would keep.
        """
        with self._lock:
            if self.times.ended_at is None:
                self.times.first_audio_at = self.times.first_audio_at or time.monotonic()
                self._chunks.append(samples.copy())
                self._num_samples += len(samples)
                self._wake_reader()

    def finish(self, reason: str) -> None:
        """End successfully: all audio has been written (engine thread)."""
        with self._lock:
            if self.times.ended_at is None:
                self._finish_reason = reason
                self._end()

    def fail(self, error: TTSError) -> None:
        """End with an error, and drop the audio that was not taken."""
        with self._lock:
            if self.times.ended_at is None:
                self._error = error
                self._chunks.clear()
                self._end()

    def cancel(self, reason: TTSError) -> None:
        """Fail, from any thread; the engine drops the job within a frame."""
        self.cancelled = True
        self.fail(reason)
        if self.prompt.arriving is not None:
            self.prompt.arriving.wake()

    def _end(self) -> None:
        self.times.ended_at = time.monotonic()
        self._wake_reader()

    def _wake_reader(self) -> None:
        """Wake the reader if it waits; once, even if more is written before it runs."""
        if self._is_awaited:
            self._is_awaited = False
            self._wake_up.release()


def busy_s(spans: Iterable[tuple[float, float] | None]) -> float:
    """Return the total length of the union of some jobs' spans, in seconds."""
    total, until = 0.0, 0.0
    for began_at, ended_at in sorted(filter(None, spans)):
        total += max(0.0, ended_at - max(began_at, until))
        until = max(until, ended_at)
    return total


class Series:
    """The jobs of one request for one model: the first can be refused, those that follow cannot.

    Attributes:
        name: The model's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: list[Job] = []

    def add(self, job: Job) -> None:
        """Add its next job."""
        self._jobs = [each for each in self._jobs if not each.finish_reason] + [job]

    @property
    def has_failed(self) -> bool:
        """Whether one of its jobs failed, so that later ones are not needed."""
        return any(job.failure for job in self._jobs)
