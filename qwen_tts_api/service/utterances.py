"""The audio of a text that is spoken as one or more utterances, one after the other."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.errors import DeadlineExceeded, TTSError
from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.service.text.concatenate import Concatenator
from qwen_tts_api.service.text.script import Utterance
from qwen_tts_api.telemetry.logs import bound_context, current_context

Samples = npt.NDArray[np.int16]

# How many utterances are computed before the one that is sent, where the model has nothing else to
# do. Their audio is kept: 1.4 MB for each of half a minute.
AHEAD_OF_STREAM = 1
AHEAD_OF_FILE = 4


@dataclass(frozen=True)
class Progress:
    """How far the audio is that has been taken.

    Attributes:
        segment: The utterance that it ended in, from 1.
        num_segments: How many there are.
    """

    segment: int
    num_segments: int


class Utterances:
    """Several utterances that a client sees as one: with the times and the end of them all.

    To be closed, whatever happens.

    The first is admitted or refused; those that follow are not refused any more. They go on in
    line, behind whoever waits, except for a few that begin early on rows that nobody needs.

    Args:
        timeout_s: What each utterance may take until its audio is there, its wait included.

    Raises:
        TTSError: The pool refuses the first.
    """

    def __init__(
        self, pool: ModelPool, model: str, utterances: Sequence[Utterance], *, timeout_s: float
    ) -> None:
        self._pool = pool
        self._utterances = utterances
        self._timeout_s = timeout_s
        self._ahead = AHEAD_OF_STREAM if utterances[0].prompt.streaming else AHEAD_OF_FILE
        self._lock = threading.Lock()  # for the jobs, since a client may leave at any time
        self._cancelled: TTSError | None = None
        self._num_ended = 0
        self._open = contextlib.ExitStack()
        is_series = len(utterances) > 1
        self._series = self._open.enter_context(pool.series(model)) if is_series else None
        try:
            with self._log_context(0):
                self._jobs = [pool.submit(model, utterances[0].prompt, self._series)]
        except TTSError:
            self._open.close()
            raise

    @property
    def prompts(self) -> list[Prompt]:
        """Return what is spoken, utterance by utterance."""
        return [utterance.prompt for utterance in self._utterances]

    @property
    def jobs(self) -> list[Job]:
        """Return those that were begun, in the order of the text."""
        return list(self._jobs)

    @property
    def seed(self) -> int:
        """Return the seed of the first utterance, which those of the others come from."""
        return self._utterances[0].prompt.sampling.seed

    @property
    def progress(self) -> Progress:
        """Return how far the audio is that has been taken."""
        num_segments = len(self._utterances)
        return Progress(min(self._num_ended + 1, num_segments), num_segments)

    @property
    def finish_reason(self) -> str:
        """`stop`, or `length` where any was ended by its frame budget; empty before the end."""
        reasons = {job.finish_reason for job in self._jobs}
        if len(self._jobs) < len(self._utterances) or "" in reasons:
            return ""
        return "length" if "length" in reasons else "stop"

    @property
    def num_text_tokens(self) -> int:
        """How many tokens the texts have that were begun with."""
        return sum(job.num_text_tokens for job in self._jobs)

    @property
    def num_frames(self) -> int:
        """How many frames of audio have been written."""
        return sum(job.num_frames for job in self._jobs)

    @property
    def model_s(self) -> float:
        """Seconds in which the model worked on any of them."""
        total, until = 0.0, 0.0
        for began_at, ended_at in sorted(filter(None, (job.span for job in self._jobs))):
            total += max(0.0, ended_at - max(began_at, until))
            until = max(until, ended_at)
        return total

    @property
    def queue_s(self) -> float:
        """Seconds until the model began with the first."""
        return self._jobs[0].queue_s

    def pieces(self) -> Generator[Samples, None, None]:
        """Yield the audio as it comes; ends the work where it is not read on.

        Raises:
            DeadlineExceeded: An utterance took longer than `timeout_s`.
            TTSError: What an utterance ended with.
        """
        concatenator = Concatenator(len(self._utterances))
        try:
            for number, utterance in enumerate(self._utterances):
                for piece in self._pieces_of(self._job(number)):
                    ready = concatenator.write(piece)
                    if len(ready):
                        yield ready
                self._num_ended += 1
                if number + 1 < len(self._utterances):
                    yield concatenator.end_segment(utterance.pause_s)
        finally:
            self.close()

    def close(self) -> None:
        """End all that has not ended, since nobody reads on."""
        self.cancel(TTSError("The audio is not read on."))

    def cancel(self, reason: TTSError) -> None:
        """End all that has not ended, and begin no more; whoever waits for audio gets `reason`."""
        with self._lock:
            self._cancelled = self._cancelled or reason
            jobs = list(self._jobs)
        for job in jobs:
            if not job.ended:
                self._pool.cancel(job, reason)
        self._open.close()

    def _pieces_of(self, job: Job) -> Generator[Samples, None, None]:
        deadline = time.monotonic() + self._timeout_s
        while not job.ended:
            job.wait(deadline - time.monotonic())
            if (piece := job.take()) is not None:
                yielded_at = time.monotonic()
                yield piece
                deadline += time.monotonic() - yielded_at  # a slow reader costs the model no time
            if not job.ended and time.monotonic() >= deadline:
                raise DeadlineExceeded(
                    f"The audio was not finished within {self._timeout_s:g} s "
                    "(QWEN_REQUEST_TIMEOUT_S).",
                    retry_after_s=1,
                )
            self._look_ahead()  # only now: the first audio comes first
        job.take()  # raises what the job ended with, if it ended between two looks

    def _job(self, number: int) -> Job:
        """Return a job that is under way already, or else the next one."""
        if number == len(self._jobs):
            self._submit(only_if_free=False)
        return self._jobs[number]

    def _look_ahead(self) -> None:
        """Begin utterances behind the current one, on rows that are free."""
        limit = min(self._num_ended + 1 + self._ahead, len(self._utterances))
        while len(self._jobs) < limit and self._submit(only_if_free=True):
            pass

    def _log_context(self, number: int) -> AbstractContextManager[None]:
        """Give a job that is made in the block its place in the text, for the log."""
        total = len(self._utterances)
        segment = {"segment": f"{number + 1}/{total}"} if total > 1 else {}
        return bound_context(current_context(), segment)

    def _submit(self, *, only_if_free: bool) -> bool:
        with self._lock:
            if self._cancelled is not None:
                raise self._cancelled
            number = len(self._jobs)
            prompt = self._utterances[number].prompt
            assert self._series is not None
            with self._log_context(number):
                job = self._pool.follow(self._series, prompt, only_if_free=only_if_free)
            if job is not None:
                self._jobs.append(job)
            if len(self._jobs) == len(self._utterances):
                self._open.close()  # the model need not wait for more while the audio is taken
            return job is not None
