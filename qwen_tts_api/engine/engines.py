"""Which of the served models are in memory, which are wanted, and which make room for them.

A model is loaded when it is first asked for, as long as somebody waits for it. Its checkpoint is
judged first, and downloaded if need be. Then it needs a place: where `max_loaded` models are in
memory already, the least recently used one retires. That finishes what it has, gives its memory
back, and makes room. Work for a model that is not in memory waits for it in the order of arrival of
the models. What could not be loaded is not tried again at once.

A model that retires goes on with the series that it has for a turn, so that long texts for two
models do not load them anew for every prompt.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from functools import partial

from qwen_tts_api.engine.cards import unavailable
from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.failures import FailureMemory
from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.series import Series
from qwen_tts_api.errors import StartupError

LoadById = Callable[[str, Callable[[str], None], Callable[[], None]], Runner]
"""Loads a model by its id; else as `owner.LoadRunner`."""


class Engines:
    """The engines by the name of their model, one for a model at most; the `Owner` of them all.

    But for what `Owner` says, everything is read and called under `condition`.

    Args:
        sources: Model ids by name; the first is the default.
        load: Loads a model by its id.
        max_loaded: Models in memory at once.
        turn_s: How long a model goes on with its series while another one waits for its place.
        on_ready: Called in an engine's thread when its model has been loaded.
        on_startup_failure: Called in the engine's thread if the default model cannot be loaded at
            start.
        on_fatal: Called in an engine's thread when the process cannot compute any more.

    Attributes:
        condition: What all engines share.
        by_name: Least recently used first.
        wanted: Work for models whose engine takes no more, in the order in which they were asked
            for.
        series: Those that have prompts to come.
        failures: What could not be loaded of late.
        started: The default model has been loaded.
        draining: No more work is taken.
        fault: Why the process cannot compute any more.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        *,
        load: LoadById,
        max_loaded: int,
        turn_s: float,
        on_ready: Callable[[str, Runner], None],
        on_startup_failure: Callable[[StartupError], None],
        on_fatal: Callable[[], None],
    ) -> None:
        self.condition = threading.Condition()
        self.by_name: OrderedDict[str, Engine] = OrderedDict()
        self.wanted: OrderedDict[str, deque[Job]] = OrderedDict()
        self.series: list[Series] = []
        self.failures = FailureMemory()
        self.started = False
        self.draining = False
        self.fault = ""
        self._sources = sources
        self._default = next(iter(sources))
        self._load = load
        self._max_loaded = max_loaded
        self._turn_s = turn_s
        self._on_ready = on_ready
        self._on_startup_failure = on_startup_failure
        self._on_fatal = on_fatal

    def start(self) -> None:
        """Load the default model."""
        self.wanted[self._default] = deque()
        self.arrange()

    def taking(self, name: str) -> Engine | None:
        """Return the engine of a model that takes new jobs, or None."""
        engine = self.by_name.get(name)
        return None if engine is None or engine.retiring else engine

    def going_on_with(self, series: Series) -> Engine | None:
        """Return the engine that takes what follows of a series, or None.

        One that retires does so for its turn, and at the end of the process.
        """
        engine = self.by_name.get(series.name)
        if engine is None or not engine.retiring:
            return engine
        is_its = engine.runner is not None and series.engine is engine
        in_turn = self.draining or engine.turn_left_s(self._turn_s) > 0
        return engine if is_its and in_turn else None

    def check_loadable(self, name: str) -> None:
        """Refuse work for a model that is not in memory, and could not be loaded of late.

        Raises:
            ModelUnavailable: It is not yet tried again.
        """
        retry_after_s = self.failures.retry_after_s(name)
        if retry_after_s and name not in self.by_name:
            raise unavailable(name, retry_after_s)

    def give(self, name: str, engine: Engine | None, job: Job, series: Series | None) -> None:
        """Queue a job for a model: with its engine, or until there is one that takes jobs."""
        if series is not None:
            series.engine = engine
            series.jobs = [each for each in series.jobs if not each.finish_reason] + [job]
        if engine is None:
            self.wanted.setdefault(name, deque()).append(job)
            self.arrange()
            return
        engine.jobs.append(job)
        self.by_name.move_to_end(name)
        self.condition.notify_all()

    def queues(self) -> list[deque[Job]]:
        """Return everything that waits."""
        return [engine.jobs for engine in self.by_name.values()] + list(self.wanted.values())

    def arrange(self) -> None:
        """Start engines for wanted models, and see to their places."""
        for name in [name for name, jobs in self.wanted.items() if not jobs and self.started]:
            del self.wanted[name]
        if not self.draining:
            for name in [name for name in self.wanted if name not in self.by_name]:
                load = partial(self._load, self._sources[name])
                engine = self.by_name[name] = Engine(name, load, self.condition, self)
                self._hand_over(engine)
                engine.start()
            self._arrange_places()
        self.condition.notify_all()

    def drain(self) -> list[Job]:
        """Take no more work; return what is not begun any more. What follows is."""
        self.draining = True
        dropped = [job for queue in self.wanted.values() for job in queue]
        self.wanted.clear()
        for engine in self.by_name.values():
            kept = [job for job in engine.jobs if job.follows and engine.has_place]
            dropped += [job for job in engine.jobs if job not in kept]
            engine.jobs = deque(kept)
            engine.retire()
        self.condition.notify_all()
        return dropped

    def _arrange_places(self) -> None:
        """Give places to those that ask, first come first served; retire as many as still lack one.

        What retires for want of a place stays where it is wanted no more.
        """
        asking = [each for each in self.by_name.values() if each.asks_for_place]
        asking = [each for each in asking if not each.has_place and self.is_wanted(each)]
        asking.sort(key=lambda engine: engine.created_at)
        holders = [engine for engine in self.by_name.values() if engine.has_place]
        num_free = max(0, self._max_loaded - len(holders))
        for engine in asking[:num_free]:
            engine.has_place = True
            holders.append(engine)
        num_lacking = len(asking[num_free:]) - sum(engine.retiring for engine in holders)
        for engine in holders:
            if num_lacking > 0 and not engine.retiring:
                engine.retire()
                num_lacking -= 1
        for engine in reversed(holders):
            if num_lacking < 0 and engine.retiring and engine.stay():
                self._hand_over(engine)
                num_lacking += 1

    def _hand_over(self, engine: Engine) -> None:
        """Give an engine what waits for its model."""
        engine.jobs.extend(self.wanted.pop(engine.name, ()))
        for series in self.series:
            if series.name == engine.name and series.engine is None:
                series.engine = engine

    def place_asked(self) -> None:
        """See `Owner`."""
        self.arrange()

    def is_wanted(self, engine: Engine) -> bool:
        """See `Owner`. At start nobody waits for the default model, but everybody will."""
        at_start = engine.name == self._default and not self.started and not self.draining
        return at_start or bool(engine.jobs)

    def awaits_s(self, engine: Engine) -> float:
        """See `Owner`."""
        if all(series.engine is not engine for series in self.series):
            return 0.0
        return math.inf if self.draining else engine.turn_left_s(self._turn_s)

    def engine_ready(self, engine: Engine, runner: Runner) -> None:
        """See `Owner`."""
        self.failures.forget(engine.name)
        self._on_ready(engine.name, runner)
        with self.condition:
            self.started = True

    def engine_ended(self, engine: Engine) -> None:
        """See `Owner`. What waits for a model that could not be loaded fails with it."""
        failed: list[Job] = []
        retry_after_s = 0
        with self.condition:
            del self.by_name[engine.name]
            at_start = not self.started
            if engine.failure is not None:
                failed = [*engine.jobs, *self.wanted.pop(engine.name, ())]
                retry_after_s = self.failures.note(engine.name)
            self.arrange()
        for job in failed:
            job.fail(unavailable(engine.name, retry_after_s))
        if engine.failure is not None and at_start:
            self._on_startup_failure(engine.failure)

    def engine_lost(self) -> None:
        """See `Owner`."""
        with self.condition:
            self.fault = "the model's device or thread is lost"
        self._on_fatal()
