"""One thread that owns one model: loads it, computes what is queued, gives its memory back."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.owner import LoadRunner, NotWanted, Owner
from qwen_tts_api.engine.runner.capture_lock import CAPTURES
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.engine.self_test import Health, canary, is_fatal
from qwen_tts_api.engine.snapshot import EngineStatus, ModelDetails
from qwen_tts_api.errors import (
    LoadError,
    OutOfMemory,
    StartupError,
    SynthesisFailed,
    TTSError,
)
from qwen_tts_api.telemetry.logs import bound_context

logger = logging.getLogger(__name__)


class Engine:
    """One model and the thread that owns it. Nothing else ever touches the model.

    It judges the checkpoint, waits for a place among the loaded models, loads, serves, and retires
    where another model is to have the place.

    All attributes are read and written under `condition`, which the engines of a pool share.

    Attributes:
        name: The model's name in requests.
        doing: What the loading is at, for people who wait.
        runner: The loaded model, or None while it is loading. Only `card`, `placement` and limits
            are for other threads.
        failure: Why it could not be loaded.
        created_at: When its model was asked for, by `time.monotonic`.
        asks_for_place: The checkpoint is there and can be served.
        has_place: It may take memory of the device.
        jobs: What waits for a row, first come first served.
        num_running: How many jobs are in rows.
        mean_job_s: Running mean of the seconds that a job is in its row.
        health: Whether it computes, and right.
    """

    def __init__(
        self,
        name: str,
        load: LoadRunner,
        condition: threading.Condition,
        owner: Owner,
    ) -> None:
        self.name = name
        self.doing = "starting"
        self.runner: Runner | None = None
        self.failure: StartupError | None = None
        self.created_at = time.monotonic()
        self.asks_for_place = False
        self.has_place = False
        self.jobs: deque[Job] = deque()
        self.num_running = 0
        self.mean_job_s = 1.0
        self.health = Health()
        self._load = load
        self._condition = condition
        self._owner = owner
        self._ready_at = self.created_at
        self._retired_at: float | None = None
        self._has_ended = False
        self._device_is_lost = False
        self._hangs = False
        self._thread = threading.Thread(target=self._run, name=f"engine {name}", daemon=True)

    def start(self) -> None:
        """Start loading in the engine's thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end, at most `timeout_s` seconds; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def retiring(self) -> bool:
        """Whether it ends when the jobs that it has are done, and those that follow them."""
        return self._retired_at is not None

    def retire(self) -> None:
        """Take no more jobs but those that follow, and end."""
        self._retired_at = self._retired_at or time.monotonic()

    def stay(self) -> bool:
        """Go on serving, though told to retire; return whether that is still possible."""
        if not self._has_ended:
            self._retired_at = None
        return not self._has_ended

    def turn_left_s(self, turn_s: float) -> float:
        """Return how long it goes on with what follows, of `turn_s` since it was told to retire."""
        if self._retired_at is None:
            return turn_s
        return max(0.0, max(self._retired_at, self._ready_at) + turn_s - time.monotonic())

    @property
    def num_free_rows(self) -> int:
        """How many jobs could begin at once; 0 while the model is loading."""
        return 0 if self.runner is None else self.runner.max_rows - self.num_running

    @property
    def is_busy(self) -> bool:
        """Whether a loaded model has something to compute."""
        return self.runner is not None and self.num_running > 0

    def fault(self, hang_timeout_s: float) -> str:
        """Return a sentence's worth of what is wrong with a model that hangs; else nothing.

        The first time it is asked while a model hangs, the log tells, too.
        """
        if not self.is_busy or self.health.idle_s() <= hang_timeout_s:
            self._hangs = False
            return ""
        fault = (
            f"{self.name} has computed nothing of what it has for {hang_timeout_s:g} s "
            "(QWEN_HANG_TIMEOUT_S)"
        )
        if not self._hangs:
            self._hangs = True
            logger.critical("%s", fault)
        return fault

    @property
    def details(self) -> ModelDetails | None:
        """The model, while it is in memory."""
        if self.runner is None:
            return None
        card, place = self.runner.card, self.runner.placement
        return ModelDetails(card.kind, card.size, place.device, place.dtype, place.attention)

    def status(self) -> EngineStatus:
        """Return what is to be told of it."""
        return EngineStatus(
            name=self.name,
            running=self.num_running,
            rows=self.runner.max_rows if self.runner else 0,
            frames=self.health.num_frames,
            row_frames=self.health.num_row_frames,
            failures=self.health.num_failures,
            out_of_memory=self.health.num_out_of_memory,
            memory_bytes=self.runner.memory_bytes() if self.runner else 0,
        )

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:  # a border: without its thread the model would be there, and never answer
            logger.critical("%s: the engine has failed", self.name, exc_info=True)
            self._owner.engine_lost()

    def _serve(self) -> None:
        runner = self._load_runner()
        if runner is not None:
            scheduler = Scheduler(runner, self._explain)
            while self._take_jobs(scheduler):
                with CAPTURES.work():
                    self._step(scheduler)
            with CAPTURES.work():
                runner.close()
        self._owner.engine_ended(self)

    def _load_runner(self) -> Runner | None:
        with self._condition:
            wanted_by = [job.log_context for job in self.jobs]
        with bound_context(*wanted_by):
            return self._try_to_load()

    def _try_to_load(self) -> Runner | None:
        began_at = time.monotonic()
        try:
            runner = self._load(self._report, self._await_place)
        except NotWanted:
            logger.info("%s: nobody waits for it any more; it is not loaded", self.name)
            return None
        except Exception as error:  # a border: whatever a damaged checkpoint makes libraries raise
            self._fail(error)
            return None
        logger.info("%s: ready in %.1f s", self.name, time.monotonic() - began_at)
        with self._condition:
            self.runner = runner
            self._ready_at = time.monotonic()
        self._owner.engine_ready(self, runner)
        return runner

    def _report(self, doing: str) -> None:
        logger.info("%s: %s", self.name, doing)
        with self._condition:
            self.doing = doing

    def _await_place(self) -> None:
        """Wait for a place among the loaded models.

        Raises:
            NotWanted: Whoever asked for the model has gone.
        """
        with self._condition:
            self.asks_for_place = True
            self._owner.place_asked()
            while self._owner.is_wanted(self):
                if self.has_place:
                    return
                self._condition.wait()
            self.retire()  # what is asked for from now on is another engine's
            self._has_ended = True
        raise NotWanted

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, StartupError):
            logger.error("loading %s failed", self.name, exc_info=error)
            error = LoadError(f"{self.name} could not be loaded: {error!r}")
        # Without its traceback, whose frames would keep what was loaded in memory.
        self.failure = type(error)(str(error))
        with self._condition:
            jobs = list(self.jobs)
        with bound_context(*[job.log_context for job in jobs]):
            logger.error("%s", error)

    def _take_jobs(self, scheduler: Scheduler) -> bool:
        """Give rows to waiting jobs; wait for one where nothing is left to do; False at the end.

        From the end on, `runner` is None, and nobody gives the engine another job.
        """
        self.health.progress()
        with self._condition:
            self.num_running = scheduler.num_running
            while scheduler.is_idle and not self.jobs:
                awaited_s = self._owner.awaits_s(self) if self.retiring else math.inf
                if awaited_s <= 0:
                    self.runner, self._has_ended = None, True
                    return False
                if self.health.canary_is_due():
                    self.jobs.append(canary(scheduler.runner.card))
                    break
                due_s = self.health.canary_due_in_s()
                timeout_s = min(awaited_s, math.inf if due_s is None else due_s)
                self._condition.wait(None if timeout_s == math.inf else timeout_s)
                self.health.progress()
            taken = [self.jobs.popleft() for _ in range(min(len(self.jobs), scheduler.num_free))]
            self.num_running += len(taken)
        for job in taken:
            scheduler.add(job)
        return True

    def _step(self, scheduler: Scheduler) -> None:
        try:
            num_rows = scheduler.num_running
            ended = scheduler.step()
        except Exception as error:  # a border: the engine outlives a frame that fails
            with bound_context(*scheduler.log_contexts):
                scheduler.fail_all(self._explain(error))
        else:
            self._note(num_rows, ended)
        if self._device_is_lost:
            logger.critical("%s: the device is lost; the process ends", self.name)
            self._owner.engine_lost()

    def _note(self, num_rows: int, ended: list[Job]) -> None:
        self.health.computed(num_rows)
        if ended:
            self.health.succeeded()
            with self._condition:
                for job in ended:
                    self.mean_job_s += 0.2 * (job.model_s - self.mean_job_s)

    def _explain(self, error: Exception) -> TTSError:
        """Log what a model raised, and return what the client is told."""
        if isinstance(error, TTSError):
            return error
        self._device_is_lost |= is_fatal(error)  # also where a single job's prompt met it
        out_of_memory = type(error).__name__ == "OutOfMemoryError"  # PyTorch's, not imported here
        self.health.failed(out_of_memory)
        if out_of_memory:
            logger.error("%s: out of memory: %s", self.name, error)
            return OutOfMemory("The device has no memory left for this request.", retry_after_s=5)
        logger.error("%s: synthesis failed", self.name, exc_info=error)
        return SynthesisFailed(
            "The model failed on this request; the cause is in the server's log."
        )
