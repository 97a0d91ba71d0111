"""The loop of an engine's thread: loads the model, computes frames, and releases the model.

No other thread uses the model, except as `Runner` allows. No lock is held while it computes.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from qwen_tts_api.engine.job import Job
from qwen_tts_api.engine.loading import LoadCancelled, LoadRunner
from qwen_tts_api.engine.runner.capture_lock import CAPTURES
from qwen_tts_api.engine.runner.interface import Runner
from qwen_tts_api.engine.scheduler import Scheduler
from qwen_tts_api.engine.self_test import Health, is_fatal, is_out_of_memory
from qwen_tts_api.engine.states import EngineState, IllegalTransition
from qwen_tts_api.errors import (
    LoadError,
    OutOfMemory,
    StartupError,
    SynthesisFailed,
    TTSError,
)
from qwen_tts_api.telemetry.context import bound_context

if TYPE_CHECKING:
    from qwen_tts_api.engine.engine import Engine

logger = logging.getLogger(__name__)


class DeviceLost(Exception):
    """The device failed in a way that only a new process recovers from."""


class Worker:
    """The body of an engine's thread.

    Args:
        engine: The engine whose jobs it computes.
        load: Loads the model.
        health: Records successes and failures.
    """

    def __init__(self, engine: Engine, load: LoadRunner, health: Health) -> None:
        self._engine = engine
        self._load = load
        self._health = health
        self._device_is_lost = False

    def run(self) -> None:
        """Load the model, compute until the engine closes, and release the model."""
        try:
            with bound_context(*self._engine.log_contexts()):
                runner = self._load_runner()
            if runner is not None:
                self._serve(runner)
                logger.info("%s: releasing its memory", self._engine.name)
                with CAPTURES.work():
                    runner.close()
                self._engine.enter_end(EngineState.CLOSED)
        except DeviceLost:
            logger.critical("%s: the device is lost; the process ends", self._engine.name)
            self._engine.enter_end(EngineState.LOST)
        except BaseException:  # a boundary: a dead thread would leave its jobs waiting forever
            logger.critical("%s: the engine has failed", self._engine.name, exc_info=True)
            self._engine.enter_end(EngineState.LOST)

    def _load_runner(self) -> Runner | None:
        name = self._engine.name
        began_at = time.monotonic()
        try:
            runner = self._load(self._report, self._engine.await_place)
        except LoadCancelled:
            logger.info("%s: load cancelled, since no request waits for it any more", name)
            self._engine.enter_end(EngineState.CLOSED)
            return None
        except IllegalTransition:
            raise
        except Exception as error:  # a boundary: libraries raise anything for a damaged file
            self._fail(error)
            return None
        logger.info("%s: ready in %.1f s", name, time.monotonic() - began_at)
        self._engine.enter_loaded(runner)
        return runner

    def _report(self, doing: str) -> None:
        logger.info("%s: %s", self._engine.name, doing)
        self._engine.report(doing)

    def _fail(self, error: Exception) -> None:
        name = self._engine.name
        if not isinstance(error, StartupError):
            logger.error("loading %s failed", name, exc_info=error)
            error = LoadError(f"{name} could not be loaded: {error!r}")
        with bound_context(*self._engine.log_contexts()):
            logger.error("%s", error)
        # A copy without traceback, whose frames would keep the loaded tensors in memory.
        self._engine.enter_end(EngineState.FAILED, type(error)(str(error)))

    def _serve(self, runner: Runner) -> None:
        scheduler = Scheduler(runner, self._explain)
        try:
            while self._engine.take_jobs(scheduler):
                with CAPTURES.work():
                    finished = self._step(scheduler)
                self._engine.note_times(finished)
        except BaseException:  # a boundary: the jobs in slots must end, too
            scheduler.fail_all(model_failed())
            raise

    def _step(self, scheduler: Scheduler) -> list[Job]:
        """Compute one frame of all running jobs; return those that have finished."""
        finished: list[Job] = []
        try:
            num_running = scheduler.num_running
            finished = scheduler.step()
            self._health.computed(num_running, finished=bool(finished))
        except Exception as error:  # a boundary: a failed frame fails its jobs, not the engine
            with bound_context(*scheduler.log_contexts):
                scheduler.fail_all(self._explain(error))
        if self._device_is_lost:
            raise DeviceLost
        return finished

    def _explain(self, error: Exception) -> TTSError:
        """Log an error of the model, and return the error for the client."""
        if isinstance(error, TTSError):
            return error
        self._device_is_lost |= is_fatal(error)  # also if only one job's prompt raised it
        name = self._engine.name
        out_of_memory = is_out_of_memory(error)
        self._health.failed(out_of_memory)
        if out_of_memory:
            logger.error("%s: out of memory: %s", name, error)
            return OutOfMemory("The device has no memory left for this request.", retry_after_s=5)
        logger.error("%s: synthesis failed", name, exc_info=error)
        return model_failed()


def model_failed() -> SynthesisFailed:
    """Return the client's error for a failure that is in the log."""
    return SynthesisFailed("The model failed on this request; the cause is in the server's log.")
