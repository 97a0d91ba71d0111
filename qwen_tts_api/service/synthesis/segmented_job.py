"""The jobs of one request, one for each segment of its text, as one stream of samples."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.engine.job import Job, Restarted, busy_s
from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.errors import DeadlineExceeded, TTSError
from qwen_tts_api.service.plan import SpeechSegment
from qwen_tts_api.service.synthesis.concatenate import join, silence
from qwen_tts_api.service.times.timeline import Timeline
from qwen_tts_api.telemetry.context import bound_context, current_context

NOTHING_TO_SAY = "nothing_to_say"
"""The finish reason of a request whose text has nothing to say, as its `X-Finish-Reason` says."""

SILENCE_S = 0.2
"""Its audio: long enough that every format has a frame of it, and that no client takes it for a
failure."""

CUT = ("loop", "length")
"""The finish reasons of what was cut: it repeated itself, or its frame budget was used up."""

# How many segments are computed before the one that is sent, where the model has nothing else to
# do. Their audio is kept: 1.4 MB for each of half a minute.
AHEAD_OF_STREAM = 1
AHEAD_OF_FILE = 4

POLL_INTERVAL_S = 0.5
"""How often `on_silence` is called while a segment whose text arrives has no audio."""


class SegmentedJob:
    """The jobs of one request's segments as if they were one. Must be closed.

    Only the first job can be refused. Those that follow are queued behind the jobs of others when
    their turn comes; a few begin early, in slots that are free. A text with nothing to say has no
    job: its audio is a short silence.

    Args:
        pool: Computes the jobs.
        model: The name of the model.
        segments: At least one; the text of a single one may be empty. None: they are added later,
            by `add`.
        timeout_s: The timeout of each segment, from when it is its turn until its audio is made.
        lead_s: The stated pause before the first segment.

    Attributes:
        segments: As given, or added so far.
        jobs: Those that were submitted, in the order of the text.
        is_streamed: Whether the audio is sent as it is made.
        num_restarts: How often the audio was restarted: of a whole file of one segment only.

    Raises:
        TTSError: The pool refuses the first job.
    """

    def __init__(
        self,
        pool: ModelPool,
        model: str,
        segments: Sequence[SpeechSegment] | None,
        *,
        timeout_s: float,
        lead_s: float = 0.0,
    ) -> None:
        self.segments = list(segments or ())
        self.jobs: list[Job] = []
        self.num_restarts = 0
        self._pool = pool
        self._model = model
        self._timeout_s = timeout_s
        self._lead_s = lead_s
        self._is_complete = segments is not None
        self.is_streamed = segments is None or self.segments[0].prompt.streaming
        self._ahead = AHEAD_OF_STREAM if self.is_streamed else AHEAD_OF_FILE
        # With several segments, the audio of each is held back until it is final instead: the next
        # one is computed meanwhile.
        self._may_restart = not self.is_streamed and len(self.segments) == 1
        self._deadline = 0.0
        self._lock = threading.Lock()  # guards the jobs: a client may disconnect at any time
        self._cancelled: TTSError | None = None
        self._num_taken = 0
        self._open = contextlib.ExitStack()
        is_series = segments is None or len(self.segments) > 1
        self._series = self._open.enter_context(pool.series(model)) if is_series else None
        if self.num_segments:
            try:
                self._submit(only_if_free=False)
            except TTSError:
                self._open.close()
                raise

    @property
    def num_segments(self) -> int:
        """How many segments there are; 0 where there is nothing to say."""
        return len(self.segments) if self.segments and self.segments[0].prompt.text else 0

    @property
    def finish_reason(self) -> str:
        """`stop`, `loop`, `length` or `nothing_to_say`; empty before the end."""
        if not self.num_segments:
            return NOTHING_TO_SAY
        reasons = {job.finish_reason for job in self.jobs}
        if len(self.jobs) < len(self.segments) or "" in reasons:
            return ""
        return next((reason for reason in CUT if reason in reasons), "stop")

    @property
    def num_text_tokens(self) -> int:
        """How many tokens the texts of the jobs have."""
        return sum(job.num_text_tokens for job in self.jobs)

    @property
    def num_frames(self) -> int:
        """How many frames of audio the jobs have written."""
        return sum(job.num_frames for job in self.jobs)

    @property
    def model_s(self) -> float:
        """Seconds in which the model worked on any of the jobs."""
        return busy_s(job.span for job in self.jobs)

    @property
    def queue_s(self) -> float:
        """Seconds until the model began with the first job."""
        return self.jobs[0].queue_s if self.jobs else 0.0

    def samples(self, timeline: Timeline | None = None) -> Generator[Samples, None, None]:
        """Yield the audio as it is made, with pauses; closing it cancels the jobs.

        Raises:
            DeadlineExceeded: A segment took longer than `timeout_s`.
            TTSError: What a job ended with.
        """
        if not self.num_segments:
            yield from silence(self._lead_s or SILENCE_S)
            return
        try:
            yield from join(self.segments, self.samples_of, self._lead_s, timeline)
        except Restarted:
            self.num_restarts += 1
            yield from join(self.segments, self.samples_of, self._lead_s, timeline)
        finally:
            self.close()

    def samples_of(
        self, number: int, on_silence: Callable[[float], object] | None = None
    ) -> Generator[Samples, None, None]:
        """Yield the audio of the next segment as it is made; see `samples`.

        Args:
            number: The segment's number.
            on_silence: Called every POLL_INTERVAL_S while a segment whose text arrives has no
                audio, with the time of its last audio (`time.monotonic`).

        Raises:
            Restarted: The samples so far must be discarded; `samples` handles it.
        """
        self._num_taken = number
        job = self._start(number)
        last_audio_at = time.monotonic()
        if not self.num_restarts:  # a restarted segment has only the rest of its time
            self._deadline = last_audio_at + self._timeout_s
        held: list[Samples] = []
        is_held = not (job.prompt.streaming or self._may_restart)
        while not job.ended:
            wait_s = self._deadline - time.monotonic()
            if on_silence is not None and job.prompt.arriving is not None:
                wait_s = min(wait_s, POLL_INTERVAL_S)
                on_silence(last_audio_at)
            job.wait(wait_s)
            taken = self._take(job, held)
            if taken is not None and is_held:
                held.append(taken)
            elif taken is not None:
                last_audio_at = time.monotonic()
                yield taken
                # The time that the reader took does not count: a slow client is no timeout.
                self._deadline += time.monotonic() - last_audio_at
            self._check_deadline(job)
            self._look_ahead()  # last, so that it does not delay the first audio
        self._take(job, held)  # raises the error of a job that failed since the last `_take`
        yield from held
        self._num_taken = number + 1

    def _take(self, job: Job, held: list[Samples]) -> Samples | None:
        try:
            return job.take()
        except Restarted:
            if self._may_restart:
                raise
            held.clear()
            return None

    def add(self, segment: SpeechSegment) -> int:
        """Add a segment; return its number."""
        with self._lock:
            self.segments.append(segment)
            return len(self.segments) - 1

    def complete(self) -> None:
        """Declare that no further segments will be added, so that the model may be unloaded."""
        with self._lock:
            self._is_complete = True
            if len(self.jobs) == len(self.segments):
                self._open.close()

    def drop(self, number: int) -> None:
        """Cancel and remove a segment and those behind it, of which no audio was taken."""
        with self._lock:
            dropped = self.jobs[number:]
            del self.jobs[number:], self.segments[number:]
        for job in dropped:
            self._pool.cancel(job, TTSError("The segment was dropped."))

    def close(self) -> None:
        """Cancel the jobs that have not ended: nobody reads their audio."""
        self.cancel(TTSError("The audio is not read any more."))

    def cancel(self, reason: TTSError) -> None:
        """Cancel the jobs that have not ended, and submit no more; readers get `reason`."""
        with self._lock:
            self._cancelled = self._cancelled or reason
            jobs = list(self.jobs)
        for job in jobs:
            if not job.ended:
                self._pool.cancel(job, reason)
        self._open.close()

    def _check_deadline(self, job: Job) -> None:
        if not job.ended and time.monotonic() >= self._deadline:
            error = DeadlineExceeded(
                f"The audio was not finished within {self._timeout_s:g} s "
                "(QWEN_REQUEST_TIMEOUT_S).",
                retry_after_s=1,
            )
            self._pool.cancel(job, error)
            raise error

    def _start(self, number: int) -> Job:
        """Return the job of a segment; submit it unless `_look_ahead` did."""
        if number == len(self.jobs):
            self._submit(only_if_free=False)
        return self.jobs[number]

    def _look_ahead(self) -> None:
        """Submit the jobs of later segments, as far as slots are free."""
        limit = min(self._num_taken + 1 + self._ahead, len(self.segments))
        while len(self.jobs) < limit and self._submit(only_if_free=True):
            pass

    def _log_context(self, number: int) -> AbstractContextManager[None]:
        """Add the segment's number to the log context of a job that is created in the block."""
        total = f"/{len(self.segments)}" if self._is_complete else ""
        segment = {"segment": f"{number + 1}{total}"} if total != "/1" else {}
        return bound_context(current_context(), segment)

    def _submit(self, *, only_if_free: bool) -> bool:
        with self._lock:
            if self._cancelled is not None:
                raise self._cancelled
            number = len(self.jobs)
            if number == len(self.segments):
                return False  # dropped
            prompt = self.segments[number].prompt
            job: Job | None
            with self._log_context(number):
                if self.jobs:
                    assert self._series is not None
                    job = self._pool.follow(self._series, prompt, only_if_free=only_if_free)
                else:
                    job = self._pool.submit(self._model, prompt, self._series)
            if job is not None:
                self.jobs.append(job)
            if len(self.jobs) == len(self.segments) and self._is_complete:
                self._open.close()  # all jobs are submitted: the series need not hold the model
            return job is not None
