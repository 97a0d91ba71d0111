"""One thread that owns one model: loads it, works through its queue, gives its memory back."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from qwen_tts_api.engine.job import Job
from qwen_tts_api.errors import (
    LoadError,
    ModelUnavailable,
    OutOfMemory,
    StartupError,
    SynthesisFailed,
    TTSError,
)
from qwen_tts_api.model.checkpoint import ModelCard
from qwen_tts_api.model.utterance import GenerationCancelled, Prompt, Utterance

logger = logging.getLogger(__name__)


class Model(Protocol):
    """What an engine needs of a loaded model; `model.upstream.UpstreamModel` is the real one."""

    @property
    def card(self) -> ModelCard:
        """What the model can do."""

    @property
    def placement(self) -> Any:
        """Where it computes: `device`, `dtype`, `attention`."""

    def generate(self, prompt: Prompt, cancelled: Callable[[], bool]) -> Utterance:
        """Synthesise one utterance."""

    def close(self) -> None:
        """Give the memory back."""


LoadModel = Callable[[Callable[[str], None]], Model]
"""Loads the model, telling its argument what it does; raises StartupError."""


class Engine:
    """One model and the thread that owns it. Nothing else ever touches the model.

    All attributes are read and written under `condition`, which the engines of a pool share.

    Attributes:
        name: The model's name in requests.
        doing: What the loading is at, for people who wait.
        model: The loaded model, or None while it is loading.
        failure: Why it could not be loaded.
        retiring: It takes no more jobs, and ends when those that it has are done.
        jobs: What waits for the model, first come first served.
        running: What the model computes.
        mean_job_s: Running mean of the seconds that the model computes for a job.
    """

    def __init__(
        self,
        name: str,
        load: LoadModel,
        jobs: deque[Job],
        condition: threading.Condition,
        on_ready: Callable[[], None],
        on_end: Callable[[Engine], None],
    ) -> None:
        self.name = name
        self.doing = "starting"
        self.model: Model | None = None
        self.failure: StartupError | None = None
        self.retiring = False
        self.jobs = jobs
        self.running: Job | None = None
        self.mean_job_s = 1.0
        self._load = load
        self._condition = condition
        self._on_ready = on_ready
        self._on_end = on_end
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)

    def start(self) -> None:
        """Start loading in the engine's thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end, at most `timeout_s` seconds; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def can_start(self) -> bool:
        """Whether the model is loaded and nothing runs."""
        return self.model is not None and self.running is None

    def _run(self) -> None:
        model = self._load_model()
        if model is not None:
            while (job := self._next_job()) is not None:
                self._work(model, job)
            with self._condition:
                self.model = None
            model.close()
            del model
        self._on_end(self)

    def _load_model(self) -> Model | None:
        began_at = time.monotonic()
        try:
            model = self._load(self._report)
        except Exception as error:  # a border: whatever a damaged checkpoint makes libraries raise
            if not isinstance(error, StartupError):
                logger.exception("loading %s failed", self.name)
                error = LoadError(f"{self.name} could not be loaded: {error!r}")
            self._fail(error)
            return None
        logger.info("%s: ready in %.1f s", self.name, time.monotonic() - began_at)
        with self._condition:
            self.model = model
        self._on_ready()
        return model

    def _report(self, doing: str) -> None:
        logger.info("%s: %s", self.name, doing)
        with self._condition:
            self.doing = doing

    def _fail(self, error: StartupError) -> None:
        logger.error("%s", error)
        with self._condition:
            self.failure = error
            self.retiring = True
            jobs = list(self.jobs)
            self.jobs.clear()
        for job in jobs:
            job.fail(ModelUnavailable(f"The model {self.name!r} cannot be loaded at the moment."))

    def _next_job(self) -> Job | None:
        with self._condition:
            self.running = None
            self._condition.notify_all()
            while not self.jobs:
                if self.retiring:
                    return None
                self._condition.wait()
            self.running = self.jobs.popleft()
            return self.running

    def _work(self, model: Model, job: Job) -> None:
        job.start()
        try:
            utterance = model.generate(job.prompt, lambda: job.cancelled)
        except GenerationCancelled:
            job.fail(TTSError("The request was cancelled."))
        except Exception as error:  # a border: one utterance's failure must not end the engine
            job.fail(self._explain(error))
        else:
            job.succeed(utterance)
            with self._condition:
                self.mean_job_s += 0.2 * (job.model_s - self.mean_job_s)

    def _explain(self, error: Exception) -> TTSError:
        if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, which is not imported here
            logger.error("%s: out of memory: %s", self.name, error)
            return OutOfMemory("The device has no memory left for this request.", retry_after_s=5)
        logger.exception("%s: synthesis failed", self.name)
        return SynthesisFailed(
            "The model failed on this request; the cause is in the server's log."
        )
