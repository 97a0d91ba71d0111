"""One model and the thread that owns it: a state machine with a queue.

`states` defines the states and transitions, `worker` the loop of the thread. What the thread and
the pool share is here, guarded by the engine's lock. It is held briefly: never while a model is
loaded, a frame computed or `on_change` called. The lock order is pool, engine, job.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from qwen_tts_api.engine import states
from qwen_tts_api.engine.job import Job, Series
from qwen_tts_api.engine.loading import LoadCancelled, LoadRunner
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.engine.self_test import Health, self_test
from qwen_tts_api.engine.snapshot import EngineSnapshot, EngineStatus
from qwen_tts_api.engine.states import Actor, EngineState, IllegalTransition, UnloadTimer
from qwen_tts_api.engine.worker import Worker
from qwen_tts_api.errors import StartupError
from qwen_tts_api.model.utterance import Reference
from qwen_tts_api.telemetry.context import LogContext

OnChange = Callable[["Engine", EngineState, EngineState], None]
"""Called with the old and the new state after each transition that the engine's thread caused; in
that thread, which holds no lock."""


class Engine:
    """A model, its queue, and the thread that loads it, computes with it and releases it.

    Args:
        name: The model's name in requests.
        load: Loads it.
        on_change: See `OnChange`.
        required: Whether it is loaded even if no job waits for it.
        idle_unload_s: How long the model stays in memory without jobs.
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
        self._unload_timer = UnloadTimer(idle_unload_s)
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
        """Queue a new job; return False if the state refuses it, or no slot is free for it."""
        with self._changed:
            return self._state in states.ACCEPTING and self._enqueue(job, series, only_if_free)

    def follow(self, job: Job, series: Series, *, only_if_free: bool) -> bool:
        """Queue the next job of a series; return False if the state refuses it.

        A retiring engine accepts jobs of the series that it has until its turn ends.

        Args:
            job: The job.
            series: Its series.
            only_if_free: Refuse it if no slot is free for it.
        """
        with self._changed:
            in_turn = series in self._series and self._unload_timer.turn_left_s(self._state) > 0
            is_open = in_turn or self._state in states.ACCEPTING
            return is_open and self._enqueue(job, series, only_if_free)

    def attach(self, series: Series) -> None:
        """Add a series: a retiring engine waits for its jobs until the turn ends."""
        with self._changed:
            self._series.add(series)

    def detach(self, series: Series) -> None:
        """Remove a series: no more jobs of it will come."""
        with self._changed:
            self._series.discard(series)
            self._changed.notify_all()

    def withdraw(self, job: Job) -> None:
        """Remove a job from the queue, if it is there."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def grant(self) -> bool:
        """Grant the place in memory that it is queued for; return whether it was queued."""
        return self._move({EngineState.QUEUED: EngineState.LOADING})

    def abandon(self) -> bool:
        """Cancel the load if it is queued for a place and no job needs it; return whether so."""
        with self._changed:
            unwanted = not (self.required or self._jobs)
            return unwanted and self._move({EngineState.QUEUED: EngineState.ABANDONED})

    def retire(self, turn_s: float) -> bool:
        """Unload after its jobs, and those of its series within `turn_s`; False if not loaded."""
        with self._changed:
            self._unload_timer.turn_s = turn_s
            return self._move(states.RETIRE)

    def stay(self) -> bool:
        """Revoke `retire`; return whether that was still possible."""
        return self._move(states.STAY)

    def drain(self) -> list[Job]:
        """Retire for shutdown: complete running jobs and their series; return the dropped jobs."""
        with self._changed:
            kept = [job for job in self._jobs if job.follows and self._state.has_place]
            dropped = [job for job in self._jobs if job not in kept]
            self._jobs = deque(kept)
            self._unload_timer.turn_s = math.inf
            self._move(states.RETIRE | states.DROP)
            return dropped

    def forget(self, reference: Reference) -> None:
        """Remove a recording from the model's caches."""
        with self._changed:
            if self._runner is not None:
                self._runner.forget(reference)

    def snapshot(self) -> EngineSnapshot:
        """Return the state that the pool's decisions are based on."""
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
        """Return the status for probes and metrics."""
        with self._changed:
            return EngineStatus.of(self.snapshot(), self._doing, self._health, self._runner)

    def _transition(self, new: EngineState, actor: Actor) -> EngineState:
        """Change the state, under the lock; return the old one. Nothing else writes the state."""
        old = self._state
        if states.TRANSITIONS.get((old, new)) is not actor:
            raise IllegalTransition(f"{self.name}: {old.value} to {new.value} by the {actor.value}")
        self._state = new
        self._unload_timer.enter_state()
        self._changed.notify_all()
        return old

    def _move(self, moves: Mapping[EngineState, EngineState]) -> bool:
        """Make the transition that `moves` has for the current state; return False if none."""
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

    # From here on: called by the engine's thread only.

    def report(self, doing: str) -> None:
        """Set the stage of loading."""
        with self._changed:
            self._doing = doing

    def log_contexts(self) -> list[LogContext]:
        """Return the log contexts of the queued jobs."""
        with self._changed:
            return [job.log_context for job in self._jobs]

    def await_place(self) -> None:
        """Block until there is a place among the loaded models.

        Raises:
            LoadCancelled: No job waits for the model any more.
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
            raise LoadCancelled

    def enter_loaded(self, runner: Runner) -> None:
        """Enter the state that follows loading, and notify the pool."""
        with self._changed:
            self._runner, self._num_free = runner, runner.max_slots
            self._unload_timer.use()
            new = states.LOADED.get(self._state, EngineState.READY)
            old = self._transition(new, Actor.ENGINE)
        self._on_change(self, old, new)

    def enter_end(self, new: EngineState, failure: StartupError | None = None) -> None:
        """Enter a final state, and notify the pool."""
        with self._changed:
            self._failure = failure
            self._num_running = self._pages_used = 0
            old = self._transition(new, Actor.ENGINE)
        self._on_change(self, old, new)

    def take_jobs(self, scheduler: Scheduler) -> bool:
        """Move queued jobs to free slots; block while there are no jobs at all.

        Returns False when the engine is closing: no more jobs will come.
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
            self._unload_timer.use()
            if scheduler.awaits_text and not (self._jobs and scheduler.num_free):
                self._changed.wait(0.5)  # below any QWEN_HANG_TIMEOUT_S
            for _ in range(min(len(self._jobs), scheduler.num_free)):
                scheduler.add(self._jobs.popleft())
            self._note_occupancy(scheduler)
        if closed_from is not None:
            self._on_change(self, closed_from, EngineState.CLOSING)
        return closed_from is None

    def _note_occupancy(self, scheduler: Scheduler) -> None:
        """Copy the occupancy of slots and pages, for snapshots by other threads."""
        self._num_running, self._pages_used = scheduler.num_running, scheduler.pages.num_used
        num_left = scheduler.runner.max_slots - self._num_running
        self._num_free = 0 if scheduler.lacks_pages else num_left

    def _left_s(self) -> float:
        has_series, degraded = bool(self._series), self._health.degraded
        return self._unload_timer.left_s(self._state, has_series=has_series, degraded=degraded)

    def note_times(self, finished: list[Job]) -> None:
        """Update the moving average of how long a job takes, by which `Retry-After` is computed."""
        with self._changed:
            for job in finished:
                self._mean_job_s += 0.2 * (job.model_s - self._mean_job_s)
