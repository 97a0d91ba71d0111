"""The pool of served models: loads them on demand, unloads unused ones, bounds the queue.

A model is loaded by its first request, as long as a request waits for it. It needs a place: where
`max_loaded` models are in memory, the least recently used one retires. It finishes its jobs, with a
turn for its series, and releases its memory. A failed load is retried with backoff.

Only the first job of a series can be refused. Those that follow are accepted even during shutdown.

The pool's lock guards all of this. It is held briefly, taken before an engine's lock, and released
before a hook is called or a job ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job, Series
from qwen_tts_api.engine.loading import ModelLoader
from qwen_tts_api.engine.model_cards import LoadBackoff, ModelCards, unavailable
from qwen_tts_api.engine.roster import PoolSettings, Roster
from qwen_tts_api.engine.snapshot import EngineStatus, Phase, PoolStatus, pool_status
from qwen_tts_api.engine.states import LOADED, EngineState
from qwen_tts_api.engine.worker import model_failed
from qwen_tts_api.errors import ModelLoading, ShuttingDown, StartupError, TTSError
from qwen_tts_api.model.utterance import Prompt, Reference

logger = logging.getLogger(__name__)


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

    Attributes:
        cards: The model cards of all served models, loaded or not.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        loader: ModelLoader,
        settings: PoolSettings,
        hooks: ProcessHooks,
    ) -> None:
        self._sources = dict(sources)
        self._load = loader.load
        self._settings = settings
        self._hooks = hooks
        self.cards = ModelCards(self._sources, loader.describe)
        self._failures = LoadBackoff()
        self._lock = threading.Lock()  # guards all that follows
        self._phase = Phase.STARTING
        self._roster = Roster(self._make_engine, settings)
        self._hanging: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the served models; the default is first."""
        return tuple(self._sources)

    def start(self) -> None:
        """Start loading the default model, in its own thread."""
        with self._lock:
            if self._phase is Phase.STARTING and not self._roster.engines:
                self._roster.start(self.names[0])

    def status(self) -> PoolStatus:
        """Return the state of the pool, its engines and queues."""
        with self._lock:
            every = [engine.status() for engine in self._roster.engines.values()]
            engines = [each for each in every if each.state is not EngineState.CLOSED]
            failed = {name: self._failures.retry_after_s(name) for name in self._sources}
            fault, idle = self._find_hanging(engines), frozenset(self._roster.idle)
            unassigned = self._roster.num_unassigned
            return pool_status(self._phase, fault, engines, failed, idle, unassigned)

    def forget(self, reference: Reference) -> None:
        """Remove a recording from the models' caches; running jobs with it are completed."""
        with self._lock:
            for engine in self._roster.engines.values():
                engine.forget(reference)

    def check_open(self) -> None:
        """Refuse work while the first model loads and during shutdown.

        Raises:
            ModelLoading: The default model has not been loaded yet.
            ShuttingDown: The process was told to stop.
        """
        with self._lock:
            self._check_open()

    def submit(self, name: str, prompt: Prompt, series: Series | None = None) -> Job:
        """Queue a prompt for a served model, loading the model if needed.

        Args:
            name: The model's.
            prompt: What to say.
            series: Where it is the first of several.

        Raises:
            ModelLoading: The default model has not been loaded yet.
            ModelUnavailable: The model could not be loaded a short while ago.
            QueueFull: `max_queue` jobs wait already.
            ShuttingDown: The process was told to stop.
        """
        job = Job(prompt)
        with self._lock:
            self._check_open()
            engine = self._roster.engines.get(name)
            is_taken = engine is not None and engine.submit(job, series, only_if_free=True)
            if not is_taken:
                self._check_loadable(name)
                self._roster.check_queue()
                is_taken = engine is not None and engine.submit(job, series)
            self._note_queued(name, job, series, is_taken=is_taken)
        return job

    @contextmanager
    def series(self, name: str) -> Iterator[Series]:
        """Register a series inside the block: its model is not unloaded between its jobs."""
        series = Series(name)
        with self._lock:
            self._roster.attach(series)
        try:
            yield series
        finally:
            with self._lock:
                self._roster.detach(series)

    def follow(self, series: Series, prompt: Prompt, *, only_if_free: bool) -> Job | None:
        """Queue the next prompt of a series, however many others wait.

        Args:
            series: Whose.
            prompt: What to say.
            only_if_free: Return None unless a slot is free for it, and no job of the series has
                failed.

        Raises:
            ModelUnavailable: The model was not in memory, and could not be loaded a while ago.
            ShuttingDown: The process was told to stop, and the model is not in memory.
        """
        job = Job(prompt, follows=True)
        with self._lock:
            engine = self._roster.engines.get(series.name)
            is_taken = not (only_if_free and series.has_failed) and (
                engine is not None and engine.follow(job, series, only_if_free=only_if_free)
            )
            if only_if_free and not is_taken:
                return None
            if not is_taken:
                self._check_open()
                self._check_loadable(series.name)
            self._note_queued(series.name, job, series, is_taken=is_taken)
        return job

    def cancel(self, job: Job, reason: TTSError) -> None:
        """Cancel a job: it leaves the queue at once, or its slot at the next frame.

        A reader that waits for it gets `reason` at once. The load of a model that no other job
        waits for is cancelled.
        """
        job.cancel(reason)
        with self._lock:
            self._roster.withdraw(job)
            self._arrange()

    def drain(self) -> None:
        """Refuse new and queued jobs; running jobs are completed, with the rest of their series."""
        with self._lock:
            if self._phase is not Phase.LOST:
                self._phase = Phase.DRAINING
            dropped = self._roster.drain()
        for job in dropped:
            job.fail(ShuttingDown("The server is shutting down.", retry_after_s=1))

    def close(self, timeout_s: float) -> bool:
        """Drain, and wait for the engines' threads; return whether all ended within `timeout_s`."""
        self.drain()
        deadline = time.monotonic() + timeout_s
        with self._lock:
            engines = list(self._roster.engines.values())
        ended = [engine.join(max(0.0, deadline - time.monotonic())) for engine in engines]
        return all(ended)

    def _make_engine(self, name: str) -> Engine:
        load = partial(self._load, self._sources[name])
        required, idle_s = self._phase is Phase.STARTING, self._settings.idle_unload_s
        return Engine(name, load, self._engine_changed, required=required, idle_unload_s=idle_s)

    def _engine_changed(self, engine: Engine, old: EngineState, new: EngineState) -> None:
        """Handle a change of state that an engine has caused (in the engine's thread)."""
        if new is EngineState.FAILED:
            self._note_failed(engine)
        elif new is EngineState.LOST:
            self._note_lost(engine)
        elif old in LOADED:
            self._note_loaded(engine)
        else:
            with self._lock:
                self._roster.note_change(engine, old, new)
                self._arrange()

    def _note_loaded(self, engine: Engine) -> None:
        self._failures.reset(engine.name)
        if card := engine.snapshot().card:
            self.cards.put(engine.name, card)
        with self._lock:
            if self._phase is Phase.STARTING:
                self._phase = Phase.OPEN

    def _note_failed(self, engine: Engine) -> None:
        """Fail the jobs that wait for a model that could not be loaded."""
        with self._lock:
            self._roster.remove(engine)
            jobs = [*engine.drain(), *self._roster.take(engine.name)]
            retry_after_s = self._failures.record_failure(engine.name)
            self._arrange()
        for job in jobs:
            job.fail(unavailable(engine.name, retry_after_s))
        if engine.required and (failure := engine.snapshot().failure):
            self._hooks.on_startup_failure(failure)

    def _note_lost(self, engine: Engine) -> None:
        with self._lock:
            self._phase = Phase.LOST
            jobs = engine.drain()
        for job in jobs:
            job.fail(model_failed())
        self._hooks.on_fatal()

    # From here on: under the lock.

    def _arrange(self) -> None:
        if self._phase in (Phase.STARTING, Phase.OPEN):
            self._roster.arrange()

    def _note_queued(self, name: str, job: Job, series: Series | None, *, is_taken: bool) -> None:
        if series is not None:
            series.add(job)
        if is_taken:
            self._roster.note_use(name, series)
        else:
            self._roster.queue_job(name, job, series)
            self._arrange()

    def _check_open(self) -> None:
        if self._phase in (Phase.DRAINING, Phase.LOST):
            raise ShuttingDown("The server is shutting down.", retry_after_s=1)
        if self._phase is Phase.STARTING:
            message = "The model is still loading; /readyz tells how far it is."
            raise ModelLoading(message, retry_after_s=5)

    def _check_loadable(self, name: str) -> None:
        retry_after_s = self._failures.retry_after_s(name)
        if retry_after_s and self._roster.engines.get(name) is None:
            raise unavailable(name, retry_after_s)

    def _find_hanging(self, engines: Sequence[EngineStatus]) -> str:
        """Return the fault of a hanging model, or an empty string; each hang is logged once."""
        faults = {each.name: each.hang_fault(self._settings.hang_timeout_s) for each in engines}
        hanging = {name for name, fault in faults.items() if fault}
        for name in hanging - self._hanging:
            logger.critical("%s", faults[name])
        self._hanging = hanging
        return next(filter(None, faults.values()), "")
