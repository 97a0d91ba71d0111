"""The served models: which are in memory, which are wanted, and how much work may wait.

Which models are in memory is what `engines` decides; here is what work for them is admitted.

A request may be a series of prompts, of which the first is admitted or refused. Those that follow
are never refused, not even while the process ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from qwen_tts_api.checkpoints.card import ModelCard
from qwen_tts_api.engine.admission import check_open, check_queue
from qwen_tts_api.engine.cards import ModelCards
from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.engines import Engines, LoadById
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.series import Series
from qwen_tts_api.engine.snapshot import PoolStatus
from qwen_tts_api.errors import ShuttingDown, StartupError, TTSError
from qwen_tts_api.model.utterance import Prompt, Reference

TURN_S = 60.0
"""How long a model goes on with the series that it has while another one waits for its place."""


@dataclass(frozen=True)
class ModelLoader:
    """Where models come from.

    Attributes:
        load: Loads a model by its id.
        describe: Reads what a model can do without loading it; raises LoadError.
    """

    load: LoadById
    describe: Callable[[str], ModelCard]


@dataclass(frozen=True)
class PoolSettings:
    """What a pool may take.

    Attributes:
        max_loaded: Models in memory at once.
        max_queue: Jobs that may wait, over all models.
        hang_timeout_s: How long a model with work may take for one frame before it is at fault.
        turn_s: How long a model goes on with its series while another one waits for its place.
    """

    max_loaded: int
    max_queue: int
    hang_timeout_s: float
    turn_s: float = TURN_S


@dataclass(frozen=True)
class ProcessHooks:
    """What ends the process; each is called in an engine's thread.

    Attributes:
        on_startup_failure: The default model cannot be loaded at start.
        on_fatal: The process cannot compute any more.
    """

    on_startup_failure: Callable[[StartupError], None]
    on_fatal: Callable[[], None]


class ModelPool:
    """Engines by the name of their model, and the bound on the work that waits for them.

    Args:
        sources: Model ids by the names that requests use; the first is the default.
        loader: Where they come from.
        settings: How many, and how much for each.
        hooks: What ends the process.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        loader: ModelLoader,
        settings: PoolSettings,
        hooks: ProcessHooks,
    ) -> None:
        self._sources = dict(sources)
        self._default = next(iter(self._sources))
        self._max_queue = settings.max_queue
        self._hang_timeout_s = settings.hang_timeout_s
        self._cards = ModelCards(self._sources, loader.describe)
        self._engines = Engines(
            self._sources,
            load=loader.load,
            max_loaded=settings.max_loaded,
            turn_s=settings.turn_s,
            on_ready=lambda name, runner: self._cards.put(name, runner.card),
            on_startup_failure=hooks.on_startup_failure,
            on_fatal=hooks.on_fatal,
        )
        self._condition = self._engines.condition

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the served models; the default is first."""
        return tuple(self._sources)

    def start(self) -> None:
        """Start loading the default model, in its own thread."""
        with self._condition:
            self._engines.start()

    def status(self) -> PoolStatus:
        """Return what is in memory and what is being done."""
        with self._condition:
            engines = self._engines.by_name
            state, doing = self._describe_state()
            default = engines.get(self._default)
            return PoolStatus(
                state=state,
                doing=doing,
                models={name: self._state(name) for name in self._sources},
                engines=tuple(engine.status() for engine in engines.values()),
                default=default.details if default else None,
                running=sum(engine.num_running for engine in engines.values()),
                waiting=sum(len(queue) for queue in self._engines.queues()),
            )

    def card(self, name: str) -> ModelCard:
        """Return what a served model can do, loaded or not.

        Raises:
            ModelUnavailable: Its checkpoint cannot be found or read.
        """
        return self._cards.get(name)

    def forget(self, reference: Reference) -> None:
        """Let the models keep nothing of a recording; what speaks with it speaks on."""
        with self._condition:
            for engine in self._engines.by_name.values():
                if engine.runner is not None:
                    engine.runner.forget(reference)

    def check_open(self) -> None:
        """Refuse work while the first model loads and during shutdown.

        Raises:
            ModelLoading: The default model has not been loaded yet.
            ShuttingDown: The process was told to stop.
        """
        with self._condition:
            ending = self._engines.draining or bool(self._engines.fault)
            check_open(started=self._engines.started, ending=ending)

    def submit(self, name: str, prompt: Prompt, series: Series | None = None) -> Job:
        """Queue a prompt for a served model, loading the model if needed.

        Args:
            series: Where it is the first of several.

        Raises:
            ModelLoading: The default model has not been loaded yet.
            ModelUnavailable: The model could not be loaded a short while ago.
            QueueFull: `max_queue` jobs wait already.
            ShuttingDown: The process was told to stop.
        """
        job = Job(prompt)
        with self._condition:
            self.check_open()
            self._engines.check_loadable(name)
            engine = self._engines.taking(name)
            if engine is None or len(engine.jobs) >= engine.num_free_rows:
                waits = self._engines.by_name.values(), self._engines.wanted.values()
                check_queue(*waits, self._max_queue)
            self._engines.give(name, engine, job, series)
        return job

    @contextmanager
    def series(self, name: str) -> Iterator[Series]:
        """Announce, before the first of several prompts, that others will follow it."""
        series = Series(name)
        with self._condition:
            self._engines.series.append(series)
        try:
            yield series
        finally:
            with self._condition:
                self._engines.series.remove(series)
                self._condition.notify_all()

    def follow(self, series: Series, prompt: Prompt, *, only_if_free: bool) -> Job | None:
        """Queue the next prompt of a series, however many others wait.

        Args:
            only_if_free: Do so only where it can begin at once and delays nobody, and none before
                it has failed; else return None.

        Raises:
            ModelUnavailable: The model was not in memory, and could not be loaded a while ago.
            ShuttingDown: The process was told to stop, and the model is not in memory.
        """
        job = Job(prompt, follows=True)
        with self._condition:
            engine = self._engines.going_on_with(series)
            if only_if_free and (
                engine is None or len(engine.jobs) >= engine.num_free_rows or series.has_failed
            ):
                return None
            if engine is None:
                self.check_open()
                self._engines.check_loadable(series.name)
            self._engines.give(series.name, engine, job, series)
        return job

    def cancel(self, job: Job, reason: TTSError) -> None:
        """End a job: out of the queue at once, or out of the model at its next frame.

        Whoever waits for it gets `reason` at once. A model for which nobody else waits is not
        loaded.
        """
        job.cancel(reason)
        with self._condition:
            for queue in self._engines.queues():
                if job in queue:
                    queue.remove(job)
            self._engines.arrange()

    def drain(self) -> None:
        """Refuse new work and what waits; what runs goes on to its end, with what follows it."""
        with self._condition:
            waiting = self._engines.drain()
        for job in waiting:
            job.fail(ShuttingDown("The server is shutting down.", retry_after_s=1))

    def close(self, timeout_s: float) -> bool:
        """Drain, and wait for the engines' threads; return whether all ended within `timeout_s`."""
        self.drain()
        deadline = time.monotonic() + timeout_s
        with self._condition:
            engines = list(self._engines.by_name.values())
        ended = [engine.join(max(0.0, deadline - time.monotonic())) for engine in engines]
        return all(ended)

    def _describe_state(self) -> tuple[str, str]:
        engines = self._engines.by_name
        default = engines.get(self._default)
        hanging = (engine.fault(self._hang_timeout_s) for engine in engines.values())
        if fault := self._engines.fault or next(filter(None, hanging), ""):
            return "failed", fault
        if self._engines.draining:
            return "draining", ""
        if not self._engines.started:
            return "loading", default.doing if default else "starting"
        if default is None and (wait_s := self._engines.failures.retry_after_s(self._default)):
            return "recovering", f"{self._default} could not be loaded; next try after {wait_s} s"
        suspect = [engine.name for engine in engines.values() if engine.health.suspect]
        if suspect:
            return "recovering", f"the last utterance of {', '.join(suspect)} failed"
        return "ready", ""

    def _state(self, name: str) -> str:
        engine: Engine | None = self._engines.by_name.get(name)
        if engine is not None:
            return "loading" if engine.runner is None else "ready"
        return "failed" if self._engines.failures.retry_after_s(name) else "not loaded"
