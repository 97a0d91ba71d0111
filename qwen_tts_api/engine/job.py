"""One utterance on its way through the queue: where an HTTP thread and an engine thread meet."""

from __future__ import annotations

import threading
import time

from qwen_tts_api.errors import TTSError
from qwen_tts_api.model.utterance import Prompt, Utterance


class Job:
    """A prompt, and later its utterance or its error.

    The HTTP thread creates it and waits for it; the engine thread starts and ends it.

    Attributes:
        prompt: What to synthesise.
        cancelled: Nobody waits for it any more; the engine drops it at the next frame.
    """

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.cancelled = False
        self._created_at = time.monotonic()
        self._started_at: float | None = None
        self._ended_at: float | None = None
        self._utterance: Utterance | None = None
        self._error: TTSError | None = None
        self._done = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the job has ended, at most `timeout_s` seconds; return whether it has."""
        return self._done.wait(timeout_s)

    def result(self) -> Utterance:
        """Return the utterance of an ended job.

        Raises:
            TTSError: The job ended without one.
        """
        if self._error is not None:
            raise self._error
        if self._utterance is None:
            raise RuntimeError("the job has not ended")
        return self._utterance

    @property
    def queue_s(self) -> float:
        """Return the seconds between creation and start (until now, if not started)."""
        return (self._started_at or time.monotonic()) - self._created_at

    @property
    def model_s(self) -> float:
        """Return the seconds that the model computed for an ended job; 0 if it never started."""
        if self._started_at is None or self._ended_at is None:
            return 0.0
        return self._ended_at - self._started_at

    def start(self) -> None:
        """Note that the model begins to compute (engine thread)."""
        self._started_at = time.monotonic()

    def succeed(self, utterance: Utterance) -> None:
        """End with audio (engine thread)."""
        self._utterance = utterance
        self._end()

    def fail(self, error: TTSError) -> None:
        """End without audio."""
        self._error = error
        self._end()

    def _end(self) -> None:
        self._ended_at = time.monotonic()
        self._done.set()
