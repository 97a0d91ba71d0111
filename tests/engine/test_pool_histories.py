"""Whatever happens in whatever order: no illegal state is reached, and every job ends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_tts_api.engine import model_cards
from qwen_tts_api.engine.engine import Engine
from qwen_tts_api.engine.job import Job, Series
from qwen_tts_api.engine.loading import ModelLoader
from qwen_tts_api.engine.pool import ModelPool, ProcessHooks
from qwen_tts_api.engine.roster import PoolSettings
from qwen_tts_api.engine.states import TRANSITIONS, Actor, EngineState
from qwen_tts_api.errors import LoadError, QueueFull, StartupError, TTSError, Unavailable
from qwen_tts_api.model.utterance import Prompt, SamplingParams
from tests.conftest import CARDS, wait_until
from tests.fakes import FakeHub, FakeRunner

NAMES = ("voice", "small", "design")
MAX_LOADED = 2
MAX_QUEUE = 4
NUM_SLOTS = 2
ENDS = {EngineState.CLOSED, EngineState.FAILED, EngineState.LOST}


class History:
    """A pool, and everything that clients, checkpoints, the device and the system do to it.

    Each event is given a model, a number and a choice, and uses of them what it can.
    """

    def __init__(self, idle_unload_s: float) -> None:
        self.states: dict[Engine, EngineState] = {}
        self.jobs: list[Job] = []
        self.series: list[tuple[Series, ExitStack]] = []
        self.startup_failures: list[StartupError] = []
        self.may_be_lost = False
        self.is_lost = False
        self.hub = FakeHub(CARDS, NUM_SLOTS)
        self.pool = ModelPool(
            {name: name for name in NAMES},
            ModelLoader(self.hub.load, CARDS.__getitem__),
            PoolSettings(
                MAX_LOADED,
                MAX_QUEUE,
                hang_timeout_s=60,
                turn_s=0.05,
                idle_unload_s=idle_unload_s,
            ),
            ProcessHooks(self.startup_failures.append, self._note_lost),
        )

    def _note_lost(self) -> None:
        self.is_lost = True

    @property
    def runners(self) -> list[FakeRunner]:
        return list(self.hub.runners.values())

    def submit(self, name: str, number: int, choice: bool) -> None:
        """Ask for one utterance, or for the first of a series."""
        with ExitStack() as stack, suppress(QueueFull, Unavailable):
            series = stack.enter_context(self.pool.series(name)) if choice else None
            self.jobs.append(self.pool.submit(name, prompt(number), series))
            if series is not None:
                self.series.append((series, stack.pop_all()))

    def follow(self, name: str, number: int, choice: bool) -> None:
        with suppress(QueueFull, Unavailable):
            for series, _ in self.series[-1 - number % 2 :][:1]:
                job = self.pool.follow(series, prompt(number), only_if_free=choice)
                self.jobs += [job] if job else []

    def end_series(self, name: str, number: int, choice: bool) -> None:
        if self.series:
            self.series.pop(number % len(self.series))[1].close()

    def cancel(self, name: str, number: int, choice: bool) -> None:
        if self.jobs:
            self.pool.cancel(self.jobs[number % len(self.jobs)], TTSError("nobody listens"))

    def wait(self, name: str, number: int, choice: bool) -> None:
        if self.jobs:
            self.jobs[number % len(self.jobs)].wait(0.02)

    def damage(self, name: str, number: int, choice: bool) -> None:
        """Let the weights of a model be damaged, or not."""
        self.hub.errors.pop(name, None)
        if choice:
            self.hub.errors[name] = LoadError("damaged")

    def refuse(self, name: str, number: int, choice: bool) -> None:
        self.hub.refusal = LoadError("quantised") if choice else None

    def hold_loads(self, name: str, number: int, choice: bool) -> None:
        (self.hub.gate.clear if choice else self.hub.gate.set)()

    def hold_frames(self, name: str, number: int, choice: bool) -> None:
        for runner in self.runners:
            (runner.gate.clear if choice else runner.gate.set)()

    def break_a_call(self, name: str, number: int, choice: bool) -> None:
        runner = self.runners[number % len(self.runners)]
        setattr(runner, "error" if choice else "prefill_error", RuntimeError("broken"))

    def lose_the_device(self, name: str, number: int, choice: bool) -> None:
        self.may_be_lost = True
        for runner in self.runners:
            runner.error = RuntimeError("CUDA error: an illegal memory access was encountered")

    def drain(self, name: str, number: int, choice: bool) -> None:
        self.pool.drain()

    def check(self) -> None:
        """Assert what holds at every moment."""
        status = self.pool.status()
        assert self.may_be_lost or not self.is_lost
        assert not self.startup_failures
        assert sum(each.state.has_place for each in status.engines) <= MAX_LOADED
        assert all(each.running <= NUM_SLOTS for each in status.engines)

    def end(self) -> None:
        """Let the process end; assert that everything else has."""
        self.hub.gate.set()
        self.hold_frames("", 0, False)
        for _, stack in self.series:
            stack.close()
        assert self.pool.close(10)
        assert set(self.states.values()) <= ENDS
        assert {each.state for each in self.pool.status().engines} <= {EngineState.LOST}
        for job in self.jobs:
            assert job.finish_reason or job.failure, "a job has no end"


USUAL = (
    *["submit"] * 3,
    *["follow"] * 2,
    *["wait"] * 2,
    "end_series",
    "cancel",
    "damage",
    "refuse",
    "hold_loads",
    "hold_frames",
    "break_a_call",
)
LAST = ("drain", "lose_the_device", "wait")


def events(kinds: tuple[str, ...], most: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    each = st.tuples(
        st.sampled_from(kinds), st.sampled_from(NAMES), st.integers(0, 30), st.booleans()
    )
    return st.lists(each, max_size=most)


def prompt(length: int) -> Prompt:
    return Prompt("x" * (1 + length), "auto", "ryan", "", SamplingParams(seed=1))


@contextmanager
def recorded(history: History) -> Iterator[None]:
    """Record the state that every engine is in, and see that it follows on the last."""
    transition = Engine._transition

    def record(engine: Engine, new: EngineState, actor: Actor) -> EngineState:
        old = transition(engine, new, actor)
        assert TRANSITIONS[old, new] is actor
        assert old is history.states.get(engine, EngineState.CHECKING)
        history.states[engine] = new
        return old

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_transition", record)
        patch.setattr(model_cards, "FIRST_DELAY_S", 0.0)
        yield


@settings(max_examples=30, deadline=None)
@given(
    first=events(USUAL, 50),
    last=events(LAST, 1),
    after=events(USUAL, 10),
    idle_unload_s=st.sampled_from([math.inf, 0.005, 0.0]),
)
def test_no_history_has_a_job_without_an_end(
    first: list[tuple[Any, ...]],
    last: list[tuple[Any, ...]],
    after: list[tuple[Any, ...]],
    idle_unload_s: float,
) -> None:
    """Nor an engine, nor more models in memory than may be; also where unused ones leave it."""
    history = History(idle_unload_s)
    with recorded(history):
        history.pool.start()
        wait_until(lambda: history.pool.status().ready)
        try:
            for kind, *arguments in (*first, *last, *after):
                getattr(history, kind)(*arguments)
                history.check()
        finally:
            history.end()
