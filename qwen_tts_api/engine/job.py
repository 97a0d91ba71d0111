"""One utterance on its way, where an HTTP thread and an engine thread meet; and several in line."""

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
class Times:
    """When a job was how far, by `time.monotonic`; None: not yet.

    Attributes:
        created_at: When it came into the queue.
        started_at: When the model began with it.
        first_code_at: When the first code after its prompt was sampled.
        first_audio_at: When there was audio.
        ended_at: When it was over, however.
    """

    created_at: float
    started_at: float | None = None
    first_code_at: float | None = None
    first_audio_at: float | None = None
    ended_at: float | None = None


class Restarted(Exception):
    """What was taken of a job is void: it was begun once more, and its audio begins anew."""


class Job:
    """A prompt, and the audio that is made of it, chunk by chunk.

    One HTTP thread creates and reads it; the engine thread starts it, writes to it and ends it.
    What ends it first counts.

    Attributes:
        prompt: What to synthesise.
        follows: Whether it goes on with a request that was admitted before.
        cancelled: Nobody reads it any more; the engine drops it within a frame.
        num_attempts: How often the model began with it.
        num_text_tokens: Length of the text in tokens; 0 before the start.
        log_context: Whose it is, for the log: the context of the thread that made it.
        times: When it was how far.
    """

    def __init__(self, prompt: Prompt, *, follows: bool = False) -> None:
        self.prompt = prompt
        self.follows = follows
        self.cancelled = False
        self.num_attempts = 1
        self.num_text_tokens = 0
        self.log_context = current_context()
        self.times = Times(time.monotonic())
        self._num_samples = 0
        self._chunks: deque[Samples] = deque()
        self._finish_reason = ""
        self._is_taken = False  # whether any samples were
        self._is_void = False  # whether those that were are void, and the reader is to be told
        self._error: TTSError | None = None
        self._lock = threading.Lock()  # guards all of this
        # A condition would make a lock for every wait, and wake up whoever does not wait.
        self._is_awaited = False
        self._wake_up = threading.Lock()
        self._wake_up.acquire()  # released for a reader that waits, which takes it again

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
        """Return the next samples, int16 `[n]`; None where there are none, or none any more.

        Raises:
            Restarted: Once, where samples were taken that are void: of prompts without `streaming`.
            TTSError: The job ended with it.
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
        """Note that the model begins to compute (engine thread)."""
        self.times.started_at = time.monotonic()

    def note_first_code(self) -> None:
        """Note that the prompt is computed, and its first code known (engine thread)."""
        self.times.first_code_at = time.monotonic()

    def restart(self) -> bool:
        """Begin once more, with another seed, if nothing was sent of it (engine thread).

        Returns False where it was begun twice, would be the same again, or is over; or where
        samples were taken to be sent while it is made. Those of a whole file are void.
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
                self._tell()

    def finish(self, reason: str) -> None:
        """End with all audio written (engine thread)."""
        with self._lock:
            if self.times.ended_at is None:
                self._finish_reason = reason
                self._end()

    def fail(self, error: TTSError) -> None:
        """End without the rest of the audio, and drop what was not taken."""
        with self._lock:
            if self.times.ended_at is None:
                self._error = error
                self._chunks.clear()
                self._end()

    def cancel(self, reason: TTSError) -> None:
        """End as `fail` does, from any thread; the engine forgets the job within a frame."""
        self.cancelled = True
        self.fail(reason)
        if self.prompt.arriving is not None:
            self.prompt.arriving.wake()

    def _end(self) -> None:
        self.times.ended_at = time.monotonic()
        self._tell()

    def _tell(self) -> None:
        """Wake the reader up, if it waits: once, whatever else comes before it runs."""
        if self._is_awaited:
            self._is_awaited = False
            self._wake_up.release()


def busy_s(spans: Iterable[tuple[float, float] | None]) -> float:
    """Return the seconds that are within any of some jobs' spans."""
    total, until = 0.0, 0.0
    for began_at, ended_at in sorted(filter(None, spans)):
        total += max(0.0, ended_at - max(began_at, until))
        until = max(until, ended_at)
    return total


class Series:
    """Jobs for one model, of which the first is admitted or refused, and the others follow.

    Attributes:
        name: The model's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._jobs: list[Job] = []

    def add(self, job: Job) -> None:
        """Note its next job."""
        self._jobs = [each for each in self._jobs if not each.finish_reason] + [job]

    @property
    def has_failed(self) -> bool:
        """Whether one of its jobs ended with an error, so that nobody will hear the next."""
        return any(job.failure for job in self._jobs)
