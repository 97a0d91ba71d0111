"""The roster: engines by model name, the assignment of places in memory, and unassigned jobs.

It has no threads or locks of its own: the pool's lock guards it.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job, Series
from qwen_tts_api.engine.snapshot import EngineSnapshot
from qwen_tts_api.engine.states import EngineState
from qwen_tts_api.errors import QueueFull

MAX_RETRY_AFTER_S = 60

TURN_S = 60.0
"""Default of `PoolSettings.turn_s`."""


@dataclass(frozen=True)
class PoolSettings:
    """What a pool may take.

    Attributes:
        max_loaded: Models in memory at once.
        max_queue: Jobs that may wait, over all models.
        hang_timeout_s: How long a model with work may take for one frame before it is at fault.
        turn_s: How long a retiring model accepts further jobs of its series, while another model
            waits for its place.
        idle_unload_s: How long a model stays in memory without work.
    """

    max_loaded: int
    max_queue: int
    hang_timeout_s: float
    turn_s: float = TURN_S
    idle_unload_s: float = math.inf


class Roster:
    """Engines, one for a model at most, and the jobs of models whose engine takes none.

    Args:
        make_engine: Makes the engine of a model.
        settings: How many, and how much for each.

    Attributes:
        engines: Those that there are by model, the least recently used first.
        idle: Models that were unloaded for lack of requests (`idle_unload_s`).
    """

    def __init__(self, make_engine: Callable[[str], Engine], settings: PoolSettings) -> None:
        self.engines: OrderedDict[str, Engine] = OrderedDict()
        self.idle: set[str] = set()
        self._make_engine = make_engine
        self._settings = settings
        self._jobs: OrderedDict[str, deque[Job]] = OrderedDict()  # the model asked for first, first
        self._series: set[Series] = set()  # those whose next job no engine has

    @property
    def num_unassigned(self) -> int:
        """How many jobs wait for models whose engine takes none."""
        return sum(map(len, self._jobs.values()))

    def start(self, name: str) -> None:
        """Start the engine of a model that has none, with all that waits for it."""
        self.idle.discard(name)
        engine = self.engines[name] = self._make_engine(name)
        self._hand_over(engine)
        engine.start()

    def remove(self, engine: Engine) -> None:
        """Forget an engine that has ended."""
        del self.engines[engine.name]

    def note_change(self, engine: Engine, old: EngineState, new: EngineState) -> None:
        """Note a change of state that an engine has caused."""
        if new is EngineState.CLOSED:
            self.remove(engine)
        elif (old, new) == (EngineState.READY, EngineState.CLOSING):
            self.idle.add(engine.name)

    def attach(self, series: Series) -> None:
        """Register a series whose jobs are still to come."""
        self._series.add(series)

    def detach(self, series: Series) -> None:
        """Unregister a series, here and at its model's engine."""
        self._series.discard(series)
        if engine := self.engines.get(series.name):
            engine.detach(series)

    def note_use(self, name: str, series: Series | None) -> None:
        """Mark a model as the most recently used: its engine has taken a job."""
        self.engines.move_to_end(name)
        if series is not None:
            self._series.discard(series)

    def queue_job(self, name: str, job: Job, series: Series | None) -> None:
        """Queue a job whose model has no engine that takes it; `arrange` starts one."""
        if series is not None:
            self.detach(series)
            self.attach(series)
        self._jobs.setdefault(name, deque()).append(job)

    def withdraw(self, job: Job) -> None:
        """Remove a job from the queue that it is in, here or at an engine."""
        for name, jobs in list(self._jobs.items()):
            if job in jobs:
                jobs.remove(job)
            if not jobs:
                del self._jobs[name]
        for engine in self.engines.values():
            engine.withdraw(job)

    def take(self, name: str) -> list[Job]:
        """Remove and return the jobs that are queued here for a model."""
        return list(self._jobs.pop(name, ()))

    def drain(self) -> list[Job]:
        """Drain all engines; return the jobs that will not run."""
        dropped = [job for name in list(self._jobs) for job in self.take(name)]
        return dropped + [job for engine in self.engines.values() for job in engine.drain()]

    def arrange(self) -> None:
        """Start engines for the models of queued jobs, and reassign the places in memory."""
        for name in [name for name in self._jobs if name not in self.engines]:
            self.start(name)
        for engine in self.engines.values():
            engine.abandon()
        places = assign_places(self.snapshots(), self._settings.max_loaded)
        for name in places.granted:
            self.engines[name].grant()
        for name in places.retired:
            self.engines[name].retire(self._settings.turn_s)
        for name in places.kept:
            if self.engines[name].stay():
                self._hand_over(self.engines[name])

    def snapshots(self) -> list[EngineSnapshot]:
        """Return a snapshot of every engine, the least recently used first."""
        return [engine.snapshot() for engine in self.engines.values()]

    def check_queue(self) -> None:
        """Raise an error if the queue is full.

        Raises:
            QueueFull: As many jobs wait as QWEN_MAX_QUEUE allows.
        """
        engines = self.snapshots()
        # Jobs for which a slot is free do not count: the engine takes them at its next step.
        waiting = sum(max(0, each.waiting - each.num_free) for each in engines)
        waiting += self.num_unassigned
        if waiting < self._settings.max_queue:
            return
        seconds = max((each.mean_job_s / each.slots for each in engines if each.slots), default=1.0)
        raise QueueFull(
            f"{waiting} requests are waiting, as many as QWEN_MAX_QUEUE allows.",
            retry_after_s=max(1, min(MAX_RETRY_AFTER_S, math.ceil(waiting * seconds))),
        )

    def _hand_over(self, engine: Engine) -> None:
        """Move the queued jobs and series of a model to its engine, as far as it accepts them."""
        for series in [each for each in self._series if each.name == engine.name]:
            self._series.remove(series)
            engine.attach(series)
        jobs = self._jobs.get(engine.name, deque())
        while jobs and engine.submit(jobs[0]):
            jobs.popleft()
        if not jobs:
            self._jobs.pop(engine.name, None)


@dataclass(frozen=True)
class Places:
    """Engines that get, lose or keep a place in memory, by name; applied in this order."""

    granted: tuple[str, ...]
    retired: tuple[str, ...]
    kept: tuple[str, ...]


def assign_places(engines: Sequence[EngineSnapshot], max_loaded: int) -> Places:
    """Give places to those that wait, first come first served; retire as many as still lack one.

    An engine that retires because another one lacked a place stays if none lacks one any more.

    Args:
        engines: The least recently used first.
        max_loaded: How many places there are.
    """
    queued = [each for each in engines if each.state is EngineState.QUEUED]
    queued.sort(key=lambda each: each.created_at)
    holders = [each for each in engines if each.state.has_place]
    granted = queued[: max(0, max_loaded - len(holders))]
    retiring = [each for each in holders if each.state.gives_way]
    staying = [each for each in holders if not each.state.gives_way] + granted
    may_stay = [each for each in retiring if each.state is not EngineState.CLOSING]
    num_lacking = len(queued) - len(granted) - len(retiring)
    return Places(
        granted=tuple(each.name for each in granted),
        retired=tuple(each.name for each in staying[: max(0, num_lacking)]),
        kept=tuple(each.name for each in reversed(may_stay))[: max(0, -num_lacking)],
    )
