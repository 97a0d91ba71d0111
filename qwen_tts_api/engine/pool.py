"""The served models: which are in memory, which are wanted, and how much work may wait.

A model is loaded when it is first asked for. Where `max_loaded` models are in memory already, the
least recently used one retires: it finishes what it has, gives its memory back, and makes room.
Work for a model that is not in memory waits for it in the order of arrival of the models.

A request may be a series of prompts, of which the first is admitted or refused. Those that follow
are never refused, not even while the process ends.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from qwen_tts_api.engine.admission import check_open, check_queue
from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.runner import Runner
from qwen_tts_api.engine.status import PoolStatus
from qwen_tts_api.errors import (
    LoadError,
    ModelUnavailable,
    ShuttingDown,
    StartupError,
    TTSError,
)
from qwen_tts_api.model.checkpoint import ModelCard
from qwen_tts_api.model.utterance import Prompt

LoadById = Callable[[str, Callable[[str], None]], Runner]
"""Loads a model by its id, telling the second argument what it does; raises StartupError."""


class ModelPool:
    """Engines by the name of their model, and the bound on the work that waits for them.

    Args:
        sources: Model ids by the names that requests use; the first is the default.
        load: Loads a model by its id.
        describe: Reads what a model can do without loading it; raises LoadError.
        max_loaded: Models in memory at once.
        max_queue: Jobs that may wait, over all models.
        hang_timeout_s: How long a model with work may take for one frame before it is at fault.
        on_startup_failure: Called in the engine's thread if the default model cannot be loaded at
            start.
        on_fatal: Called in an engine's thread when the process cannot compute any more.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        *,
        load: LoadById,
        describe: Callable[[str], ModelCard],
        max_loaded: int,
        max_queue: int,
        hang_timeout_s: float,
        on_startup_failure: Callable[[StartupError], None],
        on_fatal: Callable[[], None],
    ) -> None:
        self._sources = dict(sources)
        self._default = next(iter(self._sources))
        self._load = load
        self._describe = describe
        self._max_loaded = max_loaded
        self._max_queue = max_queue
        self._hang_timeout_s = hang_timeout_s
        self._on_startup_failure = on_startup_failure
        self._on_fatal = on_fatal
        self._fault = ""
        self._condition = threading.Condition()
        # Least recently used first.
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        # Work for models that are not in memory, in the order in which they were asked for.
        self._wanted: OrderedDict[str, deque[Job]] = OrderedDict()
        # How many series for each model have prompts to come.
        self._open_series: Counter[str] = Counter()
        self._cards: dict[str, ModelCard] = {}
        self._started = False
        self._draining = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the served models; the default is first."""
        return tuple(self._sources)

    def start(self) -> None:
        """Start loading the default model, in its own thread."""
        with self._condition:
            self._wanted[self._default] = deque()
            self._make_room()

    def status(self) -> PoolStatus:
        """Return what is in memory and what is being done."""
        with self._condition:
            engine = self._engines.get(self._default)
            state, doing = self._describe_state(engine)
            return PoolStatus(
                state=state,
                doing=doing,
                models={name: self._state(name) for name in self._sources},
                engines=tuple(engine.status() for engine in self._engines.values()),
                default=engine.runner if engine else None,
                running=sum(engine.num_running for engine in self._engines.values()),
                waiting=sum(len(queue) for queue in self._queues()),
            )

    def card(self, name: str) -> ModelCard:
        """Return what a served model can do, loaded or not.

        Raises:
            ModelUnavailable: Its checkpoint cannot be found or read.
        """
        if name not in self._cards:
            try:
                self._cards[name] = self._describe(self._sources[name])
            except LoadError as error:
                raise ModelUnavailable(f"The model {name!r} cannot be loaded.") from error
        return self._cards[name]

    def check_open(self) -> None:
        """Refuse work while the first model loads and during shutdown.

        Raises:
            ModelLoading: The default model has not been loaded yet.
            ShuttingDown: The process was told to stop.
        """
        with self._condition:
            check_open(started=self._started, ending=self._draining or bool(self._fault))

    def submit(self, name: str, prompt: Prompt) -> Job:
        """Queue a prompt for a served model, loading the model if needed.

        Raises:
            ModelLoading: The default model has not been loaded yet.
            QueueFull: `max_queue` jobs wait already.
            ShuttingDown: The process was told to stop.
        """
        job = Job(prompt)
        with self._condition:
            self.check_open()
            engine = self._engines.get(name)
            if engine is not None and engine.retiring:
                engine = None
            if engine is None or len(engine.jobs) >= engine.num_free_rows:
                check_queue(self._engines.values(), self._wanted.values(), self._max_queue)
            self._give(name, engine, job)
        return job

    @contextmanager
    def series(self, name: str) -> Iterator[None]:
        """Announce, before the first of several prompts, that others will follow it."""
        with self._condition:
            self._open_series[name] += 1
        try:
            yield
        finally:
            with self._condition:
                self._open_series[name] -= 1
                self._condition.notify_all()

    def follow(self, name: str, prompt: Prompt, *, only_if_free: bool) -> Job | None:
        """Queue the next prompt of a series, however many others wait.

        Args:
            only_if_free: Do so only where it can begin at once and delays nobody; else return None.

        Raises:
            ShuttingDown: The process was told to stop, and the model is not in memory.
        """
        job = Job(prompt, follows=True)
        with self._condition:
            engine = self._engines.get(name)
            if engine is not None and engine.retiring:
                # At the end of the process it waits for what follows; else it makes room at once.
                engine = engine if self._draining and engine.runner is not None else None
            if only_if_free and (engine is None or len(engine.jobs) >= engine.num_free_rows):
                return None
            if engine is None:
                self.check_open()
            self._give(name, engine, job)
        return job

    def cancel(self, job: Job, reason: TTSError) -> None:
        """End a job: out of the queue at once, or out of the model at its next frame.

        Whoever waits for it gets `reason` at once.
        """
        job.cancel(reason)
        with self._condition:
            for queue in self._queues():
                if job in queue:
                    queue.remove(job)

    def drain(self) -> None:
        """Refuse new work and what waits; what runs goes on to its end, with what follows it."""
        with self._condition:
            self._draining = True
            waiting = [job for queue in self._wanted.values() for job in queue]
            self._wanted.clear()
            for engine in self._engines.values():
                waiting += [job for job in engine.jobs if not job.follows]
                engine.jobs = deque(job for job in engine.jobs if job.follows)
                engine.retiring = True
            self._condition.notify_all()
        for job in waiting:
            job.fail(ShuttingDown("The server is shutting down.", retry_after_s=1))

    def close(self, timeout_s: float) -> bool:
        """Drain, and wait for the engines' threads; return whether all ended within `timeout_s`."""
        self.drain()
        deadline = time.monotonic() + timeout_s
        with self._condition:
            engines = list(self._engines.values())
        ended = [engine.join(max(0.0, deadline - time.monotonic())) for engine in engines]
        return all(ended)

    def _give(self, name: str, engine: Engine | None, job: Job) -> None:
        """Queue a job for a model: with its engine, or until it has one."""
        if engine is None:
            self._wanted.setdefault(name, deque()).append(job)
            self._make_room()
            return
        engine.jobs.append(job)
        self._engines.move_to_end(name)
        self._condition.notify_all()

    def _describe_state(self, default: Engine | None) -> tuple[str, str]:
        hanging = (engine.fault(self._hang_timeout_s) for engine in self._engines.values())
        if fault := self._fault or next(filter(None, hanging), ""):
            return "failed", fault
        if self._draining:
            return "draining", ""
        if not self._started:
            return "loading", default.doing if default else "starting"
        suspect = [engine.name for engine in self._engines.values() if engine.health.suspect]
        if suspect:
            return "recovering", f"the last utterance of {', '.join(suspect)} failed"
        return "ready", ""

    def _state(self, name: str) -> str:
        engine = self._engines.get(name)
        if engine is None:
            return "not loaded"
        return "loading" if engine.runner is None else "ready"

    def _queues(self) -> list[deque[Job]]:
        return [engine.jobs for engine in self._engines.values()] + list(self._wanted.values())

    def _make_room(self) -> None:
        """Start engines for wanted models, or retire others for them (under the condition)."""
        while self._wanted and len(self._engines) < self._max_loaded:
            name, jobs = self._wanted.popitem(last=False)
            load = partial(self._load, self._sources[name])
            self._engines[name] = Engine(
                name,
                load,
                jobs,
                self._condition,
                self._engine_ready,
                self._engine_ended,
                self._engine_lost,
                partial(self._is_awaited, name),
            )
            self._engines[name].start()
        retiring = sum(engine.retiring for engine in self._engines.values())
        for engine in self._engines.values():
            if not engine.retiring and retiring < len(self._wanted):
                engine.retiring = True
                retiring += 1
        self._condition.notify_all()

    def _is_awaited(self, name: str) -> bool:
        """Tell whether a series needs the model until its end (under the condition)."""
        return self._draining and self._open_series[name] > 0

    def _engine_ready(self) -> None:
        with self._condition:
            self._started = True

    def _engine_ended(self, engine: Engine) -> None:
        with self._condition:
            del self._engines[engine.name]
            failed_at_start = engine.failure is not None and not self._started
            self._make_room()
        if failed_at_start and engine.failure is not None:
            self._on_startup_failure(engine.failure)

    def _engine_lost(self) -> None:
        with self._condition:
            self._fault = "the model's device or thread is lost"
        self._on_fatal()
