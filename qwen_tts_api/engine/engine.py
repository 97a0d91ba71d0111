"""One model and the thread that owns it: a state machine with a queue.

`states` has the states and who may cause which change; `worker` is what the thread does. What the
thread and the pool both touch is here, guarded by the engine's lock, which is held for moments: not
while anything is loaded, computed or told to `on_change`. The order is pool, engine, job.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from qwen_tts_api.engine import states
from qwen_tts_api.engine.job import Job, Series
from qwen_tts_api.engine.loading import LoadRunner, NotWanted
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.engine.self_test import Health, self_test
from qwen_tts_api.engine.snapshot import EngineSnapshot, EngineStatus
from qwen_tts_api.engine.states import Actor, EngineState, IllegalTransition, Tenure
from qwen_tts_api.engine.worker import Worker
from qwen_tts_api.errors import StartupError
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.telemetry.context import LogContext

OnChange = Callable[["Engine", EngineState, EngineState], None]
"""Told of each change of state that the engine itself caused: the states before and after. Called
in its thread, which holds no lock."""


class Engine:
    """A model, its queue, and the thread that loads it, computes with it and releases it.

    Args:
        name: The model's name in requests.
        load: Loads it.
        on_change: See `OnChange`.
        required: Whether it is loaded though nobody waits for it.
        idle_unload_s: How long it stays in memory without work.
    """

    def __init__(
        self,
        name: str,
        load: LoadRunner,
        on_change: OnChange,
        *,
        required: bool = False,
        idle_unload_s: float = math.inf,
    ) -> None:
        self.name = name
        self.required = required
        self._on_change = on_change
        self._health = Health()  # the thread writes it, anybody reads it
        self._worker = Worker(self, load, self._health)
        self._thread = threading.Thread(target=self._worker.run, name=f"engine {name}", daemon=True)
        self._changed = threading.Condition()  # its lock guards all that follows
        self._state = EngineState.CHECKING
        self._created_at = time.monotonic()
        self._tenure = Tenure(idle_unload_s)
        self._doing = "starting"
        self._failure: StartupError | None = None
        self._runner: Runner | None = None
        self._jobs: deque[Job] = deque()
        self._series: set[Series] = set()
        self._num_running = self._num_free = self._pages_used = 0
        self._mean_job_s = 1.0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end, at most `timeout_s` seconds; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def submit(self, job: Job, series: Series | None = None, *, only_if_free: bool = False) -> bool:
        """Queue a job; return False where the state allows no new one, or it could not begin."""
        with self._changed:
            return self._state in states.ACCEPTING and self._enqueue(job, series, only_if_free)

    def follow(self, job: Job, series: Series, *, only_if_free: bool) -> bool:
        """Queue a series' next job; return False where the state does not allow it.

        One that is retiring goes on with the series that it has while its turn lasts.

        Args:
            job: To be queued.
            series: Whose.
            only_if_free: Only where it can begin at once.
        """
        with self._changed:
            in_turn = series in self._series and self._tenure.turn_left_s(self._state) > 0
            is_open = in_turn or self._state in states.ACCEPTING
            return is_open and self._enqueue(job, series, only_if_free)

    def attach(self, series: Series) -> None:
        """Expect more jobs of a series: while retiring, wait for them until its turn ends."""
        with self._changed:
            self._series.add(series)

    def detach(self, series: Series) -> None:
        """Expect no more jobs of a series."""
        with self._changed:
            self._series.discard(series)
            self._changed.notify_all()

    def withdraw(self, job: Job) -> None:
        """Take a job out of the queue, if it is there."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def grant(self) -> bool:
        """Give a place to one that is queued for it; return whether it was."""
        return self._move({EngineState.QUEUED: EngineState.LOADING})

    def abandon(self) -> bool:
        """Give up one that is queued for a place, if nobody waits for it; return whether so."""
        with self._changed:
            unwanted = not (self.required or self._jobs)
            return unwanted and self._move({EngineState.QUEUED: EngineState.ABANDONED})

    def retire(self, turn_s: float) -> bool:
        """End with what it has, and what follows within `turn_s`; return whether it had a place."""
        with self._changed:
            self._tenure.turn_s = turn_s
            return self._move(states.RETIRE)

    def stay(self) -> bool:
        """Go on, though told to retire; return whether that is possible."""
        return self._move(states.STAY)

    def drain(self) -> list[Job]:
        """End, with what runs and all that follows it first; return what was queued in vain."""
        with self._changed:
            kept = [job for job in self._jobs if job.follows and self._state.has_place]
            dropped = [job for job in self._jobs if job not in kept]
            self._jobs = deque(kept)
            self._tenure.turn_s = math.inf
            self._move(states.RETIRE | states.DROP)
            return dropped

    def forget(self, reference: Reference) -> None:
        """Drop what the model has cached of a recording."""
        with self._changed:
            if self._runner is not None:
                self._runner.forget(reference)

    def snapshot(self) -> EngineSnapshot:
        """Return what the pool decides by."""
        with self._changed:
            return EngineSnapshot(
                name=self.name,
                state=self._state,
                created_at=self._created_at,
                waiting=len(self._jobs),
                running=self._num_running,
                slots=self._runner.max_slots if self._runner else 0,
                num_free=self._num_free,
                pages_used=self._pages_used,
                mean_job_s=self._mean_job_s,
                card=self._runner.card if self._runner else None,
                failure=self._failure,
            )

    def status(self) -> EngineStatus:
        """Return what probes and metrics tell."""
        with self._changed:
            return EngineStatus.of(self.snapshot(), self._doing, self._health, self._runner)

    def _transition(self, new: EngineState, actor: Actor) -> EngineState:
        """Enter a state, under the lock; return the one before. Nothing else writes the state."""
        old = self._state
        if states.TRANSITIONS.get((old, new)) is not actor:
            raise IllegalTransition(f"{self.name}: {old.value} to {new.value} by the {actor.value}")
        self._state = new
        self._tenure.enter_state()
        self._changed.notify_all()
        return old

    def _move(self, moves: Mapping[EngineState, EngineState]) -> bool:
        """Enter what `moves` has for the current state; return False where it has nothing."""
        with self._changed:
            if self._state not in moves:
                return False
            self._transition(moves[self._state], Actor.POOL)
            return True

    def _enqueue(self, job: Job, series: Series | None, only_if_free: bool) -> bool:
        if only_if_free and len(self._jobs) >= self._num_free:
            return False
        self._jobs.append(job)
        if job.prompt.arriving is not None:
            job.prompt.arriving.on_change = self._wake
        if series is not None:
            self._series.add(series)
        self._changed.notify_all()
        return True

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # From here on: for the engine's thread alone.

    def report(self, doing: str) -> None:
        """Note what the loading is at."""
        with self._changed:
            self._doing = doing

    def log_contexts(self) -> list[LogContext]:
        """Return whose jobs are queued, for the log."""
        with self._changed:
            return [job.log_context for job in self._jobs]

    def await_place(self) -> None:
        """Wait for a place among the loaded models.

        Raises:
            NotWanted: Whoever asked for the model has gone.
        """
        with self._changed:
            self._check_wanted()
            old = self._transition(EngineState.QUEUED, Actor.ENGINE)
        self._on_change(self, old, EngineState.QUEUED)
        with self._changed:
            self._changed.wait_for(lambda: self._state is not EngineState.QUEUED)
            self._check_wanted()

    def _check_wanted(self) -> None:
        if self._state is EngineState.ABANDONED:
            raise NotWanted

    def enter_loaded(self, runner: Runner) -> None:
        """Enter the state in which the model serves, and tell the pool."""
        with self._changed:
            self._runner, self._num_free = runner, runner.max_slots
            self._tenure.use()
            new = states.LOADED.get(self._state, EngineState.READY)
            old = self._transition(new, Actor.ENGINE)
        self._on_change(self, old, new)

    def enter_end(self, new: EngineState, failure: StartupError | None = None) -> None:
        """Enter a state that nothing follows, and tell the pool."""
        with self._changed:
            self._failure = failure
            self._num_running = self._pages_used = 0
            old = self._transition(new, Actor.ENGINE)
        self._on_change(self, old, new)

    def take_jobs(self, scheduler: Scheduler) -> bool:
        """Move queued jobs to free slots; wait for one where nothing is left to do.

        Returns False at the end: the engine is closing then, and nobody gives it another job.
        """
        self._health.progress()
        closed_from = None
        with self._changed:
            self._note_occupancy(scheduler)
            while scheduler.is_idle and not self._jobs:
                if (left_s := self._left_s()) <= 0:
                    self._runner = None
                    closed_from = self._transition(EngineState.CLOSING, Actor.ENGINE)
                    break
                if self._health.self_test_is_due():
                    scheduler.add(self_test(scheduler.runner.card))
                    break
                idle_s = min(left_s, self._health.self_test_due_in_s())
                self._changed.wait(None if idle_s == math.inf else idle_s)
                self._health.progress()
            self._tenure.use()
            if scheduler.awaits_text and not (self._jobs and scheduler.num_free):
                self._changed.wait(0.5)  # below any QWEN_HANG_TIMEOUT_S
            for _ in range(min(len(self._jobs), scheduler.num_free)):
                scheduler.add(self._jobs.popleft())
            self._note_occupancy(scheduler)
        if closed_from is not None:
            self._on_change(self, closed_from, EngineState.CLOSING)
        return closed_from is None

    def _note_occupancy(self, scheduler: Scheduler) -> None:
        """Copy what the scheduler's slots and pages are at, for snapshots of other threads."""
        self._num_running, self._pages_used = scheduler.num_running, scheduler.pages.num_used
        num_left = scheduler.runner.max_slots - self._num_running
        self._num_free = 0 if scheduler.lacks_pages else num_left

    def _left_s(self) -> float:
        has_series, degraded = bool(self._series), self._health.degraded
        return self._tenure.left_s(self._state, has_series=has_series, degraded=degraded)

    def note_times(self, finished: list[Job]) -> None:
        """Update the moving average of how long a job takes, by which `Retry-After` is computed."""
        with self._changed:
            for job in finished:
                self._mean_job_s += 0.2 * (job.model_s - self._mean_job_s)
